// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/byte_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/result_matchers.hpp"

namespace cas {
namespace {

using test::hex;

Bytes content(const ByteQueue& queue) { return copy_of(queue.view()); }

TEST(ByteQueue, KeepsTheOrderWhileItGrowsAndShrinks) {
  ByteQueue queue;
  Bytes expected;
  std::uint8_t next = 0;
  for (std::size_t round = 1; round < 600; ++round) {
    Bytes more(round * 7 % 97);
    for (std::uint8_t& byte : more) byte = next++;
    queue.append(more);
    append(expected, more);
    const std::size_t taken = std::min(expected.size(), round * 5 % 83);
    queue.consume(taken);
    expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(taken));
    ASSERT_EQ(content(queue), expected) << round;
  }
  queue.truncate(1);
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.view()[0], expected[0]);
  queue.consume(1000);
  EXPECT_TRUE(queue.empty());
}

TEST(ByteQueue, CleansesWhatLeaves) {
  ByteQueue queue;
  queue.append(hex("00112233445566778899"));
  const std::uint8_t* const memory = queue.view().data();
  queue.consume(4);
  queue.truncate(3);
  EXPECT_EQ(to_hex(ByteView(memory, 10)), "00000000445566000000");
}

TEST(ByteQueue, Moves) {
  ByteQueue queue;
  queue.append(hex("0102"));
  ByteQueue other(std::move(queue));
  EXPECT_EQ(content(other), hex("0102"));
  EXPECT_TRUE(queue.empty());  // NOLINT: this is what is tested
  queue.append(hex("03"));
  queue = std::move(other);
  EXPECT_EQ(content(queue), hex("0102"));
}

}  // namespace
}  // namespace cas
