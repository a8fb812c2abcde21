// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/mac.hpp"

#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

namespace {

/// Runs `algorithm`; `out` has exactly its size. `algorithm` is fetched once by the caller: looking it up by name costs
/// more than a short MAC.
Status compute_mac(EVP_MAC* algorithm, ByteView key, const OSSL_PARAM* params, std::initializer_list<ByteView> parts,
                   MutableByteView out, const char* name) {
  const MacContextHandle context{algorithm != nullptr ? EVP_MAC_CTX_new(algorithm) : nullptr};
  // OpenSSL takes a null key for "the key of before", so an empty key needs an address.
  static constexpr std::uint8_t empty = 0;
  const std::uint8_t* key_data = key.empty() ? &empty : key.data();
  bool done = context && EVP_MAC_init(context.get(), key_data, key.size(), params) == 1;
  for (const ByteView part : parts) {
    done = done && (part.empty() || EVP_MAC_update(context.get(), part.data(), part.size()) == 1);
  }
  std::size_t size = 0;
  done = done && EVP_MAC_final(context.get(), out.data(), &size, out.size()) == 1 && size == out.size();
  if (!done) return fail_openssl(ErrorKind::internal, std::string(name) + " failed");
  return {};
}

}  // namespace

Result<Cmac> aes_cmac(const SecretBytes& key, std::initializer_list<ByteView> parts) {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "CMAC", nullptr);
  const char* cipher = cmac_cipher_name(key.size());
  if (cipher == nullptr) {
    return fail(ErrorKind::invalid_argument,
                "An AES-CMAC key has 16, 24 or 32 bytes, not " + std::to_string(key.size()));
  }
  const OSSL_PARAM params[] = {text_param(OSSL_MAC_PARAM_CIPHER, cipher), OSSL_PARAM_construct_end()};
  Cmac mac{};
  CAS_TRY(compute_mac(algorithm, key.reveal(), params, parts, mac, "AES-CMAC"));
  return mac;
}

Result<std::array<std::uint8_t, 32>> hmac_sha256(const SecretBytes& key, std::initializer_list<ByteView> parts) {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  const OSSL_PARAM params[] = {text_param(OSSL_MAC_PARAM_DIGEST, "SHA256"), OSSL_PARAM_construct_end()};
  std::array<std::uint8_t, 32> mac{};
  CAS_TRY(compute_mac(algorithm, key.reveal(), params, parts, mac, "HMAC-SHA-256"));
  return mac;
}

Result<std::array<std::uint8_t, 64>> hmac_sha512(const SecretBytes& key, std::initializer_list<ByteView> parts) {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  const OSSL_PARAM params[] = {text_param(OSSL_MAC_PARAM_DIGEST, "SHA512"), OSSL_PARAM_construct_end()};
  std::array<std::uint8_t, 64> mac{};
  CAS_TRY(compute_mac(algorithm, key.reveal(), params, parts, mac, "HMAC-SHA-512"));
  return mac;
}

Result<std::array<std::uint8_t, sha1_size>> hmac_sha1(const SecretBytes& key, std::initializer_list<ByteView> parts) {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  const OSSL_PARAM params[] = {text_param(OSSL_MAC_PARAM_DIGEST, "SHA1"), OSSL_PARAM_construct_end()};
  std::array<std::uint8_t, sha1_size> mac{};
  CAS_TRY(compute_mac(algorithm, key.reveal(), params, parts, mac, "HMAC-SHA-1"));
  return mac;
}

struct HmacSha1::State {
  MacContextHandle context;
};

HmacSha1::HmacSha1(std::unique_ptr<State> state) : state_(std::move(state)) {}
HmacSha1::~HmacSha1() = default;
HmacSha1::HmacSha1(HmacSha1&&) noexcept = default;
HmacSha1& HmacSha1::operator=(HmacSha1&&) noexcept = default;

Result<HmacSha1> HmacSha1::create(const SecretBytes& key) {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  const OSSL_PARAM params[] = {text_param(OSSL_MAC_PARAM_DIGEST, "SHA1"), OSSL_PARAM_construct_end()};
  if (key.empty()) return fail(ErrorKind::invalid_argument, "HMAC-SHA-1 for many messages needs a key");
  auto state = std::make_unique<State>();
  state->context.reset(algorithm != nullptr ? EVP_MAC_CTX_new(algorithm) : nullptr);
  if (!state->context || EVP_MAC_init(state->context.get(), key.reveal().data(), key.size(), params) != 1) {
    return fail_openssl(ErrorKind::internal, "HMAC-SHA-1 failed");
  }
  return HmacSha1(std::move(state));
}

Result<std::array<std::uint8_t, sha1_size>> HmacSha1::compute(std::initializer_list<ByteView> parts) {
  EVP_MAC_CTX* const context = state_->context.get();
  std::array<std::uint8_t, sha1_size> mac{};
  // Without a key the one of before is taken up again.
  bool done = EVP_MAC_init(context, nullptr, 0, nullptr) == 1;
  for (const ByteView part : parts) {
    done = done && (part.empty() || EVP_MAC_update(context, part.data(), part.size()) == 1);
  }
  std::size_t size = 0;
  done = done && EVP_MAC_final(context, mac.data(), &size, mac.size()) == 1 && size == mac.size();
  if (!done) return fail_openssl(ErrorKind::internal, "HMAC-SHA-1 failed");
  return mac;
}

}  // namespace cas::crypto
