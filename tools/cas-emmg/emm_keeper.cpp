// SPDX-License-Identifier: LGPL-2.1-or-later
#include "emm_keeper.hpp"

#include <chrono>
#include <utility>

namespace cas::emmg_program {

namespace {

constexpr std::chrono::milliseconds between_looks{500};
// Entitlements and keys end by themselves: so often it is looked at when nobody has written anything.
constexpr int looks_between_refreshes = 10;

}  // namespace

EmmKeeper::EmmKeeper(ca_system::CaSystem system, Changed changed)
    : system_(std::move(system)), changed_(std::move(changed)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { keep(stop); });
}

EmmKeeper::~EmmKeeper() = default;

void EmmKeeper::look_now() {
  const std::lock_guard lock(mutex_);
  asked_ = true;
  wake_.notify_all();
}

Result<bool> EmmKeeper::look() {
  CAS_TRY_ASSIGN(const std::int64_t version, system_.data_version());
  const bool by_others = version != version_;
  if (!by_others && ++looks_ < looks_between_refreshes) return false;
  looks_ = 0;
  CAS_TRY_ASSIGN(const std::uint64_t made, system_.refresh_emms());
  version_ = version;
  return by_others || made != 0;
}

void EmmKeeper::keep(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    bool asked = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, between_looks, [this] { return asked_; });
      asked = std::exchange(asked_, false);
    }
    if (stop.stop_requested()) return;
    if (asked) version_ = -1;
    const Result<bool> changed = look();
    if (!changed) {
      // Said once; what was asked for is always answered.
      if (asked || !failing_) changed_(fail(changed.error()));
      failing_ = true;
      continue;
    }
    failing_ = false;
    if (*changed) changed_(system_.emm_count());
  }
}

}  // namespace cas::emmg_program
