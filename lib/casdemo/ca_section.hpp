// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to casdemo/, not installed: the head that ECMs and EMMs share, CA_message_section of ETSI ETR 289, 5.2.
//
//   0  1  table_id
//   1  2  section_syntax_indicator 0, DVB_reserved 1, ISO_reserved 11, then section_length in 12 bits
//   3     CA_data_bytes

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::casdemo {

inline constexpr std::size_t section_header_size = 3;
/// "CA_message_section has a maximum length of 256 bytes" (ETR 289, 5.2).
inline constexpr std::size_t max_section_size = 256;

/// Writes the head of a section of `size` bytes in all, at most max_section_size.
inline void write_section_header(std::uint8_t table_id, std::size_t size, std::uint8_t* out) {
  const std::size_t length = size - section_header_size;
  out[0] = table_id;
  out[1] = static_cast<std::uint8_t>(0x70U | length >> 8);
  out[2] = static_cast<std::uint8_t>(length);
}

struct CaSection {
  std::uint8_t table_id = 0;
  ByteView data;  ///< A view into the section.
};

/// One whole section, and nothing behind it. `what` names it in errors. ErrorKind::truncated, malformed.
[[nodiscard]] Result<CaSection> parse_ca_section(ByteView section, const char* what);

}  // namespace cas::casdemo
