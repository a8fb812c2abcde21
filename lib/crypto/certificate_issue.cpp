// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/certificate.hpp"
#include "crypto/certificate_builder.hpp"
#include "crypto/openssl_keys.hpp"

namespace cas::crypto {

namespace {

Result<Certificate> finish(CertificateBuilder& builder, const SigningKey& key) {
  CAS_TRY_ASSIGN(const Bytes der, builder.sign(static_cast<EVP_PKEY*>(key.native()), [](X509* x509, EVP_PKEY* signer) {
    return X509_sign(x509, signer, EVP_sha256()) > 0;
  }));
  return Certificate::from_der(der);
}

}  // namespace

Result<Certificate> make_root_certificate(const SigningKey& key, const std::string& common_name,
                                          std::uint64_t serial_number, UnixSeconds not_before, UnixSeconds not_after) {
  CAS_TRY(check_issue_arguments(common_name, serial_number, not_before, not_after));
  CAS_TRY_ASSIGN(const Bytes public_value, key.public_value());
  CAS_TRY_ASSIGN(const Bytes identifier, key_identifier(public_value));
  CAS_TRY_ASSIGN(const KeyHandle public_key, public_key_of(DhGroup::p256, public_value));
  CertificateBuilder builder(serial_number, not_before, not_after);
  builder.subject(common_name);
  builder.self_issued();
  builder.public_key(public_key.get());
  builder.basic_constraints(true);
  builder.key_usage({key_cert_sign_bit, crl_sign_bit});
  builder.subject_key_identifier(identifier);
  builder.authority_key_identifier(identifier);
  return finish(builder, key);
}

Result<Certificate> issue_certificate(const Certificate& root, const SigningKey& key,
                                      const CertificateSubject& subject) {
  CAS_TRY(root.verify_is_root());
  CAS_TRY_ASSIGN(const Bytes signer, key.public_value());
  if (!equal(signer, *root.dh_public(DhGroup::p256))) {
    return fail(ErrorKind::invalid_argument, "The signing key is not the one of the root certificate");
  }
  CAS_TRY(check_issue_arguments(subject.common_name, subject.serial_number, subject.not_before, subject.not_after));
  CAS_TRY(check_roles(subject.roles));
  CAS_TRY_ASSIGN(const Bytes identifier, key_identifier(subject.p256_public));
  CAS_TRY_ASSIGN(const KeyHandle p256, public_key_of(DhGroup::p256, subject.p256_public));
  KeyHandle ffdhe2048;
  if (!subject.ffdhe2048_public.empty()) {
    CAS_TRY_ASSIGN(ffdhe2048, public_key_of(DhGroup::ffdhe2048, subject.ffdhe2048_public));
  }

  CertificateBuilder builder(subject.serial_number, subject.not_before, subject.not_after);
  builder.subject(subject.common_name);
  builder.issuer(x509_of(root));
  builder.public_key(p256.get());
  builder.basic_constraints(false);
  builder.key_usage({key_agreement_bit});
  builder.roles(subject.roles);
  builder.subject_key_identifier(identifier);
  builder.authority_key_identifier(key_identifier_of(x509_of(root)));
  if (ffdhe2048) builder.alternative_public_key(ffdhe2048.get());
  return finish(builder, key);
}

}  // namespace cas::crypto
