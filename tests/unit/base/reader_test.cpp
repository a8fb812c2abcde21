// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/writer.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas {
namespace {

using test::hex;
using ::testing::HasSubstr;

TEST(ByteReader, ReadsBigEndian) {
  const Bytes input = hex("01 0203 04050607 08090a0b0c0d0e0f ff");
  ByteReader reader(input);
  EXPECT_EQ(*reader.u8(), 0x01U);
  EXPECT_EQ(*reader.u16(), 0x0203U);
  EXPECT_EQ(*reader.u32(), 0x04050607U);
  EXPECT_EQ(*reader.u64(), 0x08090a0b0c0d0e0fU);
  EXPECT_EQ(reader.position(), 15U);
  EXPECT_EQ(reader.remaining(), 1U);
  EXPECT_FAILS(reader.expect_end("message"), ErrorKind::malformed);
  EXPECT_EQ(copy_of(reader.rest()), hex("ff"));
  EXPECT_TRUE(reader.empty());
  EXPECT_EQ(reader.position(), 16U);
  EXPECT_OK(reader.expect_end("message"));
}

TEST(ByteReader, ReadsTheLargestNumbers) {
  const Bytes input(15, 0xff);
  ByteReader reader(input);
  EXPECT_EQ(*reader.u8(), std::numeric_limits<std::uint8_t>::max());
  EXPECT_EQ(*reader.u16(), std::numeric_limits<std::uint16_t>::max());
  EXPECT_EQ(*reader.u32(), std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(*reader.u64(), std::numeric_limits<std::uint64_t>::max());
}

TEST(ByteReader, AFailedReadConsumesNothing) {
  const Bytes input = hex("0102030405 0607");
  ByteReader reader(input);
  EXPECT_FAILS(reader.u64(), ErrorKind::truncated);
  EXPECT_FAILS(reader.bytes(8), ErrorKind::truncated);
  EXPECT_EQ(reader.position(), 0U);
  EXPECT_OK(reader.u32());
  EXPECT_FAILS(reader.u32(), ErrorKind::truncated);
  EXPECT_EQ(reader.position(), 4U);
  EXPECT_OK(reader.u16());
  EXPECT_FAILS(reader.u16(), ErrorKind::truncated);
  EXPECT_OK(reader.u8());
  EXPECT_FAILS(reader.u8(), ErrorKind::truncated);
  EXPECT_OK(reader.bytes(0));
}

TEST(ByteReader, ACountThatWouldOverflowIsJustTooLong) {
  const Bytes input = hex("0102");
  ByteReader reader(input);
  ASSERT_OK(reader.u8());
  EXPECT_FAILS(reader.bytes(std::numeric_limits<std::size_t>::max()), ErrorKind::truncated);
  EXPECT_EQ(reader.remaining(), 1U);
}

TEST(ByteReader, GivesViewsIntoTheInput) {
  const Bytes input = hex("01020304");
  ByteReader reader(input);
  const auto view = reader.bytes(3);
  ASSERT_OK(view);
  EXPECT_EQ(view->data(), input.data());
  EXPECT_EQ(reader.rest().data(), input.data() + 3);
}

TEST(ByteReader, ErrorsSayWhere) {
  const Bytes input = hex("010203");
  ByteReader reader(input);
  ASSERT_OK(reader.u8());
  const auto number = reader.u32();
  ASSERT_FALSE(number);
  EXPECT_THAT(number.error().message, HasSubstr("4 bytes"));
  EXPECT_THAT(number.error().message, HasSubstr("byte 1"));
  EXPECT_THAT(reader.expect_end("the answer").error().message, HasSubstr("the answer is followed by 2 bytes"));
}

TEST(ByteReader, EmptyInput) {
  ByteReader reader({});
  EXPECT_TRUE(reader.empty());
  EXPECT_FAILS(reader.u8(), ErrorKind::truncated);
  EXPECT_TRUE(reader.rest().empty());
  EXPECT_OK(reader.expect_end("nothing"));
}

TEST(ByteReader, ReadsWhatTheWriterWrote) {
  test::SeededRandom random(2);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t a = random.below(1U << 8), b = random.below(1U << 16), c = random.below(1ULL << 32);
    const std::uint64_t d = random.below(std::numeric_limits<std::uint64_t>::max());
    Bytes tail(random.below(40));
    ASSERT_OK(random.fill(tail));
    ByteWriter writer;
    writer.u16(static_cast<std::uint16_t>(b))
        .u64(d)
        .bytes(tail)
        .u8(static_cast<std::uint8_t>(a))
        .u32(static_cast<std::uint32_t>(c));
    ByteReader reader(writer.view());
    EXPECT_EQ(*reader.u16(), b);
    EXPECT_EQ(*reader.u64(), d);
    EXPECT_EQ(copy_of(*reader.bytes(tail.size())), tail);
    EXPECT_EQ(*reader.u8(), a);
    EXPECT_EQ(*reader.u32(), c);
    EXPECT_OK(reader.expect_end("message"));
  }
}

}  // namespace
}  // namespace cas
