// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <mutex>
#include <stop_token>

namespace cas::gst {

/// Ends the waits of a streaming thread from any other thread, and can be armed again (which std::stop_source cannot).
/// Off while an element does not stream and while it flushes.
class StopSwitch {
 public:
  /// Waits that hold a token of this switch end at once; so do those that begin before `rearm`.
  void stop() {
    std::stop_source source(std::nostopstate);
    {
      const std::lock_guard lock(mutex_);
      source = source_;
    }
    source.request_stop();  // Runs callbacks: not under the lock.
  }
  void rearm() {
    const std::lock_guard lock(mutex_);
    if (source_.stop_requested()) source_ = std::stop_source();
  }
  [[nodiscard]] std::stop_token token() {
    const std::lock_guard lock(mutex_);
    return source_.get_token();
  }

 private:
  std::mutex mutex_;
  std::stop_source source_;
};

}  // namespace cas::gst
