// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "mpegts/packet.hpp"

namespace cas::mpegts {

/// The program association table (ISO/IEC 13818-1, 2.4.4.3): which PID carries the map of which program. An entry:
///
///   16  program_number
///    3  reserved
///   13  network_PID of program 0, program_map_PID of all others
struct ProgramAssociation {
  struct Entry {
    std::uint16_t program_number = 0;
    std::uint8_t reserved = 0b111;  ///< Kept as it came.
    Pid pid = 0;
    bool operator==(const Entry&) const = default;
  };

  std::uint16_t transport_stream_id = 0;
  std::uint8_t version = 0;  ///< 0 to 31.
  bool current = true;
  std::uint8_t reserved = 0b1111;  ///< Of the sections' headers: two bits before the length, two before the version.
  std::vector<Entry> entries;      ///< In the table's order.
  bool operator==(const ProgramAssociation&) const = default;

  /// All sections of one version, in order. ErrorKind as parse_table_sections, and malformed for half an entry.
  [[nodiscard]] static Result<ProgramAssociation> parse(std::span<const ByteView> sections);
  /// As many sections as the entries need, at least one. ErrorKind::exhausted.
  [[nodiscard]] Result<std::vector<Bytes>> encode() const;
};

}  // namespace cas::mpegts
