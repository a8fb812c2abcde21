// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/section.hpp"

#include <boost/crc.hpp>
#include <string>

#include "base/reader.hpp"
#include "base/writer.hpp"

namespace cas::mpegts {

std::uint32_t crc32_mpeg2(ByteView bytes) {
  // Annex A: polynomial 04C11DB7, all ones to begin with, nothing reflected or inverted.
  boost::crc_optimal<32, 0x04c11db7, 0xffffffff, 0, false, false> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

Result<LongSection> LongSection::parse(ByteView section, std::size_t max_size) {
  ByteReader reader(section);
  LongSection parsed;
  CAS_TRY_ASSIGN(parsed.table_id, reader.u8());
  CAS_TRY_ASSIGN(const std::uint16_t flags_and_length, reader.u16());
  const std::size_t length = flags_and_length & 0x0fffU;
  if (section_header_size + length > max_size)
    return fail(ErrorKind::malformed, "a section says that it has " + std::to_string(section_header_size + length) +
                                          " bytes; one of this table has at most " + std::to_string(max_size));
  if (reader.remaining() < length)
    return fail(ErrorKind::truncated, "a section says that " + std::to_string(length) +
                                          " bytes follow its length, and " + std::to_string(reader.remaining()) +
                                          " do");
  if (reader.remaining() > length)
    return fail(ErrorKind::malformed, "a section is followed by " + std::to_string(reader.remaining() - length) +
                                          " bytes that do not belong there");
  if ((flags_and_length & 0x8000) == 0)
    return fail(ErrorKind::malformed, "a section of a table has the short form, without version and CRC");
  if (section.size() < long_section_header_size + crc_size)
    return fail(ErrorKind::malformed, "a section of a table is too short for its header and its CRC");
  // 13818-1, 2.4.4.5: a decoder that has run over the whole section ends with 0.
  if (crc32_mpeg2(section) != 0)
    return fail(ErrorKind::authentication_failed, "a section has a wrong CRC: it was damaged on its way");
  parsed.private_indicator = (flags_and_length & 0x4000) != 0;
  parsed.reserved = flags_and_length >> 12 & 0b11;
  CAS_TRY_ASSIGN(parsed.table_id_extension, reader.u16());
  CAS_TRY_ASSIGN(const std::uint8_t version_byte, reader.u8());
  parsed.reserved_version = version_byte >> 6;
  parsed.version = version_byte >> 1 & 0x1f;
  parsed.current = (version_byte & 1) != 0;
  CAS_TRY_ASSIGN(parsed.section_number, reader.u8());
  CAS_TRY_ASSIGN(parsed.last_section_number, reader.u8());
  if (parsed.section_number > parsed.last_section_number)
    return fail(ErrorKind::malformed, "section " + std::to_string(parsed.section_number) +
                                          " of a table is behind its last, which is " +
                                          std::to_string(parsed.last_section_number));
  CAS_TRY_ASSIGN(parsed.payload, reader.bytes(reader.remaining() - crc_size));
  return parsed;
}

Result<Bytes> LongSection::encode(std::size_t max_size) const {
  const std::size_t size = long_section_header_size + payload.size() + crc_size;
  if (size > max_size || size > section_header_size + 0x0fff)
    return fail(ErrorKind::exhausted, "a section of a table would have " + std::to_string(size) +
                                          " bytes, and at most " + std::to_string(max_size) +
                                          " are allowed: leave out descriptors or entries");
  const unsigned flags = 0x8000U | (private_indicator ? 0x4000U : 0U) | (reserved & 0b11U) << 12;
  ByteWriter writer;
  writer.u8(table_id).u16(static_cast<std::uint16_t>(flags | (size - section_header_size)));
  writer.u16(table_id_extension);
  writer.u8(static_cast<std::uint8_t>((reserved_version & 0b11U) << 6 | (version & 0x1fU) << 1 | (current ? 1U : 0U)));
  writer.u8(section_number).u8(last_section_number).bytes(payload);
  writer.u32(crc32_mpeg2(writer.view()));
  return writer.take();
}

Result<std::vector<LongSection>> parse_table_sections(std::span<const ByteView> sections, std::uint8_t table_id,
                                                      const char* name) {
  if (sections.empty()) return fail(ErrorKind::truncated, std::string(name) + " has no section");
  std::vector<LongSection> parsed;
  for (const ByteView bytes : sections) {
    auto section = LongSection::parse(bytes);
    if (!section) return fail_in(name, std::move(section).error());
    if (section->table_id != table_id)
      return fail(ErrorKind::malformed, std::string(name) + ": a section has the table_id of another table, " +
                                            to_hex({&section->table_id, 1}));
    const LongSection& first = parsed.empty() ? *section : parsed.front();
    if (section->table_id_extension != first.table_id_extension || section->version != first.version ||
        section->current != first.current)
      return fail(ErrorKind::malformed, std::string(name) + " is put together from sections of different versions");
    if (section->section_number != parsed.size() || std::size_t{section->last_section_number} + 1 != sections.size())
      return fail(ErrorKind::malformed, std::string(name) + " lacks sections, or has them in a wrong order");
    parsed.push_back(*section);
  }
  return parsed;
}

Result<std::vector<Bytes>> encode_table_sections(const LongSection& header, const std::vector<Bytes>& payloads) {
  if (payloads.empty()) return fail(ErrorKind::invalid_argument, "a table has at least one section");
  if (payloads.size() > 256)
    return fail(ErrorKind::exhausted, "a table would have " + std::to_string(payloads.size()) +
                                          " sections, and at most 256 can be numbered: leave out entries");
  std::vector<Bytes> sections;
  LongSection section = header;
  section.last_section_number = static_cast<std::uint8_t>(payloads.size() - 1);
  for (const Bytes& payload : payloads) {
    section.section_number = static_cast<std::uint8_t>(sections.size());
    section.payload = payload;
    CAS_TRY_ASSIGN(Bytes encoded, section.encode());
    sections.push_back(std::move(encoded));
  }
  return sections;
}

}  // namespace cas::mpegts
