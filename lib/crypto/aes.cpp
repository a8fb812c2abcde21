// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/aes.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "crypto/aes_engine.hpp"

namespace cas::crypto {

namespace {

/// Whether a piece that lands at `place` inside `out` may be worked on: it is the very same memory, or apart from all
/// of it.
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
      return fail(ErrorKind::invalid_argument,
                  "The input and output of AES-GCM overlap; they may be the same or apart");
    }
    total += piece.size();
  }
  if (total != out.size()) return fail(ErrorKind::invalid_argument, "The output of AES-GCM is larger than its input");
  return {};
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------- AES-GCM

namespace {

Status run(GcmEngine& engine, Direction direction, std::span<const std::uint8_t, gcm_nonce_size> nonce,
           ByteView associated, std::span<const ByteView> pieces, std::uint8_t* out) {
  CAS_TRY(engine.begin(direction, nonce, associated));
  for (const ByteView piece : pieces) {
    CAS_TRY(engine.feed(piece, out));
    out += piece.size();
  }
  return {};
}

}  // namespace

AesGcm::AesGcm(std::unique_ptr<GcmEngine> engine) : engine_(std::move(engine)) {}
AesGcm::~AesGcm() = default;
AesGcm::AesGcm(AesGcm&&) noexcept = default;
AesGcm& AesGcm::operator=(AesGcm&&) noexcept = default;

Result<AesGcm> AesGcm::create(const SecretBytes& key, Workload workload) {
  std::unique_ptr<GcmEngine> engine = workload == Workload::bulk ? make_ipsec_mb_gcm(key) : nullptr;
  if (!engine) {
    CAS_TRY_ASSIGN(engine, make_openssl_gcm(key));
  }
  return AesGcm(std::move(engine));
}

Status AesGcm::seal(std::span<const std::uint8_t, gcm_nonce_size> nonce, ByteView associated,
                    std::span<const ByteView> plain, MutableByteView cipher_text,
                    std::span<std::uint8_t, gcm_tag_size> tag) {
  CAS_TRY(check_pieces(plain, cipher_text));
  CAS_TRY(run(*engine_, Direction::encrypt, nonce, associated, plain, cipher_text.data()));
  return engine_->give_tag(tag);
}

Status AesGcm::open(std::span<const std::uint8_t, gcm_nonce_size> nonce, ByteView associated,
                    std::span<const ByteView> cipher_text, std::span<const std::uint8_t, gcm_tag_size> tag,
                    MutableByteView plain) {
  CAS_TRY(check_pieces(cipher_text, plain));
  // The tag may lie right behind the cipher text in the memory that is decrypted in place; it is read before that.
  std::array<std::uint8_t, gcm_tag_size> expected{};
  std::copy(tag.begin(), tag.end(), expected.begin());
  if (auto fed = run(*engine_, Direction::decrypt, nonce, associated, cipher_text, plain.data()); !fed) {
    cleanse(plain);
    return fed;
  }
  if (!engine_->check_tag(expected)) {
    cleanse(plain);
    return fail(ErrorKind::authentication_failed, "The tag does not fit: the message or its key is not the right one");
  }
  return {};
}

// ---------------------------------------------------------------------------------------------------------- AES-CTR

AesCtr::AesCtr(std::unique_ptr<CtrEngine> engine, std::span<const std::uint8_t, aes_block_size> initial_counter)
    : engine_(std::move(engine)) {
  std::copy(initial_counter.begin(), initial_counter.end(), initial_counter_.begin());
}
AesCtr::~AesCtr() = default;
AesCtr::AesCtr(AesCtr&&) noexcept = default;
AesCtr& AesCtr::operator=(AesCtr&&) noexcept = default;

Result<AesCtr> AesCtr::create(const SecretBytes& key, std::span<const std::uint8_t, aes_block_size> initial_counter,
                              Workload workload) {
  std::unique_ptr<CtrEngine> engine = workload == Workload::bulk ? make_ipsec_mb_ctr(key) : nullptr;
  if (!engine) {
    CAS_TRY_ASSIGN(engine, make_openssl_ctr(key));
  }
  AesCtr ctr(std::move(engine), initial_counter);
  CAS_TRY(ctr.seek(0));
  return ctr;
}

Status AesCtr::seek(std::uint64_t position) {
  return engine_->seek(counter_after(initial_counter_, position / aes_block_size), position % aes_block_size);
}

Status AesCtr::apply(ByteView in, MutableByteView out) {
  if (in.size() != out.size())
    return fail(ErrorKind::invalid_argument, "The input and output of AES-CTR differ in size");
  if (!is_workable(in, out.data(), out)) {
    return fail(ErrorKind::invalid_argument, "The input and output of AES-CTR overlap; they may be the same or apart");
  }
  return engine_->apply(in, out.data());
}

}  // namespace cas::crypto
