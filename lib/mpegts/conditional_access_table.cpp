// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/conditional_access_table.hpp"

#include "mpegts/descriptor.hpp"
#include "mpegts/table_fields.hpp"

namespace cas::mpegts {

namespace {

bool ends_with_a_descriptor(ByteView loop) {
  DescriptorReader reader(loop);
  while (reader.next()) {
  }
  return reader.rest().empty();
}

}  // namespace

Result<ConditionalAccessTable> ConditionalAccessTable::parse(std::span<const ByteView> sections) {
  CAS_TRY_ASSIGN(const auto parsed, parse_table_sections(sections, cat_table_id, "the conditional access table"));
  ConditionalAccessTable table;
  table.reserved_extension = parsed.front().table_id_extension;
  table.version = parsed.front().version;
  table.current = parsed.front().current;
  table.reserved = reserved_of(parsed.front());
  for (const LongSection& section : parsed) {
    if (parsed.size() > 1 && !ends_with_a_descriptor(section.payload))
      return fail(ErrorKind::malformed, "the conditional access table has a descriptor that overruns its section");
    append(table.descriptors, section.payload);
  }
  return table;
}

Result<std::vector<Bytes>> ConditionalAccessTable::encode() const {
  LongSection header;
  header.table_id = cat_table_id;
  header.table_id_extension = reserved_extension;
  header.version = version;
  header.current = current;
  set_reserved(header, reserved);
  std::vector<Bytes> payloads(1);
  const auto add = [&payloads](ByteView piece) {
    if (payloads.back().size() + piece.size() > max_psi_payload_size) payloads.emplace_back();
    append(payloads.back(), piece);
  };
  DescriptorReader reader(descriptors);
  while (const auto descriptor = reader.next()) add(descriptor->whole);
  add(reader.rest());
  return encode_table_sections(header, payloads);
}

}  // namespace cas::mpegts
