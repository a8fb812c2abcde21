// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas {
namespace {

TEST(UtcTime, ReadsKnownTimes) {
  EXPECT_EQ(*parse_utc_time("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(*parse_utc_time("2001-09-09T01:46:40Z"), 1'000'000'000);
  EXPECT_EQ(*parse_utc_time("2027-01-15T08:00:00Z"), 1'800'000'000);
  EXPECT_EQ(*parse_utc_time("1969-12-31T23:59:59Z"), -1);
  EXPECT_EQ(*parse_utc_time("2038-01-19T03:14:08Z"), 1LL << 31);
}

TEST(UtcTime, ADateMeansItsMidnight) {
  EXPECT_EQ(*parse_utc_time("2027-01-15"), *parse_utc_time("2027-01-15T00:00:00Z"));
}

TEST(UtcTime, KnowsLeapYears) {
  EXPECT_OK(parse_utc_time("2028-02-29"));
  EXPECT_OK(parse_utc_time("2000-02-29"));
  EXPECT_FAILS(parse_utc_time("2027-02-29"), ErrorKind::malformed);
  EXPECT_FAILS(parse_utc_time("2100-02-29"), ErrorKind::malformed);
}

TEST(UtcTime, WritesMilliseconds) {
  using std::chrono::milliseconds;
  EXPECT_EQ(format_utc_time_with_milliseconds(milliseconds(1'800'000'000'007)), "2027-01-15T08:00:00.007Z");
  EXPECT_EQ(format_utc_time_with_milliseconds(milliseconds(-1)), "1969-12-31T23:59:59.999Z");
}

TEST(UtcTime, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "2027",
                           "2027-01",
                           "2027-1-15",
                           "2027-01-15T",
                           "2027-01-15T08:00",
                           "2027-01-15T08:00:00",  // parts missing
                           "2027-01-15T08:00:00+01:00",
                           "2027-01-15T08:00:00z",
                           "2027-01-15 08:00:00Z",
                           "2027-01-15T08:00:00.5Z",  // other forms
                           "2027-00-15",
                           "2027-13-15",
                           "2027-01-00",
                           "2027-01-32",
                           "2027-04-31",  // no such day
                           "2027-01-15T24:00:00Z",
                           "2027-01-15T08:60:00Z",
                           "2027-01-15T08:00:60Z",  // no such time
                           "2027-01-15Z",
                           "2027-01-15T08:00:00ZZ",
                           " 2027-01-15",
                           "2027-01-15 ",
                           "2027/01/15",  // more than a time
                           "2027- 1-15",
                           "2027-01- 5",
                           "+027-01-15",
                           "-027-01-15",
                           "2027-+1-15",
                           "20x7-01-15",  // what scanf lets pass
                           "2027-01-15T 8:00:00Z",
                           "2027-01-15T08:-1:00Z",
                           "0x27-01-15"}) {
    SCOPED_TRACE(text);
    EXPECT_FAILS(parse_utc_time(text), ErrorKind::malformed);
  }
  EXPECT_FAILS(parse_utc_time(std::string_view("2027-01-15\0", 11)), ErrorKind::malformed);
  EXPECT_FAILS(parse_utc_time(std::string_view("2027-01-1\0", 10)), ErrorKind::malformed);
}

TEST(UtcTime, TheRefusalShowsHowToWriteIt) {
  EXPECT_THAT(parse_utc_time("tomorrow").error().message, ::testing::HasSubstr("2027-01-31T12:00:00Z"));
}

TEST(UtcTime, ReadsWhatItWrites) {
  test::SeededRandom random(3);
  const UnixSeconds first = *parse_utc_time("0000-01-01");
  const UnixSeconds last = *parse_utc_time("9999-12-31T23:59:59Z");
  for (int round = 0; round < 2000; ++round) {
    const auto time = first + static_cast<UnixSeconds>(random.below(static_cast<std::uint64_t>(last - first)));
    const auto read = parse_utc_time(format_utc_time(time));
    ASSERT_OK(read);
    ASSERT_EQ(*read, time) << format_utc_time(time);
  }
  EXPECT_EQ(format_utc_time(1'800'000'000), "2027-01-15T08:00:00Z");
}

TEST(SystemClock, TellsAPlausibleTimeAndNeverGoesBack) {
  Clock& clock = system_clock();
  EXPECT_GT(clock.now(), *parse_utc_time("2025-01-01"));
  auto last = clock.monotonic();
  for (int i = 0; i < 1000; ++i) {
    const auto next = clock.monotonic();
    ASSERT_GE(next, last);
    last = next;
  }
  EXPECT_EQ(&clock, &system_clock());
}

}  // namespace
}  // namespace cas
