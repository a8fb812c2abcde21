// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/program_association.hpp"

#include <algorithm>

#include "mpegts/table_fields.hpp"

namespace cas::mpegts {

namespace {

constexpr std::size_t entry_size = 4;
constexpr std::size_t entries_per_section = max_psi_payload_size / entry_size;

}  // namespace

Result<ProgramAssociation> ProgramAssociation::parse(std::span<const ByteView> sections) {
  CAS_TRY_ASSIGN(const auto parsed, parse_table_sections(sections, pat_table_id, "the program association table"));
  ProgramAssociation table;
  table.transport_stream_id = parsed.front().table_id_extension;
  table.version = parsed.front().version;
  table.current = parsed.front().current;
  table.reserved = reserved_of(parsed.front());
  for (const LongSection& section : parsed) {
    ByteReader reader(section.payload);
    if (reader.remaining() % entry_size != 0)
      return fail(ErrorKind::malformed, "the program association table ends within an entry");
    while (!reader.empty()) {
      Entry entry;
      CAS_TRY_ASSIGN(entry.program_number, reader.u16());
      CAS_TRY_ASSIGN(const ReservedAndValue pid, read_reserved_and_value(reader, pid_width));
      entry.reserved = pid.reserved;
      entry.pid = pid.value;
      table.entries.push_back(entry);
    }
  }
  return table;
}

Result<std::vector<Bytes>> ProgramAssociation::encode() const {
  LongSection header;
  header.table_id = pat_table_id;
  header.table_id_extension = transport_stream_id;
  header.version = version;
  header.current = current;
  set_reserved(header, reserved);
  std::vector<Bytes> payloads;
  std::span<const Entry> rest = entries;
  do {
    ByteWriter writer;
    const auto taken = rest.first(std::min(rest.size(), entries_per_section));
    for (const Entry& entry : taken) {
      writer.u16(entry.program_number);
      write_reserved_and_value(writer, pid_width, entry.reserved, entry.pid);
    }
    payloads.push_back(writer.take());
    rest = rest.subspan(taken.size());
  } while (!rest.empty());
  return encode_table_sections(header, payloads);
}

}  // namespace cas::mpegts
