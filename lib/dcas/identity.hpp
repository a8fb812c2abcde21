// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/reader.hpp"

namespace cas::dcas {

/// SM_ID, TP_ID and the names of authentication proxies: what stands in the Common Name of a certificate, 1 to 64 bytes
/// of printable ASCII without blanks.
///
/// Wherever the paper concatenates an id, it is one byte with its size and then its characters: ids have no fixed
/// size, and without it SM_ID || TP_ID would be the same for "A", "BC" and for "AB", "C".
inline constexpr std::size_t max_identity_size = 64;

[[nodiscard]] bool is_identity(std::string_view id);
/// For what comes from somewhere: ErrorKind::malformed for what is no id.
[[nodiscard]] Status check_identity(std::string_view id);

/// KeyPairingID = SM_ID || TP_ID. Both are ids.
[[nodiscard]] Bytes key_pairing_id(std::string_view sm, std::string_view tp);

struct PairIdentities {
  std::string sm, tp;
  /// From a KeyPairingID; ErrorKind::malformed, truncated.
  [[nodiscard]] static Result<PairIdentities> parse(ByteView key_pairing_id);
};

}  // namespace cas::dcas
