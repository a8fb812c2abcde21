// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "base/bytes.hpp"

namespace cas::card {

/// Whether an answer to reset says that the card takes extended Lc and Le fields. Nothing when it says neither.
///
///   ATR   TS, T0, interface bytes as T0 and each TD announce them, 0 to 15 historical bytes, TCK (ISO/IEC 7816-3, 8.2)
///   historical bytes   category 80: data objects; category 00: data objects and 3 status bytes (ISO/IEC 7816-4, 12.1.1)
///   data object        tag and length in one byte, value; 7x card capabilities (12.1.1.9), bit 7 of its third byte:
///                      extended Lc and Le fields
///
/// Any bytes may be given; an ATR that is cut or contradicts itself says nothing.
[[nodiscard]] std::optional<bool> atr_extended_length(ByteView atr);

}  // namespace cas::card
