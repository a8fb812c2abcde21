// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <winscard.h>

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "card/exchange.hpp"

namespace cas::card {

/// What a reader's driver says of itself (PC/SC part 10, 2.6.14): dwMaxAPDUDataSize out of its TLV properties, each of
/// them a tag, a length and a little-endian value. Nothing when it is not among them.
[[nodiscard]] std::optional<std::uint32_t> max_apdu_data_size(ByteView tlv_properties);

/// The control code of a feature out of the driver's feature list (PC/SC part 10, 2.2): entries of 6 bytes, tag, length
/// 4, code big-endian.
[[nodiscard]] std::optional<std::uint32_t> control_code_of_feature(ByteView features, std::uint8_t feature);

/// The lengths that the card behind the handle, its protocol and its reader take, as far as they tell.
[[nodiscard]] ExchangeLimits pcsc_limits(SCARDHANDLE card, DWORD protocol);

}  // namespace cas::card
