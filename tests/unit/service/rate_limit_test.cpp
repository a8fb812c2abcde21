// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/rate_limit.hpp"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;

class RateLimitTest : public testing::Test {
 protected:
  RateLimiter limiter(RateLimit limit, std::size_t clients = 100) {
    return test::value_or_throw(RateLimiter::create(clock_, limit, clients));
  }
  test::ManualClock clock_;
};

TEST_F(RateLimitTest, ABurstAndThenTheRate) {
  RateLimiter limiter = this->limiter({2, 10s, 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.take("a"), 0U);
  EXPECT_EQ(limiter.take("a"), 5U);
  EXPECT_EQ(limiter.take("a"), 5U);  // who asks too early pays nothing
  clock_.advance(2s);
  EXPECT_EQ(limiter.take("a"), 3U);
  clock_.advance(3s);
  EXPECT_EQ(limiter.take("a"), 0U);
  EXPECT_EQ(limiter.take("a"), 5U);
  clock_.advance(1h);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.take("a"), 0U);
  EXPECT_EQ(limiter.take("a"), 5U);
}

TEST_F(RateLimitTest, PartsOfASecondAreRoundedUp) {
  RateLimiter limiter = this->limiter({1000, 1s, 1});
  EXPECT_EQ(limiter.take("a"), 0U);
  EXPECT_EQ(limiter.take("a"), 1U);
}

TEST_F(RateLimitTest, ClientsHaveBucketsOfTheirOwn) {
  RateLimiter limiter = this->limiter({1, 60s, 1});
  EXPECT_EQ(limiter.take("a"), 0U);
  EXPECT_EQ(limiter.take("b"), 0U);
  EXPECT_EQ(limiter.take("a"), 60U);
  EXPECT_EQ(limiter.take("b"), 60U);
}

TEST_F(RateLimitTest, SeveralAtOnceAndMoreThanTheBurst) {
  RateLimiter limiter = this->limiter({1, 1s, 10});
  EXPECT_EQ(limiter.take("a", 4), 0U);
  EXPECT_EQ(limiter.take("a", 10), 4U);
  EXPECT_EQ(limiter.take("a", 6), 0U);
  EXPECT_EQ(limiter.take("a", 25), 10U);
  clock_.advance(10s);
  EXPECT_EQ(limiter.take("a", 25), 0U);
  EXPECT_EQ(limiter.take("a"), 16U);  // 15 are owed
  EXPECT_EQ(limiter.take("b", std::numeric_limits<std::uint32_t>::max()), 0U);
  EXPECT_GT(limiter.take("b"), 1'000'000'000U);
}

TEST_F(RateLimitTest, TheTableIsBounded) {
  RateLimiter limiter = this->limiter({1, 60s, 1}, 3);
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(limiter.take(name), 0U);
  EXPECT_NE(limiter.take("a"), 0U);
  EXPECT_EQ(limiter.take("d"), 0U);  // b gives way
  EXPECT_EQ(limiter.clients(), 3U);
  for (const char* name : {"a", "c", "d"}) EXPECT_NE(limiter.take(name), 0U) << name;
  EXPECT_EQ(limiter.take("b"), 0U);
  for (int i = 0; i < 1000; ++i) (void)limiter.take(std::to_string(i));
  EXPECT_EQ(limiter.clients(), 3U);
}

TEST_F(RateLimitTest, InTheLongRunItIsTheRate) {
  RateLimiter limiter = this->limiter({7, 2s, 5});
  test::SeededRandom random(3);
  std::uint64_t taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto tokens = static_cast<std::uint32_t>(1 + random.below(9));
    if (limiter.take("a", tokens) == 0) taken += tokens;
    if (random.below(2) == 0) clock_.advance(1s);
  }
  const auto most = static_cast<std::uint64_t>(clock_.monotonic() / 1s) * 7 / 2;
  EXPECT_LE(taken, most + 14);
  EXPECT_GE(taken, most * 3 / 4);
}

TEST_F(RateLimitTest, NumbersThatCannotBe) {
  for (const RateLimit& limit : {RateLimit{0, 1s, 1}, RateLimit{1, 0s, 1}, RateLimit{1, 1s, 0}, RateLimit{1, -1s, 1},
                                 RateLimit{2'000'000'000, 1s, 1}, RateLimit{1, 25h, 1}, RateLimit{1, 24h, 1'000'000}})
    EXPECT_FAILS(RateLimiter::create(clock_, limit), ErrorKind::invalid_argument);
  EXPECT_FAILS(RateLimiter::create(clock_, {1, 1s, 1}, 0), ErrorKind::invalid_argument);
  EXPECT_FAILS(RateLimiter::create(clock_, {1, 1s, 1}, 2'000'000), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::service
