// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/hex.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Hex, WritesLowerCaseInPairs) {
  const Bytes bytes{0x00, 0x0f, 0xf0, 0xab};
  EXPECT_EQ(to_hex(bytes), "000ff0ab");
  EXPECT_EQ(to_hex({}), "");
}

TEST(Hex, ReadsEitherCase) {
  const auto bytes = from_hex("00fFAbcD", 4);
  ASSERT_OK(bytes);
  EXPECT_EQ(*bytes, (Bytes{0x00, 0xff, 0xab, 0xcd}));
  const auto nothing = from_hex("", 0);
  ASSERT_OK(nothing);
  EXPECT_TRUE(nothing->empty());
}

TEST(Hex, ReadsWhatItWrites) {
  test::SeededRandom random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    Bytes bytes(size);
    ASSERT_OK(random.fill(bytes));
    const auto read = from_hex(to_hex(bytes), size);
    ASSERT_OK(read);
    ASSERT_EQ(*read, bytes);
  }
}

TEST(Hex, RefusesAnOddNumberOfDigits) { EXPECT_FAILS(from_hex("abc", 10), ErrorKind::malformed); }

TEST(Hex, RefusesMoreThanTheLimit) {
  EXPECT_OK(from_hex("aabb", 2));
  EXPECT_FAILS(from_hex("aabbcc", 2), ErrorKind::malformed);
  EXPECT_FAILS(from_hex("aa", 0), ErrorKind::malformed);
}

TEST(Hex, RefusesEveryCharacterThatIsNoDigit) {
  for (int c = 0; c < 256; ++c) {
    const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    const std::string first{static_cast<char>(c), '0'};
    const std::string second{'0', static_cast<char>(c)};
    EXPECT_EQ(from_hex(first, 1).has_value(), digit) << c;
    EXPECT_EQ(from_hex(second, 1).has_value(), digit) << c;
  }
}

TEST(Hex, ErrorNamesThePositionAndNeverTheText) {
  const auto bytes = from_hex("5ec7e7x5ec7e", 100);
  ASSERT_FALSE(bytes);
  EXPECT_THAT(bytes.error().message, HasSubstr("position 6"));
  EXPECT_THAT(bytes.error().message, Not(HasSubstr("5ec7")));
}

}  // namespace
}  // namespace cas
