// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/clock.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace cas {

namespace {

class SystemClock final : public Clock {
 public:
  UnixSeconds now() override {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  std::chrono::milliseconds now_in_milliseconds() override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  }
  std::chrono::nanoseconds monotonic() override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch());
  }
};

tl::unexpected<Error> bad_time() {
  return fail(ErrorKind::malformed,
              "not a UTC time: write it like 2027-01-31T12:00:00Z, or 2027-01-31 for its midnight");
}

/// Whether `text` has a digit wherever `form` has a 0, and the form's own character everywhere else.
bool has_form(std::string_view text, std::string_view form) {
  return std::ranges::equal(text, form, [](char c, char f) { return f == '0' ? c >= '0' && c <= '9' : c == f; });
}

int number_at(std::string_view text, std::size_t position, std::size_t digits) {
  int number = 0;
  for (char c : text.substr(position, digits)) number = number * 10 + (c - '0');
  return number;
}

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Result<UnixSeconds> parse_utc_time(std::string_view text) {
  const bool date_alone = text.size() == 10;
  // RFC 3339, 5.6: digits in fixed places, where scanf would take blanks and signs too.
  if (!has_form(text, date_alone ? "0000-00-00" : "0000-00-00T00:00:00Z")) return bad_time();
  std::tm time{};
  time.tm_year = number_at(text, 0, 4) - 1900;
  time.tm_mon = number_at(text, 5, 2) - 1;
  time.tm_mday = number_at(text, 8, 2);
  if (!date_alone) {
    time.tm_hour = number_at(text, 11, 2);
    time.tm_min = number_at(text, 14, 2);
    time.tm_sec = number_at(text, 17, 2);
  }
  const std::tm asked = time;
  const std::time_t seconds = timegm(&time);
  // timegm carries 31 February over into March: what comes back must be what was written.
  if (time.tm_year != asked.tm_year || time.tm_mon != asked.tm_mon || time.tm_mday != asked.tm_mday ||
      time.tm_hour != asked.tm_hour || time.tm_min != asked.tm_min || time.tm_sec != asked.tm_sec)
    return bad_time();
  return seconds;
}

std::string format_utc_time(UnixSeconds time) {
  const std::time_t seconds = time;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return std::to_string(time);
  // Not strftime, whose %Y writes years before 1000 in fewer than four digits.
  char text[96];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

std::string format_utc_time_with_milliseconds(std::chrono::milliseconds since_1970) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_1970);
  std::string text = format_utc_time(seconds.count());
  const std::string fraction = std::to_string((since_1970 - seconds).count());
  if (text.ends_with('Z')) text.insert(text.size() - 1, '.' + std::string(3 - fraction.size(), '0') + fraction);
  return text;
}

}  // namespace cas
