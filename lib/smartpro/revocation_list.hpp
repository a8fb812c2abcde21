// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "crypto/signature.hpp"
#include "smartpro/revocation_header.hpp"

namespace cas::smartpro {

/// A revocation list as hosts have it, header and payload (paper, 4.1). The file of one,
/// docs/formats/smartpro-revocation.md:
///
///   0  4  "SPRL"
///   4  1  version, 1
///   5  1  reserved, 0
///   6  2  size of the signed header
///   8     the signed header (revocation_header.hpp)
///         payload: the tokens; in an external list also the hosts, then the domains. 8 bytes a number, as many as the header says; then the end.
struct RevocationList {
  RevocationHeader header;
  Bytes signed_header;
  std::vector<RevokedNumber> tokens;
  std::vector<RevokedNumber> hosts;    ///< External lists only.
  std::vector<RevokedNumber> domains;  ///< External lists only.

  /// Sorts the numbers, leaves out what stands there twice, and signs. `list.header` gives kind, VDID and index, and is
  /// completed.
  [[nodiscard]] static Result<RevocationList> make(RevocationList list, const crypto::SigningKey& key);

  /// A file, verified in all: the signature of the header with `public_key` (65 bytes), and the payload against the
  /// header. Takes memory only for as many numbers as there are in `file`. ErrorKind::authentication_failed, malformed,
  /// truncated, unsupported.
  [[nodiscard]] static Result<RevocationList> parse(ByteView file, ByteView public_key);
  [[nodiscard]] Bytes encode() const;

  [[nodiscard]] bool revokes_token(SerialNumber token) const;
  [[nodiscard]] bool revokes_host(SerialNumber host) const;
  [[nodiscard]] bool revokes_domain(const Vdid& vdid) const;
};

/// A file of the largest list: 3 x 2^24 numbers.
inline constexpr std::size_t max_revocation_file_size =
    8 + max_revocation_header_size + 3 * std::size_t{max_revoked_elements} * revoked_number_size;

}  // namespace cas::smartpro
