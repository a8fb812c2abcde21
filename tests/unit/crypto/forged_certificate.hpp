// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "crypto/certificate.hpp"

namespace cas::test {

/// DER (ITU-T X.690) written by hand: what an honest library would never write can be written too.
[[nodiscard]] Bytes der(std::uint8_t tag, std::initializer_list<ByteView> parts);
[[nodiscard]] Bytes der_oid(const std::string& dotted);
[[nodiscard]] Bytes der_integer(ByteView big_endian);
[[nodiscard]] Bytes der_utc_time(const std::string& text);
/// SubjectPublicKeyInfo of id-ecPublicKey on `curve`, with whatever stands in `point`.
[[nodiscard]] Bytes der_ec_key(const std::string& curve, ByteView point);
/// SubjectPublicKeyInfo of dhKeyAgreement (PKCS #3) with the generator 2.
[[nodiscard]] Bytes der_dh_key(ByteView prime, ByteView value);
/// RFC 7919, appendix A.1.
[[nodiscard]] Bytes ffdhe2048_prime();
/// A name of common names, one RDN each.
[[nodiscard]] Bytes der_name(std::initializer_list<std::string> common_names);
[[nodiscard]] Bytes der_extension(const std::string& oid, bool critical, ByteView value);

inline const std::string oid_basic_constraints = "2.5.29.19";
inline const std::string oid_key_usage = "2.5.29.15";
inline const std::string oid_extended_key_usage = "2.5.29.37";
inline const std::string oid_subject_key_identifier = "2.5.29.14";
inline const std::string oid_authority_key_identifier = "2.5.29.35";
inline const std::string oid_alternative_key = "2.5.29.72";
inline const std::string oid_ecdsa_sha256 = "1.2.840.10045.4.3.2";
inline const std::string oid_p256 = "1.2.840.10045.3.1.7";

/// A certificate in pieces of DER (RFC 5280, 4.1). Each piece begins as that of a certificate which is accepted; a test
/// changes one and sees whether that is noticed.
struct ForgedCertificate {
  Bytes version;
  Bytes serial_number;
  Bytes inner_algorithm;
  Bytes issuer;
  Bytes not_before;
  Bytes not_after;
  Bytes subject;
  Bytes public_key;
  Bytes unique_identifiers;
  struct Extension {
    std::string oid;
    bool critical;
    Bytes value;
  };
  std::vector<Extension> extensions;
  Bytes outer_algorithm;

  /// A leaf for `p256_public` as `root`, a certificate with `root_key`, would issue it.
  static ForgedCertificate leaf(const crypto::Certificate& root, ByteView p256_public);
  /// A root for `key`.
  static ForgedCertificate root(const crypto::SigningKey& key);

  Extension& extension(const std::string& oid);
  void remove(const std::string& oid);
  void add(const std::string& oid, bool critical, Bytes value) {
    extensions.push_back({oid, critical, std::move(value)});
  }

  /// Signed with ECDSA and SHA-256, whatever the algorithm fields say.
  [[nodiscard]] Bytes sign(const crypto::SigningKey& key) const;
  /// Signed with ECDSA and another hash by its OpenSSL name, and saying so: a right signature of the wrong kind.
  [[nodiscard]] Bytes sign(const crypto::SigningKey& key, const char* digest, const std::string& algorithm_oid);

 private:
  [[nodiscard]] Bytes to_be_signed() const;
};

}  // namespace cas::test
