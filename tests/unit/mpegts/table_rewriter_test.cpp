// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/table_rewriter.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

using test::hex;

/// Sections of any size: table_id, length, and as many zeros.
Bytes section(std::uint8_t table_id, std::size_t size) {
  Bytes made(size);
  made[0] = table_id;
  made[1] = static_cast<std::uint8_t>(0x70 | (size - 3) >> 8);
  made[2] = static_cast<std::uint8_t>(size - 3);
  return made;
}

class TableRewriterTest : public testing::Test {
 protected:
  /// What becomes of these sections: the sizes of those that come out, and the counters of their packets.
  void send(const Bytes& in) {
    Bytes packets;
    ASSERT_OK(packetiser.packetise(in, packets));
    for (ByteView rest = packets; !rest.empty(); rest = rest.subspan(packet_size)) {
      Bytes out;
      ASSERT_TRUE(rewriter.push(rest.first<packet_size>(), out));
      read(out);
    }
  }
  void read(ByteView out) {
    for (; !out.empty(); out = out.subspan(packet_size)) {
      counters.push_back(continuity_counter(out.first<packet_size>()));
      assembler.push(out.first<packet_size>());
      while (const auto found = assembler.next()) sizes.push_back(found->size());
    }
  }

  Bytes replacement = section(0x42, 300);
  TableRewriter rewriter{0x100, [this](ByteView in) -> std::vector<ByteView> {
                           if (in[0] == 0x42) return {replacement};
                           if (in[0] == 0x43) return {};
                           return {in};
                         }};
  SectionPacketiser packetiser{0x100, 9};
  SectionAssembler assembler;
  std::vector<std::size_t> sizes;
  std::vector<int> counters;
};

TEST_F(TableRewriterTest, ReplacesKeepsAndDrops) {
  send(section(0x42, 100));
  send(section(0x43, 100));
  send(section(0x50, 200));
  EXPECT_EQ(sizes, (std::vector<std::size_t>{300, 200}));
}

TEST_F(TableRewriterTest, GoesOnWithTheCounterThatTheReceiverExpects) {
  send(section(0x42, 100));
  send(section(0x50, 20));
  EXPECT_EQ(counters, (std::vector<int>{9, 10, 11}));
  Bytes more;
  rewriter.send(section(0x60, 10), more);
  EXPECT_EQ(continuity_counter(ByteView(more).first<packet_size>()), 12);
}

TEST_F(TableRewriterTest, LeavesPacketsWithoutPayloadAlone) {
  Bytes packet(packet_size);
  make_stuffing_packet(std::span<std::uint8_t, packet_size>(packet), 0x100, 3);
  Bytes out;
  EXPECT_FALSE(rewriter.push(ByteView(packet).first<packet_size>(), out));
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace cas::mpegts
