// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::mpegts {

inline constexpr std::uint8_t scrambling_descriptor_tag = 0x65;

/// scrambling_mode (EN 300 468, 6.2.32). Values between those here are reserved, ranges are ATIS's (70 to 7F,
/// ATIS-0800006) and the user's (80 to FE): a variable of this type may hold any byte.
enum class ScramblingMode : std::uint8_t {
  csa1 = 0x01,  ///< What holds when there is no scrambling descriptor.
  csa2 = 0x02,
  csa3_standard = 0x03,
  csa3_minimally_enhanced = 0x04,
  csa3_fully_enhanced = 0x05,
  cissa_1 = 0x10,  ///< ETSI TS 103 127.
  atis_first = 0x70,
  atis_last = 0x7f,
  user_first = 0x80,
  user_last = 0xfe,
};

/// What people read: "DVB-CISSA version 1", "user defined (80)", "reserved (00)".
[[nodiscard]] std::string describe(ScramblingMode mode);

/// The mode that a PMT's loop of a program states. Nothing: no scrambling descriptor with a mode in it.
[[nodiscard]] std::optional<ScramblingMode> find_scrambling_mode(ByteView loop);

/// The loop with this mode, in the place of what it stated before; all else as it was. ErrorKind::invalid_argument for
/// a mode that is reserved.
[[nodiscard]] Result<Bytes> with_scrambling_mode(ByteView loop, ScramblingMode mode);

}  // namespace cas::mpegts
