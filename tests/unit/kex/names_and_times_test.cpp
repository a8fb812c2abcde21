// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "kex/utc_time.hpp"
#include "kex/uuid.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::kex {
namespace {

TEST(Uuid, ReadsEitherCaseAndWritesLowerCase) {
  const auto uuid = Uuid::parse("98EE5596-cd3e-A20D-163a-e382420c6eff");
  ASSERT_OK(uuid);
  EXPECT_EQ(uuid->text(), "98ee5596-cd3e-a20d-163a-e382420c6eff");
  EXPECT_EQ(common_system.text(), "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b");
  EXPECT_EQ(clear_key_system.text(), "e2719d58-a985-b3c9-781a-b030af78d30e");
}

TEST(Uuid, RefusesOtherForms) {
  for (const char* text : {"", "98ee5596cd3ea20d163ae382420c6eff", "98ee5596-cd3e-a20d-163a-e382420c6ef",
                           "98ee5596-cd3e-a20d-163a-e382420c6efff", "98ee5596-cd3e-a20d-163a-e382420c6efg",
                           "98ee5596-cd3e-a20d-163ae-382420c6eff", "{98ee5596-cd3e-a20d-163a-e382420c6e}"})
    EXPECT_FAILS(Uuid::parse(text), ErrorKind::malformed);
}

TEST(Uuid, IsDrawnAsVersion4) {
  test::SeededRandom random(1);
  for (int i = 0; i < 20; ++i) {
    const std::string text = test::value_or_throw(Uuid::draw(random)).text();
    EXPECT_EQ(text[14], '4');
    EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
  }
}

TEST(DateTime, ReadsZonesAndFractions) {
  const std::pair<const char*, std::int64_t> times[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2026-11-30T12:00:00Z", 1'796'040'000'000'000'000},
      {"2026-11-30T13:00:00.040+01:00", 1'796'040'000'040'000'000},
      {"2026-11-30T06:30:00.000000001-05:30", 1'796'040'000'000'000'001},
      {"2028-02-29T23:59:59.999999999Z", 1'835'481'599'999'999'999},
      {"2261-12-31T23:59:59Z", 9'214'646'399'000'000'000}};
  for (const auto& [text, expected] : times) {
    const auto time = parse_date_time(text);
    ASSERT_OK(time);
    EXPECT_EQ(time->count(), expected) << text;
    EXPECT_EQ(test::value_or_throw(parse_date_time(format_date_time(*time))), *time);
  }
  EXPECT_EQ(format_date_time(UtcTime(1'796'040'000'040'000'000)), "2026-11-30T12:00:00.04Z");
  EXPECT_EQ(format_date_time(UtcTime(1'796'040'000'000'000'000)), "2026-11-30T12:00:00Z");
}

TEST(DateTime, RefusesOtherForms) {
  for (const char* text :
       {"", "2026-11-30", "2026-11-30T12:00:00", "2026-11-30 12:00:00Z", "2026-11-31T12:00:00Z", "2027-02-29T12:00:00Z",
        "2026-13-30T12:00:00Z", "2026-11-30T24:00:00Z", "2026-11-30T12:60:00Z", "2026-11-30T12:00:60Z",
        "2026-11-30T12:00:00.Z", "2026-11-30T12:00:00.0000000001Z", "2026-11-30T12:00:00+15:00",
        "2026-11-30T12:00:00+01", "2026-11-30T12:00:00Zz", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00",
        "2262-01-01T00:00:00Z", "-026-11-30T12:00:00Z"})
    EXPECT_FAILS(parse_date_time(text), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::kex
