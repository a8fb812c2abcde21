// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/utc_time.hpp"

#include <charconv>
#include <cstdio>
#include <optional>

namespace cas::kex {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int first_year = 1970, last_year = 2261;
constexpr std::size_t most_digits = 9;

/// Takes a fixed number of digits from the front.
std::optional<int> digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}
bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<nanoseconds> fraction(std::string_view& text) {
  if (!take(text, '.')) return nanoseconds(0);
  std::int64_t value = 0;
  std::size_t count = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++count, text.remove_prefix(1)) {
    if (count == most_digits) return std::nullopt;
    value = value * 10 + (text.front() - '0');
  }
  if (count == 0) return std::nullopt;
  for (; count < most_digits; ++count) value *= 10;
  return nanoseconds(value);
}

std::optional<minutes> zone(std::string_view& text) {
  if (take(text, 'Z')) return minutes(0);
  const bool west = !text.empty() && text.front() == '-';
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hour = digits(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = digits(text, 2);
  if (!minute || *minute > 59 || *hour > 14) return std::nullopt;  // XML Schema 1.0, 3.2.7.3
  const minutes offset = hours(*hour) + minutes(*minute);
  return west ? -offset : offset;
}

}  // namespace

Result<UtcTime> parse_date_time(std::string_view text) {
  const auto wrong = [] {
    return fail(ErrorKind::malformed, "not a time with a zone between 1970 and 2261, such as 2026-11-30T12:00:00.040Z");
  };
  const auto year = digits(text, 4);
  if (!year || *year < first_year || *year > last_year || !take(text, '-')) return wrong();
  const auto month = digits(text, 2);
  if (!month || !take(text, '-')) return wrong();
  const auto day = digits(text, 2);
  if (!day || !take(text, 'T')) return wrong();
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  const auto hour = digits(text, 2);
  if (!date.ok() || !hour || *hour > 23 || !take(text, ':')) return wrong();
  const auto minute = digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ':')) return wrong();
  const auto second = digits(text, 2);
  if (!second || *second > 59) return wrong();
  const auto below = fraction(text);
  if (!below) return wrong();
  const auto offset = zone(text);
  if (!offset || !text.empty()) return wrong();
  const auto day_count = std::chrono::sys_days(date).time_since_epoch();
  const UtcTime time =
      UtcTime(day_count) + hours(*hour) + minutes(*minute) + seconds(*second) + *below - UtcTime(*offset);
  if (time < UtcTime(0)) return wrong();
  return time;
}

std::string format_date_time(UtcTime time) {
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date{std::chrono::sys_days(day)};
  const std::chrono::hh_mm_ss clock{time - day};
  char text[40];
  const int size =
      std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09d", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                    static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  std::string written(text, static_cast<std::size_t>(size));
  written.erase(written.find_last_not_of('0') + 1);
  if (written.back() == '.') written.pop_back();
  return written + "Z";
}

}  // namespace cas::kex
