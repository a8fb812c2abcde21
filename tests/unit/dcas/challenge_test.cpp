// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/challenge.hpp"

#include <gtest/gtest.h>

#include "support/manual_clock.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::dcas {
namespace {

using test::value_or_throw;

class Challenges : public testing::Test {
 protected:
  Nonce issue() { return value_or_throw(parse_challenge(value_or_throw(book_.issue()))); }
  test::ManualClock clock_;
  test::SeededRandom random_{11};
  ChallengeBook book_{random_, clock_};
};

TEST_F(Challenges, AreGoodOnce) {
  const Nonce challenge = issue();
  EXPECT_OK(book_.redeem(challenge));
  EXPECT_FAILS(book_.redeem(challenge), ErrorKind::refused);
}

TEST_F(Challenges, ThatWereNeverIssuedAreRefused) {
  EXPECT_FAILS(book_.redeem(Nonce{}), ErrorKind::refused);
  ASSERT_NE(issue(), Nonce{});
  EXPECT_FAILS(book_.redeem(Nonce{}), ErrorKind::refused);
}

TEST_F(Challenges, GrowOld) {
  const Nonce young = issue(), old = issue();
  clock_.advance(ChallengeBook::lifetime - std::chrono::seconds(1));
  EXPECT_OK(book_.redeem(young));
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FAILS(book_.redeem(old), ErrorKind::refused);
}

TEST_F(Challenges, TakeNoMoreRoomThanTheirLimit) {
  const Nonce first = issue();
  Nonce last{};
  for (std::size_t i = 0; i < ChallengeBook::max_outstanding; ++i) last = issue();
  EXPECT_FAILS(book_.redeem(first), ErrorKind::refused);
  EXPECT_OK(book_.redeem(last));
}

}  // namespace
}  // namespace cas::dcas
