// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "crypto/key_agreement.hpp"
#include "crypto/signature.hpp"

namespace cas::crypto {

/// What a leaf certificate says of its subject. X.509 v3 (RFC 5280), readable with `openssl x509 -text`.
///
///   subject public key      the static P-256 key: keyUsage keyAgreement, critical
///   subjectAltPublicKeyInfo (2.5.29.72, ITU-T X.509 9.8.2) the static ffdhe2048 key, where the subject has one
///   serialNumber            1 to 8 bytes: the identity
///   extendedKeyUsage        the roles, as object identifiers, critical
///   basicConstraints        CA:FALSE, critical; authorityKeyIdentifier of the root
struct CertificateSubject {
  std::string common_name;          ///< UTF-8, 1 to 64 bytes.
  std::uint64_t serial_number = 0;  ///< 1 to 2^63-1.
  Bytes p256_public;
  Bytes ffdhe2048_public;          ///< Empty: P-256 only.
  std::vector<std::string> roles;  ///< Dotted object identifiers.
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
};

/// A parsed certificate. Copies share it; usable by several threads at once.
class Certificate {
 public:
  /// One DER certificate of at most 4 KiB, and nothing behind it. What it says is well-formed then: version 3, one
  /// common name without control characters, keys that are elements of their groups, at most 16 extensions and 16
  /// roles. Fails with ErrorKind::malformed, or unsupported for another kind of key or an unknown critical extension.
  [[nodiscard]] static Result<Certificate> from_der(ByteView der);
  /// The first certificate of a PEM text of at most 64 KiB.
  [[nodiscard]] static Result<Certificate> from_pem(ByteView pem);

  [[nodiscard]] const Bytes& der() const;
  [[nodiscard]] Result<std::string> to_pem() const;

  /// The identity; ErrorKind::malformed at parsing if it is not 1 to 8 bytes and positive.
  [[nodiscard]] std::uint64_t serial_number() const;
  [[nodiscard]] const std::string& common_name() const;
  [[nodiscard]] bool has_role(std::string_view oid) const;
  [[nodiscard]] const std::vector<std::string>& roles() const;
  /// The static public value for `group`, nothing if the certificate has none.
  [[nodiscard]] std::optional<ByteView> dh_public(DhGroup group) const;
  [[nodiscard]] UnixSeconds not_before() const;
  [[nodiscard]] UnixSeconds not_after() const;

  /// Whether `root` has issued this certificate as a leaf with the extensions that CertificateSubject lists.
  /// `at` is the time at which both must be valid, first and last second included; nothing skips that check, for a card
  /// that has no clock.
  /// Fails with ErrorKind::authentication_failed (signature, issuer, use) or ErrorKind::expired.
  [[nodiscard]] Status verify_issued_by(const Certificate& root, std::optional<UnixSeconds> at) const;
  /// Whether this is a self-signed CA certificate that may issue.
  [[nodiscard]] Status verify_is_root() const;

  /// For crypto/ alone: the X509.
  [[nodiscard]] void* native() const;

 private:
  struct State;
  explicit Certificate(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// A self-signed root: ECDSA P-256, CA:TRUE pathlen 0, keyCertSign and cRLSign.
[[nodiscard]] Result<Certificate> make_root_certificate(const SigningKey& key, const std::string& common_name,
                                                        std::uint64_t serial_number, UnixSeconds not_before,
                                                        UnixSeconds not_after);
/// A leaf issued by `root`, whose key is `key`.
[[nodiscard]] Result<Certificate> issue_certificate(const Certificate& root, const SigningKey& key,
                                                    const CertificateSubject& subject);

}  // namespace cas::crypto
