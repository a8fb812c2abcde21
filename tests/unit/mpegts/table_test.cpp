// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "mpegts/conditional_access_table.hpp"
#include "mpegts/program_association.hpp"
#include "mpegts/program_map.hpp"
#include "mpegts/section.hpp"
#include "mpegts/service_description.hpp"
#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

using test::hex;

std::vector<ByteView> views(const std::vector<Bytes>& sections) { return {sections.begin(), sections.end()}; }

Bytes with_crc(Bytes section) {
  const std::uint32_t crc = crc32_mpeg2(section);
  for (const int shift : {24, 16, 8, 0}) section.push_back(static_cast<std::uint8_t>(crc >> shift));
  return section;
}

/// A section of a table made by hand: its payload may be anything.
Bytes section_of(std::uint8_t table_id, const Bytes& payload, std::uint8_t number = 0, std::uint8_t last = 0) {
  LongSection section;
  section.table_id = table_id;
  section.section_number = number;
  section.last_section_number = last;
  section.payload = payload;
  auto encoded = section.encode();
  EXPECT_OK(encoded);
  return std::move(*encoded);
}

template <typename Table>
Result<Table> parse(const std::vector<Bytes>& sections) {
  return Table::parse(views(sections));
}

TEST(ProgramAssociation, IsReadAndWrittenAsItWas) {
  // FFmpeg's muxer writes this one; then one with a network and every reserved bit 0.
  const Bytes pat = hex("00 b00d 0001 c1 00 00 0001 f000 2ab104b2");
  auto table = parse<ProgramAssociation>({pat});
  ASSERT_OK(table);
  EXPECT_EQ(table->transport_stream_id, 1);
  ASSERT_EQ(table->entries.size(), 1U);
  EXPECT_EQ(table->entries[0].program_number, 1);
  EXPECT_EQ(table->entries[0].pid, 0x1000);
  EXPECT_EQ(table->encode(), std::vector<Bytes>{pat});

  const Bytes bare = with_crc(hex("00 8011 abcd 3e 00 00 0000 0010 ffff 1ffe"));
  table = parse<ProgramAssociation>({bare});
  ASSERT_OK(table);
  EXPECT_EQ(table->version, 31);
  EXPECT_FALSE(table->current);
  EXPECT_EQ(table->entries[1].pid, 0x1ffe);
  EXPECT_EQ(table->encode(), std::vector<Bytes>{bare});
}

TEST(ProgramAssociation, ALongOneHasSeveralSections) {
  ProgramAssociation table;
  table.version = 7;
  for (unsigned i = 0; i < 600; ++i)
    table.entries.push_back({static_cast<std::uint16_t>(i), 0b111, static_cast<Pid>(0x100 + i)});
  const auto sections = table.encode();
  ASSERT_OK(sections);
  EXPECT_EQ(sections->size(), 3U);
  const auto again = parse<ProgramAssociation>(*sections);
  ASSERT_OK(again);
  EXPECT_EQ(*again, table);
  EXPECT_FAILS(parse<ProgramAssociation>({(*sections)[0], (*sections)[2]}), ErrorKind::malformed);
}

TEST(ProgramAssociation, AnEmptyOneHasOneSection) {
  const ProgramAssociation table;
  const auto sections = table.encode();
  ASSERT_OK(sections);
  ASSERT_EQ(sections->size(), 1U);
  EXPECT_EQ(*parse<ProgramAssociation>(*sections), table);
}

TEST(ProgramAssociation, WhatIsNoneIsRefused) {
  EXPECT_FAILS(parse<ProgramAssociation>({section_of(0x00, hex("0001f0"))}), ErrorKind::malformed);
  EXPECT_FAILS(parse<ProgramAssociation>({section_of(0x02, hex("0001f000"))}), ErrorKind::malformed);
  EXPECT_FAILS(parse<ProgramAssociation>({}), ErrorKind::truncated);
}

// Made by hand after 2.4.4.8: a program with a CA descriptor, and two streams, one with its language.
const Bytes pmt =
    with_crc(hex("02 b023 0001 c3 00 00 e100 f006 0904 4adc e300  1b e100 f000  0f e101 f006 0a04 656e6700"));

TEST(ProgramMap, IsReadAndWrittenAsItWas) {
  const auto map = ProgramMap::parse(pmt);
  ASSERT_OK(map);
  EXPECT_EQ(map->program_number, 1);
  EXPECT_EQ(map->version, 1);
  EXPECT_EQ(map->pcr_pid, 0x100);
  EXPECT_EQ(map->descriptors, hex("09044adce300"));
  ASSERT_EQ(map->streams.size(), 2U);
  EXPECT_EQ(map->streams[0].stream_type, 0x1b);
  EXPECT_EQ(map->streams[0].pid, 0x100);
  EXPECT_TRUE(map->streams[0].descriptors.empty());
  EXPECT_EQ(map->streams[1].pid, 0x101);
  EXPECT_EQ(map->streams[1].descriptors, hex("0a04656e6700"));
  EXPECT_EQ(map->encode(), pmt);
}

TEST(ProgramMap, KeepsReservedBitsAndWhatItDoesNotKnow) {
  const Bytes bare = with_crc(hex("02 8017 ffff 01 00 00 1fff 0003 fe01aa  ff 0000 0002 09ff"));
  const auto map = ProgramMap::parse(bare);
  ASSERT_OK(map);
  EXPECT_EQ(map->streams[0].descriptors, hex("09ff")) << "damage is kept too";
  EXPECT_EQ(map->encode(), bare);
}

TEST(ProgramMap, LoopsThatOverrunAreRefused) {
  for (const char* payload : {"e100 f001", "e100 ffff", "e100 f000 1b e100 f001", "e100 f000 1b e100 ffff 00"})
    EXPECT_FAILS(ProgramMap::parse(section_of(pmt_table_id, hex(payload))), ErrorKind::malformed);
  for (const char* payload : {"", "e100", "e100 f0", "e100 f000 1b", "e100 f000 1b e100 f0"})
    EXPECT_FAILS(ProgramMap::parse(section_of(pmt_table_id, hex(payload))), ErrorKind::truncated);
}

TEST(ProgramMap, WhatIsNoneIsRefused) {
  EXPECT_FAILS(ProgramMap::parse(section_of(0x00, hex("e100f000"))), ErrorKind::malformed);
  EXPECT_FAILS(ProgramMap::parse(section_of(pmt_table_id, hex("e100f000"), 0, 1)), ErrorKind::malformed);
  EXPECT_FAILS(ProgramMap::parse(section_of(pmt_table_id, hex("e100f000"), 1, 1)), ErrorKind::malformed);
  Bytes damaged = pmt;
  damaged[20] ^= 1;
  EXPECT_FAILS(ProgramMap::parse(damaged), ErrorKind::authentication_failed);
}

TEST(ProgramMap, WhatDoesNotFitIsNotWritten) {
  ProgramMap map;
  map.descriptors = Bytes(max_psi_payload_size - 4, 0);
  EXPECT_OK(map.encode());
  map.descriptors = Bytes(max_psi_payload_size - 3, 0);
  EXPECT_FAILS(map.encode(), ErrorKind::exhausted);
  map.descriptors = Bytes(0x1000, 0);
  EXPECT_FAILS(map.encode(), ErrorKind::exhausted);
}

TEST(ConditionalAccessTable, IsReadAndWrittenAsItWas) {
  for (const char* text : {"01 b00f ffff c1 00 00 0904 1234 e123", "01 800f 1234 00 00 00 0904 1234 0123",
                           "01 b009 ffff c1 00 00", "01 b00b ffff c1 00 00 0904"}) {
    SCOPED_TRACE(text);
    const Bytes section = with_crc(hex(text));
    const auto table = parse<ConditionalAccessTable>({section});
    ASSERT_OK(table);
    EXPECT_EQ(table->encode(), std::vector<Bytes>{section});
  }
}

// 2.4.4.3 to 2.4.4.8 fix the bit behind section_syntax_indicator to '0'; EN 300 468 reserves it.
TEST(ConditionalAccessTable, WritesTheZeroOfItsHeader) {
  const auto table = parse<ConditionalAccessTable>({with_crc(hex("01 f009 ffff c1 00 00"))});
  ASSERT_OK(table);
  EXPECT_EQ(*table->encode(), std::vector<Bytes>{with_crc(hex("01 b009 ffff c1 00 00"))});
}

TEST(ConditionalAccessTable, ALongOneIsSplitBetweenDescriptors) {
  ConditionalAccessTable table;
  for (std::uint8_t i = 0; i < 30; ++i) {
    append(table.descriptors, hex("0978"));
    append(table.descriptors, Bytes(0x78, i));
  }
  const auto sections = table.encode();
  ASSERT_OK(sections);
  EXPECT_EQ(sections->size(), 4U);
  const auto again = parse<ConditionalAccessTable>(*sections);
  ASSERT_OK(again);
  EXPECT_EQ(*again, table);
  for (const Bytes& section : *sections) EXPECT_EQ((section.size() - 12) % 0x7a, 0U);
}

TEST(ConditionalAccessTable, ADescriptorThatGoesOnInTheNextSectionIsRefused) {
  EXPECT_FAILS(parse<ConditionalAccessTable>(
                   {section_of(cat_table_id, hex("0904 1234"), 0, 1), section_of(cat_table_id, hex("e123"), 1, 1)}),
               ErrorKind::malformed);
  EXPECT_FAILS(parse<ConditionalAccessTable>({section_of(0x00, {})}), ErrorKind::malformed);
}

// Made by hand after EN 300 468, 5.2.3: two services, the first with a service descriptor, the second scrambled.
const Bytes sdt = with_crc(hex("42 f01d 0001 c5 00 00 0020 ff  0001 fc 8007 4805 01 01 41 01 42  0002 ff 9000"));

TEST(ServiceDescription, IsReadAndWrittenAsItWas) {
  const auto table = parse<ServiceDescription>({sdt});
  ASSERT_OK(table);
  EXPECT_TRUE(table->actual);
  EXPECT_EQ(table->transport_stream_id, 1);
  EXPECT_EQ(table->version, 2);
  EXPECT_EQ(table->original_network_id, 0x20);
  ASSERT_EQ(table->services.size(), 2U);
  EXPECT_EQ(table->services[0].service_id, 1);
  EXPECT_EQ(table->services[0].running_status, 4);
  EXPECT_FALSE(table->services[0].free_ca_mode);
  EXPECT_FALSE(table->services[0].eit_schedule);
  EXPECT_EQ(table->services[0].descriptors, hex("48050101410142"));
  EXPECT_TRUE(table->services[1].free_ca_mode);
  EXPECT_TRUE(table->services[1].eit_schedule);
  EXPECT_TRUE(table->services[1].eit_present_following);
  EXPECT_EQ(table->encode(), std::vector<Bytes>{sdt});
}

TEST(ServiceDescription, KeepsReservedBits) {
  const Bytes bare = with_crc(hex("46 8011 0001 05 00 00 0020 00  0001 02 f000"));
  const auto table = parse<ServiceDescription>({bare});
  ASSERT_OK(table);
  EXPECT_FALSE(table->actual);
  EXPECT_EQ(table->services[0].running_status, 7);
  EXPECT_EQ(table->encode(), std::vector<Bytes>{bare});
}

TEST(ServiceDescription, ALongOneIsSplitBetweenServices) {
  ServiceDescription table;
  table.original_network_id = 0x1234;
  for (std::uint16_t i = 0; i < 40; ++i) {
    ServiceDescription::Service service;
    service.service_id = i;
    service.free_ca_mode = i % 2 == 0;
    service.descriptors = hex("4860");
    service.descriptors.resize(98, static_cast<std::uint8_t>(i));
    table.services.push_back(service);
  }
  const auto sections = table.encode();
  ASSERT_OK(sections);
  EXPECT_EQ(sections->size(), 5U);
  const auto again = parse<ServiceDescription>(*sections);
  ASSERT_OK(again);
  EXPECT_EQ(*again, table);
}

TEST(ServiceDescription, WhatOverrunsIsRefused) {
  EXPECT_FAILS(parse<ServiceDescription>({section_of(0x42, hex("0020ff 0001 fc 8001"))}), ErrorKind::malformed);
  EXPECT_FAILS(parse<ServiceDescription>({section_of(0x42, hex("0020ff 0001 fc 8fff 00"))}), ErrorKind::malformed);
  for (const char* payload : {"", "0020", "0020ff 00", "0020ff 0001 fc 80"})
    EXPECT_FAILS(parse<ServiceDescription>({section_of(0x42, hex(payload))}), ErrorKind::truncated);
  EXPECT_FAILS(parse<ServiceDescription>({section_of(0x4a, hex("0020ff"))}), ErrorKind::malformed);
  EXPECT_FAILS(
      parse<ServiceDescription>({section_of(0x42, hex("0020ff"), 0, 1), section_of(0x42, hex("0021ff"), 1, 1)}),
      ErrorKind::malformed);
  ServiceDescription table;
  table.services.resize(1);
  table.services[0].descriptors = Bytes(1020, 0);
  EXPECT_FAILS(table.encode(), ErrorKind::exhausted);
}

}  // namespace
}  // namespace cas::mpegts
