// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/certificate_builder.hpp"

#include <algorithm>

#include "crypto/digest.hpp"
#include "crypto/openssl_error.hpp"

namespace cas::crypto {

namespace {

using ObjectHandle = Handle<ASN1_OBJECT, ASN1_OBJECT_free>;
using OctetStringHandle = Handle<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;

constexpr UnixSeconds last_second = 253402300799;  // 9999-12-31T23:59:59Z, RFC 5280, 4.1.2.5
constexpr std::size_t key_identifier_size = 20;

}  // namespace

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

Result<Bytes> key_identifier(ByteView public_value) {
  CAS_TRY_ASSIGN(const Sha256Digest digest, sha256(public_value));
  return copy_of(ByteView(digest).first(key_identifier_size));
}

ByteView key_identifier_of(const X509* root) {
  const ASN1_OCTET_STRING* identifier = X509_get0_subject_key_id(const_cast<X509*>(root));
  return {ASN1_STRING_get0_data(identifier), static_cast<std::size_t>(ASN1_STRING_length(identifier))};
}

CertificateBuilder::CertificateBuilder(std::uint64_t serial_number, UnixSeconds not_before, UnixSeconds not_after)
    : x509_(X509_new()) {
  good_ = x509_ && X509_set_version(x509_.get(), X509_VERSION_3) == 1 &&
          ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509_.get()), serial_number) == 1 &&
          ASN1_TIME_set(X509_getm_notBefore(x509_.get()), not_before) != nullptr &&
          ASN1_TIME_set(X509_getm_notAfter(x509_.get()), not_after) != nullptr;
}

void CertificateBuilder::subject(const std::string& common_name) {
  good_ = good_ && X509_NAME_add_entry_by_NID(X509_get_subject_name(x509_.get()), NID_commonName, MBSTRING_UTF8,
                                              reinterpret_cast<const unsigned char*>(common_name.data()),
                                              static_cast<int>(common_name.size()), -1, 0) == 1;
}

void CertificateBuilder::issuer(const X509* root) {
  good_ = good_ && X509_set_issuer_name(x509_.get(), X509_get_subject_name(root)) == 1;
}

void CertificateBuilder::public_key(EVP_PKEY* key) { good_ = good_ && X509_set_pubkey(x509_.get(), key) == 1; }

void CertificateBuilder::basic_constraints(bool authority) {
  const Handle<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> value{BASIC_CONSTRAINTS_new()};
  if (!value) good_ = false;
  if (good_ && authority) {
    value->ca = 0xff;
    value->pathlen = ASN1_INTEGER_new();
    good_ = value->pathlen != nullptr && ASN1_INTEGER_set_uint64(value->pathlen, 0) == 1;
  }
  extension(NID_basic_constraints, value.get(), true);
}

void CertificateBuilder::key_usage(std::initializer_list<int> bits) {
  const Handle<ASN1_BIT_STRING, ASN1_BIT_STRING_free> value{ASN1_BIT_STRING_new()};
  good_ = good_ && value;
  for (const int bit : bits) good_ = good_ && ASN1_BIT_STRING_set_bit(value.get(), bit, 1) == 1;
  extension(NID_key_usage, value.get(), true);
}

void CertificateBuilder::roles(const std::vector<std::string>& oids) {
  const Handle<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> value{sk_ASN1_OBJECT_new_null()};
  good_ = good_ && value;
  for (const std::string& oid : oids) {
    ObjectHandle object{OBJ_txt2obj(oid.c_str(), 1)};
    good_ = good_ && object && sk_ASN1_OBJECT_push(value.get(), object.get()) > 0;
    if (good_) static_cast<void>(object.release());  // the stack owns it now
  }
  extension(NID_ext_key_usage, value.get(), true);
}

void CertificateBuilder::subject_key_identifier(ByteView identifier) {
  const OctetStringHandle value{ASN1_OCTET_STRING_new()};
  good_ =
      good_ && value && ASN1_OCTET_STRING_set(value.get(), identifier.data(), static_cast<int>(identifier.size())) == 1;
  extension(NID_subject_key_identifier, value.get(), false);
}

void CertificateBuilder::authority_key_identifier(ByteView identifier) {
  const Handle<AUTHORITY_KEYID, AUTHORITY_KEYID_free> value{AUTHORITY_KEYID_new()};
  if (value) value->keyid = ASN1_OCTET_STRING_new();
  good_ = good_ && value && value->keyid != nullptr &&
          ASN1_OCTET_STRING_set(value->keyid, identifier.data(), static_cast<int>(identifier.size())) == 1;
  extension(NID_authority_key_identifier, value.get(), false);
}

void CertificateBuilder::alternative_public_key(EVP_PKEY* key) {
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

Result<Bytes> CertificateBuilder::sign(EVP_PKEY* key, bool (*sign_with)(X509*, EVP_PKEY*)) {
  good_ = good_ && sign_with(x509_.get(), key);
  unsigned char* der = nullptr;
  const int size = good_ ? i2d_X509(x509_.get(), &der) : 0;
  if (size <= 0) return fail_openssl(ErrorKind::invalid_argument, "No certificate can be made from these values");
  const Bytes made = copy_of({der, static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return made;
}

void CertificateBuilder::extension(int nid, void* value, bool critical) {
  good_ = good_ && X509_add1_ext_i2d(x509_.get(), nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

}  // namespace cas::crypto
