// SPDX-License-Identifier: LGPL-2.1-or-later
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <string>

#include "crypto/key_pem.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_keys.hpp"

namespace cas::crypto {

namespace {

using PrivateKeyInfoHandle = Handle<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using EncryptedKeyHandle = Handle<X509_SIG, X509_SIG_free>;
using Pbes2Handle = Handle<PBE2PARAM, PBE2PARAM_free>;
using Pbkdf2Handle = Handle<PBKDF2PARAM, PBKDF2PARAM_free>;
using ScryptHandle = Handle<SCRYPT_PARAMS, SCRYPT_PARAMS_free>;

constexpr std::size_t max_pem_size = 16U << 10;
constexpr std::size_t max_pass_phrase_size = 1024;
constexpr std::int64_t max_pbkdf2_iterations = 10'000'000;
constexpr std::uint64_t max_scrypt_memory = std::uint64_t{32} << 20;  // OpenSSL's own limit for stored keys
constexpr std::uint64_t max_scrypt_p = 16;
// OpenSSL reads no key that asks for 32 MiB of scrypt memory; so half of that, and p in place of more.
constexpr std::uint64_t scrypt_n = 1U << 14;
constexpr std::uint64_t scrypt_r = 8;
constexpr std::uint64_t scrypt_p = 5;
constexpr int salt_size = 16;

/// One PEM block; its content is in secure memory.
struct PemBlock {
  std::string label;
  SecretBytes der;
};

Result<PemBlock> read_pem_block(const SecretBytes& pem) {
  if (pem.empty() || pem.size() > max_pem_size) {
    return fail(ErrorKind::malformed, "A private key in PEM has 1 to 16,384 bytes, not " + std::to_string(pem.size()));
  }
  const BioHandle in{BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.size()))};
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (!in || PEM_read_bio_ex(in.get(), &label, &header, &data, &size, PEM_FLAG_SECURE) != 1) {
    return fail_openssl(ErrorKind::malformed, "There is no private key in PEM here");
  }
  PemBlock block{label, SecretBytes::copy_of({data, static_cast<std::size_t>(size)})};
  const bool plain_header = *header == '\0';
  OPENSSL_secure_free(label);
  OPENSSL_secure_free(header);
  OPENSSL_secure_clear_free(data, static_cast<std::size_t>(size));
  if (!plain_header) {
    return fail(ErrorKind::unsupported,
                "The private key is in PEM with a legacy encryption header; convert it with openssl pkcs8 -topk8");
  }
  return block;
}

int algorithm_nid(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* oid = nullptr;
  X509_ALGOR_get0(&oid, nullptr, nullptr, algorithm);
  return OBJ_obj2nid(oid);
}

/// The parameters of `algorithm` as an `item`, which the caller releases; null if they are none.
void* parameters_of(const X509_ALGOR* algorithm, const ASN1_ITEM* item) {
  const void* value = nullptr;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  return type == V_ASN1_SEQUENCE ? ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), item) : nullptr;
}

Status check_pbkdf2(const X509_ALGOR* kdf) {
  const Pbkdf2Handle params{static_cast<PBKDF2PARAM*>(parameters_of(kdf, ASN1_ITEM_rptr(PBKDF2PARAM)))};
  std::int64_t iterations = 0;
  if (!params) return fail_openssl(ErrorKind::malformed, "The encryption parameters of the private key cannot be read");
  if (ASN1_INTEGER_get_int64(&iterations, params->iter) != 1 || iterations < 1 || iterations > max_pbkdf2_iterations) {
    drop_openssl_errors();
    return fail(ErrorKind::unsupported, "The private key asks for more than 10,000,000 PBKDF2 iterations, or for none");
  }
  return {};
}

Status check_scrypt(const X509_ALGOR* kdf) {
  const ScryptHandle params{static_cast<SCRYPT_PARAMS*>(parameters_of(kdf, ASN1_ITEM_rptr(SCRYPT_PARAMS)))};
  std::uint64_t n = 0;
  std::uint64_t r = 0;
  std::uint64_t p = 0;
  if (!params) return fail_openssl(ErrorKind::malformed, "The encryption parameters of the private key cannot be read");
  if (ASN1_INTEGER_get_uint64(&n, params->costParameter) != 1 || ASN1_INTEGER_get_uint64(&r, params->blockSize) != 1 ||
      ASN1_INTEGER_get_uint64(&p, params->parallelizationParameter) != 1 || n < 2 || r == 0 || p == 0 ||
      p > max_scrypt_p || r > max_scrypt_memory / 128 || n >= max_scrypt_memory / 128 / r) {
    drop_openssl_errors();
    return fail(ErrorKind::unsupported,
                "The private key asks for scrypt with 32 MiB (128 * n * r) or more, or with p above 16; encrypt it "
                "anew with less");
  }
  return {};
}

/// Only PBES2; and the work that a stored key asks of its reader is limited before it is done.
Status check_encryption(const X509_ALGOR* algorithm) {
  if (algorithm_nid(algorithm) != NID_pbes2) {
    return fail(ErrorKind::unsupported,
                "The private key is not encrypted with PBES2; convert it with openssl pkcs8 -topk8 -scrypt");
  }
  const Pbes2Handle pbes2{static_cast<PBE2PARAM*>(parameters_of(algorithm, ASN1_ITEM_rptr(PBE2PARAM)))};
  if (!pbes2) return fail_openssl(ErrorKind::malformed, "The encryption parameters of the private key cannot be read");
  switch (algorithm_nid(pbes2->keyfunc)) {
    case NID_id_pbkdf2: return check_pbkdf2(pbes2->keyfunc);
    case NID_id_scrypt: return check_scrypt(pbes2->keyfunc);
    default:
      return fail(ErrorKind::unsupported,
                  "The key of the private key's encryption is made by neither PBKDF2 nor scrypt");
  }
}

Result<PrivateKeyInfoHandle> decrypt(ByteView der, const SecretBytes& pass_phrase) {
  const std::uint8_t* cursor = der.data();
  const EncryptedKeyHandle encrypted{d2i_X509_SIG(nullptr, &cursor, static_cast<long>(der.size()))};
  if (!encrypted || cursor != der.data() + der.size()) {
    return fail_openssl(ErrorKind::malformed, "The encrypted private key is damaged");
  }
  const X509_ALGOR* algorithm = nullptr;
  X509_SIG_get0(encrypted.get(), &algorithm, nullptr);
  CAS_TRY(check_encryption(algorithm));
  if (pass_phrase.empty()) {
    return fail(ErrorKind::permission_denied, "The private key is encrypted, and no pass phrase is given");
  }
  PrivateKeyInfoHandle info{PKCS8_decrypt(encrypted.get(), reinterpret_cast<const char*>(pass_phrase.reveal().data()),
                                          static_cast<int>(pass_phrase.size()))};
  if (!info) {
    drop_openssl_errors();
    return fail(ErrorKind::permission_denied, "The pass phrase does not open the private key, or the key is damaged");
  }
  return info;
}

}  // namespace

Result<KeyHandle> private_key_from_pem(const SecretBytes& pem, const SecretBytes& pass_phrase) {
  CAS_TRY_ASSIGN(const PemBlock block, read_pem_block(pem));
  const ByteView der = block.der.reveal();
  if (pass_phrase.size() > max_pass_phrase_size) {
    return fail(ErrorKind::invalid_argument, "A pass phrase has at most 1,024 bytes");
  }
  PrivateKeyInfoHandle info;
  if (block.label == PEM_STRING_PKCS8) {
    CAS_TRY_ASSIGN(info, decrypt(der, pass_phrase));
  } else if (block.label == PEM_STRING_PKCS8INF) {
    const std::uint8_t* cursor = der.data();
    info.reset(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &cursor, static_cast<long>(der.size())));
    if (!info || cursor != der.data() + der.size())
      return fail_openssl(ErrorKind::malformed, "The private key is damaged");
  } else {
    return fail(ErrorKind::unsupported,
                "The PEM text is not a PKCS #8 private key; openssl pkcs8 -topk8 converts other forms");
  }
  KeyHandle key{EVP_PKCS82PKEY(info.get())};
  if (!key) return fail_openssl(ErrorKind::malformed, "The private key cannot be read");
  return key;
}

Result<SecretBytes> private_key_to_pem(const EVP_PKEY* key, const SecretBytes& pass_phrase) {
  if (pass_phrase.size() > max_pass_phrase_size) {
    return fail(ErrorKind::invalid_argument, "A pass phrase has at most 1,024 bytes");
  }
  const PrivateKeyInfoHandle info{EVP_PKEY2PKCS8(key)};
  const BioHandle out{BIO_new(BIO_s_secmem())};
  bool written = info && out;
  if (pass_phrase.empty()) {
    written = written && PEM_write_bio_PKCS8_PRIV_KEY_INFO(out.get(), info.get()) == 1;
  } else {
    // Salt and IV: null lets OpenSSL draw them.
    AlgorithmHandle algorithm{
        PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, salt_size, nullptr, scrypt_n, scrypt_r, scrypt_p)};
    const EncryptedKeyHandle encrypted{
        written && algorithm ? PKCS8_set0_pbe(reinterpret_cast<const char*>(pass_phrase.reveal().data()),
                                              static_cast<int>(pass_phrase.size()), info.get(), algorithm.get())
                             : nullptr};
    if (encrypted) static_cast<void>(algorithm.release());  // set0: it belongs to `encrypted` now
    written = encrypted && PEM_write_bio_PKCS8(out.get(), encrypted.get()) == 1;
  }
  char* text = nullptr;
  const long size = written ? BIO_get_mem_data(out.get(), &text) : 0;
  if (size <= 0) return fail_openssl(ErrorKind::internal, "The private key cannot be written");
  return SecretBytes::copy_of({reinterpret_cast<const std::uint8_t*>(text), static_cast<std::size_t>(size)});
}

Result<DhKeyPair> dh_key_pair_from_pem(DhGroup group, const SecretBytes& pem, const SecretBytes& pass_phrase) {
  CAS_TRY_ASSIGN(const KeyHandle stored, private_key_from_pem(pem, pass_phrase));
  const auto public_value = public_value_of(group, stored.get());
  if (!public_value) {
    return fail(ErrorKind::unsupported, std::string("The private key is not one of the group ") + dh_group_name(group) +
                                            ", which is needed here");
  }
  CAS_TRY_ASSIGN(const SecretBytes private_value, private_value_of(stored.get()));
  auto pair = dh_key_pair_from_private(group, private_value);
  if (!pair) return fail(ErrorKind::malformed, "The private key is out of range");
  // The public half is made anew from the private one.
  if (!equal(pair->public_value, *public_value)) {
    return fail(ErrorKind::malformed, "The private key is damaged: its public half belongs to another key");
  }
  return pair;
}

Result<SecretBytes> dh_key_pair_to_pem(const DhKeyPair& pair, const SecretBytes& pass_phrase) {
  CAS_TRY_ASSIGN(const KeyHandle key, private_key_of(pair));
  return private_key_to_pem(key.get(), pass_phrase);
}

}  // namespace cas::crypto
