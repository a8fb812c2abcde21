// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace cas::mpegts {

inline constexpr std::uint8_t service_descriptor_tag = 0x48;

/// Text of DVB (EN 300 468, annex A) as UTF-8, without control codes. What its table does not know is left out; a table
/// that is not known at all gives nothing.
[[nodiscard]] std::optional<std::string> decode_dvb_text(ByteView text);

/// The service_name of the service_descriptor (EN 300 468, 6.2.33) in a service's loop of descriptors, as UTF-8.
/// Nothing: there is none, or it is damaged.
[[nodiscard]] std::optional<std::string> find_service_name(ByteView descriptors);

}  // namespace cas::mpegts
