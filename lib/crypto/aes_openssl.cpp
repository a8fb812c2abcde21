// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <string>

#include "crypto/aes_engine.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"

// AES as OpenSSL computes it.

namespace cas::crypto {

namespace {

// EVP counts in int. Whole blocks, so that a long message is not shifted against them.
constexpr std::size_t evp_step = std::size_t{1} << 30;

/// `name_128` or `name_256`, whichever the key is for.
Result<const EVP_CIPHER*> cipher_for(const SecretBytes& key, const EVP_CIPHER* cipher_128,
                                     const EVP_CIPHER* cipher_256) {
  if (key.size() == 16) return cipher_128;
  if (key.size() == 32) return cipher_256;
  return fail(ErrorKind::invalid_argument, "An AES key has 16 or 32 bytes here, not " + std::to_string(key.size()));
}

/// A context that holds the key schedule.
Result<CipherContextHandle> keyed_context(const EVP_CIPHER* cipher, const SecretBytes& key, const std::uint8_t* iv,
                                          Direction direction) {
  CipherContextHandle context{EVP_CIPHER_CTX_new()};
  if (!context ||
      EVP_CipherInit_ex2(context.get(), cipher, key.reveal().data(), iv, static_cast<int>(direction), nullptr) != 1) {
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

class OpensslGcm final : public GcmEngine {
 public:
  explicit OpensslGcm(CipherContextHandle context) : context_(std::move(context)) {}

  Status begin(Direction direction, std::span<const std::uint8_t, gcm_nonce_size> nonce, ByteView associated) override {
    CAS_TRY(restart(context_.get(), nonce.data(), direction));
    return cas::crypto::feed(context_.get(), associated, nullptr);
  }

  Status feed(ByteView in, std::uint8_t* out) override { return cas::crypto::feed(context_.get(), in, out); }

  Status give_tag(std::span<std::uint8_t, gcm_tag_size> tag) override {
    std::uint8_t nothing = 0;
    int written = 0;
    if (EVP_CipherFinal_ex(context_.get(), &nothing, &written) != 1 ||
        EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()), tag.data()) != 1) {
      return fail_openssl(ErrorKind::internal, "AES-GCM gives no tag");
    }
    return {};
  }

  bool check_tag(std::span<const std::uint8_t, gcm_tag_size> tag) override {
    std::array<std::uint8_t, gcm_tag_size> expected{};  // OpenSSL wants it writable
    std::copy(tag.begin(), tag.end(), expected.begin());
    std::uint8_t nothing = 0;
    int written = 0;
    if (EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(expected.size()),
                            expected.data()) == 1 &&
        EVP_CipherFinal_ex(context_.get(), &nothing, &written) == 1) {
      return true;
    }
    drop_openssl_errors();
    return false;
  }

 private:
  CipherContextHandle context_;
};

class OpensslCtr final : public CtrEngine {
 public:
  explicit OpensslCtr(CipherContextHandle context) : context_(std::move(context)) {}

  Status seek(const CounterBlock& counter, std::size_t inside) override {
    CAS_TRY(restart(context_.get(), counter.data(), Direction::encrypt));
    std::array<std::uint8_t, aes_block_size> key_stream{};
    const Status skipped = feed(context_.get(), ByteView(key_stream).first(inside), key_stream.data());
    cleanse(key_stream);
    return skipped;
  }

  Status apply(ByteView in, std::uint8_t* out) override { return feed(context_.get(), in, out); }

 private:
  CipherContextHandle context_;
};

}  // namespace

Result<std::unique_ptr<GcmEngine>> make_openssl_gcm(const SecretBytes& key) {
  CAS_TRY_ASSIGN(const EVP_CIPHER* cipher, cipher_for(key, EVP_aes_128_gcm(), EVP_aes_256_gcm()));
  CAS_TRY_ASSIGN(CipherContextHandle context, keyed_context(cipher, key, nullptr, Direction::encrypt));
  return std::make_unique<OpensslGcm>(std::move(context));
}

Result<std::unique_ptr<CtrEngine>> make_openssl_ctr(const SecretBytes& key) {
  CAS_TRY_ASSIGN(const EVP_CIPHER* cipher, cipher_for(key, EVP_aes_128_ctr(), EVP_aes_256_ctr()));
  constexpr CounterBlock zero{};
  CAS_TRY_ASSIGN(CipherContextHandle context, keyed_context(cipher, key, zero.data(), Direction::encrypt));
  return std::make_unique<OpensslCtr>(std::move(context));
}

// ---------------------------------------------------------------------------------------------------------- AES-CBC

namespace {

Status run_cbc(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> iv, ByteView in, std::uint8_t* out,
               Direction direction) {
  CAS_TRY_ASSIGN(const EVP_CIPHER* cipher, cipher_for(key, EVP_aes_128_cbc(), EVP_aes_256_cbc()));
  if (in.size() % aes_block_size != 0) {
    return fail(ErrorKind::invalid_argument,
                "AES-CBC without padding takes whole blocks of 16 bytes, not " + std::to_string(in.size()) + " bytes");
  }
  CAS_TRY_ASSIGN(const CipherContextHandle context, keyed_context(cipher, key, iv.data(), direction));
  // Without padding nothing is held back, so there is no final part.
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  return feed(context.get(), in, out);
}

}  // namespace

Result<Bytes> aes_cbc_encrypt(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> iv,
                              ByteView plain) {
  Bytes out(plain.size());
  CAS_TRY(run_cbc(key, iv, plain, out.data(), Direction::encrypt));
  return out;
}

Result<SecretBytes> aes_cbc_decrypt(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> iv,
                                    ByteView cipher_text) {
  SecretBytes out(cipher_text.size());
  CAS_TRY(run_cbc(key, iv, cipher_text, out.reveal_mutable().data(), Direction::decrypt));
  return out;
}

// --------------------------------------------------------------------------------------------- One block, and key wrap

Result<SecretBytes> aes_encrypt_block(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> block) {
  CAS_TRY_ASSIGN(const EVP_CIPHER* cipher, cipher_for(key, EVP_aes_128_ecb(), EVP_aes_256_ecb()));
  CAS_TRY_ASSIGN(const CipherContextHandle context, keyed_context(cipher, key, nullptr, Direction::encrypt));
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  SecretBytes out(aes_block_size);
  CAS_TRY(feed(context.get(), block, out.reveal_mutable().data()));
  return out;
}

namespace {

constexpr std::size_t max_wrapped_secret = 4096;

/// A context for RFC 3394, which OpenSSL gives out on request alone.
Result<CipherContextHandle> wrap_context(const SecretBytes& key, Direction direction) {
  if (key.size() != 32)
    return fail(ErrorKind::invalid_argument,
                "A key that wraps others has 32 bytes here, not " + std::to_string(key.size()));
  CipherContextHandle context{EVP_CIPHER_CTX_new()};
  if (context) EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  if (!context || EVP_CipherInit_ex2(context.get(), EVP_aes_256_wrap(), key.reveal().data(), nullptr,
                                     static_cast<int>(direction), nullptr) != 1) {
    return fail_openssl(ErrorKind::internal, "AES key wrap cannot be started");
  }
  return context;
}

}  // namespace

Result<Bytes> aes_key_wrap(const SecretBytes& key, const SecretBytes& secret) {
  if (secret.size() < 16 || secret.size() > max_wrapped_secret || secret.size() % key_wrap_overhead != 0)
    return fail(ErrorKind::invalid_argument, "AES key wrap takes 16 to 4,096 bytes, a multiple of 8");
  CAS_TRY_ASSIGN(const CipherContextHandle context, wrap_context(key, Direction::encrypt));
  Bytes out(secret.size() + key_wrap_overhead);
  CAS_TRY(feed(context.get(), secret.reveal(), out.data()));
  return out;
}

Result<SecretBytes> aes_key_unwrap(const SecretBytes& key, ByteView wrapped) {
  if (wrapped.size() < 16 + key_wrap_overhead || wrapped.size() > max_wrapped_secret + key_wrap_overhead ||
      wrapped.size() % key_wrap_overhead != 0)
    return fail(ErrorKind::invalid_argument, "What AES key wrap has made has 24 to 4,104 bytes, a multiple of 8");
  CAS_TRY_ASSIGN(const CipherContextHandle context, wrap_context(key, Direction::decrypt));
  SecretBytes out(wrapped.size());  // OpenSSL works in the 8 bytes more
  if (!feed(context.get(), wrapped, out.reveal_mutable().data()))
    return fail(ErrorKind::authentication_failed, "the wrapped key was changed, or wrapped under another key");
  return SecretBytes::copy_of(out.reveal().first(wrapped.size() - key_wrap_overhead));
}

}  // namespace cas::crypto
