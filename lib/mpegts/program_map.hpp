// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "mpegts/packet.hpp"

namespace cas::mpegts {

/// The map of one program (ISO/IEC 13818-1, 2.4.4.8), always one section:
///
///    3  reserved        13  PCR_PID
///    4  reserved        12  program_info_length, then the program's descriptors
///   of each elementary stream:
///    8  stream_type
///    3  reserved        13  elementary_PID
///    4  reserved        12  ES_info_length, then the stream's descriptors
///
/// Loops of descriptors are kept bit for bit, known or not (descriptor.hpp reads them).
struct ProgramMap {
  struct Stream {
    std::uint8_t stream_type = 0;
    std::uint8_t reserved_pid = 0b111;
    Pid pid = 0;
    std::uint8_t reserved_length = 0b1111;
    Bytes descriptors;
    bool operator==(const Stream&) const = default;
  };

  std::uint16_t program_number = 0;
  std::uint8_t version = 0;  ///< 0 to 31.
  bool current = true;
  std::uint8_t reserved = 0b1111;  ///< Of the section's header: two bits before the length, two before the version.
  std::uint8_t reserved_pid = 0b111;
  Pid pcr_pid = null_pid;  ///< 1FFF: the program has no clock.
  std::uint8_t reserved_length = 0b1111;
  Bytes descriptors;
  std::vector<Stream> streams;
  bool operator==(const ProgramMap&) const = default;

  /// One section. ErrorKind as LongSection::parse; malformed for another table, a section_number other than 0 and loops
  /// that overrun the section.
  [[nodiscard]] static Result<ProgramMap> parse(ByteView section);
  /// ErrorKind::exhausted when it does not fit into a section of 1,024 bytes.
  [[nodiscard]] Result<Bytes> encode() const;
};

}  // namespace cas::mpegts
