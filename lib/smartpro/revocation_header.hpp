// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "crypto/digest.hpp"
#include "crypto/signature.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// Which list (paper, 4.1).
enum class RevocationListKind : std::uint8_t {
  external = 1,  ///< ERL: tokens, hosts and domains; signed with the root revocation key.
  internal = 2,  ///< IRL: tokens of one domain; signed with the progenitor's revocation key.
};

/// What is revoked of one type of element: how many, and the digest of their numbers.
struct RevokedElements {
  std::uint32_t count = 0;
  crypto::Sha256Digest digest{};
};

/// The header of a revocation list (paper, 4.1): all that a token stores of it.
///
///   80  1   list: 1 external, 2 internal                       critical
///   81  8   VDID of the domain; internal lists only            critical
///   82  8   index, ever increasing, first 1                    critical
///   83  36  tokens: count (4), digest (32)                     critical
///   84  36  hosts: the same; external lists only               critical
///   85  36  domains: the same; external lists only             critical
///   86      signature over all bytes before this field: ECDSA P-256 with SHA-256, DER; the last field   critical
///
/// The digest of no elements is SHA-256 of no bytes.
struct RevocationHeader {
  RevocationListKind kind = RevocationListKind::internal;
  Vdid vdid{};
  std::uint64_t index = 0;
  RevokedElements tokens;
  RevokedElements hosts;
  RevokedElements domains;

  /// A list on which nothing stands.
  [[nodiscard]] static Result<RevocationHeader> empty_internal(const Vdid& vdid, std::uint64_t index);

  [[nodiscard]] Result<Bytes> encode_signed(const crypto::SigningKey& key) const;
  /// Parses and verifies; ErrorKind::authentication_failed when the signature is not right.
  [[nodiscard]] static Result<RevocationHeader> parse_signed(ByteView bytes, ByteView public_key);
};

inline constexpr std::size_t max_revocation_header_size = 320;

}  // namespace cas::smartpro
