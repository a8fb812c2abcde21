// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"

namespace cas::crypto {

/// The groups in which keys are agreed on. The values stand on the wire (SAC message 1).
enum class DhGroup : std::uint8_t {
  p256 = 1,       ///< NIST P-256 (SP 800-186): what cards accelerate.
  ffdhe2048 = 2,  ///< RFC 7919, 2,048 bits: classic Diffie-Hellman.
};

/// "p256" or "ffdhe2048".
[[nodiscard]] const char* dh_group_name(DhGroup group);
/// Bytes of a public value: 65 (an uncompressed point, SEC 1) or 256 (padded big-endian).
[[nodiscard]] std::size_t dh_public_size(DhGroup group);
/// Bytes of a private value: 32 for p256; 32 for ffdhe2048 (256-bit exponents, RFC 7919 section 5.2 asks for at least
/// 225).
[[nodiscard]] std::size_t dh_private_size(DhGroup group);
/// Bytes of a shared secret: 32 (x coordinate) or 256 (padded with leading zeros).
[[nodiscard]] std::size_t dh_shared_size(DhGroup group);

/// A key pair of one group. Can be used by several threads at once for derive.
struct DhKeyPair {
  DhGroup group = DhGroup::p256;
  SecretBytes private_value;
  Bytes public_value;

  [[nodiscard]] DhKeyPair clone() const { return {group, private_value.clone(), public_value}; }
};

/// Draws the private value from `random` alone, so that a seeded generator gives the same pair each time.
[[nodiscard]] Result<DhKeyPair> generate_dh_key_pair(DhGroup group, Random& random);
/// The pair of a stored private value.
[[nodiscard]] Result<DhKeyPair> dh_key_pair_from_private(DhGroup group, const SecretBytes& private_value);

/// A stored pair: PKCS #8 in PEM, AES-256-CBC with scrypt under the pass phrase, in clear when that is empty.
[[nodiscard]] Result<SecretBytes> dh_key_pair_to_pem(const DhKeyPair& pair, const SecretBytes& pass_phrase);
/// ErrorKind::permission_denied for a wrong pass phrase, malformed, or unsupported when the key is not of `group`.
[[nodiscard]] Result<DhKeyPair> dh_key_pair_from_pem(DhGroup group, const SecretBytes& pem,
                                                     const SecretBytes& pass_phrase);

/// Refuses what is no proper public value, with ErrorKind::authentication_failed: a point off the curve or at infinity,
/// a number outside 2..p-2, an element outside the subgroup of order q (NIST SP 800-56A, 5.6.2.3).
[[nodiscard]] Status validate_dh_public(DhGroup group, ByteView public_value);

/// The shared secret of our pair and a peer's public value, which is validated first.
[[nodiscard]] Result<SecretBytes> derive_dh_shared(const DhKeyPair& own, ByteView peer_public);

}  // namespace cas::crypto
