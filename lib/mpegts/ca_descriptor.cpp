// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/ca_descriptor.hpp"

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "mpegts/descriptor.hpp"

namespace cas::mpegts {

Result<CaDescriptor> CaDescriptor::parse(ByteView payload) {
  ByteReader reader(payload);
  CaDescriptor descriptor;
  CAS_TRY_ASSIGN(descriptor.ca_system_id, reader.u16());
  CAS_TRY_ASSIGN(const std::uint16_t reserved_and_pid, reader.u16());
  descriptor.reserved = static_cast<std::uint8_t>(reserved_and_pid >> 13);
  descriptor.ca_pid = reserved_and_pid & pid_mask;
  descriptor.private_data = reader.rest();
  return descriptor;
}

Status CaDescriptor::append_to(Bytes& loop) const {
  if (ca_pid > pid_mask) return fail(ErrorKind::invalid_argument, "a CA_PID has 13 bits: choose one up to 8190");
  ByteWriter writer;
  writer.u16(ca_system_id).u16(static_cast<std::uint16_t>((reserved & 0b111U) << 13 | ca_pid)).bytes(private_data);
  return append_descriptor(loop, ca_descriptor_tag, writer.view());
}

std::vector<CaDescriptor> find_ca_descriptors(ByteView loop) {
  std::vector<CaDescriptor> found;
  DescriptorReader reader(loop);
  while (const auto each = reader.next()) {
    if (each->tag != ca_descriptor_tag) continue;
    if (const auto descriptor = CaDescriptor::parse(each->payload)) found.push_back(*descriptor);
  }
  return found;
}

Bytes without_ca_descriptors(ByteView loop, std::uint16_t ca_system_id) {
  return without_descriptors(loop, [ca_system_id](const Descriptor& each) {
    if (each.tag != ca_descriptor_tag) return false;
    const auto descriptor = CaDescriptor::parse(each.payload);
    return descriptor && descriptor->ca_system_id == ca_system_id;
  });
}

}  // namespace cas::mpegts
