// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/signature.hpp"

#include "crypto/key_agreement.hpp"
#include "crypto/key_pem.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_keys.hpp"

namespace cas::crypto {

namespace {

EVP_PKEY* evp(void* key) { return static_cast<EVP_PKEY*>(key); }

}  // namespace

Result<SigningKey> SigningKey::generate(Random& random) {
  CAS_TRY_ASSIGN(const DhKeyPair pair, generate_dh_key_pair(DhGroup::p256, random));
  return from_private(pair.private_value);
}

Result<SigningKey> SigningKey::from_private(const SecretBytes& private_value) {
  CAS_TRY_ASSIGN(const DhKeyPair pair, dh_key_pair_from_private(DhGroup::p256, private_value));
  CAS_TRY_ASSIGN(KeyHandle key, private_key_of(pair));
  return SigningKey(std::shared_ptr<void>(key.release(), [](void* owned) { EVP_PKEY_free(evp(owned)); }));
}

Result<SecretBytes> SigningKey::private_value() const { return private_value_of(evp(native())); }

Result<Bytes> SigningKey::public_value() const { return public_value_of(DhGroup::p256, evp(native())); }

Result<Bytes> SigningKey::sign(ByteView message) const {
  const DigestContextHandle context{EVP_MD_CTX_new()};
  std::size_t size =
      static_cast<std::size_t>(EVP_PKEY_get_size(evp(native())));  // an upper bound: DER has no fixed size
  Bytes signature(size);
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, evp(native())) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return fail_openssl(ErrorKind::internal, "The message cannot be signed");
  }
  signature.resize(size);
  return signature;
}

Status verify_signature(ByteView public_value, ByteView message, ByteView signature) {
  CAS_TRY_ASSIGN(const KeyHandle key, public_key_of(DhGroup::p256, public_value));
  const DigestContextHandle context{EVP_MD_CTX_new()};
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1) {
    return fail_openssl(ErrorKind::internal, "A signature cannot be verified");
  }
  // OpenSSL encodes (r, s) again and compares, so that only the DER form passes.
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) != 1) {
    drop_openssl_errors();
    return fail(ErrorKind::authentication_failed, "The signature does not fit the message and the key");
  }
  return {};
}

Result<SigningKey> SigningKey::from_pem(const SecretBytes& pem, const SecretBytes& pass_phrase) {
  CAS_TRY_ASSIGN(const DhKeyPair pair, dh_key_pair_from_pem(DhGroup::p256, pem, pass_phrase));
  return from_private(pair.private_value);
}

Result<SecretBytes> SigningKey::to_pem(const SecretBytes& pass_phrase) const {
  return private_key_to_pem(static_cast<const EVP_PKEY*>(native()), pass_phrase);
}

}  // namespace cas::crypto
