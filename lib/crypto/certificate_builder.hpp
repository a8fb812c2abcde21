// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "crypto/certificate_profile.hpp"

namespace cas::crypto {

/// Internal to crypto/, not installed: how certificates are made, whatever kind of key they have.

// Bits of keyUsage (RFC 5280, 4.2.1.3).
inline constexpr int digital_signature_bit = 0;
inline constexpr int key_encipherment_bit = 2;
inline constexpr int key_agreement_bit = 4;
inline constexpr int key_cert_sign_bit = 5;
inline constexpr int crl_sign_bit = 6;

/// ErrorKind::invalid_argument for what read_certificate would not take.
[[nodiscard]] Status check_issue_arguments(const std::string& common_name, std::uint64_t serial_number,
                                           UnixSeconds not_before, UnixSeconds not_after);
[[nodiscard]] Status check_roles(const std::vector<std::string>& roles);

/// RFC 7093, 2 (1): the leftmost 160 bits of the SHA-256 of the public key. Needs no SHA-1.
[[nodiscard]] Result<Bytes> key_identifier(ByteView public_value);
/// The subjectKeyIdentifier of a root that verify_is_root has taken.
[[nodiscard]] ByteView key_identifier_of(const X509* root);

/// Builds a certificate step by step. After the first step that fails, the others do nothing, and sign() tells.
class CertificateBuilder {
 public:
  CertificateBuilder(std::uint64_t serial_number, UnixSeconds not_before, UnixSeconds not_after);
  void subject(const std::string& common_name);
  void issuer(const X509* root);
  void self_issued() { issuer(x509_.get()); }
  void public_key(EVP_PKEY* key);
  void basic_constraints(bool authority);
  void key_usage(std::initializer_list<int> bits);
  void roles(const std::vector<std::string>& oids);
  void subject_key_identifier(ByteView identifier);
  void authority_key_identifier(ByteView identifier);
  /// Not critical: a peer that does not know the extension uses the P-256 key.
  void alternative_public_key(EVP_PKEY* key);

  /// Signs by `sign_with`, which is false if it cannot. The certificate in DER.
  [[nodiscard]] Result<Bytes> sign(EVP_PKEY* key, bool (*sign_with)(X509*, EVP_PKEY*));

 private:
  void extension(int nid, void* value, bool critical);

  CertificateHandle x509_;
  bool good_ = false;
};

}  // namespace cas::crypto
