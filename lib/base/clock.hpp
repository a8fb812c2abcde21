// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cas {

/// Seconds since 1970-01-01T00:00:00Z, as licences, certificates and lists carry time.
using UnixSeconds = std::int64_t;

/// Where time comes from. Implementations may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  /// The time of day, for validity windows.
  [[nodiscard]] virtual UnixSeconds now() = 0;
  /// The time of day since 1970 for records; in whole seconds where a clock has nothing finer.
  [[nodiscard]] virtual std::chrono::milliseconds now_in_milliseconds() { return std::chrono::seconds(now()); }
  /// A clock that never goes back, for durations and time-outs.
  [[nodiscard]] virtual std::chrono::nanoseconds monotonic() = 0;
};

/// The operating system's clocks. Lives as long as the process.
[[nodiscard]] Clock& system_clock();

/// Reads an RFC 3339 UTC time such as "2027-01-31T12:00:00Z", or a date alone, which means its midnight.
[[nodiscard]] Result<UnixSeconds> parse_utc_time(std::string_view text);
/// Writes "2027-01-31T12:00:00Z".
[[nodiscard]] std::string format_utc_time(UnixSeconds time);
/// Writes "2027-01-31T12:00:00.123Z".
[[nodiscard]] std::string format_utc_time_with_milliseconds(std::chrono::milliseconds since_1970);

}  // namespace cas
