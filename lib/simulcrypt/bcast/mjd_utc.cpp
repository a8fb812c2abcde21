// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/drm_stkm.hpp"

namespace cas::simulcrypt::bcast {

namespace {

constexpr UnixSeconds seconds_a_day = 86400;
constexpr UnixSeconds mjd_of_1970 = 40587;  // EN 300 468, annex C: MJD 40,587 is 1970-01-01
constexpr UnixSeconds last_mjd = 0xffff;

std::uint64_t to_bcd(UnixSeconds number) { return static_cast<std::uint64_t>((number / 10) << 4 | number % 10); }

/// Two decimal digits below `limit`; -1 otherwise.
UnixSeconds from_bcd(std::uint64_t byte, UnixSeconds limit) {
  const auto tens = static_cast<UnixSeconds>(byte >> 4 & 15);
  const auto ones = static_cast<UnixSeconds>(byte & 15);
  const UnixSeconds number = tens * 10 + ones;
  return ones > 9 || tens > 9 || number >= limit ? -1 : number;
}

}  // namespace

Result<std::uint64_t> to_mjd_utc(UnixSeconds time) {
  const UnixSeconds day = time / seconds_a_day + mjd_of_1970;
  if (time < 0 || day > last_mjd) {
    return fail(ErrorKind::invalid_argument, "A key message tells times from 1970 to 2038-04-22 only");
  }
  const UnixSeconds second = time % seconds_a_day;
  return static_cast<std::uint64_t>(day) << 24 | to_bcd(second / 3600) << 16 | to_bcd(second / 60 % 60) << 8 |
         to_bcd(second % 60);
}

Result<UnixSeconds> from_mjd_utc(std::uint64_t field) {
  const UnixSeconds hour = from_bcd(field >> 16 & 0xff, 24);
  const UnixSeconds minute = from_bcd(field >> 8 & 0xff, 60);
  const UnixSeconds second = from_bcd(field & 0xff, 60);
  const auto day = static_cast<UnixSeconds>(field >> 24);
  if (field >> 40 != 0 || day < mjd_of_1970 || hour < 0 || minute < 0 || second < 0) {
    return fail(ErrorKind::malformed, "The timestamp of a key message is no time");
  }
  return (day - mjd_of_1970) * seconds_a_day + hour * 3600 + minute * 60 + second;
}

std::uint8_t lifetime_exponent_for(std::chrono::milliseconds duration) {
  std::uint8_t exponent = 0;
  while (exponent < 15 && std::chrono::seconds(std::int64_t{1} << exponent) < duration) ++exponent;
  return exponent;
}

}  // namespace cas::simulcrypt::bcast
