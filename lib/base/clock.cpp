// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/clock.hpp"

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
  std::chrono::nanoseconds monotonic() override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch());
  }
};

tl::unexpected<Error> bad_time() {
  return fail(ErrorKind::malformed, "not a UTC time: write it like 2027-01-31T12:00:00Z, or 2027-01-31 for its midnight");
}

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Result<UnixSeconds> parse_utc_time(std::string_view text) {
  const std::string copy(text);
  std::tm time{};
  int consumed = 0;
  const char* format = nullptr;
  int fields = 0;
  if (copy.size() == 10) {
    format = "%4d-%2d-%2d%n";
    fields = std::sscanf(copy.c_str(), format, &time.tm_year, &time.tm_mon, &time.tm_mday, &consumed);
    if (fields != 3) return bad_time();
  } else {
    format = "%4d-%2d-%2dT%2d:%2d:%2dZ%n";
    fields = std::sscanf(copy.c_str(), format, &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour, &time.tm_min,
                         &time.tm_sec, &consumed);
    if (fields != 6) return bad_time();
  }
  if (static_cast<std::size_t>(consumed) != copy.size()) return bad_time();
  const std::tm asked = time;
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  const std::time_t seconds = timegm(&time);
  // timegm carries 31 February over into March: what comes back must be what was written.
  if (time.tm_year + 1900 != asked.tm_year || time.tm_mon + 1 != asked.tm_mon || time.tm_mday != asked.tm_mday ||
      time.tm_hour != asked.tm_hour || time.tm_min != asked.tm_min || time.tm_sec != asked.tm_sec)
    return bad_time();
  return seconds;
}

std::string format_utc_time(UnixSeconds time) {
  const std::time_t seconds = time;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return std::to_string(time);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

}  // namespace cas
