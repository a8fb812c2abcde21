// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "ca-system/ca_system.hpp"

namespace cas::emmg_program {

/// Keeps the EMMs of a CA system as its entitlements and keys want them, in a thread of its own, since a disk may make
/// it wait; and tells when there are others, whoever made them.
class EmmKeeper {
 public:
  /// Called in the keeper's thread: with how many EMMs there are now, or why that is not known.
  using Changed = std::function<void(Result<std::uint64_t> emms)>;

  /// `system` is the keeper's own from now on; its clock and randomness may be used by any thread.
  EmmKeeper(ca_system::CaSystem system, Changed changed);
  ~EmmKeeper();
  EmmKeeper(const EmmKeeper&) = delete;
  EmmKeeper& operator=(const EmmKeeper&) = delete;

  /// Any thread: looks now, and calls `changed` whether anything has or not.
  void look_now();

 private:
  void keep(const std::stop_token& stop);
  /// Whether there are other EMMs.
  [[nodiscard]] Result<bool> look();

  ca_system::CaSystem system_;
  Changed changed_;
  std::int64_t version_ = -1;
  int looks_ = 0;
  bool failing_ = false;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool asked_ = false;
  std::jthread thread_;
};

}  // namespace cas::emmg_program
