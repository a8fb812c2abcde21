// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/stream_tables.hpp"

#include <gtest/gtest.h>

#include "mpegts/section_packetiser.hpp"
#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

using test::hex;
using Kind = TableChange::Kind;

class StreamTablesTest : public testing::Test {
 protected:
  /// What these sections on this PID change, as kinds and program numbers.
  std::vector<std::string> send(Pid pid, const std::vector<Bytes>& sections) {
    const auto packetiser = packetisers_.try_emplace(pid, SectionPacketiser(pid)).first;
    Bytes packets;
    EXPECT_OK(packetiser->second.packetise(std::vector<ByteView>(sections.begin(), sections.end()), packets));
    std::vector<std::string> changes;
    for (ByteView rest = packets; !rest.empty(); rest = rest.subspan(packet_size))
      for (const TableChange& change : tables.push(rest.first<packet_size>())) {
        const char* names[] = {"pat", "pmt", "gone", "cat", "sdt", "refused"};
        std::string text = names[static_cast<int>(change.kind)];
        if (change.program_number != 0) text += " " + std::to_string(change.program_number);
        EXPECT_EQ(change.why.empty(), change.kind != Kind::refused);
        changes.push_back(text);
      }
    return changes;
  }
  using Changes = std::vector<std::string>;

  static std::vector<Bytes> pat(std::vector<std::pair<std::uint16_t, Pid>> programs, std::uint8_t version = 0) {
    ProgramAssociation table;
    table.version = version;
    for (const auto& [number, pid] : programs) table.entries.push_back({number, 0b111, pid});
    auto sections = table.encode();
    EXPECT_OK(sections);
    return std::move(*sections);
  }
  static Bytes pmt(std::uint16_t number, Pid stream, std::uint8_t version = 0, bool current = true) {
    ProgramMap map;
    map.program_number = number;
    map.version = version;
    map.current = current;
    map.streams.push_back({0x1b, 0b111, stream, 0b1111, {}});
    auto section = map.encode();
    EXPECT_OK(section);
    return std::move(*section);
  }
  /// Any payload in a section of a table.
  static Bytes raw(std::uint8_t table_id, const Bytes& payload, std::uint16_t extension = 0) {
    LongSection section;
    section.table_id = table_id;
    section.table_id_extension = extension;
    section.payload = payload;
    auto encoded = section.encode();
    EXPECT_OK(encoded);
    return std::move(*encoded);
  }

  StreamTables tables;

 private:
  std::map<Pid, SectionPacketiser> packetisers_;
};

TEST_F(StreamTablesTest, FollowsPatToMaps) {
  EXPECT_EQ(tables.program_association(), nullptr);
  EXPECT_EQ(send(0x100, {pmt(1, 0x200)}), Changes()) << "nobody led there";
  EXPECT_EQ(send(pat_pid, pat({{0, 0x10}, {1, 0x100}, {2, 0x101}})), Changes{"pat"});
  ASSERT_NE(tables.program_association(), nullptr);
  EXPECT_EQ(tables.program_association()->entries.size(), 3U);
  EXPECT_EQ(tables.program_map(1), nullptr);
  EXPECT_EQ(tables.program_map_pid(1), 0x100);
  EXPECT_EQ(tables.program_map_pid(0), std::nullopt);
  EXPECT_EQ(send(0x100, {pmt(1, 0x200)}), Changes{"pmt 1"});
  EXPECT_EQ(send(0x101, {pmt(2, 0x300)}), Changes{"pmt 2"});
  ASSERT_NE(tables.program_map(1), nullptr);
  EXPECT_EQ(tables.program_map(1)->streams[0].pid, 0x200);
  EXPECT_EQ(tables.programs(), (std::vector<std::uint16_t>{1, 2}));
}

TEST_F(StreamTablesTest, WhatIsRepeatedIsNoChange) {
  send(pat_pid, pat({{1, 0x100}}));
  send(0x100, {pmt(1, 0x200)});
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(send(pat_pid, pat({{1, 0x100}})), Changes());
    EXPECT_EQ(send(0x100, {pmt(1, 0x200)}), Changes());
  }
}

TEST_F(StreamTablesTest, AnotherVersionIsAChange) {
  send(pat_pid, pat({{1, 0x100}}));
  send(0x100, {pmt(1, 0x200)});
  EXPECT_EQ(send(0x100, {pmt(1, 0x201, 1)}), Changes{"pmt 1"});
  EXPECT_EQ(tables.program_map(1)->streams[0].pid, 0x201);
  EXPECT_EQ(send(pat_pid, pat({{1, 0x100}, {3, 0x103}}, 1)), Changes{"pat"});
  EXPECT_EQ(tables.program_map(1)->streams[0].pid, 0x201) << "its map stays known";
  EXPECT_EQ(send(0x103, {pmt(3, 0x203)}), Changes{"pmt 3"});
}

TEST_F(StreamTablesTest, OtherContentOfTheSameVersionIsAChangeToo) {
  send(pat_pid, pat({{1, 0x100}}));
  send(0x100, {pmt(1, 0x200)});
  EXPECT_EQ(send(0x100, {pmt(1, 0x201)}), Changes{"pmt 1"});
  EXPECT_EQ(send(pat_pid, pat({{1, 0x100}, {3, 0x103}})), Changes{"pat"});
}

TEST_F(StreamTablesTest, WhatAppliesNextIsNotTaken) {
  send(pat_pid, pat({{1, 0x100}}));
  send(0x100, {pmt(1, 0x200)});
  EXPECT_EQ(send(0x100, {pmt(1, 0x201, 1, false)}), Changes());
  EXPECT_EQ(tables.program_map(1)->streams[0].pid, 0x200);
}

TEST_F(StreamTablesTest, ProgramsGo) {
  send(pat_pid, pat({{1, 0x100}, {2, 0x101}, {3, 0x102}}));
  send(0x100, {pmt(1, 0x200)});
  send(0x101, {pmt(2, 0x201)});
  EXPECT_EQ(send(pat_pid, pat({{1, 0x105}}, 1)), (Changes{"pat", "gone 1", "gone 2"}));
  EXPECT_EQ(tables.program_map(1), nullptr);
  EXPECT_EQ(send(0x100, {pmt(1, 0x202)}), Changes()) << "the old PID";
  EXPECT_EQ(send(0x105, {pmt(1, 0x202)}), Changes{"pmt 1"});
}

TEST_F(StreamTablesTest, ProgramsMayShareAPid) {
  send(pat_pid, pat({{1, 0x100}, {2, 0x100}, {3, sdt_pid}}));
  EXPECT_EQ(send(0x100, {pmt(1, 0x200), pmt(2, 0x201)}), (Changes{"pmt 1", "pmt 2"}));
  EXPECT_EQ(send(0x100, {pmt(1, 0x200), pmt(2, 0x201)}), Changes());
  EXPECT_EQ(send(sdt_pid, {pmt(3, 0x202)}), Changes{"pmt 3"});
}

TEST_F(StreamTablesTest, AMapOnAnotherProgramsPidIsNotTaken) {
  send(pat_pid, pat({{1, 0x100}, {2, 0x101}}));
  EXPECT_EQ(send(0x101, {pmt(1, 0x666)}), Changes());
  EXPECT_EQ(send(0x100, {pmt(7, 0x666)}), Changes());
  EXPECT_EQ(tables.program_map(1), nullptr);
}

TEST_F(StreamTablesTest, TablesCountOnTheirOwnPidsOnly) {
  send(pat_pid, pat({{1, 0x100}}));
  EXPECT_EQ(send(0x100, pat({{9, 0x109}}, 1)), Changes());
  EXPECT_EQ(send(0x100, {raw(cat_table_id, {}), raw(sdt_actual_table_id, hex("0020ff"))}), Changes());
  EXPECT_EQ(send(cat_pid, pat({{9, 0x109}}, 1)), Changes());
  EXPECT_EQ(send(sdt_pid, {raw(cat_table_id, {}), raw(sdt_other_table_id, hex("0020ff"))}), Changes());
  EXPECT_EQ(tables.damaged_sections(), 0U);
}

TEST_F(StreamTablesTest, CatAndSdtAreFollowed) {
  EXPECT_EQ(send(cat_pid, {raw(cat_table_id, hex("0904 1234 e123"))}), Changes{"cat"});
  ASSERT_NE(tables.conditional_access(), nullptr);
  EXPECT_EQ(tables.conditional_access()->descriptors, hex("09041234e123"));
  EXPECT_EQ(send(sdt_pid, {raw(sdt_actual_table_id, hex("0020ff 0001 fc 9000"))}), Changes{"sdt"});
  ASSERT_NE(tables.service_description(), nullptr);
  EXPECT_TRUE(tables.service_description()->services[0].free_ca_mode);
}

TEST_F(StreamTablesTest, ATableOfSeveralSectionsIsTakenWhole) {
  std::vector<std::pair<std::uint16_t, Pid>> programs;
  for (std::uint16_t i = 1; i <= 600; ++i) programs.emplace_back(i, static_cast<Pid>(0x100 + i));
  const auto sections = pat(programs);
  ASSERT_EQ(sections.size(), 3U);
  EXPECT_EQ(send(pat_pid, {sections[2], sections[0]}), Changes());
  EXPECT_EQ(send(pat_pid, {sections[0], sections[2]}), Changes());
  EXPECT_EQ(send(pat_pid, {sections[1]}), Changes{"pat"});
  EXPECT_EQ(send(pat_pid, sections), Changes());
  EXPECT_EQ(send(0x100 + 600, {pmt(600, 0x50)}), Changes{"pmt 600"});
  // One section of the next version, and again all of this: it is put together anew.
  EXPECT_EQ(send(pat_pid, {pat(programs, 1)[0]}), Changes());
  EXPECT_EQ(send(pat_pid, pat(programs, 1)), Changes{"pat"});
}

TEST_F(StreamTablesTest, DamagedSectionsAreCounted) {
  auto sections = pat({{1, 0x100}});
  sections[0].back() ^= 1;
  EXPECT_EQ(send(pat_pid, sections), Changes());
  EXPECT_EQ(tables.program_association(), nullptr);
  EXPECT_EQ(tables.damaged_sections(), 1U);
}

TEST_F(StreamTablesTest, WhatCannotBeIsRefusedOnce) {
  send(pat_pid, pat({{1, 0x100}}));
  send(0x100, {pmt(1, 0x200)});
  const Bytes overrun = raw(pmt_table_id, hex("e100 f001"), 1);
  EXPECT_EQ(send(0x100, {overrun}), Changes{"refused"});
  EXPECT_EQ(send(0x100, {overrun}), Changes());
  EXPECT_EQ(tables.program_map(1)->streams[0].pid, 0x200) << "what was known before";
  EXPECT_EQ(send(pat_pid, {raw(pat_table_id, hex("0001"))}), Changes{"refused"});
  EXPECT_EQ(send(pat_pid, {raw(pat_table_id, hex("0001"))}), Changes());
  EXPECT_EQ(tables.program_association()->entries.size(), 1U);
  EXPECT_EQ(send(sdt_pid, {raw(sdt_actual_table_id, hex("0020"))}), Changes{"refused"});
}

TEST_F(StreamTablesTest, MapsOnPidsThatCarryNoneAreNotFollowed) {
  EXPECT_EQ(send(pat_pid, pat({{1, null_pid}, {2, pat_pid}, {3, 0x0f}, {4, 0x10}})),
            (Changes{"pat", "refused", "refused", "refused"}));
  EXPECT_EQ(send(null_pid, {pmt(1, 0x200)}), Changes());
  EXPECT_EQ(send(pat_pid, {pmt(2, 0x200)}), Changes());
  EXPECT_EQ(send(0x10, {pmt(4, 0x200)}), Changes{"pmt 4"});
}

TEST_F(StreamTablesTest, TooManyProgramsAreRefused) {
  std::vector<std::pair<std::uint16_t, Pid>> programs;
  for (std::uint16_t i = 1; i <= StreamTables::max_programs; ++i) programs.emplace_back(i, static_cast<Pid>(0x100 + i));
  EXPECT_EQ(send(pat_pid, pat(programs)), Changes{"pat"});
  programs.emplace_back(2000, 0x50);
  EXPECT_EQ(send(pat_pid, pat(programs, 1)), Changes{"refused"});
  EXPECT_EQ(tables.program_map_pid(2000), std::nullopt);
}

}  // namespace
}  // namespace cas::mpegts
