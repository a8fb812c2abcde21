// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cstdint>

#include "simulcrypt/problem.hpp"

namespace cas::simulcrypt {

/// Lets a flow of at most so many kbit/s pass, with bursts of at most `depth` bytes. Exact: counts millionths of a bit.
class LeakyBucket {
 public:
  LeakyBucket(std::uint16_t kbit_per_second, std::size_t depth, Instant now)
      : rate_(kbit_per_second), depth_(std::uint64_t{depth} * micro_bits), last_(now) {}

  /// Whether `size` bytes, at most 2^32, may pass now; those that may not leave no trace.
  [[nodiscard]] bool pass(std::size_t size, Instant now) {
    leak(now);
    const std::uint64_t more = std::uint64_t{size} * micro_bits;
    if (rate_ == 0 || more > depth_ || level_ > depth_ - more) return false;
    level_ += more;
    return true;
  }
  /// From now on another rate and depth.
  void set(std::uint16_t kbit_per_second, std::size_t depth, Instant now) {
    leak(now);
    rate_ = kbit_per_second;
    depth_ = std::uint64_t{depth} * micro_bits;
  }
  [[nodiscard]] std::uint16_t rate() const { return rate_; }

 private:
  static constexpr std::uint64_t micro_bits = 8'000'000;  // in a byte

  // 1 kbit/s is a millionth of a bit in a nanosecond.
  void leak(Instant now) {
    const auto elapsed = static_cast<std::uint64_t>(std::max<std::int64_t>((now - last_).count(), 0));
    last_ = std::max(last_, now);
    // Divided first: the product could overflow.
    if (rate_ != 0) level_ = elapsed > level_ / rate_ ? 0 : level_ - elapsed * rate_;
  }

  std::uint16_t rate_;
  std::uint64_t depth_;
  std::uint64_t level_ = 0;
  Instant last_;
};

}  // namespace cas::simulcrypt
