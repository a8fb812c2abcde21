// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/packet_framing.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

/// `count` packets whose payloads have no sync byte; the first byte behind the header tells their number.
Bytes packets(std::size_t count, std::size_t size = packet_size, std::size_t sync_at = 0) {
  Bytes stream;
  for (std::size_t i = 0; i < count; ++i) {
    Bytes packet(size, 0x11);
    packet[sync_at] = sync_byte;
    packet[sync_at + 4] = static_cast<std::uint8_t>(0x80 + i % 100);
    append(stream, packet);
  }
  return stream;
}

struct Outcome {
  Bytes found;
  std::vector<ErrorKind> errors;
};

/// What the framing gives of a stream that comes in pieces of `step`.
Outcome frame(PacketFraming& framing, Bytes stream, std::size_t step) {
  Outcome outcome;
  const auto drain = [&] {
    for (;;) {
      const auto run = framing.next();
      if (!run) {
        outcome.errors.push_back(run.error().kind);
        continue;
      }
      if (!*run) break;
      EXPECT_FALSE((*run)->empty());
      EXPECT_EQ((*run)->size() % packet_size, 0U);
      append(outcome.found, **run);
    }
  };
  for (std::size_t at = 0; at < stream.size(); at += step) {
    framing.push(MutableByteView(stream).subspan(at, std::min(step, stream.size() - at)));
    drain();
  }
  framing.end();
  drain();
  return outcome;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) append(all, part);
  return all;
}

constexpr std::size_t steps[] = {1, 7, 187, 188, 189, 1316, 5000, 1000000};

TEST(PacketFraming, FindsPacketsHoweverTheyArrive) {
  const Bytes stream = packets(50);
  for (const std::size_t step : steps) {
    SCOPED_TRACE(step);
    PacketFraming framing;
    const Outcome outcome = frame(framing, stream, step);
    EXPECT_EQ(outcome.found, stream);
    EXPECT_TRUE(outcome.errors.empty());
    EXPECT_EQ(framing.counts().packets, 50U);
    EXPECT_EQ(framing.counts().skipped_bytes, 0U);
    EXPECT_EQ(framing.counts().sync_losses, 0U);
    EXPECT_TRUE(framing.aligned());
  }
}

TEST(PacketFraming, SkipsWhatIsBeforePackets) {
  for (const std::size_t before : {1U, 100U, 187U, 188U, 190U, 203U, 204U, 268U, 1000U, 1020U, 3333U})
    for (const std::size_t step : steps) {
      SCOPED_TRACE(std::to_string(before) + " " + std::to_string(step));
      PacketFraming framing;
      const Outcome outcome = frame(framing, joined({Bytes(before, 0x22), packets(20)}), step);
      EXPECT_EQ(outcome.found, packets(20));
      EXPECT_EQ(framing.counts().skipped_bytes, before);
    }
}

TEST(PacketFraming, SurvivesGarbageBetweenPackets) {
  for (const std::size_t between : {1U, 30U, 188U, 400U, 2000U})
    for (const std::size_t step : steps) {
      SCOPED_TRACE(std::to_string(between) + " " + std::to_string(step));
      PacketFraming framing;
      const Outcome outcome = frame(framing, joined({packets(10), Bytes(between, 0x22), packets(12)}), step);
      EXPECT_EQ(outcome.found, joined({packets(10), packets(12)}));
      EXPECT_EQ(framing.counts().skipped_bytes, between);
      EXPECT_EQ(framing.counts().sync_losses, 1U);
    }
}

TEST(PacketFraming, APacketWithoutItsSyncByteAloneIsLost) {
  for (const std::size_t step : steps) {
    Bytes stream = packets(30);
    stream[12 * packet_size] = 0x46;
    PacketFraming framing;
    const Outcome outcome = frame(framing, stream, step);
    Bytes expected = packets(30);
    expected.erase(expected.begin() + 12 * packet_size, expected.begin() + 13 * packet_size);
    EXPECT_EQ(outcome.found, expected) << step;
    EXPECT_EQ(framing.counts().skipped_bytes, packet_size);
  }
}

TEST(PacketFraming, ASyncByteOrTwoInGarbageAreNotBelieved) {
  // Four that stand right, and then none: five are asked for.
  Bytes stream(2000, 0x22);
  for (const std::size_t i : {0U, 1U, 2U, 3U}) stream[10 + i * packet_size] = sync_byte;
  PacketFraming framing;
  const Outcome outcome = frame(framing, joined({stream, packets(10)}), 1316);
  EXPECT_EQ(outcome.found, packets(10));
  EXPECT_EQ(framing.counts().skipped_bytes, 2000U);
}

TEST(PacketFraming, ARunIsNotCopied) {
  Bytes stream = packets(50);
  PacketFraming framing;
  framing.push(stream);
  auto run = framing.next();
  ASSERT_TRUE(run && *run);
  const std::size_t first = (*run)->size();
  EXPECT_LE(first, 6 * packet_size);
  run = framing.next();
  ASSERT_TRUE(run && *run);
  // Behind the packet that spans the place where looking for the alignment ended.
  if ((*run)->size() == packet_size) run = framing.next();
  ASSERT_TRUE(run && *run);
  EXPECT_GE((*run)->data(), stream.data());
  EXPECT_LT((*run)->data(), stream.data() + stream.size());
  EXPECT_GE((*run)->size(), 43 * packet_size);
  Bytes more = packets(20);
  run = framing.next();
  ASSERT_TRUE(run && !*run);
  framing.push(more);
  run = framing.next();
  ASSERT_TRUE(run && *run);
  EXPECT_EQ((*run)->data(), more.data());
  EXPECT_EQ((*run)->size(), more.size());
}

TEST(PacketFraming, FewPacketsAreFoundAtTheEnd) {
  for (const std::size_t count : {1U, 2U, 4U})
    for (const std::size_t step : steps) {
      PacketFraming framing;
      const Outcome outcome = frame(framing, joined({Bytes(5, 0x22), packets(count)}), step);
      EXPECT_EQ(outcome.found, packets(count));
      EXPECT_TRUE(outcome.errors.empty());
      EXPECT_EQ(framing.counts().skipped_bytes, 5U);
    }
}

TEST(PacketFraming, HalfAPacketAtTheEndIsLeftOut) {
  for (const std::size_t count : {3U, 20U}) {
    Bytes stream = packets(count);
    append(stream, ByteView(packets(1)).first(100));
    PacketFraming framing;
    EXPECT_EQ(frame(framing, stream, 1000).found, packets(count));
    EXPECT_EQ(framing.counts().skipped_bytes, 100U);
  }
}

TEST(PacketFraming, PacketsOf204BytesAreRefused) {
  for (const std::size_t step : steps) {
    PacketFraming framing;
    const Outcome outcome = frame(framing, packets(5, 204), step);
    EXPECT_EQ(outcome.errors, std::vector<ErrorKind>{ErrorKind::unsupported});
    EXPECT_TRUE(outcome.found.empty());
  }
  PacketFraming framing;
  Bytes stream = joined({Bytes(77, 0x22), packets(10, 204)});
  framing.push(stream);
  const auto refused = framing.next();
  EXPECT_FAILS(refused, ErrorKind::unsupported);
  EXPECT_NE(refused.error().message.find("204"), std::string::npos);
}

TEST(PacketFraming, PacketsOf192BytesAreRefused) {
  PacketFraming framing;
  Bytes stream = packets(10, 192, 4);
  framing.push(stream);
  const auto refused = framing.next();
  EXPECT_FAILS(refused, ErrorKind::unsupported);
  EXPECT_NE(refused.error().message.find("192"), std::string::npos);
}

TEST(PacketFraming, WhatHasNoPacketsIsRefusedAfter64KiB) {
  for (const std::size_t step : {std::size_t{1000}, std::size_t{1000000}}) {
    PacketFraming framing;
    const Outcome outcome = frame(framing, joined({Bytes(70'000, 0x22), packets(20)}), step);
    EXPECT_EQ(outcome.errors, std::vector<ErrorKind>{ErrorKind::malformed});
    EXPECT_EQ(outcome.found, packets(20)) << "it goes on afterwards";
    PacketFraming short_of_it;
    EXPECT_TRUE(frame(short_of_it, joined({Bytes(65'000, 0x22), packets(20)}), step).errors.empty());
  }
}

// Each place could be a packet's start: looking must not take the square of the size.
TEST(PacketFraming, NothingButSyncBytesIsAStreamOfPackets) {
  PacketFraming framing;
  const Outcome outcome = frame(framing, Bytes(188 * 1000, sync_byte), 4096);
  EXPECT_EQ(outcome.found.size(), 188U * 1000);
}

TEST(PacketFraming, AStreamWithoutPacketsIsRefusedAtItsEnd) {
  PacketFraming framing;
  EXPECT_EQ(frame(framing, Bytes(500, 0x22), 100).errors, std::vector<ErrorKind>{ErrorKind::malformed});
  PacketFraming of_nothing;
  EXPECT_TRUE(frame(of_nothing, {}, 1).errors.empty());
  PacketFraming with_a_tail;
  EXPECT_TRUE(frame(with_a_tail, joined({packets(10), Bytes(500, 0x22)}), 100).errors.empty());
}

TEST(PacketFraming, ResetForgetsTheAlignment) {
  PacketFraming framing;
  Bytes stream = joined({packets(10), Bytes(50, sync_byte)});
  framing.push(stream);
  while (*framing.next()) {
  }
  framing.reset();
  EXPECT_FALSE(framing.aligned());
  EXPECT_EQ(frame(framing, packets(9), 100).found, packets(9));
  framing.reset();
  EXPECT_EQ(frame(framing, Bytes(500, 0x22), 100).errors, std::vector<ErrorKind>{ErrorKind::malformed});
}

}  // namespace
}  // namespace cas::mpegts
