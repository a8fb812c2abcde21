// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace cas::crypto {

/// An ECDSA key on P-256 (FIPS 186-5) for certificates, revocation lists and masks. Signatures are over SHA-256 and in
/// DER. Copies share the key. Usable by several threads at once.
class SigningKey {
 public:
  /// Draws the private value from `random` alone.
  [[nodiscard]] static Result<SigningKey> generate(Random& random);
  /// 32 bytes, big-endian, as private_value() gives them.
  [[nodiscard]] static Result<SigningKey> from_private(const SecretBytes& private_value);
  /// PKCS #8 in PEM, encrypted (PBES2 with PBKDF2 or scrypt) or not. Never asks for a pass phrase. Fails with
  /// ErrorKind::permission_denied for a wrong or a missing one, unsupported for another kind of key or of encryption.
  [[nodiscard]] static Result<SigningKey> from_pem(const SecretBytes& pem, const SecretBytes& pass_phrase);
  /// PKCS #8 in PEM: AES-256-CBC with scrypt under the pass phrase; in clear when that is empty.
  [[nodiscard]] Result<SecretBytes> to_pem(const SecretBytes& pass_phrase) const;

  [[nodiscard]] Result<SecretBytes> private_value() const;
  /// 65 bytes, an uncompressed point.
  [[nodiscard]] Result<Bytes> public_value() const;
  [[nodiscard]] Result<Bytes> sign(ByteView message) const;

  /// For crypto/ alone: the EVP_PKEY.
  [[nodiscard]] void* native() const { return key_.get(); }

 private:
  explicit SigningKey(std::shared_ptr<void> key) : key_(std::move(key)) {}
  std::shared_ptr<void> key_;
};

/// Verifies a DER signature over `message`; ErrorKind::authentication_failed if it is not right.
[[nodiscard]] Status verify_signature(ByteView public_value, ByteView message, ByteView signature);

}  // namespace cas::crypto
