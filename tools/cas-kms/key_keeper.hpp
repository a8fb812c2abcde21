// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kex/key_store.hpp"

namespace cas::kms_program {

/// Settles keys on a thread of its own, so that a disk or a database holds nobody up who does not need it. What comes while
/// it is at work is settled together then: one transaction, one synchronisation of the disk, however many there are.
class KeyKeeper {
 public:
  using Settled = Result<std::vector<kex::SettledKey>>;
  /// On the keeper's thread.
  using Done = std::function<void(Settled)>;
  static constexpr std::size_t most_at_once = 1'000;  ///< Keys of one transaction.

  /// Starts the thread.
  explicit KeyKeeper(std::unique_ptr<kex::KeyStore> store);
  /// Settles what waits, and ends it.
  ~KeyKeeper();
  KeyKeeper(const KeyKeeper&) = delete;
  KeyKeeper& operator=(const KeyKeeper&) = delete;

  /// Any thread. `done` is called once.
  void settle(std::vector<kex::KeyProposal> proposals, Done done);
  /// The same with keys that a client has made. They are brought by themselves, since they are refused as a whole.
  void bring(std::vector<kex::KeyProposal> keys, Done done);
  /// How the last call went: for health. Any thread.
  [[nodiscard]] Status health() const;
  [[nodiscard]] std::uint64_t stored() const;  ///< Keys that were stored by this keeper.

 private:
  struct Job {
    std::vector<kex::KeyProposal> proposals;
    Done done;
    bool brought = false;
  };
  void add(Job job);
  void run();
  [[nodiscard]] std::deque<Job> next_jobs();  ///< Behind the lock.
  void work(std::deque<Job> jobs);

  std::unique_ptr<kex::KeyStore> store_;
  mutable std::mutex mutex_;  ///< Of all below.
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  Status health_;
  std::uint64_t stored_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cas::kms_program
