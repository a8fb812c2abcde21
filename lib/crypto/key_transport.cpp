// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/key_transport.hpp"

#include <openssl/rsa.h>

#include <string>

#include "crypto/key_pem.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_handles.hpp"

namespace cas::crypto {

namespace {

constexpr int least_bits = 2048, most_bits = 8192;

Status check_kind(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") != 1)
    return fail(ErrorKind::unsupported, "content keys are encrypted for RSA keys, and this one is of another kind");
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < least_bits || bits > most_bits)
    return fail(ErrorKind::unsupported,
                "an RSA key has 2048 to 8192 bits here, and this one has " + std::to_string(bits));
  return {};
}

/// SHA-1 in both places is what OpenSSL takes when nothing else is asked for; said here all the same.
Result<KeyContextHandle> oaep_context(EVP_PKEY* key, int (*start)(EVP_PKEY_CTX*)) {
  KeyContextHandle context{EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr)};
  if (!context || start(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md_name(context.get(), "SHA1", nullptr) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md_name(context.get(), "SHA1", nullptr) != 1)
    return fail_openssl(ErrorKind::internal, "RSA-OAEP cannot be started");
  return context;
}

Result<CertificateHandle> certificate_of(ByteView der) {
  if (der.size() > RsaRecipient::max_certificate_size)
    return fail(ErrorKind::malformed, "a certificate of a recipient has at most 16,384 bytes");
  const std::uint8_t* at = der.data();
  CertificateHandle certificate{d2i_X509(nullptr, &at, static_cast<long>(der.size()))};
  if (!certificate || at != der.data() + der.size())
    return fail_openssl(ErrorKind::malformed, "this is not an X.509 certificate in DER");
  return certificate;
}

}  // namespace

struct RsaRecipient::State {
  KeyHandle key;
};

Result<RsaRecipient> RsaRecipient::from_certificate(ByteView der) {
  CAS_TRY_ASSIGN(const CertificateHandle certificate, certificate_of(der));
  auto state = std::make_shared<State>();
  state->key.reset(X509_get_pubkey(certificate.get()));
  if (!state->key) return fail_openssl(ErrorKind::malformed, "the certificate has no key that can be read");
  CAS_TRY(check_kind(state->key.get()));
  return RsaRecipient(std::move(state));
}

Result<Bytes> RsaRecipient::encrypt(const SecretBytes& secret) const {
  CAS_TRY_ASSIGN(const KeyContextHandle context, oaep_context(state_->key.get(), EVP_PKEY_encrypt_init));
  Bytes out(static_cast<std::size_t>(EVP_PKEY_get_size(state_->key.get())));
  std::size_t size = out.size();
  if (EVP_PKEY_encrypt(context.get(), out.data(), &size, secret.reveal().data(), secret.size()) != 1)
    return fail_openssl(ErrorKind::invalid_argument, "RSA-OAEP does not take that many bytes");
  out.resize(size);
  return out;
}

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

Result<SecretBytes> RsaPrivateKey::to_pem() const { return private_key_to_pem(state_->key.get(), {}); }

Result<SecretBytes> RsaPrivateKey::decrypt(ByteView cipher_text) const {
  CAS_TRY_ASSIGN(const KeyContextHandle context, oaep_context(state_->key.get(), EVP_PKEY_decrypt_init));
  SecretBytes out(static_cast<std::size_t>(EVP_PKEY_get_size(state_->key.get())));
  std::size_t size = out.size();
  if (EVP_PKEY_decrypt(context.get(), out.reveal_mutable().data(), &size, cipher_text.data(), cipher_text.size()) !=
      1) {
    drop_openssl_errors();
    return fail(ErrorKind::authentication_failed, "this was not encrypted for our key");
  }
  return SecretBytes::copy_of(out.reveal().first(size));
}

bool RsaPrivateKey::belongs_to(ByteView certificate) const {
  const auto read = certificate_of(certificate);
  const bool same = read && X509_check_private_key(read->get(), state_->key.get()) == 1;
  drop_openssl_errors();
  return same;
}

void* RsaPrivateKey::native() const { return state_->key.get(); }

}  // namespace cas::crypto
