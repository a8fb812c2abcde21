// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "base/bytes.hpp"

namespace cas::card {

/// The form in which PC/SC wants a short APDU for a card that speaks T=0 (ISO/IEC 7816-3, 12.2; PC/SC part 3, 4.1):
///
///   case 1   CLA INS P1 P2            -> CLA INS P1 P2 00
///   case 2S  CLA INS P1 P2 Le         unchanged
///   case 3S  CLA INS P1 P2 Lc data    unchanged
///   case 4S  CLA INS P1 P2 Lc data Le -> without Le; the card answers 61xx and hands the data out with GET RESPONSE
///
/// Nothing for an extended APDU, which T=0 does not carry, and for what is no APDU at all.
[[nodiscard]] std::optional<Bytes> t0_tpdu(ByteView apdu);

}  // namespace cas::card
