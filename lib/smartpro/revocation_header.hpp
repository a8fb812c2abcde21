// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "crypto/signature.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/revoked_elements.hpp"

namespace cas::smartpro {

/// Which list (paper, 4.1).
enum class RevocationListKind : std::uint8_t {
  external = 1,  ///< ERL: tokens, hosts and domains; signed with the root revocation key.
  internal = 2,  ///< IRL: tokens of one domain; signed with the progenitor's revocation key.
};

/// The header of a revocation list (paper, 4.1): all that a token stores of it.
///
///   80  1   list: 1 external, 2 internal                       critical
///   81  8   VDID of the domain; internal lists only            critical
///   82  8   index, ever increasing, first 1                    critical
///   83  68  tokens: count (4), digest (32), root (32)          critical
///   84  68  hosts: the same; external lists only               critical
///   85  68  domains: the same; external lists only             critical
///   86      signature over all bytes before this field: ECDSA P-256 with SHA-256, DER; the last field   critical
///
/// A field that is not of its list makes the header malformed.
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
  /// What it says, without a look at the signature: for what was verified when it was stored.
  [[nodiscard]] static Result<RevocationHeader> parse(ByteView bytes);
  /// Parses and verifies; ErrorKind::authentication_failed when the signature is not right.
  [[nodiscard]] static Result<RevocationHeader> parse_signed(ByteView bytes, ByteView public_key);
};

inline constexpr std::size_t max_revocation_header_size = 320;

}  // namespace cas::smartpro
