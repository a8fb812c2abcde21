// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>

#include "crypto/certificate.hpp"
#include "crypto/certificate_profile.hpp"
#include "crypto/digest.hpp"
#include "crypto/openssl_error.hpp"
#include "crypto/openssl_keys.hpp"

namespace cas::crypto {

namespace {

using ObjectHandle = Handle<ASN1_OBJECT, ASN1_OBJECT_free>;
using OctetStringHandle = Handle<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;

constexpr UnixSeconds last_second = 253402300799;  // 9999-12-31T23:59:59Z, RFC 5280, 4.1.2.5
constexpr std::size_t key_identifier_size = 20;
// Bits of keyUsage (RFC 5280, 4.2.1.3).
constexpr int key_agreement_bit = 4;
constexpr int key_cert_sign_bit = 5;
constexpr int crl_sign_bit = 6;

Status check_issue_arguments(const std::string& common_name, std::uint64_t serial_number, UnixSeconds not_before,
                             UnixSeconds not_after) {
  if (!is_printable_name(common_name)) {
    return fail(ErrorKind::invalid_argument, "The common name of a certificate is 1 to 64 bytes of printable UTF-8");
  }
  if (serial_number == 0 || serial_number > max_serial_number) {
    return fail(ErrorKind::invalid_argument, "The serial number of a certificate is 1 to 2^63-1");
  }
  if (not_before < 0 || not_before > not_after || not_after > last_second) {
    return fail(ErrorKind::invalid_argument,
                "The validity of a certificate begins in 1970 or later, and ends after that and before the year 10000");
  }
  return {};
}

/// Builds a certificate step by step. After the first step that fails, the others do nothing, and finish() tells.
class CertificateBuilder {
 public:
  CertificateBuilder(std::uint64_t serial_number, UnixSeconds not_before, UnixSeconds not_after) : x509_(X509_new()) {
    good_ = x509_ && X509_set_version(x509_.get(), X509_VERSION_3) == 1 &&
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509_.get()), serial_number) == 1 &&
            ASN1_TIME_set(X509_getm_notBefore(x509_.get()), not_before) != nullptr &&
            ASN1_TIME_set(X509_getm_notAfter(x509_.get()), not_after) != nullptr;
  }

  void subject(const std::string& common_name) {
    good_ = good_ && X509_NAME_add_entry_by_NID(X509_get_subject_name(x509_.get()), NID_commonName, MBSTRING_UTF8,
                                                reinterpret_cast<const unsigned char*>(common_name.data()),
                                                static_cast<int>(common_name.size()), -1, 0) == 1;
  }
  void issuer(const X509* root) {
    good_ = good_ && X509_set_issuer_name(x509_.get(), X509_get_subject_name(root)) == 1;
  }
  void self_issued() { issuer(x509_.get()); }
  void public_key(EVP_PKEY* key) { good_ = good_ && X509_set_pubkey(x509_.get(), key) == 1; }

  void basic_constraints(bool authority) {
    const Handle<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> value{BASIC_CONSTRAINTS_new()};
    if (!value) good_ = false;
    if (good_ && authority) {
      value->ca = 0xff;
      value->pathlen = ASN1_INTEGER_new();
      good_ = value->pathlen != nullptr && ASN1_INTEGER_set_uint64(value->pathlen, 0) == 1;
    }
    extension(NID_basic_constraints, value.get(), true);
  }

  void key_usage(std::initializer_list<int> bits) {
    const Handle<ASN1_BIT_STRING, ASN1_BIT_STRING_free> value{ASN1_BIT_STRING_new()};
    good_ = good_ && value;
    for (const int bit : bits) good_ = good_ && ASN1_BIT_STRING_set_bit(value.get(), bit, 1) == 1;
    extension(NID_key_usage, value.get(), true);
  }

  void roles(const std::vector<std::string>& oids) {
    const Handle<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> value{sk_ASN1_OBJECT_new_null()};
    good_ = good_ && value;
    for (const std::string& oid : oids) {
      ObjectHandle object{OBJ_txt2obj(oid.c_str(), 1)};
      good_ = good_ && object && sk_ASN1_OBJECT_push(value.get(), object.get()) > 0;
      if (good_) static_cast<void>(object.release());  // the stack owns it now
    }
    extension(NID_ext_key_usage, value.get(), true);
  }

  void subject_key_identifier(ByteView identifier) {
    const OctetStringHandle value{ASN1_OCTET_STRING_new()};
    good_ = good_ && value &&
            ASN1_OCTET_STRING_set(value.get(), identifier.data(), static_cast<int>(identifier.size())) == 1;
    extension(NID_subject_key_identifier, value.get(), false);
  }

  void authority_key_identifier(ByteView identifier) {
    const Handle<AUTHORITY_KEYID, AUTHORITY_KEYID_free> value{AUTHORITY_KEYID_new()};
    if (value) value->keyid = ASN1_OCTET_STRING_new();
    good_ = good_ && value && value->keyid != nullptr &&
            ASN1_OCTET_STRING_set(value->keyid, identifier.data(), static_cast<int>(identifier.size())) == 1;
    extension(NID_authority_key_identifier, value.get(), false);
  }

  /// Not critical: a peer that does not know the extension uses the P-256 key.
  void alternative_public_key(EVP_PKEY* key) {
    unsigned char* info = nullptr;
    const int size = good_ ? i2d_PUBKEY(key, &info) : 0;
    const OctetStringHandle value{ASN1_OCTET_STRING_new()};
    const ObjectHandle oid{OBJ_txt2obj(subject_alt_public_key_info_oid, 1)};
    good_ = good_ && size > 0 && value && oid && ASN1_OCTET_STRING_set(value.get(), info, size) == 1;
    OPENSSL_free(info);
    const Handle<X509_EXTENSION, X509_EXTENSION_free> made{
        good_ ? X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), 0, value.get()) : nullptr};
    good_ = made && X509_add_ext(x509_.get(), made.get(), -1) == 1;
  }

  Result<Certificate> sign(const SigningKey& key) {
    good_ = good_ && X509_sign(x509_.get(), static_cast<EVP_PKEY*>(key.native()), EVP_sha256()) > 0;
    unsigned char* der = nullptr;
    const int size = good_ ? i2d_X509(x509_.get(), &der) : 0;
    if (size <= 0) return fail_openssl(ErrorKind::invalid_argument, "No certificate can be made from these values");
    const Bytes made = copy_of({der, static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    return Certificate::from_der(made);
  }

 private:
  void extension(int nid, void* value, bool critical) {
    good_ = good_ && X509_add1_ext_i2d(x509_.get(), nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
  }

  CertificateHandle x509_;
  bool good_ = false;
};

/// RFC 7093, 2 (1): the leftmost 160 bits of the SHA-256 of the public key. Needs no SHA-1.
Result<Bytes> key_identifier(ByteView public_value) {
  CAS_TRY_ASSIGN(const Sha256Digest digest, sha256(public_value));
  return copy_of(ByteView(digest).first(key_identifier_size));
}

Status check_roles(const std::vector<std::string>& roles) {
  if (roles.empty() || roles.size() > max_roles) {
    return fail(ErrorKind::invalid_argument, "A certificate names 1 to 16 roles, not " + std::to_string(roles.size()));
  }
  for (auto role = roles.begin(); role != roles.end(); ++role) {
    const ObjectHandle object{role->size() <= max_role_size ? OBJ_txt2obj(role->c_str(), 1) : nullptr};
    drop_openssl_errors();
    // Spelled as it will be read again, so that has_role finds it.
    if (!object || dotted(object.get()) != *role) {
      return fail(ErrorKind::invalid_argument,
                  "A role is not a dotted object identifier of at most 128 characters: " + *role);
    }
    if (std::find(roles.begin(), role, *role) != role) {
      return fail(ErrorKind::invalid_argument, "The role " + *role + " is named twice");
    }
  }
  return {};
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
  return builder.sign(key);
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
  const ASN1_OCTET_STRING* root_identifier = X509_get0_subject_key_id(x509_of(root));  // verify_is_root: it is there
  builder.authority_key_identifier(
      {ASN1_STRING_get0_data(root_identifier), static_cast<std::size_t>(ASN1_STRING_length(root_identifier))});
  if (ffdhe2048) builder.alternative_public_key(ffdhe2048.get());
  return builder.sign(key);
}

}  // namespace cas::crypto
