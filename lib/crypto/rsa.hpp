// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::crypto {

/// RSA (RFC 8017) for protocols that ask for it: encryption by RSAES-OAEP, signatures by RSASSA-PSS. Keys have 2,048 to
/// 8,192 bits. What they draw (OAEP's seed, PSS's salt) comes from OpenSSL's generator.

/// The hash of OAEP, and of MGF1 in it. What breaks SHA-1 as a hash (collisions) does not break OAEP.
enum class OaepHash {
  sha1,    ///< rsa-oaep-mgf1p of XML Encryption: the only key transport that CPIX documents use.
  sha256,  ///< DCAS.
};

/// Signatures are RSASSA-PSS with SHA-256, MGF1 with SHA-256, and a salt of this size; no other is taken.
inline constexpr std::size_t pss_salt_size = 32;

/// Who something is encrypted for, or has signed. Copies share it; usable by several threads at once.
class RsaPublicKey {
 public:
  static constexpr std::size_t max_certificate_size = 16'384;
  /// The key in a DER certificate; whether the certificate is believed is the caller's business. ErrorKind::malformed;
  /// unsupported for another kind of key, one that is too short, or one whose exponent is even, 1 or above 64 bits.
  [[nodiscard]] static Result<RsaPublicKey> from_certificate(ByteView der);
  /// A SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) in DER, with nothing behind it. Fails as above.
  [[nodiscard]] static Result<RsaPublicKey> from_der(ByteView info);
  [[nodiscard]] Result<Bytes> to_der() const;

  /// `secret` is shorter than size() less 41 bytes (SHA-1) or 65 bytes (SHA-256). ErrorKind::invalid_argument when it
  /// is not.
  [[nodiscard]] Result<Bytes> encrypt(const SecretBytes& secret, OaepHash hash) const;
  /// ErrorKind::authentication_failed for a signature that does not fit.
  [[nodiscard]] Status verify(ByteView message, ByteView signature) const;

  /// Bytes of the modulus, and thus of what encrypt() gives back and of a signature.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool operator==(const RsaPublicKey& other) const;

  /// For crypto/ alone: the EVP_PKEY.
  [[nodiscard]] void* native() const;

 private:
  friend class RsaPrivateKey;
  friend class RsaCertificate;
  friend class RsaCertificateRequest;
  struct State;
  explicit RsaPublicKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  /// Takes the EVP_PKEY, or null for what could not be read.
  [[nodiscard]] static Result<RsaPublicKey> from_native(void* key);
  std::shared_ptr<const State> state_;
};

/// Both halves. Copies share it; usable by several threads at once.
class RsaPrivateKey {
 public:
  /// PKCS #8 in PEM; `pass_phrase` is empty for a key in clear. ErrorKind::malformed, permission_denied, unsupported.
  [[nodiscard]] static Result<RsaPrivateKey> from_pem(const SecretBytes& pem, const SecretBytes& pass_phrase);
  /// A new key of 2,048 to 8,192 bits.
  [[nodiscard]] static Result<RsaPrivateKey> generate(unsigned bits);
  /// PKCS #8 in PEM: AES-256-CBC with scrypt under the pass phrase; in clear when that is empty.
  [[nodiscard]] Result<SecretBytes> to_pem(const SecretBytes& pass_phrase = {}) const;
  [[nodiscard]] Result<RsaPublicKey> public_key() const;

  /// ErrorKind::authentication_failed for what was not encrypted for this key; it does not say what was wrong (RFC 8017,
  /// 7.1.2: an opponent must not tell the reasons apart).
  [[nodiscard]] Result<SecretBytes> decrypt(ByteView cipher_text, OaepHash hash) const;
  [[nodiscard]] Result<Bytes> sign(ByteView message) const;

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
