// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/bytes.hpp"

#include <gtest/gtest.h>

#include "base/writer.hpp"
#include "support/result_matchers.hpp"

namespace cas {
namespace {

using test::hex;

TEST(Bytes, TextAndBytesAreTheSameOctets) {
  const std::string text("a\0\xff", 3);
  EXPECT_EQ(copy_of(as_bytes(text)), hex("6100ff"));
  EXPECT_EQ(as_text(as_bytes(text)), text);
  EXPECT_TRUE(as_bytes("").empty());
  EXPECT_EQ(as_text({}), "");
}

TEST(Bytes, CopyIsIndependentOfItsSource) {
  Bytes source = hex("0102");
  const Bytes copy = copy_of(source);
  source[0] = 9;
  EXPECT_EQ(copy, hex("0102"));
}

TEST(Bytes, AppendAddsAtTheEnd) {
  Bytes bytes = hex("01");
  append(bytes, hex("0203"));
  append(bytes, {});
  EXPECT_EQ(bytes, hex("010203"));
}

TEST(Bytes, EqualComparesSizesAndEveryOctet) {
  EXPECT_TRUE(equal({}, {}));
  EXPECT_TRUE(equal(hex("0102"), hex("0102")));
  EXPECT_FALSE(equal(hex("0102"), hex("0103")));
  EXPECT_FALSE(equal(hex("0102"), hex("010200")));
  EXPECT_FALSE(equal(hex("00"), {}));
}

TEST(ByteWriter, WritesBigEndian) {
  ByteWriter writer;
  writer.u8(0x01).u16(0x0203).u32(0x04050607).u64(0x08090a0b0c0d0e0f).bytes(hex("1011")).zeros(2);
  EXPECT_EQ(to_hex(writer.view()), "0102030405060708090a0b0c0d0e0f10110000");
  EXPECT_EQ(writer.size(), 19U);
}

TEST(ByteWriter, TakeLeavesItEmptyAndUsable) {
  ByteWriter writer;
  EXPECT_EQ(writer.u8(7).take(), hex("07"));
  EXPECT_EQ(writer.size(), 0U);
  EXPECT_EQ(writer.u16(8).take(), hex("0008"));
}

}  // namespace
}  // namespace cas
