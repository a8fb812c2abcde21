// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/program_map.hpp"

#include "mpegts/table_fields.hpp"

namespace cas::mpegts {

Result<ProgramMap> ProgramMap::parse(ByteView section) {
  // 2.4.4.9: section_number and last_section_number are zero.
  CAS_TRY_ASSIGN(const auto parsed, parse_table_sections({&section, 1}, pmt_table_id, "a program map"));
  const LongSection& header = parsed.front();
  ProgramMap map;
  map.program_number = header.table_id_extension;
  map.version = header.version;
  map.current = header.current;
  map.reserved = reserved_of(header);
  ByteReader reader(header.payload);
  const auto read_loop = [&reader](std::uint8_t& upper_bits) -> Result<Bytes> {
    CAS_TRY_ASSIGN(const ReservedAndValue length, read_reserved_and_value(reader, loop_length_width));
    upper_bits = length.reserved;
    if (length.value > reader.remaining())
      return fail(ErrorKind::malformed, "a program map has a loop of descriptors that overruns its section");
    CAS_TRY_ASSIGN(const ByteView loop, reader.bytes(length.value));
    return copy_of(loop);
  };
  CAS_TRY_ASSIGN(const ReservedAndValue pcr_pid, read_reserved_and_value(reader, pid_width));
  map.reserved_pid = pcr_pid.reserved;
  map.pcr_pid = pcr_pid.value;
  CAS_TRY_ASSIGN(map.descriptors, read_loop(map.reserved_length));
  while (!reader.empty()) {
    Stream stream;
    CAS_TRY_ASSIGN(stream.stream_type, reader.u8());
    CAS_TRY_ASSIGN(const ReservedAndValue pid, read_reserved_and_value(reader, pid_width));
    stream.reserved_pid = pid.reserved;
    stream.pid = pid.value;
    CAS_TRY_ASSIGN(stream.descriptors, read_loop(stream.reserved_length));
    map.streams.push_back(std::move(stream));
  }
  return map;
}

Result<Bytes> ProgramMap::encode() const {
  LongSection header;
  header.table_id = pmt_table_id;
  header.table_id_extension = program_number;
  header.version = version;
  header.current = current;
  set_reserved(header, reserved);
  ByteWriter writer;
  // A loop longer than its length field makes a section that is too long too: encode refuses it.
  write_reserved_and_value(writer, pid_width, reserved_pid, pcr_pid);
  write_reserved_and_value(writer, loop_length_width, reserved_length, descriptors.size());
  writer.bytes(descriptors);
  for (const Stream& stream : streams) {
    writer.u8(stream.stream_type);
    write_reserved_and_value(writer, pid_width, stream.reserved_pid, stream.pid);
    write_reserved_and_value(writer, loop_length_width, stream.reserved_length, stream.descriptors.size());
    writer.bytes(stream.descriptors);
  }
  header.payload = writer.view();
  return header.encode();
}

}  // namespace cas::mpegts
