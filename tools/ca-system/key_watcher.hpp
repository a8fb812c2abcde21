// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "ca-system/ca_system.hpp"

namespace cas::ca_system {

/// Looks after the keys of a CA system in a thread of its own, since a disk may make it wait: sees to it that each
/// product has its next key in time, and tells when they have changed, whoever changed them.
class KeyWatcher {
 public:
  /// Called in the watcher's thread with all keys; an error when they could not be read, and those before go on.
  using Changed = std::function<void(Result<std::vector<EntitlementKey>> keys)>;

  /// `system` is the watcher's own from now on; its clock and randomness may be used by any thread.
  KeyWatcher(CaSystem system, Clock& clock, Changed changed);
  ~KeyWatcher();
  KeyWatcher(const KeyWatcher&) = delete;
  KeyWatcher& operator=(const KeyWatcher&) = delete;

  /// Any thread: reads the keys now, and calls `changed` whether they have changed or not.
  void read_now();

 private:
  void watch(const std::stop_token& stop);
  /// Nothing: nothing has changed.
  [[nodiscard]] Result<std::optional<std::vector<EntitlementKey>>> look(bool asked);

  CaSystem system_;
  Clock* clock_;
  Changed changed_;
  std::int64_t version_ = -1;
  UnixSeconds next_change_ = 0;
  bool failing_ = false;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool asked_ = false;
  std::jthread thread_;
};

}  // namespace cas::ca_system
