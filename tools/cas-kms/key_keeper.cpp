// SPDX-License-Identifier: LGPL-2.1-or-later
#include "key_keeper.hpp"

#include <chrono>
#include <iterator>
#include <utility>

namespace cas::kms_program {

namespace {

/// While nobody asks for keys, somebody has to look whether the store is still there.
constexpr std::chrono::seconds between_checks{5};

}  // namespace

KeyKeeper::KeyKeeper(std::unique_ptr<kex::KeyStore> store) : store_(std::move(store)) {
  thread_ = std::thread([this] { run(); });
}

KeyKeeper::~KeyKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void KeyKeeper::settle(std::vector<kex::KeyProposal> proposals, Done done) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(proposals), std::move(done)});
  }
  changed_.notify_all();
}

Status KeyKeeper::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

std::uint64_t KeyKeeper::stored() const {
  const std::lock_guard lock(mutex_);
  return stored_;
}

void KeyKeeper::run() {
  for (;;) {
    std::deque<Job> jobs;
    {
      std::unique_lock lock(mutex_);
      const bool woken = changed_.wait_for(lock, between_checks, [&] { return stopping_ || !waiting_.empty(); });
      if (!woken) {
        lock.unlock();
        const Status found = store_->check();
        lock.lock();
        health_ = found;
        continue;
      }
      if (waiting_.empty()) return;
      std::size_t count = 0;
      while (!waiting_.empty() && (jobs.empty() || count + waiting_.front().proposals.size() <= most_at_once)) {
        count += waiting_.front().proposals.size();
        jobs.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
    }
    work(std::move(jobs));
  }
}

void KeyKeeper::work(std::deque<Job> jobs) {
  std::vector<kex::KeyProposal> all;
  for (Job& job : jobs)  // They leave their number behind.
    std::move(job.proposals.begin(), job.proposals.end(), std::back_inserter(all));
  Settled settled = store_->settle(all);
  std::uint64_t fresh = 0;
  if (settled)
    for (const auto& one : *settled) fresh += one && one->fresh ? 1 : 0;
  {
    const std::lock_guard lock(mutex_);
    health_ = settled ? Status() : Status(fail(settled.error()));
    stored_ += fresh;
  }
  std::size_t at = 0;
  for (Job& job : jobs) {
    if (!settled) {
      job.done(fail(settled.error()));
      continue;
    }
    std::vector<Result<kex::SettledKey>> part;
    for (std::size_t count = job.proposals.size(); count-- > 0;) part.push_back(std::move((*settled)[at++]));
    job.done(std::move(part));
  }
}

}  // namespace cas::kms_program
