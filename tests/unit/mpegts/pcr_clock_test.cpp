// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/pcr_clock.hpp"

#include <gtest/gtest.h>

#include <array>

#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

constexpr Pid pcr_pid = 0x0100;
constexpr std::uint64_t ms = clock_hz / 1000;

using PacketBytes = std::array<std::uint8_t, packet_size>;

PacketBytes pcr_packet(std::uint64_t pcr, Pid pid = pcr_pid, bool discontinuity = false) {
  PacketBytes packet;
  make_stuffing_packet(packet, pid, 0);
  packet[5] = discontinuity ? 0x90 : 0x10;
  std::fill_n(packet.begin() + 6, 6, std::uint8_t{0});
  EXPECT_TRUE(set_pcr(packet, pcr));
  return packet;
}

class PcrClockTest : public testing::Test {
 protected:
  /// A reference every `packets` packets, of which the others are null packets, `ticks` apart: `count` of them.
  void run(std::uint64_t from, std::uint64_t ticks, int packets, int count) {
    for (int i = 0; i < count; ++i) {
      clock.push(pcr_packet((from + ticks * static_cast<std::uint64_t>(i)) % pcr_modulus));
      push_null(packets - 1);
    }
  }
  void push_null(int count) {
    PacketBytes packet;
    make_null_packet(packet);
    for (int i = 0; i < count; ++i) {
      const auto before = clock.ticks();
      clock.push(packet);
      EXPECT_GE(clock.ticks().value_or(0), before.value_or(0));
    }
  }

  PcrClock clock{pcr_pid};
};

TEST_F(PcrClockTest, HasNoTimeBeforeTheFirstReference) {
  push_null(5);
  EXPECT_EQ(clock.ticks(), std::nullopt);
  EXPECT_EQ(clock.time(), std::nullopt);
  EXPECT_EQ(clock.bit_rate(), std::nullopt);
  clock.push(pcr_packet(12345678));
  EXPECT_EQ(clock.ticks(), 0U);
  EXPECT_EQ(clock.time(), std::chrono::nanoseconds(0));
  push_null(5);
  EXPECT_EQ(clock.ticks(), 0U) << "without a rate nothing is interpolated";
}

TEST_F(PcrClockTest, TellsTheTimeOfReferencesAndBetweenThem) {
  run(5000, 20 * ms, 100, 5);
  // Four intervals, and 99 packets of a hundred.
  EXPECT_EQ(clock.ticks(), 80 * ms + 20 * ms * 99 / 100);
  EXPECT_EQ(clock.time(), std::chrono::microseconds(99'800));
  clock.push(pcr_packet(5000 + 100 * ms));
  EXPECT_EQ(clock.time(), std::chrono::milliseconds(100));
  EXPECT_EQ(clock.counts().pcrs, 6U);
  ASSERT_TRUE(clock.bit_rate());
  EXPECT_NEAR(*clock.bit_rate(), 100 * 188 * 8 / 0.020, 1.0);
}

TEST_F(PcrClockTest, GoesOnOverTheEndOfTheNumbers) {
  run(pcr_modulus - 30 * ms, 20 * ms, 10, 4);
  clock.push(pcr_packet(50 * ms));
  EXPECT_EQ(clock.ticks(), 80 * ms);
  EXPECT_EQ(clock.counts().unannounced_jumps, 0U);
}

TEST_F(PcrClockTest, NanosecondsDoNotOverflow) {
  // A day, nine seconds at a time, over the end of the numbers.
  for (std::uint64_t i = 0; i <= 24 * 400 * 2; ++i) clock.push(pcr_packet(i * 9 * clock_hz % pcr_modulus));
  EXPECT_EQ(clock.time(), std::chrono::hours(48));
}

TEST_F(PcrClockTest, AnAnnouncedJumpIsBridgedByPackets) {
  run(0, 20 * ms, 100, 3);
  clock.push(pcr_packet(77 * clock_hz, pcr_pid, true));
  EXPECT_EQ(clock.ticks(), 60 * ms);
  EXPECT_EQ(clock.counts().announced_jumps, 1U);
  EXPECT_EQ(clock.counts().unannounced_jumps, 0U);
  push_null(99);
  clock.push(pcr_packet(77 * clock_hz + 20 * ms));
  EXPECT_EQ(clock.ticks(), 80 * ms);
}

TEST_F(PcrClockTest, AJumpMayBeAnnouncedBeforeItsReference) {
  run(0, 20 * ms, 100, 3);
  PacketBytes packet;
  make_stuffing_packet(packet, pcr_pid, 0);
  packet[5] = 0x80;
  clock.push(packet);
  clock.push(pcr_packet(5 * ms));
  EXPECT_EQ(clock.counts().announced_jumps, 1U);
  EXPECT_EQ(clock.counts().unannounced_jumps, 0U);
  EXPECT_NEAR(static_cast<double>(*clock.ticks()), 60.2 * ms, 2.0);
}

TEST_F(PcrClockTest, AnUnannouncedJumpIsBridgedByPackets) {
  for (const std::uint64_t to : {std::uint64_t{0}, 500 * clock_hz, 40 * ms - 1, 40 * ms + 10 * clock_hz + 1}) {
    SCOPED_TRACE(to);
    clock = PcrClock(pcr_pid);
    run(0, 20 * ms, 100, 3);
    clock.push(pcr_packet(to));
    EXPECT_EQ(clock.ticks(), 60 * ms);
    EXPECT_EQ(clock.counts().unannounced_jumps, 1U);
    push_null(99);
    clock.push(pcr_packet(to + 20 * ms));
    EXPECT_EQ(clock.ticks(), 80 * ms);
  }
}

TEST_F(PcrClockTest, NeverGoesBackWhenItRanAhead) {
  run(0, 20 * ms, 10, 2);
  push_null(50);  // far past where the next reference should have been
  const auto ahead = clock.ticks();
  EXPECT_GT(*ahead, 100 * ms);
  clock.push(pcr_packet(40 * ms));
  EXPECT_EQ(clock.ticks(), ahead);
  clock.push(pcr_packet(200 * ms));
  EXPECT_EQ(clock.ticks(), 200 * ms);
}

TEST_F(PcrClockTest, AStoppedClockDoesNotRunOnForEver) {
  run(0, 20 * ms, 1, 2);
  push_null(2000);  // 40 s
  EXPECT_EQ(clock.ticks(), 20 * ms + 10 * clock_hz);
}

TEST_F(PcrClockTest, AReferenceSentTwiceChangesNothing) {
  run(0, 20 * ms, 100, 3);
  const auto rate = clock.bit_rate();
  clock.push(pcr_packet(60 * ms));
  clock.push(pcr_packet(60 * ms));
  push_null(98);
  clock.push(pcr_packet(80 * ms));
  EXPECT_EQ(clock.ticks(), 80 * ms);
  EXPECT_NEAR(*clock.bit_rate(), *rate, 1.0);
}

TEST_F(PcrClockTest, OtherPidsAndDamagedPacketsDoNotCount) {
  run(0, 20 * ms, 100, 2);
  clock.push(pcr_packet(5 * clock_hz, 0x0200));
  PacketBytes damaged = pcr_packet(5 * clock_hz);
  damaged[1] |= 0x80;
  clock.push(damaged);
  EXPECT_EQ(clock.counts().pcrs, 2U);
  EXPECT_LT(*clock.ticks(), 41 * ms);
}

TEST_F(PcrClockTest, AnotherPidHasAnotherTimeBase) {
  run(0, 20 * ms, 100, 3);
  clock.follow(0x0200);
  EXPECT_EQ(clock.pid(), 0x0200);
  clock.push(pcr_packet(900 * clock_hz, 0x0200));
  EXPECT_EQ(clock.ticks(), 60 * ms);
  EXPECT_EQ(clock.counts().unannounced_jumps, 0U);
  clock.follow(0x0200);
  clock.push(pcr_packet(900 * clock_hz + 20 * ms, 0x0200));
  EXPECT_EQ(clock.ticks(), 80 * ms);
}

}  // namespace
}  // namespace cas::mpegts
