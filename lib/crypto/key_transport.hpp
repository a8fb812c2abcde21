// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::crypto {

/// RSA-OAEP (RFC 8017, 7.1) with SHA-1 in both places, which XML Encryption calls rsa-oaep-mgf1p: the only key transport
/// that CPIX documents use. What breaks SHA-1 as a hash (collisions) does not break OAEP. Keys of 2048 to 8192 bits.

/// Who a key is encrypted for: an RSA key out of a certificate. Whether the certificate is believed is the caller's
/// business. Copies share it; usable by several threads at once.
class RsaRecipient {
 public:
  static constexpr std::size_t max_certificate_size = 16'384;
  /// One DER certificate. ErrorKind::malformed; unsupported for another kind of key, or one that is too short.
  [[nodiscard]] static Result<RsaRecipient> from_certificate(ByteView der);

  /// `secret` is shorter than the modulus less 41 bytes. ErrorKind::invalid_argument when it is not.
  [[nodiscard]] Result<Bytes> encrypt(const SecretBytes& secret) const;

 private:
  struct State;
  explicit RsaRecipient(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// The private half. Copies share it; usable by several threads at once.
class RsaPrivateKey {
 public:
  /// PKCS #8 in PEM; `pass_phrase` is empty for a key in clear. ErrorKind::malformed, permission_denied, unsupported.
  [[nodiscard]] static Result<RsaPrivateKey> from_pem(const SecretBytes& pem, const SecretBytes& pass_phrase);
  /// A new key of 2048 to 8192 bits.
  [[nodiscard]] static Result<RsaPrivateKey> generate(unsigned bits);
  [[nodiscard]] Result<SecretBytes> to_pem() const;

  /// ErrorKind::authentication_failed for what was not encrypted for this key; it does not say what was wrong (RFC 8017,
  /// 7.1.2: an opponent must not tell the reasons apart).
  [[nodiscard]] Result<SecretBytes> decrypt(ByteView cipher_text) const;

  /// Whether the certificate (DER) has this key.
  [[nodiscard]] bool belongs_to(ByteView certificate) const;

  /// For crypto/ alone: the EVP_PKEY.
  [[nodiscard]] void* native() const;

 private:
  struct State;
  explicit RsaPrivateKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace cas::crypto
