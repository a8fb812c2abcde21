// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/aes.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

namespace {

// EVP counts in int. Whole blocks, so that a long message is not shifted against them.
constexpr std::size_t evp_step = std::size_t{1} << 30;

enum class Direction : int { decrypt = 0, encrypt = 1 };

/// `name_128` or `name_256`, whichever the key is for.
Result<const EVP_CIPHER*> cipher_for(const SecretBytes& key, const EVP_CIPHER* cipher_128, const EVP_CIPHER* cipher_256) {
  if (key.size() == 16) return cipher_128;
  if (key.size() == 32) return cipher_256;
  return fail(ErrorKind::invalid_argument, "An AES key has 16 or 32 bytes here, not " + std::to_string(key.size()));
}

/// A context that holds the key schedule.
Result<CipherContextHandle> keyed_context(const EVP_CIPHER* cipher, const SecretBytes& key, const std::uint8_t* iv,
                                          Direction direction) {
  CipherContextHandle context{EVP_CIPHER_CTX_new()};
  if (!context || EVP_CipherInit_ex2(context.get(), cipher, key.reveal().data(), iv, static_cast<int>(direction), nullptr) != 1) {
    return fail_openssl(ErrorKind::internal, "AES cannot be started");
  }
  return context;
}

/// A new message under the key that the context has.
Status restart(EVP_CIPHER_CTX* context, const std::uint8_t* iv, Direction direction) {
  if (EVP_CipherInit_ex2(context, nullptr, nullptr, iv, static_cast<int>(direction), nullptr) != 1) {
    return fail_openssl(ErrorKind::internal, "AES cannot be started on a message");
  }
  return {};
}

/// Feeds `in`; what comes out goes to `out`, which is null for associated data.
Status feed(EVP_CIPHER_CTX* context, ByteView in, std::uint8_t* out) {
  while (!in.empty()) {
    const std::size_t count = std::min(in.size(), evp_step);
    int written = 0;
    if (EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(count)) != 1) {
      return fail_openssl(ErrorKind::internal, "AES failed on a message");
    }
    if (out != nullptr) out += written;
    in = in.subspan(count);
  }
  return {};
}

/// Whether a piece that lands at `place` inside `out` may be worked on: it is the very same memory, or apart from all of it.
bool is_workable(ByteView piece, const std::uint8_t* place, ByteView out) {
  const std::less_equal<const std::uint8_t*> before;
  return piece.empty() || out.empty() || piece.data() == place || before(piece.data() + piece.size(), out.data()) ||
         before(out.data() + out.size(), piece.data());
}

Status check_pieces(std::span<const ByteView> pieces, ByteView out) {
  std::size_t total = 0;
  for (const ByteView piece : pieces) {
    if (piece.size() > out.size() - total) {
      return fail(ErrorKind::invalid_argument, "The output of AES-GCM is smaller than its input");
    }
    if (!is_workable(piece, out.data() + total, out)) {
      return fail(ErrorKind::invalid_argument, "The input and output of AES-GCM overlap; they may be the same or apart");
    }
    total += piece.size();
  }
  if (total != out.size()) return fail(ErrorKind::invalid_argument, "The output of AES-GCM is larger than its input");
  return {};
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------- AES-GCM

struct AesGcm::State {
  CipherContextHandle context;

  Status run(Direction direction, std::span<const std::uint8_t, gcm_nonce_size> nonce, ByteView associated,
             std::span<const ByteView> pieces, std::uint8_t* out) {
    CAS_TRY(restart(context.get(), nonce.data(), direction));
    CAS_TRY(feed(context.get(), associated, nullptr));
    for (const ByteView piece : pieces) {
      CAS_TRY(feed(context.get(), piece, out));
      out += piece.size();
    }
    return {};
  }
};

AesGcm::AesGcm(std::unique_ptr<State> state) : state_(std::move(state)) {}
AesGcm::~AesGcm() = default;
AesGcm::AesGcm(AesGcm&&) noexcept = default;
AesGcm& AesGcm::operator=(AesGcm&&) noexcept = default;

Result<AesGcm> AesGcm::create(const SecretBytes& key) {
  CAS_TRY_ASSIGN(const EVP_CIPHER* cipher, cipher_for(key, EVP_aes_128_gcm(), EVP_aes_256_gcm()));
  CAS_TRY_ASSIGN(CipherContextHandle context, keyed_context(cipher, key, nullptr, Direction::encrypt));
  auto state = std::make_unique<State>();
  state->context = std::move(context);
  return AesGcm(std::move(state));
}

Status AesGcm::seal(std::span<const std::uint8_t, gcm_nonce_size> nonce, ByteView associated,
                    std::span<const ByteView> plain, MutableByteView cipher_text,
                    std::span<std::uint8_t, gcm_tag_size> tag) {
  CAS_TRY(check_pieces(plain, cipher_text));
  CAS_TRY(state_->run(Direction::encrypt, nonce, associated, plain, cipher_text.data()));
  EVP_CIPHER_CTX* context = state_->context.get();
  std::uint8_t nothing = 0;
  int written = 0;
  if (EVP_CipherFinal_ex(context, &nothing, &written) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()), tag.data()) != 1) {
    return fail_openssl(ErrorKind::internal, "AES-GCM gives no tag");
  }
  return {};
}

Status AesGcm::open(std::span<const std::uint8_t, gcm_nonce_size> nonce, ByteView associated,
                    std::span<const ByteView> cipher_text, std::span<const std::uint8_t, gcm_tag_size> tag,
                    MutableByteView plain) {
  CAS_TRY(check_pieces(cipher_text, plain));
  // The tag may lie right behind the cipher text in the memory that is decrypted in place; it is read before that.
  std::array<std::uint8_t, gcm_tag_size> expected{};
  std::copy(tag.begin(), tag.end(), expected.begin());
  if (auto run = state_->run(Direction::decrypt, nonce, associated, cipher_text, plain.data()); !run) {
    cleanse(plain);
    return run;
  }
  EVP_CIPHER_CTX* context = state_->context.get();
  std::uint8_t nothing = 0;
  int written = 0;
  if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(expected.size()), expected.data()) != 1 ||
      EVP_CipherFinal_ex(context, &nothing, &written) != 1) {
    cleanse(plain);
    drop_openssl_errors();
    return fail(ErrorKind::authentication_failed, "The tag does not fit: the message or its key is not the right one");
  }
  return {};
}

// ---------------------------------------------------------------------------------------------------------- AES-CTR

struct AesCtr::State {
  CipherContextHandle context;
  std::array<std::uint8_t, aes_block_size> initial_counter{};

  /// initial_counter + blocks modulo 2^128, big-endian (SP 800-38A, B.1).
  [[nodiscard]] std::array<std::uint8_t, aes_block_size> counter_at(std::uint64_t blocks) const {
    auto counter = initial_counter;
    unsigned carry = 0;
    for (std::size_t i = counter.size(); i-- > 0;) {
      const unsigned sum = counter[i] + static_cast<unsigned>(blocks & 0xffU) + carry;
      counter[i] = static_cast<std::uint8_t>(sum);
      carry = sum >> 8;
      blocks >>= 8;
    }
    return counter;
  }
};

AesCtr::AesCtr(std::unique_ptr<State> state) : state_(std::move(state)) {}
AesCtr::~AesCtr() = default;
AesCtr::AesCtr(AesCtr&&) noexcept = default;
AesCtr& AesCtr::operator=(AesCtr&&) noexcept = default;

Result<AesCtr> AesCtr::create(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> initial_counter) {
  CAS_TRY_ASSIGN(const EVP_CIPHER* cipher, cipher_for(key, EVP_aes_128_ctr(), EVP_aes_256_ctr()));
  CAS_TRY_ASSIGN(CipherContextHandle context, keyed_context(cipher, key, initial_counter.data(), Direction::encrypt));
  auto state = std::make_unique<State>();
  state->context = std::move(context);
  std::copy(initial_counter.begin(), initial_counter.end(), state->initial_counter.begin());
  return AesCtr(std::move(state));
}

Status AesCtr::seek(std::uint64_t position) {
  const auto counter = state_->counter_at(position / aes_block_size);
  CAS_TRY(restart(state_->context.get(), counter.data(), Direction::encrypt));
  const std::size_t inside = position % aes_block_size;
  std::array<std::uint8_t, aes_block_size> key_stream{};
  const Status skipped = feed(state_->context.get(), ByteView(key_stream).first(inside), key_stream.data());
  cleanse(key_stream);
  return skipped;
}

Status AesCtr::apply(ByteView in, MutableByteView out) {
  if (in.size() != out.size()) return fail(ErrorKind::invalid_argument, "The input and output of AES-CTR differ in size");
  if (!is_workable(in, out.data(), out)) {
    return fail(ErrorKind::invalid_argument, "The input and output of AES-CTR overlap; they may be the same or apart");
  }
  return feed(state_->context.get(), in, out.data());
}

// ---------------------------------------------------------------------------------------------------------- AES-CBC

namespace {

Status run_cbc(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> iv, ByteView in, std::uint8_t* out,
               Direction direction) {
  CAS_TRY_ASSIGN(const EVP_CIPHER* cipher, cipher_for(key, EVP_aes_128_cbc(), EVP_aes_256_cbc()));
  if (in.size() % aes_block_size != 0) {
    return fail(ErrorKind::invalid_argument, "AES-CBC without padding takes whole blocks of 16 bytes, not " +
                                                 std::to_string(in.size()) + " bytes");
  }
  CAS_TRY_ASSIGN(const CipherContextHandle context, keyed_context(cipher, key, iv.data(), direction));
  // Without padding nothing is held back, so there is no final part.
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  return feed(context.get(), in, out);
}

}  // namespace

Result<Bytes> aes_cbc_encrypt(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> iv, ByteView plain) {
  Bytes out(plain.size());
  CAS_TRY(run_cbc(key, iv, plain, out.data(), Direction::encrypt));
  return out;
}

Result<SecretBytes> aes_cbc_decrypt(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> iv, ByteView cipher_text) {
  SecretBytes out(cipher_text.size());
  CAS_TRY(run_cbc(key, iv, cipher_text, out.reveal_mutable().data(), Direction::decrypt));
  return out;
}

}  // namespace cas::crypto
