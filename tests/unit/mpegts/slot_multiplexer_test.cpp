// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/slot_multiplexer.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

using Order = SlotMultiplexer::Order;

constexpr std::uint64_t tick = 1000;  // From packet to packet.
constexpr double bit_rate = static_cast<double>(packet_size * 8 * clock_hz) / tick;

/// A packet whose PID is its name; small letters have a clock reference of their time.
Bytes packet(char name, std::uint64_t time = 0) {
  Bytes made(packet_size, 0xff);
  if (name == '.') {
    make_null_packet(std::span<std::uint8_t, packet_size>(made));
    return made;
  }
  made[0] = sync_byte;
  made[1] = 0;
  made[2] = static_cast<std::uint8_t>(name);
  made[3] = 0x10;
  if (name >= 'a' && name <= 'z') {
    made[3] = 0x30;
    made[4] = 7;
    made[5] = 0x10;
    made[10] = made[11] = 0;
    EXPECT_TRUE(set_pcr(std::span<std::uint8_t, packet_size>(made), time));
  }
  return made;
}

class SlotMultiplexerTest : public testing::Test {
 protected:
  /// Sends packets named by letters ('.': null) as one run, and gives the names of what comes out.
  std::string send(const std::string& names) {
    Bytes run;
    std::vector<std::uint32_t> free;
    std::vector<std::uint64_t> times;
    for (const char name : names) {
      append(run, packet(name, time_));
      if (name == '.') free.push_back(static_cast<std::uint32_t>(times.size()));
      times.push_back(time_);
      time_ += tick;
    }
    const ByteView out = slots.multiplex(run, free, times, bit_rate);
    in_place = out.data() == run.data();
    return names_of(out);
  }
  std::string names_of(ByteView out) {
    std::string names;
    for (; !out.empty(); out = out.subspan(packet_size)) {
      const PacketView packet(out.data(), packet_size);
      const Pid pid = pid_of(packet);
      names += pid == null_pid ? '.' : static_cast<char>(pid);
      if (const auto pcr = pcr_of(packet)) pcrs.push_back(*pcr);
    }
    return names;
  }

  SlotMultiplexer slots{{}};
  bool in_place = false;
  std::vector<std::uint64_t> pcrs;
  std::uint64_t time_ = 0;
};

TEST_F(SlotMultiplexerTest, LeavesAloneWhatItHasNothingToPutInto) {
  EXPECT_EQ(send("AB.CD"), "AB.CD");
  EXPECT_TRUE(in_place);
}

TEST_F(SlotMultiplexerTest, PutsAPacketInOnTimeAndMovesTheOthersUpToTheNextNull) {
  slots.insert(1, packet('1'));
  EXPECT_EQ(send("ABCD.EF"), "A1BCDEF");
  EXPECT_TRUE(in_place);
  EXPECT_EQ(slots.counts().inserted, 1U);
  EXPECT_EQ(slots.counts().nulls_used, 1U);
  EXPECT_EQ(slots.counts().longest_delay, 1U);
}

TEST_F(SlotMultiplexerTest, MovesPacketsFromRunToRun) {
  slots.insert(2, packet('1'));
  slots.insert(2, packet('2'));
  EXPECT_EQ(send("ABC"), "AB1");
  EXPECT_EQ(send("DE.F"), "2CDE");
  EXPECT_EQ(send(".G"), "FG");
  EXPECT_TRUE(slots.finish().empty());
}

TEST_F(SlotMultiplexerTest, InTurnMeansBehindAllThatStoodBefore) {
  slots.insert(0, packet('1'));
  slots.insert(2, packet('2'), Order::in_turn);
  EXPECT_EQ(send("ABCD..E"), "1AB2CDE");
}

TEST_F(SlotMultiplexerTest, CorrectsClockReferencesByAsMuchAsTheyMoved) {
  slots.insert(1, packet('1'));
  slots.insert(1, packet('2'));
  EXPECT_EQ(send("aBc.d.e"), "a12Bcde");
  EXPECT_EQ(pcrs, (std::vector<std::uint64_t>{0, 4 * tick, 5 * tick, 6 * tick}));
}

TEST_F(SlotMultiplexerTest, PutsWhatMayWaitIntoNullPackets) {
  EXPECT_TRUE(slots.offer(packet('1')));
  EXPECT_TRUE(slots.offer(packet('2')));
  EXPECT_EQ(send("AB.C"), "AB1C");
  EXPECT_EQ(slots.counts().waiting, 1U);
  EXPECT_EQ(send("A.B."), "A2B.");
  EXPECT_EQ(slots.counts().inserted_later, 2U);
}

TEST_F(SlotMultiplexerTest, TakesOnlySoManyThatWait) {
  for (std::size_t count = 0; count < SlotMultiplexer::max_waiting; ++count) ASSERT_TRUE(slots.offer(packet('1')));
  EXPECT_FALSE(slots.offer(packet('2')));
}

TEST_F(SlotMultiplexerTest, StuffsAStreamThatHasNoRoomAtAConstantRate) {
  slots.reserve(100'000);
  std::string out;
  const std::size_t run = 1000;
  const std::size_t runs = SlotMultiplexer::no_room_after / tick / run + 3;
  for (std::size_t count = 0; count < runs; ++count) {
    slots.insert(10, packet('1'));
    out += send("a" + std::string(run - 1, 'B'));
  }
  ASSERT_TRUE(slots.constant_bit_rate());
  EXPECT_NEAR(static_cast<double>(*slots.constant_bit_rate()), bit_rate + 125'000 + 16'000, 1000);
  EXPECT_EQ(std::ranges::count(out, '1'), static_cast<std::ptrdiff_t>(runs));
  EXPECT_EQ(std::ranges::count(out, 'B'), static_cast<std::ptrdiff_t>(runs * (run - 1)));
  // The last references are as far apart as their packets at that rate.
  const auto last = out.rfind('a'), before = out.rfind('a', last - 1);
  const double ticks =
      static_cast<double>(last - before) * packet_size * 8 * clock_hz / static_cast<double>(*slots.constant_bit_rate());
  EXPECT_NEAR(static_cast<double>(pcrs.back() - pcrs[pcrs.size() - 2]), ticks, 2);
}

TEST_F(SlotMultiplexerTest, KeepsAGivenBitRateOfTwiceTheStreams) {
  slots = SlotMultiplexer({.bit_rate = static_cast<std::uint64_t>(bit_rate * 2)});
  const std::string out = send("aBCaB.CaBC");
  EXPECT_NEAR(static_cast<double>(out.size()), 19, 1);
  EXPECT_NEAR(static_cast<double>(pcrs[1] - pcrs[0]), 3 * tick, 1);
  EXPECT_FALSE(in_place);
}

TEST_F(SlotMultiplexerTest, ExceedsABitRateThatIsTooLowAndSaysSo) {
  slots = SlotMultiplexer({.bit_rate = static_cast<std::uint64_t>(bit_rate / 2)});
  std::string out;
  const std::size_t runs = 2 * SlotMultiplexer::latest / tick / 1000 + 2;
  for (std::size_t count = 0; count < runs; ++count) out += send(std::string(1000, 'A'));
  EXPECT_EQ(out.size(), runs * 1000);  // Nothing is lost.
  EXPECT_GT(slots.counts().overloads, 0U);
}

TEST_F(SlotMultiplexerTest, DoesNotStuffALeapOfTheClock) {
  slots = SlotMultiplexer({.bit_rate = static_cast<std::uint64_t>(bit_rate * 2)});
  EXPECT_FALSE(send("ABC").empty());
  time_ += 10 * clock_hz;
  EXPECT_LT(send("ABC").size(), 10U);
  EXPECT_EQ(slots.counts().gaps, 1U);
}

TEST_F(SlotMultiplexerTest, GivesTheRestAtTheEndAndForgetsItOnReset) {
  slots.insert(0, packet('1'));
  EXPECT_EQ(send("AB"), "1A");
  EXPECT_TRUE(slots.offer(packet('2')));
  EXPECT_EQ(names_of(slots.finish()), "B2");
  slots.insert(0, packet('1'));
  EXPECT_EQ(send("AB"), "1A");
  slots.reset();
  EXPECT_EQ(send("CD"), "CD");
}

TEST_F(SlotMultiplexerTest, DoesNotTakeAClockThatGoesBackForALackOfRoom) {
  // The clock was thought to be faster than the next reference says, while a packet is out of its place.
  slots.insert(1, packet('E'));
  EXPECT_EQ(send("ABC"), "AEB");
  time_ = 0;
  EXPECT_EQ(send("DF.G"), "CDFG");
  EXPECT_TRUE(in_place);
  EXPECT_FALSE(slots.constant_bit_rate());
}

TEST_F(SlotMultiplexerTest, CorrectsClockReferencesThatWaitedWhenTheStreamEnded) {
  slots.insert(0, packet('E'));
  EXPECT_EQ(send("ab"), "Ea");
  const ByteView rest = slots.finish();
  ASSERT_EQ(rest.size(), packet_size);
  EXPECT_EQ(pcr_of(PacketView(rest.data(), packet_size)), 2 * tick);
  EXPECT_TRUE(slots.finish().empty());
}

}  // namespace
}  // namespace cas::mpegts
