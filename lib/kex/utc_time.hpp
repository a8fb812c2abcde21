// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cas::kex {

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds: 1970 to 2261.
using UtcTime = std::chrono::duration<std::int64_t, std::nano>;

/// Reads an xs:dateTime with a time zone: "2026-11-30T12:00:00Z", "2026-11-30T13:00:00.040+01:00". Up to nine digits
/// behind the point. ErrorKind::malformed for another form, without a zone, or out of the range.
[[nodiscard]] Result<UtcTime> parse_date_time(std::string_view text);
/// With as many digits behind the point as are needed, and "Z".
[[nodiscard]] std::string format_date_time(UtcTime time);

}  // namespace cas::kex
