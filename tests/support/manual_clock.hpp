// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/clock.hpp"

namespace cas::test {

/// A clock that stands still until the test moves it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(UnixSeconds now = 1'800'000'000) : now_(now) {}
  UnixSeconds now() override { return now_; }
  std::chrono::milliseconds now_in_milliseconds() override { return std::chrono::seconds(now_) + fraction_; }
  std::chrono::nanoseconds monotonic() override { return monotonic_; }
  void advance(std::chrono::seconds by) {
    now_ += by.count();
    monotonic_ += by;
  }
  void set(UnixSeconds now) { now_ = now; }
  /// Behind the whole second of `now`.
  void set_fraction(std::chrono::milliseconds fraction) { fraction_ = fraction; }

 private:
  UnixSeconds now_;
  std::chrono::milliseconds fraction_{0};
  std::chrono::nanoseconds monotonic_{0};
};

}  // namespace cas::test
