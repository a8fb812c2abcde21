// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/access_criteria.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/result_matchers.hpp"

namespace cas::casdemo {
namespace {

using test::hex;

TEST(AccessCriteria, HaveOneEncoding) {
  const std::vector<Region> regions{300, 7};
  const auto made = AccessCriteria::create(0x0101, 12, regions);
  ASSERT_OK(made);
  EXPECT_EQ(to_hex(made->encoded()), "01010c020007012c");
  const auto parsed = AccessCriteria::parse(made->encoded());
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->product(), 0x0101);
  EXPECT_EQ(parsed->minimum_age(), 12);
  EXPECT_TRUE(parsed->blacks_out(7));
  EXPECT_TRUE(parsed->blacks_out(300));
  EXPECT_FALSE(parsed->blacks_out(8));
  EXPECT_FALSE(parsed->blacks_out(0));
  EXPECT_EQ(to_hex(parsed->encoded()), "01010c020007012c");
  EXPECT_EQ(to_hex(AccessCriteria(0xabcd).encoded()), "abcd0000");
}

TEST(AccessCriteria, WhatCannotBeIsNotMade) {
  EXPECT_FAILS(AccessCriteria::create(1, 0, std::vector<Region>{1, 2, 3, 4, 5, 6, 7, 8, 9}),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(AccessCriteria::create(1, 0, std::vector<Region>{3, 4, 3}), ErrorKind::invalid_argument);
  EXPECT_FAILS(AccessCriteria::create(1, 0, std::vector<Region>{0, 4}), ErrorKind::invalid_argument);
}

TEST(AccessCriteria, DamagedOnesAreRefused) {
  EXPECT_FAILS(AccessCriteria::parse({}), ErrorKind::truncated);
  EXPECT_FAILS(AccessCriteria::parse(hex("010100")), ErrorKind::truncated);
  EXPECT_FAILS(AccessCriteria::parse(hex("01010001")), ErrorKind::malformed);            // the region is missing
  EXPECT_FAILS(AccessCriteria::parse(hex("01010000 00")), ErrorKind::malformed);         // something behind
  EXPECT_FAILS(AccessCriteria::parse(hex("01010002 0002 0001")), ErrorKind::malformed);  // not ascending
  EXPECT_FAILS(AccessCriteria::parse(hex("01010002 0001 0001")), ErrorKind::malformed);  // twice
  EXPECT_FAILS(AccessCriteria::parse(hex("01010001 0000")), ErrorKind::malformed);       // region 0
  Bytes nine = hex("01010009");
  for (std::uint8_t i = 1; i <= 9; ++i) append(nine, Bytes{0, i});
  EXPECT_FAILS(AccessCriteria::parse(nine), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::casdemo
