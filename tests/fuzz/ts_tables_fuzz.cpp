// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <cstdlib>

#include "mpegts/ca_descriptor.hpp"
#include "mpegts/pcr_clock.hpp"
#include "mpegts/scrambling_descriptor.hpp"
#include "mpegts/section_packetiser.hpp"
#include "mpegts/stream_tables.hpp"

namespace {

using namespace cas;
using namespace cas::mpegts;

Bytes with_right_crc(ByteView section) {
  Bytes repaired = copy_of(section);
  if (repaired.size() < long_section_header_size + crc_size) return repaired;
  const std::uint32_t crc = crc32_mpeg2(ByteView(repaired).first(repaired.size() - crc_size));
  for (std::size_t i = 0; i < crc_size; ++i)
    repaired[repaired.size() - crc_size + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
  return repaired;
}

// What is written of a table says the same again.
template <typename Table>
void check_table(ByteView section) {
  const auto table = Table::parse({&section, 1});
  if (!table) return;
  const auto written = table->encode();
  if (!written) std::abort();
  const auto again = Table::parse(std::vector<ByteView>(written->begin(), written->end()));
  if (!again || *again != *table) std::abort();
}

void check_map(ByteView section) {
  const auto map = ProgramMap::parse(section);
  if (!map) return;
  const auto written = map->encode();
  if (!written) std::abort();
  const auto again = ProgramMap::parse(*written);
  if (!again || *again != *map) std::abort();
  for (const CaDescriptor& each : find_ca_descriptors(map->descriptors)) {
    Bytes loop;
    if (!each.append_to(loop)) std::abort();
    for (const CaDescriptor& left : find_ca_descriptors(without_ca_descriptors(map->descriptors, each.ca_system_id)))
      if (left.ca_system_id == each.ca_system_id) std::abort();
  }
  const auto scrambled = with_scrambling_mode(map->descriptors, ScramblingMode::cissa_1);
  if (!scrambled || find_scrambling_mode(*scrambled) != ScramblingMode::cissa_1) std::abort();
}

void check_section(ByteView section) {
  const auto parsed = LongSection::parse(section);
  if (parsed) {
    const auto written = parsed->encode();
    if (!written || !equal(*written, section)) std::abort();
  }
  check_table<ProgramAssociation>(section);
  check_table<ConditionalAccessTable>(section);
  check_table<ServiceDescription>(section);
  check_map(section);
}

// Sections that were taken out of packets can be put into packets, and come out as they were.
void check_packets(const std::vector<Bytes>& sections) {
  SectionPacketiser packetiser(0x0100);
  Bytes packets;
  if (!packetiser.packetise(std::vector<ByteView>(sections.begin(), sections.end()), packets)) std::abort();
  SectionAssembler assembler;
  std::size_t found = 0;
  for (ByteView rest = packets; !rest.empty(); rest = rest.subspan(packet_size)) {
    assembler.push(rest.first<packet_size>());
    while (const auto section = assembler.next())
      if (found >= sections.size() || !equal(*section, sections[found++])) std::abort();
  }
  if (found != sections.size()) std::abort();
}

}  // namespace

// The input is packets, without their sync bytes, of 187 bytes; the last one is filled up. Sections of the first
// packet's PID get a right CRC, so that what is behind it is reached.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  SectionAssembler assembler;
  StreamTables tables;
  PcrClock clock(0x0100);
  std::vector<Bytes> sections;
  std::uint64_t time = 0;
  for (ByteView rest(data, size); !rest.empty();) {
    std::array<std::uint8_t, packet_size> packet;
    packet.fill(0xff);
    packet[0] = sync_byte;
    const std::size_t count = std::min(rest.size(), packet_size - 1);
    std::ranges::copy(rest.first(count), packet.begin() + 1);
    rest = rest.subspan(count);

    clock.push(packet);
    if (clock.ticks().value_or(0) < time) std::abort();
    time = clock.ticks().value_or(0);
    tables.push(packet);
    assembler.push(packet);
    while (const auto section = assembler.next()) {
      if (section->size() != section_size_of(section->first<section_header_size>())) std::abort();
      sections.push_back(copy_of(*section));
    }
    const auto pcr = pcr_of(packet);
    const auto before = packet;
    if (pcr && (!set_pcr(packet, *pcr) || packet != before)) std::abort();
  }
  SectionPacketiser to_tables[] = {SectionPacketiser(pat_pid), SectionPacketiser(cat_pid), SectionPacketiser(sdt_pid),
                                   SectionPacketiser(0x0100)};
  for (const Bytes& section : sections) {
    const Bytes repaired = with_right_crc(section);
    check_section(repaired);
    for (SectionPacketiser& packetiser : to_tables) {
      Bytes packets;
      if (!packetiser.packetise(repaired, packets)) std::abort();
      for (ByteView rest = packets; !rest.empty(); rest = rest.subspan(packet_size))
        tables.push(rest.first<packet_size>());
    }
  }
  check_packets(sections);
  return 0;
}
