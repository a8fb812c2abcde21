// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "crypto/rsa.hpp"

namespace cas::crypto {

/// What a leaf certificate says of its subject, for protocols whose parties sign and decrypt with one RSA key (DCAS).
/// X.509 v3 (RFC 5280), readable with `openssl x509 -text`; signed by RSASSA-PSS as in rsa.hpp.
///
///   subject public key   rsaEncryption; keyUsage digitalSignature and keyEncipherment, critical
///   common name          the identity
///   extendedKeyUsage     the roles, as object identifiers, critical
///   basicConstraints     CA:FALSE, critical; authorityKeyIdentifier of the root
struct RsaCertificateSubject {
  std::string common_name;          ///< UTF-8, 1 to 64 bytes.
  std::uint64_t serial_number = 0;  ///< 1 to 2^63-1.
  RsaPublicKey key;
  std::vector<std::string> roles;  ///< Dotted object identifiers.
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
};

/// A parsed certificate. Copies share it; usable by several threads at once.
class RsaCertificate {
 public:
  /// As Certificate::from_der, for an RSA key.
  [[nodiscard]] static Result<RsaCertificate> from_der(ByteView der);
  /// The first certificate of a PEM text of at most 64 KiB.
  [[nodiscard]] static Result<RsaCertificate> from_pem(ByteView pem);

  [[nodiscard]] const Bytes& der() const;
  [[nodiscard]] Result<std::string> to_pem() const;

  [[nodiscard]] std::uint64_t serial_number() const;
  [[nodiscard]] const std::string& common_name() const;
  [[nodiscard]] bool has_role(std::string_view oid) const;
  [[nodiscard]] const std::vector<std::string>& roles() const;
  [[nodiscard]] const RsaPublicKey& public_key() const;
  [[nodiscard]] UnixSeconds not_before() const;
  [[nodiscard]] UnixSeconds not_after() const;

  /// Whether `root` has issued this certificate as a leaf with the extensions that RsaCertificateSubject lists.
  /// `at` is the time at which both must be valid, first and last second included; nothing skips that check, for a
  /// device that has no clock. The role is the caller's to check.
  /// Fails with ErrorKind::authentication_failed (signature, issuer, use) or ErrorKind::expired.
  [[nodiscard]] Status verify_issued_by(const RsaCertificate& root, std::optional<UnixSeconds> at) const;
  /// Whether this is a self-signed CA certificate that may issue.
  [[nodiscard]] Status verify_is_root() const;

  /// For crypto/ alone: the X509.
  [[nodiscard]] void* native() const;

 private:
  struct State;
  explicit RsaCertificate(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// A self-signed root: CA:TRUE pathlen 0; keyCertSign and cRLSign, and besides digitalSignature and keyEncipherment,
/// since a trusted authority of DCAS takes part in the protocol with the key that its certificates hang on. `roles` may
/// be empty.
[[nodiscard]] Result<RsaCertificate> make_rsa_root_certificate(const RsaPrivateKey& key, const std::string& common_name,
                                                               const std::vector<std::string>& roles,
                                                               std::uint64_t serial_number, UnixSeconds not_before,
                                                               UnixSeconds not_after);
/// A leaf issued by `root`, whose key is `key`.
[[nodiscard]] Result<RsaCertificate> issue_rsa_certificate(const RsaCertificate& root, const RsaPrivateKey& key,
                                                           const RsaCertificateSubject& subject);

/// A request for a certificate (PKCS #10, RFC 2986), as a factory sends them: the device's key never leaves it.
class RsaCertificateRequest {
 public:
  /// Signed by RSASSA-PSS.
  [[nodiscard]] static Result<RsaCertificateRequest> make(const RsaPrivateKey& key, const std::string& common_name);
  /// The first request of a PEM text of at most 64 KiB. Who has made it holds the private key, or it is refused
  /// (ErrorKind::authentication_failed); signatures are RSASSA-PSS or PKCS #1 v1.5, with SHA-256. What extensions it
  /// asks for is overlooked: what a certificate says is for the authority to decide.
  [[nodiscard]] static Result<RsaCertificateRequest> from_pem(ByteView pem);
  [[nodiscard]] Result<std::string> to_pem() const;

  [[nodiscard]] const std::string& common_name() const { return common_name_; }
  [[nodiscard]] const RsaPublicKey& public_key() const { return key_; }

 private:
  RsaCertificateRequest(std::string common_name, RsaPublicKey key, Bytes der)
      : common_name_(std::move(common_name)), key_(std::move(key)), der_(std::move(der)) {}
  [[nodiscard]] static Result<RsaCertificateRequest> from_der(ByteView der);

  std::string common_name_;
  RsaPublicKey key_;
  Bytes der_;
};

}  // namespace cas::crypto
