// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ca-system/key_watcher.hpp"

#include <chrono>
#include <limits>
#include <utility>

namespace cas::ca_system {

namespace {

constexpr std::chrono::milliseconds between_looks{500};

}  // namespace

KeyWatcher::KeyWatcher(CaSystem system, Clock& clock, Changed changed)
    : system_(std::move(system)), clock_(&clock), changed_(std::move(changed)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

KeyWatcher::~KeyWatcher() = default;

void KeyWatcher::read_now() {
  const std::lock_guard lock(mutex_);
  asked_ = true;
  wake_.notify_all();
}

Result<std::optional<std::vector<EntitlementKey>>> KeyWatcher::look(bool asked) {
  bool changed = asked;
  if (clock_->now() >= next_change_) {
    CAS_TRY_ASSIGN(const bool renewed, system_.renew_keys());
    changed = changed || renewed || next_change_ == 0;
  }
  CAS_TRY_ASSIGN(const std::int64_t version, system_.data_version());
  if (version == version_ && !changed) return std::nullopt;
  CAS_TRY_ASSIGN(std::vector<EntitlementKey> keys, system_.keys());
  version_ = version;
  // Of each product the last key is the next one: when it begins, there must be another.
  next_change_ = std::numeric_limits<UnixSeconds>::max();
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (i + 1 == keys.size() || keys[i + 1].product != keys[i].product)
      next_change_ = std::min(next_change_, keys[i].start);
  return keys;
}

void KeyWatcher::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    bool asked = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, between_looks, [this] { return asked_; });
      asked = std::exchange(asked_, false);
    }
    if (stop.stop_requested()) return;
    auto keys = look(asked);
    if (!keys) {
      // Said once; what was asked for is always answered.
      if (asked || !failing_) changed_(fail(std::move(keys).error()));
      failing_ = true;
      continue;
    }
    failing_ = false;
    if (*keys) changed_(std::move(**keys));
  }
}

}  // namespace cas::ca_system
