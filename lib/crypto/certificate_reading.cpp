// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/certificate_reading.hpp"

#include <openssl/pem.h>

#include <algorithm>
#include <array>

#include "crypto/openssl_error.hpp"

namespace cas::crypto {

bool is_printable_name(std::string_view name) {
  if (name.empty() || name.size() > max_common_name_size) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(name[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    // U+0080 to U+009F, the second set of control characters, is C2 80 to C2 9F in UTF-8.
    if (byte == 0xc2 && i + 1 < name.size() && static_cast<std::uint8_t>(name[i + 1]) < 0xa0) return false;
  }
  return true;
}

std::string dotted(const ASN1_OBJECT* oid) {
  std::array<char, max_role_size + 1> text{};
  const int size = OBJ_obj2txt(text.data(), static_cast<int>(text.size()), oid, 1);
  if (size <= 0 || static_cast<std::size_t>(size) > max_role_size) return {};
  return text.data();
}

tl::unexpected<Error> malformed_certificate(std::string what) {
  drop_openssl_errors();
  return fail(ErrorKind::malformed, "The certificate is not acceptable: " + std::move(what));
}

namespace {

constexpr std::size_t max_pem_size = 64U << 10;
constexpr int max_extensions = 16;

Result<CertificateHandle> decode(ByteView der) {
  if (der.empty() || der.size() > max_certificate_size) {
    return malformed_certificate("it has " + std::to_string(der.size()) + " bytes, and 1 to 4,096 are allowed");
  }
  const std::uint8_t* cursor = der.data();
  CertificateHandle x509{d2i_X509(nullptr, &cursor, static_cast<long>(der.size()))};
  if (!x509) return fail_openssl(ErrorKind::malformed, "The certificate cannot be read");
  if (cursor != der.data() + der.size()) return malformed_certificate("there are bytes behind it");
  // OpenSSL also reads BER, in which one certificate has many spellings.
  unsigned char* again = nullptr;
  const int size = i2d_X509(x509.get(), &again);
  const bool same = size > 0 && equal(der, {again, static_cast<std::size_t>(size)});
  OPENSSL_free(again);
  if (!same) return malformed_certificate("it is not encoded in DER");
  if (X509_get_version(x509.get()) != X509_VERSION_3) return malformed_certificate("it is not of version 3");
  return x509;
}

Result<std::uint64_t> read_serial_number(const X509* x509) {
  std::uint64_t serial = 0;
  if (ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(x509)) != 1 || serial == 0 ||
      serial > max_serial_number) {
    return malformed_certificate("its serial number is not 1 to 2^63-1");
  }
  return serial;
}

Result<UnixSeconds> read_time(const ASN1_TIME* time) {
  // RFC 5280, 4.1.2.5: with seconds, in UTC, UTCTime until 2049. ASN1_TIME_set_string_X509 accepts nothing else.
  const Handle<ASN1_TIME, ASN1_TIME_free> strict{ASN1_TIME_new()};
  const Handle<ASN1_TIME, ASN1_TIME_free> epoch{ASN1_TIME_set(nullptr, 0)};
  const std::string text = as_text({ASN1_STRING_get0_data(time), static_cast<std::size_t>(ASN1_STRING_length(time))});
  int days = 0;
  int seconds = 0;
  if (!strict || !epoch || ASN1_TIME_set_string_X509(strict.get(), text.c_str()) != 1 ||
      ASN1_STRING_type(strict.get()) != ASN1_STRING_type(time) ||
      ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) {
    return malformed_certificate("its validity is not written as RFC 5280 demands");
  }
  return UnixSeconds{days} * 86400 + seconds;
}

bool is_known(int nid) {
  return nid == NID_basic_constraints || nid == NID_key_usage || nid == NID_ext_key_usage ||
         nid == NID_authority_key_identifier || nid == NID_subject_key_identifier;
}

/// Whether OpenSSL writes the value of a known extension as it stands there. When reading, it overlooks bytes behind
/// the value and defaults that are written out, which DER forbids.
bool is_written_plainly(X509_EXTENSION* extension) {
  const X509V3_EXT_METHOD* method = X509V3_EXT_get(extension);
  const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(extension);
  const ByteView encoded{ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))};
  if (method == nullptr || method->it == nullptr) return false;
  const std::uint8_t* cursor = encoded.data();
  ASN1_VALUE* content = ASN1_item_d2i(nullptr, &cursor, static_cast<long>(encoded.size()), ASN1_ITEM_ptr(method->it));
  unsigned char* again = nullptr;
  const int size = content != nullptr ? ASN1_item_i2d(content, &again, ASN1_ITEM_ptr(method->it)) : 0;
  const bool same = size > 0 && equal(encoded, {again, static_cast<std::size_t>(size)});
  OPENSSL_free(again);
  ASN1_item_free(content, ASN1_ITEM_ptr(method->it));
  return same;
}

/// Refuses every extension twice (RFC 5280, 4.2) and every critical one that nobody here enforces. `alternative_key` is
/// set to the value of subjectAltPublicKeyInfo, where there is one and it is known.
Status check_extensions(const X509* x509, AlternativeKey alternative, ByteView& alternative_key) {
  const int count = X509_get_ext_count(x509);
  if (count > max_extensions) return malformed_certificate("it has more than 16 extensions");
  std::vector<std::string> seen;
  for (int i = 0; i < count; ++i) {
    X509_EXTENSION* extension = X509_get_ext(x509, i);
    std::string oid = dotted(X509_EXTENSION_get_object(extension));
    if (oid.empty()) return malformed_certificate("an extension has an endless identifier");
    if (std::find(seen.begin(), seen.end(), oid) != seen.end())
      return malformed_certificate("the extension " + oid + " stands in it twice");
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    const bool is_alternative_key = alternative == AlternativeKey::known && oid == subject_alt_public_key_info_oid;
    if (is_alternative_key) {
      const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(extension);
      alternative_key = {ASN1_STRING_get0_data(value), static_cast<std::size_t>(ASN1_STRING_length(value))};
    }
    if (is_known(nid) && !is_written_plainly(extension))
      return malformed_certificate("the extension " + oid + " is not encoded in DER");
    const bool known = is_alternative_key || is_known(nid);
    if (!known && X509_EXTENSION_get_critical(extension) != 0) {
      return fail(ErrorKind::unsupported,
                  "The certificate has the critical extension " + oid + ", which is not known here");
    }
    seen.push_back(std::move(oid));
  }
  return {};
}

Result<std::vector<std::string>> read_roles(const X509* x509) {
  std::vector<std::string> roles;
  if (X509_get_ext_by_NID(x509, NID_ext_key_usage, -1) < 0) return roles;
  const Handle<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> usage{
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(x509, NID_ext_key_usage, nullptr, nullptr))};
  const int count = usage ? sk_ASN1_OBJECT_num(usage.get()) : 0;
  if (count < 1 || static_cast<std::size_t>(count) > max_roles)
    return malformed_certificate("its extended key usage does not name 1 to 16 roles");
  for (int i = 0; i < count; ++i) {
    std::string role = dotted(sk_ASN1_OBJECT_value(usage.get(), i));
    if (role.empty()) return malformed_certificate("a role in it has an endless identifier");
    roles.push_back(std::move(role));
  }
  return roles;
}

}  // namespace

Result<std::string> common_name_in(const X509_NAME* subject) {
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, index) >= 0) {
    return malformed_certificate("its subject does not have one common name");
  }
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  std::string name;
  if (size > 0) name = as_text({text, static_cast<std::size_t>(size)});
  OPENSSL_free(text);
  if (!is_printable_name(name)) return malformed_certificate("its common name is not 1 to 64 bytes of printable UTF-8");
  return name;
}

Result<CertificateFields> read_certificate(ByteView der, AlternativeKey alternative) {
  CertificateFields fields;
  CAS_TRY_ASSIGN(fields.x509, decode(der));
  X509* x509 = fields.x509.get();
  fields.der = copy_of(der);
  CAS_TRY_ASSIGN(fields.serial_number, read_serial_number(x509));
  CAS_TRY_ASSIGN(fields.common_name, common_name_in(X509_get_subject_name(x509)));
  CAS_TRY_ASSIGN(fields.not_before, read_time(X509_get0_notBefore(x509)));
  CAS_TRY_ASSIGN(fields.not_after, read_time(X509_get0_notAfter(x509)));
  if (fields.not_before > fields.not_after) return malformed_certificate("its validity ends before it begins");
  const ASN1_BIT_STRING* issuer_id = nullptr;
  const ASN1_BIT_STRING* subject_id = nullptr;
  X509_get0_uids(x509, &issuer_id, &subject_id);
  if (issuer_id != nullptr || subject_id != nullptr)
    return malformed_certificate("it has unique identifiers, which RFC 5280 forbids");
  CAS_TRY(check_extensions(x509, alternative, fields.alternative_key));
  // This also has OpenSSL read the extensions now, so that later use by several threads changes nothing in the object.
  if ((X509_get_extension_flags(x509) & EXFLAG_INVALID) != 0)
    return malformed_certificate("an extension in it cannot be read");
  CAS_TRY_ASSIGN(fields.roles, read_roles(x509));
  return fields;
}

Result<Bytes> certificate_in_pem(ByteView pem) {
  if (pem.empty() || pem.size() > max_pem_size) {
    return malformed_certificate("its PEM text has " + std::to_string(pem.size()) +
                                 " bytes, and 1 to 65,536 are allowed");
  }
  const BioHandle in{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  for (;;) {
    char* label = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (!in || PEM_read_bio(in.get(), &label, &header, &data, &size) != 1) {
      drop_openssl_errors();
      return fail(ErrorKind::malformed, "There is no certificate in PEM (BEGIN CERTIFICATE) here");
    }
    const bool is_certificate = std::string_view(label) == PEM_STRING_X509 && *header == '\0';
    Bytes der;
    if (is_certificate) der = copy_of({data, static_cast<std::size_t>(size)});
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_clear_free(data,
                       static_cast<std::size_t>(size));  // it may be a private key that stands before the certificate
    if (is_certificate) return der;
  }
}

Result<std::string> certificate_to_pem(ByteView der) {
  const BioHandle out{BIO_new(BIO_s_mem())};
  char* text = nullptr;
  if (!out || PEM_write_bio(out.get(), PEM_STRING_X509, "", der.data(), static_cast<long>(der.size())) <= 0) {
    return fail_openssl(ErrorKind::internal, "The certificate cannot be written");
  }
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace cas::crypto
