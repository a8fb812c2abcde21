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
  add({std::move(proposals), std::move(done), false});
}

void KeyKeeper::bring(std::vector<kex::KeyProposal> keys, Done done) { add({std::move(keys), std::move(done), true}); }

void KeyKeeper::add(Job job) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(job));
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
      jobs = next_jobs();
    }
    work(std::move(jobs));
  }
}

/// One that was brought, or as many of the others as come next.
std::deque<KeyKeeper::Job> KeyKeeper::next_jobs() {
  std::deque<Job> jobs;
  std::size_t count = 0;
  while (!waiting_.empty()) {
    const Job& next = waiting_.front();
    if (!jobs.empty() && (next.brought || jobs.front().brought || count + next.proposals.size() > most_at_once)) break;
    count += next.proposals.size();
    jobs.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return jobs;
}

void KeyKeeper::work(std::deque<Job> jobs) {
  std::vector<kex::KeyProposal> all;
  for (Job& job : jobs)  // They leave their number behind.
    std::move(job.proposals.begin(), job.proposals.end(), std::back_inserter(all));
  Settled settled = jobs.front().brought ? store_->bring(all) : store_->settle(all);
  std::uint64_t fresh = 0;
  if (settled)
    for (const kex::SettledKey& one : *settled) fresh += one.fresh ? 1 : 0;
  {
    const std::lock_guard lock(mutex_);
    // What is refused is none of the store's faults.
    const bool fine = settled || (jobs.front().brought && settled.error().kind == ErrorKind::refused);
    health_ = fine ? Status() : Status(fail(settled.error()));
    stored_ += fresh;
  }
  std::size_t at = 0;
  for (Job& job : jobs) {
    if (!settled) {
      job.done(fail(settled.error()));
      continue;
    }
    std::vector<kex::SettledKey> part;
    for (std::size_t count = job.proposals.size(); count-- > 0;) part.push_back(std::move((*settled)[at++]));
    job.done(std::move(part));
  }
}

}  // namespace cas::kms_program
