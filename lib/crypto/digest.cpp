// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/digest.hpp"

#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

struct Sha256::State {
  DigestContextHandle context{EVP_MD_CTX_new()};

  Status start() {
    // Fetched once: looking it up costs as much as the digest of a few lines.
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    if (!context || algorithm == nullptr || EVP_DigestInit_ex2(context.get(), algorithm, nullptr) != 1) {
      return fail_openssl(ErrorKind::internal, "SHA-256 cannot be started");
    }
    return {};
  }
  Status update(ByteView bytes) {
    if (EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1) {
      return fail_openssl(ErrorKind::internal, "SHA-256 failed");
    }
    return {};
  }
  Result<Sha256Digest> finish() {
    Sha256Digest digest{};
    if (EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1) {
      return fail_openssl(ErrorKind::internal, "SHA-256 failed");
    }
    return digest;
  }
};

Sha256::Sha256(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Result<Sha256> Sha256::create() {
  auto state = std::make_unique<State>();
  CAS_TRY(state->start());
  return Sha256(std::move(state));
}

Status Sha256::update(ByteView bytes) { return state_->update(bytes); }

Result<Sha256Digest> Sha256::finish() {
  CAS_TRY_ASSIGN(const Sha256Digest digest, state_->finish());
  CAS_TRY(state_->start());
  return digest;
}

Result<Sha256Digest> Sha256::so_far() const {
  State copy;
  if (!copy.context || EVP_MD_CTX_copy_ex(copy.context.get(), state_->context.get()) != 1)
    return fail_openssl(ErrorKind::internal, "SHA-256 failed");
  return copy.finish();
}

Result<Sha256Digest> sha256(std::initializer_list<ByteView> parts) {
  CAS_TRY_ASSIGN(Sha256 hash, Sha256::create());
  for (const ByteView part : parts) CAS_TRY(hash.update(part));
  return hash.finish();
}

Result<Sha256Digest> sha256(ByteView bytes) { return sha256({bytes}); }

}  // namespace cas::crypto
