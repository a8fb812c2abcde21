// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <random>

#include "mpegts/section_assembler.hpp"
#include "mpegts/section_packetiser.hpp"
#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

using test::hex;

constexpr Pid test_pid = 0x0123;

/// A short section of `size` bytes whose content is told by `seed`.
Bytes section_of(std::size_t size, std::uint8_t seed = 1) {
  Bytes section{0x80, static_cast<std::uint8_t>(0x70 | (size - 3) >> 8), static_cast<std::uint8_t>(size - 3)};
  while (section.size() < size) section.push_back(static_cast<std::uint8_t>(seed + section.size() * 7));
  return section;
}

Bytes packets_of(const std::vector<Bytes>& sections) {
  SectionPacketiser packetiser(test_pid);
  Bytes packets;
  const std::vector<ByteView> views(sections.begin(), sections.end());
  EXPECT_OK(packetiser.packetise(views, packets));
  return packets;
}

std::vector<Bytes> push(SectionAssembler& assembler, ByteView packets) {
  std::vector<Bytes> found;
  for (; !packets.empty(); packets = packets.subspan(packet_size)) {
    assembler.push(packets.first<packet_size>());
    while (const auto section = assembler.next()) found.push_back(copy_of(*section));
  }
  return found;
}

/// Packet `index` of `packets`.
MutablePacketView at(Bytes& packets, std::size_t index) {
  return MutableByteView(packets).subspan(index * packet_size).first<packet_size>();
}
void remove(Bytes& packets, std::size_t index) {
  const auto from = packets.begin() + static_cast<std::ptrdiff_t>(index * packet_size);
  packets.erase(from, from + packet_size);
}

TEST(SectionPacketiser, OneSectionHasPacketsOfItsOwn) {
  const Bytes section = section_of(200);
  Bytes packets = packets_of({section});
  ASSERT_EQ(packets.size(), 2 * packet_size);
  EXPECT_TRUE(equal(ByteView(packets).first(8), hex("47 4123 10 00 80 70 c5")));
  EXPECT_TRUE(equal(at(packets, 1).first(4), hex("47 0123 11")));
  EXPECT_EQ(at(packets, 1)[4 + 17 - 1], section.back());
  EXPECT_EQ(at(packets, 1)[4 + 17], 0xff);
  EXPECT_EQ(at(packets, 1)[187], 0xff);
}

TEST(SectionPacketiser, TheNumberOfPacketsIsKnown) {
  for (const std::size_t size : {3U, 182U, 183U, 184U, 366U, 367U, 368U, 4095U, 4096U})
    EXPECT_EQ(packets_of({section_of(size)}).size(), packets_for_section(size) * packet_size) << size;
}

TEST(SectionPacketiser, TheCounterRunsOnFromCallToCall) {
  SectionPacketiser packetiser(test_pid, 14);
  Bytes packets;
  for (int i = 0; i < 3; ++i) ASSERT_OK(packetiser.packetise(section_of(10), packets));
  EXPECT_EQ(continuity_counter(at(packets, 0)), 14);
  EXPECT_EQ(continuity_counter(at(packets, 1)), 15);
  EXPECT_EQ(continuity_counter(at(packets, 2)), 0);
}

TEST(SectionPacketiser, WhatIsNoSectionIsRefused) {
  SectionPacketiser packetiser(test_pid);
  Bytes packets;
  Bytes wrong_length = section_of(20);
  wrong_length.push_back(0);
  Bytes stuffing = section_of(20);
  stuffing[0] = 0xff;
  EXPECT_FAILS(packetiser.packetise(hex("8070"), packets), ErrorKind::malformed);
  EXPECT_FAILS(packetiser.packetise(ByteView(), packets), ErrorKind::malformed);
  EXPECT_FAILS(packetiser.packetise(wrong_length, packets), ErrorKind::malformed);
  EXPECT_FAILS(packetiser.packetise(stuffing, packets), ErrorKind::malformed);
  EXPECT_FAILS(packetiser.packetise(section_of(4097), packets), ErrorKind::malformed);
  EXPECT_TRUE(packets.empty());
  ASSERT_OK(packetiser.packetise(section_of(20), packets));
  EXPECT_EQ(continuity_counter(at(packets, 0)), 0);
}

TEST(SectionPacketiser, PacketsOfOthersAreStamped) {
  Bytes packets = packets_of({section_of(300)});
  packets.resize(3 * packet_size);
  make_stuffing_packet(at(packets, 2), 0x0777, 3);
  Bytes expected = packets;
  SectionPacketiser packetiser(0x1abc, 15);
  ASSERT_OK(packetiser.stamp(packets));
  for (std::size_t i = 0; i < 3; ++i) set_pid(at(expected, i), 0x1abc);
  set_continuity_counter(at(expected, 0), 15);
  set_continuity_counter(at(expected, 1), 0);
  set_continuity_counter(at(expected, 2), 0);
  EXPECT_EQ(packets, expected);
  ASSERT_OK(packetiser.stamp({}));
}

TEST(SectionPacketiser, WhatAreNoPacketsIsNotStamped) {
  const auto refused = [](auto change) {
    Bytes packets = packets_of({section_of(300)});
    change(packets);
    const Bytes before = packets;
    SectionPacketiser packetiser(0x1abc, 15);
    EXPECT_FAILS(packetiser.stamp(packets), ErrorKind::malformed);
    EXPECT_EQ(packets, before);
  };
  refused([](Bytes& packets) { packets.pop_back(); });
  refused([](Bytes& packets) { packets.push_back(0x47); });
  refused([](Bytes& packets) { at(packets, 1)[0] = 0x46; });
  refused([](Bytes& packets) { at(packets, 1)[1] |= 0x80; });
  refused([](Bytes& packets) { at(packets, 1)[3] |= 0x80; });
  refused([](Bytes& packets) {
    at(packets, 1)[3] |= 0x20;
    at(packets, 1)[4] = 184;
  });
}

// Sizes around every edge of a packet, each behind each other: nothing is lost, nothing added.
TEST(SectionAssembler, GivesBackWhatWasPacketised) {
  std::vector<Bytes> sections;
  for (const std::size_t size :
       {3U, 4U, 20U, 60U, 179U, 180U, 181U, 182U, 183U, 184U, 185U, 366U, 367U, 368U, 1024U, 4096U})
    for (const std::size_t before : {3U, 30U, 181U, 183U, 184U, 365U, 366U, 367U}) {
      sections.push_back(section_of(before, static_cast<std::uint8_t>(sections.size())));
      sections.push_back(section_of(size, static_cast<std::uint8_t>(sections.size())));
    }
  SectionAssembler assembler;
  EXPECT_EQ(push(assembler, packets_of(sections)), sections);
  EXPECT_EQ(assembler.counts().sections, sections.size());
  EXPECT_EQ(assembler.counts().damaged, 0U);
  EXPECT_EQ(assembler.counts().losses, 0U);
}

TEST(SectionAssembler, GivesBackRandomRuns) {
  std::mt19937 random(5);  // the same numbers on every machine
  for (int run = 0; run < 50; ++run) {
    std::vector<Bytes> sections;
    for (int i = 0; i < 40; ++i)
      sections.push_back(section_of(3 + random() % (i % 2 == 0 ? 200 : 900), random() & 0xff));
    SectionAssembler assembler;
    EXPECT_EQ(push(assembler, packets_of(sections)), sections);
  }
}

TEST(SectionAssembler, WaitsForAPointer) {
  Bytes packets = packets_of({section_of(500), section_of(20)});
  remove(packets, 0);
  SectionAssembler assembler;
  EXPECT_EQ(push(assembler, packets), std::vector<Bytes>{section_of(20)});
  EXPECT_EQ(assembler.counts().losses, 0U);
}

TEST(SectionAssembler, ASectionWithAGapIsNotGiven) {
  for (const std::size_t missing : {1U, 2U}) {
    SCOPED_TRACE(missing);
    Bytes packets = packets_of({section_of(700), section_of(20)});  // the second starts in the last of four packets
    remove(packets, missing);
    SectionAssembler assembler;
    EXPECT_EQ(push(assembler, packets), std::vector<Bytes>{section_of(20)});
    EXPECT_EQ(assembler.counts().losses, 1U);
  }
}

// The start of one and the end of another, of the same length: only the counter tells.
TEST(SectionAssembler, TwoSectionsAreNotSpliced) {
  SectionPacketiser packetiser(test_pid);
  Bytes packets;
  ASSERT_OK(packetiser.packetise(section_of(700, 1), packets));
  ASSERT_OK(packetiser.packetise(section_of(700, 9), packets));
  for (int i = 0; i < 4; ++i) remove(packets, 1);
  SectionAssembler assembler;
  EXPECT_TRUE(push(assembler, packets).empty());
  EXPECT_EQ(assembler.counts().losses, 1U);
}

TEST(SectionAssembler, APacketOfTheSameNumberAndOtherContentIsNoDuplicate) {
  Bytes packets = packets_of({section_of(4096), section_of(4000, 9)});
  // Fifteen are gone: the next one has the number of the last, and other content.
  packets.erase(packets.begin() + 3 * packet_size, packets.begin() + 18 * packet_size);
  ASSERT_EQ(continuity_counter(at(packets, 2)), continuity_counter(at(packets, 3)));
  SectionAssembler assembler;
  EXPECT_EQ(push(assembler, packets), std::vector<Bytes>{section_of(4000, 9)});
  EXPECT_EQ(assembler.counts().losses, 1U);
  EXPECT_EQ(assembler.counts().duplicates, 0U);
}

TEST(SectionAssembler, ADuplicateIsReadOnce) {
  const Bytes once = packets_of({section_of(500), section_of(20)});
  Bytes twice;
  for (std::size_t i = 0; i < once.size(); i += packet_size)
    for (int copy = 0; copy < 2; ++copy) append(twice, ByteView(once).subspan(i, packet_size));
  SectionAssembler assembler;
  EXPECT_EQ(push(assembler, twice), (std::vector<Bytes>{section_of(500), section_of(20)}));
  EXPECT_EQ(assembler.counts().duplicates, 3U);
  EXPECT_EQ(assembler.counts().losses, 0U);
}

TEST(SectionAssembler, PacketsWithoutPayloadDoNotCount) {
  const Bytes once = packets_of({section_of(500)});
  Bytes packets;
  for (std::size_t i = 0; i < once.size(); i += packet_size) {
    append(packets, ByteView(once).subspan(i, packet_size));
    packets.resize(packets.size() + packet_size);
    make_stuffing_packet(at(packets, packets.size() / packet_size - 1), test_pid, 5);
  }
  SectionAssembler assembler;
  EXPECT_EQ(push(assembler, packets), std::vector<Bytes>{section_of(500)});
}

TEST(SectionAssembler, ScrambledPacketsAreNotRead) {
  Bytes packets = packets_of({section_of(500), section_of(20)});
  set_scrambling_control(at(packets, 1), ScramblingControl::odd);
  SectionAssembler assembler;
  EXPECT_EQ(push(assembler, packets), std::vector<Bytes>{section_of(20)});
  EXPECT_EQ(assembler.counts().scrambled, 1U);
  EXPECT_EQ(assembler.counts().losses, 0U);
}

TEST(SectionAssembler, DamagedPacketsAreNotRead) {
  for (const int kind : {0, 1}) {
    Bytes packets = packets_of({section_of(500), section_of(20)});
    if (kind == 0) {
      at(packets, 1)[1] |= 0x80;
    } else {
      at(packets, 1)[3] |= 0x20;
      at(packets, 1)[4] = 184;
    }
    SectionAssembler assembler;
    EXPECT_EQ(push(assembler, packets), std::vector<Bytes>{section_of(20)});
    EXPECT_EQ(assembler.counts().damaged, 1U);
  }
}

TEST(SectionAssembler, APointerBehindThePacketIsRefused) {
  for (const unsigned pointer : {183U, 184U, 255U}) {
    Bytes packets = packets_of({section_of(20)});
    packets[4] = static_cast<std::uint8_t>(pointer);
    SectionAssembler assembler;
    EXPECT_TRUE(push(assembler, packets).empty());
    EXPECT_EQ(assembler.counts().damaged, 1U);
    Bytes next = packets_of({section_of(20)});
    set_continuity_counter(at(next, 0), 1);
    EXPECT_EQ(push(assembler, next), std::vector<Bytes>{section_of(20)});
  }
}

// The pointer says that what has begun ends here, and its length that it does not.
TEST(SectionAssembler, ASectionThatIsCutByTheNextIsNotGiven) {
  Bytes packets = packets_of({section_of(500), section_of(20)});
  at(packets, 2)[4] -= 1;
  SectionAssembler assembler;
  push(assembler, packets);
  EXPECT_EQ(assembler.counts().damaged, 1U);
  // Its last byte stands in the place of a table_id.
  EXPECT_EQ(assembler.counts().sections, 0U);
}

TEST(SectionAssembler, ATooLongSectionIsNotTaken) {
  SectionAssembler assembler(1024);
  const Bytes packets = packets_of({section_of(20), section_of(1025), section_of(1024)});
  EXPECT_EQ(push(assembler, packets), (std::vector<Bytes>{section_of(20), section_of(1024)}));
  EXPECT_EQ(assembler.counts().damaged, 1U);
  SectionAssembler longest;
  Bytes lies = packets_of({section_of(4096)});
  lies[6] = 0x7f;  // 4098 bytes
  lies[7] = 0xff;
  EXPECT_TRUE(push(longest, lies).empty());
  EXPECT_EQ(longest.counts().damaged, 1U);
}

TEST(SectionAssembler, ATooLongSectionWithinAPacketIsNotTaken) {
  SectionAssembler assembler(100);
  EXPECT_EQ(push(assembler, packets_of({section_of(100), section_of(120)})), std::vector<Bytes>{section_of(100)});
  SectionAssembler other(100);
  EXPECT_EQ(push(other, packets_of({section_of(20), section_of(101)})), std::vector<Bytes>{section_of(20)});
  EXPECT_EQ(other.counts().damaged, 1U);
}

TEST(SectionAssembler, ATooLongSectionWhoseHeaderIsCutIsNotTaken) {
  Bytes packets = packets_of({section_of(181), section_of(1025)});
  ASSERT_EQ(at(packets, 0)[187], 0x73) << "two bytes of the header in the first packet";
  SectionAssembler assembler(1024);
  EXPECT_EQ(push(assembler, packets), std::vector<Bytes>{section_of(181)});
  EXPECT_EQ(assembler.counts().damaged, 1U);
}

TEST(SectionAssembler, AnAnnouncedJumpIsNoLossButEndsWhatHasBegun) {
  Bytes packets = packets_of({section_of(500)});
  remove(packets, 1);
  Bytes jump = packets_of({section_of(20)});
  // An adaptation field with the discontinuity_indicator before the payload.
  Bytes moved = hex("47 4123 39 01 80");
  append(moved, ByteView(jump).subspan(4, 182));
  SectionAssembler assembler;
  push(assembler, ByteView(packets).first(packet_size));
  EXPECT_EQ(push(assembler, moved), std::vector<Bytes>{section_of(20)});
  EXPECT_EQ(assembler.counts().losses, 0U);
}

TEST(SectionAssembler, ResetForgets) {
  const Bytes packets = packets_of({section_of(500)});
  SectionAssembler assembler;
  push(assembler, ByteView(packets).first(packet_size));
  assembler.reset();
  EXPECT_TRUE(push(assembler, ByteView(packets).subspan(packet_size)).empty());
  EXPECT_EQ(push(assembler, packets), std::vector<Bytes>{section_of(500)});
}

}  // namespace
}  // namespace cas::mpegts
