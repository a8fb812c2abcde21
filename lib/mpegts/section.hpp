// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

/// Sections (ISO/IEC 13818-1, 2.4.4; EN 300 468, 5.1.1), whole ones: section_assembler.hpp takes them out of packets,
/// section_packetiser.hpp puts them into packets.
namespace cas::mpegts {

/// table_id, and two bytes that end in section_length.
inline constexpr std::size_t section_header_size = 3;
/// Of a private section, ECMs and EMMs among them (2.4.4.11: section_length up to 4093).
inline constexpr std::size_t max_section_size = 4096;
/// Of a section of PAT, CAT, PMT or SDT (2.4.4.5: section_length up to 1021).
inline constexpr std::size_t max_psi_section_size = 1024;
inline constexpr std::size_t long_section_header_size = 8;
inline constexpr std::size_t crc_size = 4;
/// What a long section of PSI has room for.
inline constexpr std::size_t max_psi_payload_size = max_psi_section_size - long_section_header_size - crc_size;
/// table_id of bytes that fill up a packet (2.4.4).
inline constexpr std::uint8_t stuffing_table_id = 0xff;

/// Table identifiers (13818-1 table 2-31, EN 300 468 table 2).
inline constexpr std::uint8_t pat_table_id = 0x00;
inline constexpr std::uint8_t cat_table_id = 0x01;
inline constexpr std::uint8_t pmt_table_id = 0x02;
inline constexpr std::uint8_t sdt_actual_table_id = 0x42;
inline constexpr std::uint8_t sdt_other_table_id = 0x46;

/// The CRC of annex A of 13818-1, which of a whole section with its own CRC is 0. For sections, not for packets.
[[nodiscard]] std::uint32_t crc32_mpeg2(ByteView bytes);

/// The size of the section that starts with these three bytes, with its header: 3 to 4098.
[[nodiscard]] inline std::size_t section_size_of(std::span<const std::uint8_t, section_header_size> header) {
  return section_header_size + (static_cast<std::size_t>(header[1] & 0x0f) << 8 | header[2]);
}

/// A section with section_syntax_indicator 1: one part of a table, with a version and a CRC. Bits that the standards
/// reserve are kept as they came, so that what was parsed and is written again gives the same bytes.
struct LongSection {
  std::uint8_t table_id = 0;
  bool private_indicator = false;        ///< 0 in PSI; reserved and 1 in the tables of DVB.
  std::uint8_t reserved = 0b11;          ///< The two bits before section_length.
  std::uint16_t table_id_extension = 0;  ///< transport_stream_id, program_number, or reserved.
  std::uint8_t reserved_version = 0b11;  ///< The two bits before version_number.
  std::uint8_t version = 0;              ///< 0 to 31.
  bool current = true;                   ///< current_next_indicator: applies now, and not only next.
  std::uint8_t section_number = 0;
  std::uint8_t last_section_number = 0;
  ByteView payload;  ///< Between header and CRC.

  /// One whole section of at most `max_size` bytes; `payload` points into it. The CRC is checked before anything else
  /// behind section_length. ErrorKind::truncated, malformed; authentication_failed for a wrong CRC.
  [[nodiscard]] static Result<LongSection> parse(ByteView section, std::size_t max_size = max_psi_section_size);
  /// The section with its CRC. ErrorKind::exhausted when it would have more than `max_size` bytes.
  [[nodiscard]] Result<Bytes> encode(std::size_t max_size = max_psi_section_size) const;
};

/// The version that follows (version_number counts modulo 32, 2.4.4.5).
[[nodiscard]] constexpr std::uint8_t next_version(std::uint8_t version) {
  return static_cast<std::uint8_t>((version + 1) & 0x1f);
}

/// The parts of one table, in order: sections 0 to last_section_number of one table_id, extension and version. `name`
/// is for the sentence of an error. ErrorKind as LongSection::parse, and malformed for parts that do not belong
/// together.
[[nodiscard]] Result<std::vector<LongSection>> parse_table_sections(std::span<const ByteView> sections,
                                                                    std::uint8_t table_id, const char* name);

/// The sections of a table: `header` for each, numbered, with one of `payloads` each. ErrorKind::exhausted for more
/// than 256 sections or one that is too long; invalid_argument for none.
[[nodiscard]] Result<std::vector<Bytes>> encode_table_sections(const LongSection& header,
                                                               const std::vector<Bytes>& payloads);

}  // namespace cas::mpegts
