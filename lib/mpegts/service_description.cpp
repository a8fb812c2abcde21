// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/service_description.hpp"

#include "mpegts/table_fields.hpp"

namespace cas::mpegts {

namespace {

Result<ServiceDescription::Service> read_service(ByteReader& reader) {
  ServiceDescription::Service service;
  CAS_TRY_ASSIGN(service.service_id, reader.u16());
  CAS_TRY_ASSIGN(const std::uint8_t flags, reader.u8());
  service.reserved = flags >> 2;
  service.eit_schedule = (flags & 2) != 0;
  service.eit_present_following = (flags & 1) != 0;
  CAS_TRY_ASSIGN(const ReservedAndValue length, read_reserved_and_value(reader, loop_length_width));
  service.running_status = length.reserved >> 1;
  service.free_ca_mode = (length.reserved & 1) != 0;
  if (length.value > reader.remaining())
    return fail(ErrorKind::malformed,
                "the service description table has a loop of descriptors that overruns its section");
  CAS_TRY_ASSIGN(const ByteView loop, reader.bytes(length.value));
  service.descriptors = copy_of(loop);
  return service;
}

Bytes encode_service(const ServiceDescription::Service& service) {
  ByteWriter writer;
  writer.u16(service.service_id);
  writer.u8(static_cast<std::uint8_t>((service.reserved & 0x3fU) << 2 | (service.eit_schedule ? 2U : 0U) |
                                      (service.eit_present_following ? 1U : 0U)));
  const auto status =
      static_cast<std::uint8_t>((service.running_status & 0b111U) << 1 | (service.free_ca_mode ? 1U : 0U));
  write_reserved_and_value(writer, loop_length_width, status, service.descriptors.size());
  writer.bytes(service.descriptors);
  return writer.take();
}

}  // namespace

Result<ServiceDescription> ServiceDescription::parse(std::span<const ByteView> sections) {
  const bool other = !sections.empty() && !sections[0].empty() && sections[0][0] == sdt_other_table_id;
  const std::uint8_t table_id = other ? sdt_other_table_id : sdt_actual_table_id;
  CAS_TRY_ASSIGN(const auto parsed, parse_table_sections(sections, table_id, "the service description table"));
  const LongSection& first = parsed.front();
  ServiceDescription table;
  table.actual = !other;
  table.transport_stream_id = first.table_id_extension;
  table.version = first.version;
  table.current = first.current;
  table.reserved_indicator = first.private_indicator;
  table.reserved = reserved_of(first);
  for (const LongSection& section : parsed) {
    ByteReader reader(section.payload);
    CAS_TRY_ASSIGN(const std::uint16_t network, reader.u16());
    CAS_TRY_ASSIGN(const std::uint8_t reserved, reader.u8());
    if (section.section_number == 0) {
      table.original_network_id = network;
      table.reserved_network = reserved;
    } else if (network != table.original_network_id) {
      return fail(ErrorKind::malformed, "the service description table is put together from two networks");
    }
    while (!reader.empty()) {
      CAS_TRY_ASSIGN(Service service, read_service(reader));
      table.services.push_back(std::move(service));
    }
  }
  return table;
}

Result<std::vector<Bytes>> ServiceDescription::encode() const {
  LongSection header;
  header.table_id = actual ? sdt_actual_table_id : sdt_other_table_id;
  header.private_indicator = reserved_indicator;
  header.table_id_extension = transport_stream_id;
  header.version = version;
  header.current = current;
  set_reserved(header, reserved);
  ByteWriter start;
  start.u16(original_network_id).u8(reserved_network);
  std::vector<Bytes> payloads{copy_of(start.view())};
  for (const Service& service : services) {
    const Bytes encoded = encode_service(service);
    if (payloads.back().size() + encoded.size() > max_psi_payload_size) payloads.push_back(copy_of(start.view()));
    append(payloads.back(), encoded);
  }
  return encode_table_sections(header, payloads);
}

}  // namespace cas::mpegts
