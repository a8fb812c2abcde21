// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/key_periods.hpp"

#include <gtest/gtest.h>

#include <string>

#include "crypto/constant_time.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::simulcrypt {
namespace {

using std::chrono::seconds;
using test::value_or_throw;

/// A key that says whose it is.
ContentKey key(std::uint64_t period, std::uint8_t kind = 0) {
  ContentKey made;
  made.period = period;
  made.key = SecretBytes(16);
  made.key.reveal_mutable()[0] = kind;
  for (unsigned byte = 0; byte < 8; ++byte)
    made.key.reveal_mutable()[8 + byte] = static_cast<std::uint8_t>(period >> 8 * byte);
  made.key_id = std::to_string(period) + "/" + std::to_string(kind);
  made.content_id = "channel";
  return made;
}
ContentKey timed(std::uint64_t period, seconds start, seconds end, bool is_utc = false) {
  ContentKey made = key(period);
  made.period_start = start;
  made.period_end = end;
  made.is_utc = is_utc;
  return made;
}

/// The numbers of all that is known, from `first` on.
std::string numbers(const KeyPeriods& periods, PeriodIndex first) {
  std::string all;
  for (; periods.find(first) != nullptr; ++first)
    all += (all.empty() ? "" : " ") + std::to_string(periods.find(first)->period);
  return all;
}
std::string words(const KeyPeriods& periods, PeriodIndex period, std::uint8_t lead, std::uint8_t per_message) {
  EcmStreamTerms terms;
  terms.lead_cw = lead;
  terms.cw_per_msg = per_message;
  const KeyPeriods::Window window = periods.window(period, terms);
  std::string all;
  for (const auto& [cp, word] : window.words) {
    std::string of = "?";
    for (PeriodIndex at = -40; at < 40; ++at)
      if (periods.find(at) != nullptr && &periods.find(at)->key == word) of = std::to_string(periods.find(at)->period);
    all += (all.empty() ? "" : " ") + std::to_string(cp) + "=" + of;
  }
  if (window.has_stand_in_ahead) all += " stand-in";
  if (!window.is_final) all += " for now";
  return all;
}

TEST(KeyPeriods, FollowOneAnother) {
  KeyPeriods periods(0);
  EXPECT_FALSE(periods.in_force());
  ASSERT_TRUE(periods.begin(key(1234567), -1));
  const PeriodIndex first = *periods.in_force();
  EXPECT_OK(periods.announce(key(1234568)));
  EXPECT_OK(periods.announce(key(1234569)));
  EXPECT_EQ(numbers(periods, first), "1234567 1234568 1234569");
  EXPECT_EQ(periods.cp_number(first), static_cast<std::uint16_t>(1234567));
  ASSERT_TRUE(periods.begin(key(1234568), first));
  EXPECT_EQ(periods.in_force(), first + 1);
  EXPECT_TRUE(periods.is_followed(first));
}

TEST(KeyPeriods, WhatIsKnownIsNothingNew) {
  KeyPeriods periods(0);
  ASSERT_TRUE(periods.begin(key(5), -1));
  EXPECT_FALSE(periods.begin(key(5), *periods.in_force()));
  EXPECT_OK(periods.announce(key(5)));
  EXPECT_OK(periods.announce(key(6)));
  EXPECT_OK(periods.announce(key(6)));
  EXPECT_EQ(numbers(periods, *periods.in_force()), "5 6");
}

TEST(KeyPeriods, WhatIsLeftOutIsGone) {
  KeyPeriods periods(0);
  ASSERT_TRUE(periods.begin(key(5), -1));
  const PeriodIndex on = *periods.in_force();
  for (const std::uint64_t ahead : {6, 7, 8, 9}) EXPECT_OK(periods.announce(key(ahead)));
  const auto change = periods.begin(key(8), on);
  ASSERT_TRUE(change);
  EXPECT_TRUE(change->removes(on + 1));
  EXPECT_TRUE(change->removes(on + 2));
  EXPECT_FALSE(change->removes(on + 3));
  EXPECT_EQ(change->moved(on), *periods.in_force() - 1);
  EXPECT_EQ(numbers(periods, change->moved(on)), "5 8 9");
  EXPECT_FALSE(periods.is_followed(change->moved(on)));
}

TEST(KeyPeriods, OneThatNobodyAnnouncedLeavesThoseBehindItAnnounced) {
  KeyPeriods periods(0);
  EXPECT_OK(periods.announce(key(7)));
  ASSERT_TRUE(periods.begin(key(6), -1));
  EXPECT_EQ(numbers(periods, *periods.in_force()), "6 7");
  ASSERT_TRUE(periods.begin(key(2), *periods.in_force()));
  EXPECT_EQ(numbers(periods, *periods.in_force()), "2 7");
  EXPECT_OK(periods.announce(key(3)));
  EXPECT_EQ(numbers(periods, *periods.in_force()), "2 3 7");
}

TEST(KeyPeriods, OneWhoseWordNeverCameIntoUseIsOver) {
  KeyPeriods periods(0);
  ASSERT_TRUE(periods.begin(key(5), -1));
  const PeriodIndex on = *periods.in_force();
  ASSERT_TRUE(periods.begin(key(6), on));
  const auto change = periods.begin(key(7), on);
  ASSERT_TRUE(change);
  EXPECT_EQ(numbers(periods, change->moved(on)), "5 7");
  EXPECT_EQ(*periods.in_force(), change->moved(on) + 1);
}

TEST(KeyPeriods, AnotherKeyTakesThePlaceOfTheOneThatWasAnnounced) {
  KeyPeriods periods(0);
  ASSERT_TRUE(periods.begin(key(5), -1));
  const PeriodIndex on = *periods.in_force();
  EXPECT_OK(periods.announce(key(6)));
  EXPECT_OK(periods.announce(key(7)));
  const auto change = value_or_throw(periods.announce(key(6, 1)));
  EXPECT_TRUE(change.removes(on + 1));
  EXPECT_TRUE(change.removes(on + 2));
  EXPECT_EQ(numbers(periods, on), "5 6");
  EXPECT_EQ(periods.find(on + 1)->key_id, "6/1");
  ASSERT_TRUE(periods.begin(key(6, 2), on));
  EXPECT_EQ(periods.find(*periods.in_force())->key_id, "6/2");
  // Under the same id, too.
  ContentKey renewed = key(6, 3);
  renewed.key_id = "6/2";
  ASSERT_TRUE(periods.begin(std::move(renewed), *periods.in_force()));
  EXPECT_EQ(periods.find(*periods.in_force())->key.reveal()[0], 3);
  // Two contents one after the other, each with one key.
  KeyPeriods fixed(0);
  ASSERT_TRUE(fixed.begin(key(0), -1));
  EXPECT_OK(fixed.announce(key(0, 1)));
  EXPECT_EQ(numbers(fixed, *fixed.in_force()), "0 0");
}

TEST(KeyPeriods, MayWrap) {
  KeyPeriods periods(0);
  ASSERT_TRUE(periods.begin(key(0xFFFFFFFF), -1));
  EXPECT_OK(periods.announce(key(1)));
  EXPECT_OK(periods.announce(key(0)));
  EXPECT_EQ(numbers(periods, *periods.in_force()), "4294967295 0 1");
  EXPECT_TRUE(periods.is_followed(*periods.in_force()));
  EXPECT_EQ(words(periods, *periods.in_force(), 1, 2), "65535=4294967295 0=0");
}

TEST(KeyPeriods, AreNotAnnouncedWithoutEnd) {
  KeyPeriods periods(0);
  for (std::uint64_t ahead = 0; ahead < KeyPeriods::max_announced; ++ahead) EXPECT_OK(periods.announce(key(ahead)));
  EXPECT_FAILS(periods.announce(key(KeyPeriods::max_announced)), ErrorKind::exhausted);
  ASSERT_TRUE(periods.begin(key(0), -1));
  EXPECT_OK(periods.announce(key(KeyPeriods::max_announced)));
}

TEST(KeyPeriods, WordsThatNoPeriodHasAreThoseInUse) {
  KeyPeriods periods(0);
  ASSERT_TRUE(periods.begin(key(5), -1));
  const PeriodIndex first = *periods.in_force();
  EXPECT_EQ(words(periods, first, 0, 1), "5=5");
  EXPECT_EQ(words(periods, first, 0, 2), "4=5 5=5");
  EXPECT_EQ(words(periods, first, 1, 2), "5=5 6=5 stand-in for now");
  EXPECT_OK(periods.announce(key(6)));
  EXPECT_EQ(words(periods, first, 1, 2), "5=5 6=6");
  EXPECT_EQ(words(periods, first + 1, 2, 3), "6=6 7=5 8=6 stand-in for now");
  // Over a jump nobody waits for a word that will not come.
  EXPECT_OK(periods.announce(key(9)));
  EXPECT_EQ(words(periods, first + 1, 1, 2), "6=6 7=5 stand-in");
  EXPECT_EQ(words(periods, first + 2, 0, 3), "7=9 8=6 9=9");
  EXPECT_EQ(words(periods, first + 2, 1, 2), "9=9 10=6 stand-in for now");
}

TEST(KeyPeriods, TimesAreAsAnnounced) {
  KeyPeriods periods(0);
  ASSERT_TRUE(periods.begin(timed(5, seconds(100), seconds(107)), -1));
  const PeriodIndex first = *periods.in_force();
  EXPECT_OK(periods.announce(timed(6, seconds(107), seconds(115))));
  EXPECT_OK(periods.announce(key(7)));
  EXPECT_OK(periods.announce(timed(8, seconds(1'000'000), seconds(1'000'003), true)));
  EXPECT_EQ(periods.duration(first, seconds(10)), seconds(7));
  EXPECT_EQ(periods.duration(first + 2, seconds(10)), seconds(10));
  EXPECT_EQ(periods.distance(first, first + 1, seconds(10)), seconds(7));
  EXPECT_EQ(periods.distance(first, first + 3, seconds(10)), seconds(25));  // Of two clocks: by what they last.
  EXPECT_OK(periods.announce(timed(7, seconds(115), seconds(118))));
  EXPECT_EQ(periods.duration(first + 2, seconds(10)), seconds(3));
  EXPECT_OK(periods.announce(timed(9, seconds(50), seconds(40))));
  EXPECT_EQ(periods.duration(first + 4, seconds(10)), seconds(10));
}

}  // namespace
}  // namespace cas::simulcrypt
