// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/applet_host.hpp"

#include <gtest/gtest.h>

#include "support/memory_store.hpp"
#include "support/notebook_applet.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::card {
namespace {

using test::hex;

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 11 + 1);
  return bytes;
}

class AppletHostTest : public testing::Test {
 protected:
  AppletHostTest()
      : medium(std::make_shared<test::MemoryMedium>(std::vector<std::string>{"notebook", "other", "unknown"})) {
    power_up();
  }
  ~AppletHostTest() override { test::NotebookApplet::refuse_select = false; }

  void power_up() {
    host.reset();
    auto made = AppletHost::create(std::make_unique<test::MemoryStore>(medium), factories(), random);
    ASSERT_OK(made);
    host = std::move(*made);
  }

  static std::vector<AppletFactory> factories() {
    return {test::notebook_factory(), test::notebook_factory("other", hex("F06E6F746502")),
            test::notebook_factory("not on this card", hex("F099999999"))};
  }

  /// The response to raw bytes, in hexadecimal digits.
  std::string raw(const std::string& command) { return to_hex(host->process(hex(command))); }
  ResponseApdu send(const CommandApdu& command) { return *ResponseApdu::parse(host->process(command.encode())); }
  void select() { ASSERT_EQ(raw("00A4040006F06E6F74650100"), "6f0284009000"); }

  test::SeededRandom random{1};
  std::shared_ptr<test::MemoryMedium> medium;
  std::shared_ptr<AppletHost> host;
};

TEST_F(AppletHostTest, AnswerToResetIsWellFormed) {
  const Bytes atr = AppletHost::atr();
  ASSERT_EQ(atr.size(), 4U + 9);
  EXPECT_EQ(atr[0], 0x3b);
  EXPECT_EQ(atr[1] & 0x0f, 9);  // historical bytes
  std::uint8_t check = 0;
  for (std::size_t i = 1; i < atr.size(); ++i) check ^= atr[i];
  EXPECT_EQ(check, 0);
  EXPECT_EQ(to_hex(atr), "3b89018073c001c05343415378");
}

TEST_F(AppletHostTest, CommandsBelowFourBytesAndMalformedOnesHaveAWrongLength) {
  select();
  for (const char* command :
       {"", "80", "8010", "801000", "80100000 02 01", "80100000 000000 01", "80100000 01 01 01 01"})
    EXPECT_EQ(raw(command), "6700") << command;
  EXPECT_EQ(raw("8010000001AA00"), "aa9000");  // the applet is still there
}

TEST_F(AppletHostTest, NothingIsSelectedAfterReset) {
  EXPECT_EQ(raw("8010000001AA00"), "6d00");
  select();
  EXPECT_EQ(raw("8010000001AA00"), "aa9000");
  host->reset();
  EXPECT_EQ(raw("8010000001AA00"), "6d00");
}

TEST_F(AppletHostTest, SelectsByWholeAndPartialName) {
  EXPECT_EQ(raw("00A4040006F06E6F74650200"), "6f0284009000");
  EXPECT_EQ(raw("00A4040C06F06E6F746502"), "9000");      // no data wanted
  EXPECT_EQ(raw("00A4040003F06E6F00"), "6f0284009000");  // the first whose name starts so
  EXPECT_EQ(raw("00A4040001F000"), "6f0284009000");
  EXPECT_EQ(raw("00A4040003F06E6F"), "6104");  // no Le: the data waits
  EXPECT_EQ(raw("00C0000004"), "6f0284009000");
}

TEST_F(AppletHostTest, SelectsTheNextOfAPartialName) {
  EXPECT_EQ(raw("00A4040003F06E6F00"), "6f0284009000");
  EXPECT_EQ(raw("802000010101"), "9000");  // a note of the first
  EXPECT_EQ(raw("00A4040203F06E6F00"), "6f0284009000");
  EXPECT_EQ(raw("8022000100"), "9000");  // the second has no such note
  EXPECT_EQ(raw("00A4040203F06E6F00"), "6a82");
  EXPECT_EQ(raw("802000010102"), "9000");  // the second is still selected
  EXPECT_EQ(raw("8022000100"), "029000");
  EXPECT_EQ(raw("00A4040003F06E6F00"), "6f0284009000");
  EXPECT_EQ(raw("8022000100"), "019000");
}

TEST_F(AppletHostTest, SelectIsRefusedForEachReason) {
  select();
  EXPECT_EQ(raw("00A4040006F06E6F74650300"), "6a82");    // no such name
  EXPECT_EQ(raw("00A4040007F06E6F7465010100"), "6a82");  // longer than the name that starts so
  EXPECT_EQ(raw("00A4040005F09999999900"), "6a82");      // code is there, but the card does not hold it
  EXPECT_EQ(raw("00A4040000"), "6700");                  // no name
  EXPECT_EQ(raw("00A4040011F06E6F74650100000000000000000000000000"), "6700");  // 17 bytes
  EXPECT_EQ(raw("00A4000006F06E6F74650100"), "6a86");                          // by file identifier
  EXPECT_EQ(raw("00A4040106F06E6F74650100"), "6a86");                          // last occurrence
  EXPECT_EQ(raw("00A4040406F06E6F74650100"), "6a86");                          // FCP template
  EXPECT_EQ(raw("04A4040006F06E6F74650100"), "6882");                          // secure messaging
  EXPECT_EQ(raw("10A4040006F06E6F74650100"), "6884");                          // chaining
  EXPECT_EQ(raw("8010000001AA00"), "aa9000");  // through all of it the applet stayed selected
}

TEST_F(AppletHostTest, AppletThatRefusesToBeSelectedIsNotSelected) {
  test::NotebookApplet::refuse_select = true;
  EXPECT_EQ(raw("00A4040006F06E6F74650100"), "6f00");
  EXPECT_EQ(raw("8010000001AA00"), "6d00");
}

TEST_F(AppletHostTest, ClassesAreChecked) {
  select();
  EXPECT_EQ(raw("8410000001AA00"), "aa9000");  // protected: the applet's matter
  EXPECT_EQ(raw("0010000001AA00"), "6e00");    // the applet's own answer
  for (const char* cla : {"01", "02", "03"}) EXPECT_EQ(raw(std::string(cla) + "10000001AA00"), "6881") << cla;
  for (const char* cla : {"08", "0C", "20", "40", "60", "7F", "81", "88", "A0", "C0", "E0", "FF"})
    EXPECT_EQ(raw(std::string(cla) + "10000001AA00"), "6e00") << cla;
}

TEST_F(AppletHostTest, InstructionsAreChecked) {
  select();
  EXPECT_EQ(raw("80FE000000"), "6d00");  // the applet's answer
  EXPECT_EQ(raw("8060000000"), "6d00");
  EXPECT_EQ(raw("8090000000"), "6d00");
}

TEST_F(AppletHostTest, LongAnswersAreHandedOut) {
  select();
  for (const std::size_t size : {1U, 255U, 256U, 257U, 511U, 512U, 513U, 65535U}) {
    SCOPED_TRACE(size);
    const Bytes whole =
        send({0x80, 0x12, static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size), {}, 65536}).data;
    ASSERT_EQ(whole.size(), size);
    ResponseApdu part =
        send({0x80, 0x12, static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size), {}, 256});
    Bytes collected = part.data;
    while (!part.ok()) {
      const std::size_t left = size - collected.size();
      ASSERT_EQ(part.status, 0x6100 | (left > 255 ? 0 : left));
      part = send({0x00, 0xc0, 0, 0, {}, 256});
      append(collected, part.data);
    }
    EXPECT_EQ(collected, whole);
    EXPECT_EQ(raw("00C0000000"), "6985");  // and nothing more
  }
}

TEST_F(AppletHostTest, GetResponseIsRefusedForEachReason) {
  select();
  EXPECT_EQ(raw("00C0000000"), "6985");
  EXPECT_EQ(raw("8010000003AABBCC01"), "aa6102");
  EXPECT_EQ(raw("00C0010000"), "6a86");
  EXPECT_EQ(raw("04C0000000"), "6882");
  EXPECT_EQ(raw("10C0000000"), "6884");
  EXPECT_EQ(raw("00C00000010000"), "6700");
  EXPECT_EQ(raw("00C00000"), "6c02");
  EXPECT_EQ(raw("00C0000001"), "bb6101");
  EXPECT_EQ(raw("00C0000005"), "cc9000");  // fewer than asked for: it is all there is
}

TEST_F(AppletHostTest, AnyOtherCommandDropsAWaitingResponse) {
  for (const char* other : {"8010000001AA01", "00A4040006F06E6F74650100", "7F00", "01100000", "9010000001AA"}) {
    host->reset();
    select();
    EXPECT_EQ(raw("8010000003AABBCC01"), "aa6102");
    (void)raw(other);
    const std::string answer = raw("00C0000000");
    EXPECT_TRUE(answer == "6985" || answer == "6883") << other << " " << answer;
  }
}

TEST_F(AppletHostTest, ChainsArePutTogetherAtTheBorders) {
  select();
  for (const std::size_t size : {2U, 255U, 256U, 257U, 510U, 511U, 4095U, 4096U}) {
    const Bytes data = pattern(size);
    ByteView rest = data;
    const std::size_t part = std::min<std::size_t>(255, (size + 1) / 2);
    while (rest.size() > part) {
      ASSERT_EQ(send({0x90, 0x10, 0, 0, copy_of(rest.first(part)), {}}).status, sw::ok);
      rest = rest.subspan(part);
    }
    const ResponseApdu response = send({0x80, 0x10, 0, 0, copy_of(rest), 65536});
    EXPECT_EQ(response.data, data);
    EXPECT_TRUE(response.ok());
    EXPECT_EQ(send({0x80, 0x10, 0, 0, data, 65536}).data, data);  // the same as one extended command
  }
}

TEST_F(AppletHostTest, AppletSeesOneCommandWithoutTheChainingBit) {
  select();
  EXPECT_EQ(raw("9430070801AA"), "9000");
  EXPECT_EQ(raw("9430070801BB"), "9000");
  EXPECT_EQ(raw("843007080A0102030405060708090A20"),
            "8407080000"
            "00200000000c9000");
  EXPECT_EQ(raw("9430070801AA"), "9000");
  EXPECT_EQ(raw("8430070820"),
            "8407080000"
            "0020000000019000");  // the last part may be empty
}

TEST_F(AppletHostTest, TooLongCommandsAreRefusedAndTheChainDropped) {
  select();
  EXPECT_EQ(send({0x80, 0x10, 0, 0, pattern(4097), 65536}).status, sw::wrong_length);
  for (int part = 0; part < 16; ++part) EXPECT_EQ(send({0x90, 0x10, 0, 0, pattern(255), {}}).status, sw::ok);
  EXPECT_EQ(send({0x90, 0x10, 0, 0, pattern(17), {}}).status, sw::wrong_length);
  EXPECT_EQ(raw("8010000001AA00"), "aa9000");
  // One that is too long in its last part.
  for (int part = 0; part < 16; ++part) EXPECT_EQ(send({0x90, 0x10, 0, 0, pattern(255), {}}).status, sw::ok);
  EXPECT_EQ(send({0x80, 0x10, 0, 0, pattern(17), 256}).status, sw::wrong_length);
  EXPECT_EQ(raw("8010000001AA00"), "aa9000");
}

TEST_F(AppletHostTest, PartWithoutDataIsRefused) {
  select();
  EXPECT_EQ(raw("90100000"), "6700");
  EXPECT_EQ(raw("8010000001AA00"), "aa9000");
}

TEST_F(AppletHostTest, AnotherCommandDropsAChain) {
  for (const char* other : {"8110000001BB00", "8012000100", "8010010001BB00", "8010000101BB00", "8410000001BB00",
                            "9012000001BB", "00C0000000", "0010000001BB00"}) {
    SCOPED_TRACE(other);
    host->reset();
    select();
    EXPECT_EQ(raw("9010000001AA"), "9000");
    const bool wrong_class = std::string(other).starts_with("81");
    EXPECT_EQ(raw(other), wrong_class ? "6e00" : "6883");
    EXPECT_EQ(raw("8010000001CC00"), "cc9000");  // nothing of AA or BB is left
  }
}

TEST_F(AppletHostTest, MalformedCommandDropsAChain) {
  select();
  EXPECT_EQ(raw("9010000001AA"), "9000");
  EXPECT_EQ(raw("801000"), "6700");
  EXPECT_EQ(raw("8010000001CC00"), "cc9000");
}

TEST_F(AppletHostTest, SelectAndResetEndAChain) {
  select();
  EXPECT_EQ(raw("9010000001AA"), "9000");
  select();  // a new user of the card is not bothered with it
  EXPECT_EQ(raw("8010000001CC00"), "cc9000");
  EXPECT_EQ(raw("9010000001AA"), "9000");
  host->reset();
  select();
  EXPECT_EQ(raw("8010000001CC00"), "cc9000");
}

TEST_F(AppletHostTest, SessionEndsWithSelectAndReset) {
  select();
  EXPECT_EQ(raw("8014000001AA00"), "9000");
  EXPECT_EQ(raw("8014000001BB00"), "aa9000");
  select();
  EXPECT_EQ(raw("8014000001CC00"), "9000");
  EXPECT_EQ(raw("00A4040006F06E6F74650200"), "6f0284009000");
  select();
  EXPECT_EQ(raw("8014000001DD00"), "9000");
  host->reset();
  select();
  EXPECT_EQ(raw("8014000000"), "9000");
}

TEST_F(AppletHostTest, WritesAreDurableBeforeTheAnswer) {
  select();
  EXPECT_EQ(raw("802000010401020304"), "9000");
  EXPECT_EQ(medium->commits, 1U);
  EXPECT_EQ(to_hex(medium->image[0].objects.at(1).reveal()), "01020304");
  power_up();
  select();
  EXPECT_EQ(raw("8022000100"), "010203049000");
  EXPECT_EQ(raw("80240001"), "9000");
  EXPECT_TRUE(medium->image[0].objects.empty());
  EXPECT_EQ(raw("8022000100"), "9000");
}

TEST_F(AppletHostTest, CommandsThatWriteNothingCommitNothing) {
  select();
  EXPECT_EQ(raw("8010000001AA00"), "aa9000");
  EXPECT_EQ(raw("80240009"), "9000");  // erases what is not there
  EXPECT_EQ(medium->commits, 0U);
}

TEST_F(AppletHostTest, ExceptionDropsWhatTheCommandWrote) {
  select();
  EXPECT_EQ(raw("802600050101"), "9000");
  EXPECT_EQ(raw("802601050102"), "6f00");
  EXPECT_EQ(raw("8022000500"), "6d00");  // its session is over
  select();
  EXPECT_EQ(raw("8022000500"), "019000");
  EXPECT_EQ(raw("8022000600"), "019000");
  EXPECT_EQ(raw("802A0000"), "6f00");  // an exception of any kind
  select();
  EXPECT_EQ(raw("8022000500"), "019000");
}

TEST_F(AppletHostTest, CommandThatEndsWithAnErrorStatusKeepsWhatItWrote) {
  select();
  EXPECT_EQ(raw("802602050103"), "6985");
  EXPECT_EQ(raw("8022000500"), "039000");
  EXPECT_EQ(raw("8022000600"), "039000");
}

TEST_F(AppletHostTest, FailedCommitIsAMemoryFailureAndMemoryIsTheStores) {
  select();
  EXPECT_EQ(raw("8028000100"), "000000019000");
  medium->fail_next_commit = true;
  EXPECT_EQ(raw("8028000100"), "6581");
  EXPECT_EQ(raw("8028000100"), "6d00");  // the session believed in what was not written
  select();
  EXPECT_EQ(raw("8028000100"), "000000029000");

  // The store has written, and yet has failed: what counts is what it holds.
  medium->lose_word_of_next_commit = true;
  EXPECT_EQ(raw("8028000100"), "6581");
  select();
  EXPECT_EQ(raw("8022000100"), "000000039000");
}

TEST_F(AppletHostTest, MemoryThatCannotBeReadAgainEndsTheCard) {
  select();
  medium->fail_next_commit = medium->fail_loads = true;
  EXPECT_EQ(raw("8028000100"), "6581");
  medium->fail_loads = false;
  EXPECT_EQ(raw("00A4040006F06E6F74650100"), "6581");
  power_up();
  select();
  EXPECT_EQ(raw("8028000100"), "000000019000");
}

TEST_F(AppletHostTest, MemoryIsLimited) {
  select();
  const Bytes note = pattern(4096);
  std::uint8_t notes = 0;
  while (notes < 100 && send({0x80, 0x20, 0, notes, note, {}}).ok()) ++notes;
  EXPECT_EQ(notes, 15);  // 15 * (4096 + 4) fit into 65,536, and 16 do not
  EXPECT_EQ(send({0x80, 0x20, 0, notes, note, {}}).status, sw::not_enough_memory);
  EXPECT_EQ(send({0x80, 0x20, 0, 100, pattern(4032), {}}).status, sw::ok);  // to the last byte
  EXPECT_EQ(card_memory_used(medium->image), card_memory_size);
  EXPECT_EQ(send({0x80, 0x20, 0, 101, {}, {}}).status, sw::not_enough_memory);
  EXPECT_EQ(send({0x80, 0x20, 0, 100, pattern(4033), {}}).status, sw::not_enough_memory);
  EXPECT_EQ(send({0x80, 0x20, 0, 3, pattern(4096), {}}).status, sw::ok);  // in place
  EXPECT_EQ(send({0x80, 0x24, 0, 3, {}, {}}).status, sw::ok);
  EXPECT_EQ(send({0x80, 0x20, 0, 101, note, {}}).status, sw::ok);  // in the room of the one that went
  // What is full for one applet is full for all.
  EXPECT_EQ(raw("00A4040006F06E6F74650200"), "6f0284009000");
  EXPECT_EQ(raw("802000010101"), "6a84");
}

TEST_F(AppletHostTest, DroppedWritesGiveTheirRoomBack) {
  select();
  for (std::uint8_t note = 0; note < 14; ++note) ASSERT_TRUE(send({0x80, 0x20, 0, note, pattern(4096), {}}).ok());
  const std::size_t left = card_memory_size - 14U * 4100;
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(send({0x80, 0x26, 1, 200, pattern(left / 2 - 4), {}}).status, sw::no_precise_diagnosis);
    select();
  }
  EXPECT_EQ(send({0x80, 0x26, 0, 200, pattern(left / 2 - 3), {}}).status, sw::not_enough_memory);  // a byte too many
  EXPECT_EQ(send({0x80, 0x24, 0, 200, {}, {}}).status, sw::ok);
  EXPECT_EQ(send({0x80, 0x26, 0, 200, pattern(left / 2 - 4), {}}).status, sw::ok);
  EXPECT_EQ(card_memory_used(medium->image), card_memory_size);
}

TEST_F(AppletHostTest, AppletsDoNotSeeEachOthersMemory) {
  select();
  EXPECT_EQ(raw("802000010101"), "9000");
  EXPECT_EQ(raw("00A4040006F06E6F74650200"), "6f0284009000");
  EXPECT_EQ(raw("8022000100"), "9000");
}

TEST_F(AppletHostTest, ChannelsHaveSessionsOfTheirOwnOverOneMemory) {
  auto first = host->open_channel(factories(), random);
  auto second = host->open_channel(factories(), random);
  ASSERT_OK(first);
  ASSERT_OK(second);
  const auto on = [](auto& channel, const char* command) { return to_hex((*channel)->process(hex(command))); };
  EXPECT_EQ(on(first, "00A4040006F06E6F74650100"), "6f0284009000");
  EXPECT_EQ(on(second, "8010000001AA00"), "6d00");
  EXPECT_EQ(on(second, "00A4040006F06E6F74650100"), "6f0284009000");
  EXPECT_EQ(on(first, "8014000001AA00"), "9000");
  EXPECT_EQ(on(second, "8014000001BB00"), "9000");
  EXPECT_EQ(on(first, "8014000001CC00"), "aa9000");
  // Chains and responses do not mix.
  EXPECT_EQ(on(first, "9010000001A1"), "9000");
  EXPECT_EQ(on(second, "9010000001B1"), "9000");
  EXPECT_EQ(on(first, "8010000001A201"), "a16101");
  EXPECT_EQ(on(second, "8010000001B200"), "b1b29000");
  EXPECT_EQ(on(first, "00C0000000"), "a29000");
  // Memory is one, at once.
  EXPECT_EQ(on(first, "8028000100"), "000000019000");
  EXPECT_EQ(on(second, "8028000100"), "000000029000");
  (*second)->reset();
  EXPECT_EQ(on(second, "8022000100"), "6d00");
  EXPECT_EQ(on(first, "8022000100"), "000000029000");
}

TEST_F(AppletHostTest, ChannelKeepsTheHostAlive) {
  auto channel = host->open_channel(factories(), random);
  ASSERT_OK(channel);
  host.reset();
  EXPECT_EQ(to_hex((*channel)->process(hex("00A4040006F06E6F74650100"))), "6f0284009000");
}

TEST_F(AppletHostTest, FactoryThatFailsIsTold) {
  const AppletFactory failing{"notebook", [](AppletMemory& memory, Random&) -> Result<std::unique_ptr<Applet>> {
                                (void)memory.write(1, hex("01"));
                                return fail(ErrorKind::malformed, "its memory is damaged");
                              }};
  EXPECT_FAILS(host->open_channel({failing}, random), ErrorKind::malformed);
  const AppletFactory throwing{
      "notebook", [](AppletMemory&, Random&) -> Result<std::unique_ptr<Applet>> { throw std::runtime_error("no"); }};
  EXPECT_FAILS(host->open_channel({throwing}, random), ErrorKind::internal);
  const AppletFactory empty{
      "notebook", [](AppletMemory&, Random&) -> Result<std::unique_ptr<Applet>> { return std::unique_ptr<Applet>(); }};
  EXPECT_FAILS(host->open_channel({empty}, random), ErrorKind::internal);
  EXPECT_TRUE(medium->image[0].objects.empty());
}

TEST_F(AppletHostTest, InstallationIsCommitted) {
  const AppletFactory installing{"notebook", [](AppletMemory& memory, Random&) -> Result<std::unique_ptr<Applet>> {
                                   CAS_TRY(memory.write(7, hex("0102")));
                                   return std::make_unique<test::NotebookApplet>(memory, test::notebook_aid);
                                 }};
  EXPECT_OK(host->open_channel({installing}, random));
  EXPECT_EQ(to_hex(medium->image[0].objects.at(7).reveal()), "0102");
  medium->fail_next_commit = true;
  EXPECT_FAILS(host->open_channel({installing}, random), ErrorKind::io);
}

TEST_F(AppletHostTest, NoBytesMakeItStumble) {
  // Random commands, mostly near what is well-formed: the answer always has a status word.
  test::SeededRandom dice(7);
  for (int round = 0; round < 20000; ++round) {
    Bytes command(dice.below(12));
    (void)dice.fill(command);
    if (command.size() >= 5 && dice.below(4) != 0) {
      const std::uint8_t classes[] = {0x00, 0x80, 0x90, 0x94, 0x10, 0x84};
      const std::uint8_t instructions[] = {0xa4, 0xc0, 0x10, 0x12, 0x14, 0x22, 0x30};
      command[0] = classes[dice.below(6)];
      command[1] = instructions[dice.below(7)];
      if (dice.below(2) == 0) command[4] = static_cast<std::uint8_t>(command.size() - 5 - dice.below(2));
    }
    EXPECT_GE(host->process(command).size(), 2U);
    if (round % 50 == 0) select();
  }
}

}  // namespace
}  // namespace cas::card
