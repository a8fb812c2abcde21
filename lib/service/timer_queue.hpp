// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed: what an event loop has to do at which time. No clock and no thread of its own.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace cas::service {

class TimerQueue {
 public:
  /// The time, and which of those at the same time came first.
  using Key = std::pair<std::chrono::nanoseconds, std::uint64_t>;

  Key add(std::chrono::nanoseconds deadline, std::function<void()> handler) {
    const Key key{deadline, next_++};
    timers_.emplace(key, std::move(handler));
    return key;
  }
  void cancel(const Key& key) { timers_.erase(key); }
  [[nodiscard]] bool contains(const Key& key) const { return timers_.contains(key); }

  [[nodiscard]] std::optional<std::chrono::nanoseconds> next_deadline() const {
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first.first;
  }

  /// Calls what is due, in order. What a handler adds waits for the next call, even if it is due: a timer that sets
  /// itself again with no delay does not keep everything else waiting.
  void run_due(std::chrono::nanoseconds now) {
    const std::uint64_t end = next_;
    Key at{std::chrono::nanoseconds::min(), 0};
    for (;;) {
      auto due = timers_.lower_bound(at);
      while (due != timers_.end() && due->first.first <= now && due->first.second >= end) ++due;
      if (due == timers_.end() || due->first.first > now) return;
      at = due->first;
      const std::function<void()> handler = std::move(due->second);
      timers_.erase(due);
      handler();
    }
  }

 private:
  std::map<Key, std::function<void()>> timers_;
  std::uint64_t next_ = 0;
};

}  // namespace cas::service
