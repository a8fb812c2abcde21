// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/rsa.hpp"

#include <openssl/rsa.h>

#include <string>

#include "crypto/key_pem.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"
#include "crypto/openssl_rsa.hpp"

namespace cas::crypto {

namespace {

constexpr int least_bits = 2048, most_bits = 8192;
/// A longer exponent makes a public operation cost what a private one does.
constexpr int most_exponent_bits = 64;

Status check_kind(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") != 1)
    return fail(ErrorKind::unsupported, "an RSA key is needed here, and this one is of another kind");
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < least_bits || bits > most_bits)
    return fail(ErrorKind::unsupported,
                "an RSA key has 2048 to 8192 bits here, and this one has " + std::to_string(bits));
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &number);
  const BignumHandle exponent{number};
  if (!exponent || BN_is_odd(number) != 1 || BN_is_one(number) || BN_num_bits(number) > most_exponent_bits) {
    drop_openssl_errors();
    return fail(ErrorKind::unsupported,
                "the public exponent of an RSA key is an odd number from 3 on, of 64 bits at most");
  }
  return {};
}

Result<KeyContextHandle> oaep_context(EVP_PKEY* key, int (*start)(EVP_PKEY_CTX*), OaepHash hash) {
  const char* const name = hash == OaepHash::sha1 ? "SHA1" : "SHA256";
  KeyContextHandle context{EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr)};
  if (!context || start(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md_name(context.get(), name, nullptr) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md_name(context.get(), name, nullptr) != 1)
    return fail_openssl(ErrorKind::internal, "RSA-OAEP cannot be started");
  return context;
}

Result<CertificateHandle> certificate_of(ByteView der) {
  if (der.size() > RsaPublicKey::max_certificate_size)
    return fail(ErrorKind::malformed, "a certificate of a recipient has at most 16,384 bytes");
  const std::uint8_t* at = der.data();
  CertificateHandle certificate{d2i_X509(nullptr, &at, static_cast<long>(der.size()))};
  if (!certificate || at != der.data() + der.size())
    return fail_openssl(ErrorKind::malformed, "this is not an X.509 certificate in DER");
  return certificate;
}

}  // namespace

bool set_rsa_pss(EVP_PKEY_CTX* context) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, static_cast<int>(pss_salt_size)) == 1;
}

struct RsaPublicKey::State {
  KeyHandle key;
};

Result<RsaPublicKey> RsaPublicKey::from_native(void* key) {
  auto state = std::make_shared<State>();
  state->key.reset(static_cast<EVP_PKEY*>(key));
  if (!state->key) return fail_openssl(ErrorKind::malformed, "there is no public key that can be read");
  CAS_TRY(check_kind(state->key.get()));
  return RsaPublicKey(std::move(state));
}

Result<RsaPublicKey> RsaPublicKey::from_certificate(ByteView der) {
  CAS_TRY_ASSIGN(const CertificateHandle certificate, certificate_of(der));
  return from_native(X509_get_pubkey(certificate.get()));
}

Result<RsaPublicKey> RsaPublicKey::from_der(ByteView info) {
  const std::uint8_t* at = info.data();
  if (info.size() > max_certificate_size) return fail(ErrorKind::malformed, "a public key has at most 16,384 bytes");
  KeyHandle key{d2i_PUBKEY(nullptr, &at, static_cast<long>(info.size()))};
  if (!key || at != info.data() + info.size())
    return fail_openssl(ErrorKind::malformed, "this is not a public key in DER");
  return from_native(key.release());
}

Result<Bytes> RsaPublicKey::to_der() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(state_->key.get(), &der);
  if (size <= 0) return fail_openssl(ErrorKind::internal, "a public key cannot be written");
  Bytes bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

Result<Bytes> RsaPublicKey::encrypt(const SecretBytes& secret, OaepHash hash) const {
  CAS_TRY_ASSIGN(const KeyContextHandle context, oaep_context(state_->key.get(), EVP_PKEY_encrypt_init, hash));
  Bytes out(size());
  std::size_t written = out.size();
  if (EVP_PKEY_encrypt(context.get(), out.data(), &written, secret.reveal().data(), secret.size()) != 1)
    return fail_openssl(ErrorKind::invalid_argument, "RSA-OAEP does not take that many bytes");
  out.resize(written);
  return out;
}

Status RsaPublicKey::verify(ByteView message, ByteView signature) const {
  const DigestContextHandle context{EVP_MD_CTX_new()};
  EVP_PKEY_CTX* key_context = nullptr;
  if (!context || EVP_DigestVerifyInit(context.get(), &key_context, EVP_sha256(), nullptr, state_->key.get()) != 1 ||
      !set_rsa_pss(key_context))
    return fail_openssl(ErrorKind::internal, "A signature cannot be verified");
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) != 1) {
    drop_openssl_errors();
    return fail(ErrorKind::authentication_failed, "The signature does not fit the message and the key");
  }
  return {};
}

std::size_t RsaPublicKey::size() const { return static_cast<std::size_t>(EVP_PKEY_get_size(state_->key.get())); }
bool RsaPublicKey::operator==(const RsaPublicKey& other) const {
  return EVP_PKEY_eq(state_->key.get(), other.state_->key.get()) == 1;
}
void* RsaPublicKey::native() const { return state_->key.get(); }

struct RsaPrivateKey::State {
  KeyHandle key;
};

Result<RsaPrivateKey> RsaPrivateKey::from_pem(const SecretBytes& pem, const SecretBytes& pass_phrase) {
  auto state = std::make_shared<State>();
  CAS_TRY_ASSIGN(state->key, private_key_from_pem(pem, pass_phrase));
  CAS_TRY(check_kind(state->key.get()));
  return RsaPrivateKey(std::move(state));
}

Result<RsaPrivateKey> RsaPrivateKey::generate(unsigned bits) {
  if (bits < least_bits || bits > most_bits)
    return fail(ErrorKind::invalid_argument, "an RSA key has 2048 to 8192 bits here");
  auto state = std::make_shared<State>();
  state->key.reset(EVP_RSA_gen(bits));
  if (!state->key) return fail_openssl(ErrorKind::internal, "no RSA key could be made");
  return RsaPrivateKey(std::move(state));
}

Result<SecretBytes> RsaPrivateKey::to_pem(const SecretBytes& pass_phrase) const {
  return private_key_to_pem(state_->key.get(), pass_phrase);
}

Result<RsaPublicKey> RsaPrivateKey::public_key() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(state_->key.get(), &der);
  if (size <= 0) return fail_openssl(ErrorKind::internal, "a public key cannot be written");
  const Bytes info(der, der + size);
  OPENSSL_free(der);
  return RsaPublicKey::from_der(info);
}

Result<SecretBytes> RsaPrivateKey::decrypt(ByteView cipher_text, OaepHash hash) const {
  CAS_TRY_ASSIGN(const KeyContextHandle context, oaep_context(state_->key.get(), EVP_PKEY_decrypt_init, hash));
  SecretBytes out(static_cast<std::size_t>(EVP_PKEY_get_size(state_->key.get())));
  std::size_t size = out.size();
  if (EVP_PKEY_decrypt(context.get(), out.reveal_mutable().data(), &size, cipher_text.data(), cipher_text.size()) !=
      1) {
    drop_openssl_errors();
    return fail(ErrorKind::authentication_failed, "this was not encrypted for our key");
  }
  return SecretBytes::copy_of(out.reveal().first(size));
}

Result<Bytes> RsaPrivateKey::sign(ByteView message) const {
  const DigestContextHandle context{EVP_MD_CTX_new()};
  EVP_PKEY_CTX* key_context = nullptr;
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(state_->key.get()));
  Bytes signature(size);
  if (!context || EVP_DigestSignInit(context.get(), &key_context, EVP_sha256(), nullptr, state_->key.get()) != 1 ||
      !set_rsa_pss(key_context) ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1)
    return fail_openssl(ErrorKind::internal, "The message cannot be signed");
  signature.resize(size);
  return signature;
}

bool RsaPrivateKey::belongs_to(ByteView certificate) const {
  const auto read = certificate_of(certificate);
  const bool same = read && X509_check_private_key(read->get(), state_->key.get()) == 1;
  drop_openssl_errors();
  return same;
}

void* RsaPrivateKey::native() const { return state_->key.get(); }

}  // namespace cas::crypto
