// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/control_words.hpp"

#include <gtest/gtest.h>

#include "crypto/constant_time.hpp"
#include "simulcrypt/ecm_stream_terms.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::simulcrypt {
namespace {

using test::value_or_throw;

bool same(const SecretBytes& a, const SecretBytes& b) { return crypto::constant_time_equal(a.reveal(), b.reveal()); }

TEST(ControlWords, AreDrawnOnceForEachPeriod) {
  test::SeededRandom random(1);
  ControlWordGenerator words(random, 16, ControlWordGenerator::Form::plain);
  const SecretBytes third = value_or_throw(words.word(3));
  EXPECT_EQ(third.size(), 16U);
  EXPECT_TRUE(same(value_or_throw(words.word(3)), third));
  EXPECT_FALSE(same(value_or_throw(words.word(4)), third));
  words.forget_before(4);
  EXPECT_FALSE(same(value_or_throw(words.word(3)), third));
}

TEST(ControlWords, HaveTheSumsThatOldDescramblersExpect) {
  test::SeededRandom random(2);
  ControlWordGenerator words(random, 8, ControlWordGenerator::Form::csa_checked);
  for (PeriodIndex period = 0; period < 50; ++period) {
    const SecretBytes word = value_or_throw(words.word(period));
    const ByteView w = word.reveal();
    EXPECT_EQ(w[3], static_cast<std::uint8_t>(w[0] + w[1] + w[2]));
    EXPECT_EQ(w[7], static_cast<std::uint8_t>(w[4] + w[5] + w[6]));
  }
  ControlWordGenerator wrong(random, 16, ControlWordGenerator::Form::csa_checked);
  EXPECT_FAILS(wrong.word(0), ErrorKind::invalid_argument);
}

TEST(EcmStreamTerms, AreTakenWhenTheyCanBeServed) {
  const EcmStreamTerms good;
  EXPECT_OK(check_ecm_stream_terms(good));
  EcmStreamTerms terms = good;
  terms.cw_per_msg = 0;
  EXPECT_FAILS(check_ecm_stream_terms(terms), ErrorKind::invalid_argument);
  terms.cw_per_msg = max_cw_per_msg + 1;
  EXPECT_FAILS(check_ecm_stream_terms(terms), ErrorKind::invalid_argument);
  terms = good;
  terms.lead_cw = 2;  // An ECM with the words of the two periods after its own.
  EXPECT_FAILS(check_ecm_stream_terms(terms), ErrorKind::invalid_argument);
  terms.cw_per_msg = max_cw_per_msg;
  terms.lead_cw = max_lead_cw + 1;
  EXPECT_FAILS(check_ecm_stream_terms(terms), ErrorKind::invalid_argument);
  terms = good;
  terms.repetition = {};
  EXPECT_FAILS(check_ecm_stream_terms(terms), ErrorKind::invalid_argument);
  terms = good;
  terms.ac_delay_stop = std::chrono::seconds(-61);
  EXPECT_FAILS(check_ecm_stream_terms(terms), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::simulcrypt
