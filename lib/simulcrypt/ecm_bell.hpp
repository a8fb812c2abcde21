// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <utility>

namespace cas::simulcrypt {

/// Rung by those who have an answer, heard by one who waits for it. Any thread.
class EcmBell {
 public:
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    heard_.notify_all();
  }
  /// Waits until it is rung, or has been since the last time; at most up to `until`. False: it has not been rung in
  /// time, or `stop` was requested.
  [[nodiscard]] bool wait(std::chrono::steady_clock::time_point until, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    heard_.wait_until(lock, stop, until, [&] { return rung_; });
    return std::exchange(rung_, false);
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any heard_;
  bool rung_ = false;
};

}  // namespace cas::simulcrypt
