// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/in_place_table.hpp"

#include <gtest/gtest.h>

#include "mpegts/section.hpp"
#include "mpegts/section_assembler.hpp"
#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

/// A long section of that many bytes, whose payload is `fill`.
Bytes section(std::uint16_t extension, std::size_t size, std::uint8_t fill) {
  const Bytes payload(size - long_section_header_size - crc_size, fill);
  LongSection made;
  made.table_id = 0x42;
  made.table_id_extension = extension;
  made.payload = payload;
  return test::value_or_throw(made.encode());
}

class InPlaceTableTest : public testing::Test {
 protected:
  /// Sends sections back to back, and reads what comes out; the number of packets stays what it is.
  void send(const std::vector<Bytes>& sections) {
    std::vector<ByteView> views(sections.begin(), sections.end());
    Bytes packets;
    ASSERT_OK(packetiser.packetise(views, packets));
    for (std::size_t at = 0; at < packets.size(); at += packet_size)
      take(MutablePacketView(packets.data() + at, packet_size));
  }
  void take(MutablePacketView packet) {
    table.rewrite(packet);
    if (pid_of(packet) == null_pid) {
      ++nulls;
      return;
    }
    ASSERT_EQ(pid_of(packet), 0x100);
    if (has_payload(packet)) {
      EXPECT_EQ(continuity_counter(packet), (last_counter + 1) & 0x0f);
      last_counter = continuity_counter(packet);
    } else {
      EXPECT_EQ(continuity_counter(packet), last_counter);
    }
    assembler.push(packet);
    while (const auto found = assembler.next()) out.emplace_back(found->begin(), found->end());
  }

  std::function<std::vector<ByteView>(ByteView)> edit = [](ByteView in) { return std::vector<ByteView>{in}; };
  InPlaceTable table{0x100, [this](ByteView in) { return edit(in); }};
  SectionPacketiser packetiser{0x100, 9};
  SectionAssembler assembler;
  std::vector<Bytes> out;
  std::size_t nulls = 0;
  std::uint8_t last_counter = 8;
};

TEST_F(InPlaceTableTest, ASectionOfOnePacketGoesOutAtOnce) {
  const Bytes shorter = section(1, 40, 0xbb);
  edit = [&](ByteView) { return std::vector<ByteView>{shorter}; };
  for (std::size_t i = 1; i <= 3; ++i) {
    send({section(1, 100, 0xaa)});
    ASSERT_EQ(out.size(), i);
    EXPECT_EQ(out.back(), shorter);
  }
  EXPECT_EQ(nulls, 0U);
}

TEST_F(InPlaceTableTest, ALongerOneGoesOutInThePacketsThatCome) {
  const Bytes longer = section(1, 700, 0xbb);  // four packets
  edit = [&](ByteView) { return std::vector<ByteView>{longer}; };
  for (int i = 0; i < 12; ++i) send({section(1, 100, 0xaa)});
  EXPECT_EQ(out.size(), 3U);
  for (const Bytes& one : out) EXPECT_EQ(one, longer);
  EXPECT_LE(table.waiting(), 1U);
}

TEST_F(InPlaceTableTest, OneOfSeveralPacketsGoesOutBehindItself) {
  const Bytes shorter = section(1, 300, 0xbb);
  edit = [&](ByteView) { return std::vector<ByteView>{shorter}; };
  for (int i = 0; i < 5; ++i) send({section(1, 700, 0xaa)});
  // The first of its packets takes the slot of the last one that came in.
  EXPECT_EQ(out.size(), 4U);
  EXPECT_EQ(nulls, 3U + 4 * 2U);
}

TEST_F(InPlaceTableTest, SectionsThatShareAPacketAllGoOutInTime) {
  for (int i = 0; i < 20; ++i) send({section(1, 60, 1), section(2, 60, 2), section(3, 60, 3)});
  std::set<std::uint16_t> extensions;
  for (const Bytes& one : out) extensions.insert(static_cast<std::uint16_t>(one[3] << 8 | one[4]));
  EXPECT_EQ(extensions.size(), 3U);
  EXPECT_LE(table.waiting(), 3U);
}

TEST_F(InPlaceTableTest, TheNewestOfATableGoesOut) {
  edit = [](ByteView in) { return std::vector<ByteView>{in}; };
  send({section(1, 60, 1), section(1, 60, 2), section(1, 60, 3)});
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0], section(1, 60, 3));
}

TEST_F(InPlaceTableTest, PacketsWithoutPayloadKeepTheCounter) {
  send({section(1, 60, 1)});
  std::array<std::uint8_t, packet_size> packet;
  make_stuffing_packet(packet, 0x100, 3);
  take(packet);
  edit = [](ByteView) { return std::vector<ByteView>(); };
  send({section(1, 60, 1)});
  EXPECT_EQ(nulls, 1U);
  make_stuffing_packet(packet, 0x100, 4);
  take(packet);
}

}  // namespace
}  // namespace cas::mpegts
