// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/atr.hpp"

#include <gtest/gtest.h>

#include "card/applet_host.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::card {
namespace {

using test::hex;

TEST(Atr, TellsWhetherTheCardTakesExtendedLengths) {
  EXPECT_EQ(atr_extended_length(AppletHost::atr()), true);
  // T=1, category 80, capabilities of three bytes: with and without the bit.
  EXPECT_EQ(atr_extended_length(hex("3b 85 80 01 80 73 c0 01 40 35")), true);
  EXPECT_EQ(atr_extended_length(hex("3b 85 80 01 80 73 c0 01 80 35")), false);
  // Behind interface bytes of several groups, and another object.
  EXPECT_EQ(atr_extended_length(hex("3b f8 13 00 00 81 31 fe 45 80 51 aa 73 c8 40 40 90 00")), true);
  EXPECT_EQ(atr_extended_length(hex("3b f8 13 00 00 81 31 fe 45 80 51 aa 73 c8 40 00 90 00")), false);
  // Category 00: three status bytes end the historical bytes.
  EXPECT_EQ(atr_extended_length(hex("3b 08 00 73 c0 01 40 07 90 00")), true);
}

TEST(Atr, SaysNothingWithoutTheObject) {
  EXPECT_EQ(atr_extended_length({}), std::nullopt);
  EXPECT_EQ(atr_extended_length(hex("3b")), std::nullopt);
  EXPECT_EQ(atr_extended_length(hex("3b00")), std::nullopt);
  EXPECT_EQ(atr_extended_length(hex("3b 02 14 50")), std::nullopt) << "a category that is proprietary";
  EXPECT_EQ(atr_extended_length(hex("3b 04 80 72 c0 01")), std::nullopt) << "capabilities of two bytes";
  EXPECT_EQ(atr_extended_length(hex("3b 05 80 73 c0 01")), std::nullopt) << "cut within the historical bytes";
  EXPECT_EQ(atr_extended_length(hex("3b 04 80 73 c0 01")), std::nullopt) << "cut within the object";
  EXPECT_EQ(atr_extended_length(hex("3b 05 00 73 c0 01 40")), std::nullopt) << "the object reaches into the status";
  EXPECT_EQ(atr_extended_length(hex("3b ff ff ff")), std::nullopt) << "cut within the interface bytes";
}

TEST(Atr, IsReadWithinItsBoundsWhateverItHolds) {
  test::SeededRandom random(7);
  for (int run = 0; run < 20'000; ++run) {
    Bytes atr(random.below(40));
    ASSERT_OK(random.fill(atr));
    if (atr.size() > 3 && random.below(2) == 0) atr[2] = 0x80;
    (void)atr_extended_length(atr);
  }
}

}  // namespace
}  // namespace cas::card
