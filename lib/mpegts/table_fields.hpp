// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "mpegts/section.hpp"

/// What the tables' parsers and writers share. Not installed.
namespace cas::mpegts {

/// The four reserved bits of a long section's header: two before the length, two before the version.
[[nodiscard]] inline std::uint8_t reserved_of(const LongSection& section) {
  return static_cast<std::uint8_t>(section.reserved << 2 | section.reserved_version);
}
inline void set_reserved(LongSection& section, std::uint8_t reserved) {
  section.reserved = reserved >> 2 & 0b11;
  section.reserved_version = reserved & 0b11;
}

/// A PID behind three reserved bits, or a length behind four: `width` low bits are the value.
struct ReservedAndValue {
  std::uint8_t reserved = 0;
  std::uint16_t value = 0;
};
[[nodiscard]] inline Result<ReservedAndValue> read_reserved_and_value(ByteReader& reader, unsigned width) {
  CAS_TRY_ASSIGN(const std::uint16_t field, reader.u16());
  return ReservedAndValue{static_cast<std::uint8_t>(field >> width),
                          static_cast<std::uint16_t>(field & ((1U << width) - 1))};
}
inline void write_reserved_and_value(ByteWriter& writer, unsigned width, std::uint8_t reserved, std::size_t value) {
  writer.u16(static_cast<std::uint16_t>(std::size_t{reserved} << width | (value & ((std::size_t{1} << width) - 1))));
}

inline constexpr unsigned pid_width = 13;
inline constexpr unsigned loop_length_width = 12;
inline constexpr std::size_t max_loop_length = 0x0fff;

}  // namespace cas::mpegts
