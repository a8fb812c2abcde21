// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/csa2_word.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

SecretBytes word_of(const std::string& digits) { return SecretBytes::copy_of(test::hex(digits)); }

TEST(Csa2Word, GetsItsTwoSums) {
  const SecretBytes word = word_of("010203ff 10203000");
  const auto whole = with_csa2_checksum(word);
  ASSERT_OK(whole);
  EXPECT_EQ(to_hex(whole->reveal()), "0102030610203060");
  EXPECT_EQ(to_hex(word.reveal()), "010203ff10203000");
  EXPECT_TRUE(has_csa2_checksum(*whole));
  EXPECT_FALSE(has_csa2_checksum(word));
}

TEST(Csa2Word, SumsAreModulo256) {
  const auto whole = with_csa2_checksum(word_of("ffffff00 80800100"));
  ASSERT_OK(whole);
  EXPECT_EQ(to_hex(whole->reveal()), "fffffffd80800101");
}

TEST(Csa2Word, BothSumsAreLookedAt) {
  EXPECT_TRUE(has_csa2_checksum(word_of("0000000000000000")));
  EXPECT_FALSE(has_csa2_checksum(word_of("0000000100000000")));
  EXPECT_FALSE(has_csa2_checksum(word_of("0000000000000001")));
  EXPECT_TRUE(has_csa2_checksum(word_of("c0b1f061a6ed7104")));  // of a public test vector
}

TEST(Csa2Word, RefusesOtherSizes) {
  for (const std::size_t size : {0U, 7U, 9U, 16U}) {
    EXPECT_FAILS(with_csa2_checksum(SecretBytes(size)), ErrorKind::invalid_argument);
    EXPECT_FALSE(has_csa2_checksum(SecretBytes(size)));
  }
}

}  // namespace
}  // namespace cas::mpegts
