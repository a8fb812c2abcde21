// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/kdf.hpp"

#include <bit>
#include <string>

#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

namespace {

constexpr std::size_t hkdf_max_size = 255 * 32;   // RFC 5869, 2.3: L <= 255 * HashLen
constexpr std::size_t hkdf_max_info = 1024;       // what every OpenSSL 3 takes
constexpr std::size_t kbkdf_max_size = 1U << 16;  // far more than keys need, far less than the 2^32-1 bits of [L]
constexpr std::uint64_t scrypt_max_memory = std::uint64_t{256} << 20;
constexpr std::uint32_t scrypt_max_r = 1024;
constexpr std::uint32_t scrypt_max_p = 16;
constexpr std::size_t scrypt_max_size = 1024;

Status check_size(const char* name, std::size_t size, std::size_t max_size) {
  if (size >= 1 && size <= max_size) return {};
  return fail(ErrorKind::invalid_argument, std::string(name) + " gives 1 to " + std::to_string(max_size) + " bytes; " +
                                               std::to_string(size) + " were asked for");
}

/// `algorithm` is fetched once by the caller: looking it up by name costs more than a short derivation.
Result<SecretBytes> derive(EVP_KDF* algorithm, const char* name, const OSSL_PARAM* params, std::size_t size) {
  const KdfContextHandle context{algorithm != nullptr ? EVP_KDF_CTX_new(algorithm) : nullptr};
  SecretBytes key(size);
  if (!context || EVP_KDF_derive(context.get(), key.reveal_mutable().data(), size, params) != 1) {
    return fail_openssl(ErrorKind::invalid_argument, std::string(name) + " derives no key from these arguments");
  }
  return key;
}

}  // namespace

namespace {

Status check_hkdf(ByteView info, std::size_t size) {
  CAS_TRY(check_size("HKDF-SHA-256", size, hkdf_max_size));
  if (info.size() > hkdf_max_info) {
    return fail(ErrorKind::invalid_argument,
                "HKDF-SHA-256 takes up to 1,024 bytes of info, not " + std::to_string(info.size()));
  }
  return {};
}

/// `mode` as OpenSSL names it.
Result<SecretBytes> hkdf(const char* mode, ByteView key, ByteView salt, ByteView info, std::size_t size) {
  if (key.empty()) return fail(ErrorKind::invalid_argument, "HKDF-SHA-256 needs an input key that is not empty");
  const OSSL_PARAM params[] = {text_param(OSSL_KDF_PARAM_MODE, mode),  text_param(OSSL_KDF_PARAM_DIGEST, "SHA256"),
                               octet_param(OSSL_KDF_PARAM_KEY, key),   octet_param(OSSL_KDF_PARAM_SALT, salt),
                               octet_param(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  static EVP_KDF* const algorithm = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  return derive(algorithm, "HKDF", params, size);
}

}  // namespace

Result<SecretBytes> hkdf_sha256(ByteView input_key, ByteView salt, ByteView info, std::size_t size) {
  CAS_TRY(check_hkdf(info, size));
  return hkdf("EXTRACT_AND_EXPAND", input_key, salt, info, size);
}

Result<HkdfSha256> HkdfSha256::create(ByteView input_key, ByteView salt) {
  CAS_TRY_ASSIGN(SecretBytes key, hkdf("EXTRACT_ONLY", input_key, salt, {}, 32));
  return HkdfSha256(std::move(key));
}

Result<SecretBytes> HkdfSha256::expand(ByteView info, std::size_t size) const {
  CAS_TRY(check_hkdf(info, size));
  return hkdf("EXPAND_ONLY", pseudorandom_key_.reveal(), {}, info, size);
}

Result<SecretBytes> kbkdf_cmac(const SecretBytes& key, std::string_view label, ByteView context, std::size_t size) {
  CAS_TRY(check_size("The CMAC key derivation", size, kbkdf_max_size));
  const char* cipher = cmac_cipher_name(key.size());
  if (cipher == nullptr) {
    return fail(ErrorKind::invalid_argument,
                "A key for the CMAC key derivation has 16, 24 or 32 bytes, not " + std::to_string(key.size()));
  }
  // OpenSSL's names for the fields of SP 800-108 are those of other KDFs: salt is the label, info the context.
  // The zero byte behind the label and the length [L] are on unless they are switched off.
  const OSSL_PARAM params[] = {text_param(OSSL_KDF_PARAM_MODE, "COUNTER"),
                               text_param(OSSL_KDF_PARAM_MAC, "CMAC"),
                               text_param(OSSL_KDF_PARAM_CIPHER, cipher),
                               octet_param(OSSL_KDF_PARAM_KEY, key.reveal()),
                               octet_param(OSSL_KDF_PARAM_SALT, as_bytes(label)),
                               octet_param(OSSL_KDF_PARAM_INFO, context),
                               OSSL_PARAM_construct_end()};
  static EVP_KDF* const algorithm = EVP_KDF_fetch(nullptr, "KBKDF", nullptr);
  return derive(algorithm, "KBKDF", params, size);
}

Result<SecretBytes> scrypt(const SecretBytes& pass_phrase, ByteView salt, const ScryptCost& cost, std::size_t size) {
  CAS_TRY(check_size("scrypt", size, scrypt_max_size));
  // RFC 7914, 2: N is larger than 1, a power of 2 and less than 2^(128 * r / 8).
  const bool n_fits_r = cost.r >= 4 || cost.n < std::uint64_t{1} << (16 * cost.r);
  if (cost.n < 2 || !std::has_single_bit(cost.n) || cost.r == 0 || cost.p == 0 || !n_fits_r) {
    return fail(ErrorKind::invalid_argument,
                "scrypt's n is a power of two above 1 and below 2^(16 * r), and r and p are not zero");
  }
  if (cost.r > scrypt_max_r || cost.p > scrypt_max_p || cost.n > scrypt_max_memory / 128 / cost.r) {
    return fail(ErrorKind::invalid_argument,
                "scrypt is limited to 256 MiB (128 * n * r), r up to 1024 and p up to 16; this asks for more");
  }
  std::uint64_t n = cost.n;
  std::uint32_t r = cost.r;
  std::uint32_t p = cost.p;
  // What OpenSSL counts: the table and two blocks for mixing, and p blocks of input.
  std::uint64_t memory = std::uint64_t{128} * r * (n + 2 + p) + 4096;
  const OSSL_PARAM params[] = {octet_param(OSSL_KDF_PARAM_PASSWORD, pass_phrase.reveal()),
                               octet_param(OSSL_KDF_PARAM_SALT, salt),
                               OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
                               OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
                               OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
                               OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
                               OSSL_PARAM_construct_end()};
  static EVP_KDF* const algorithm = EVP_KDF_fetch(nullptr, "SCRYPT", nullptr);
  return derive(algorithm, "SCRYPT", params, size);
}

}  // namespace cas::crypto
