// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "smartpro/list_fetcher.hpp"

namespace cas::smartpro {

/// Keeps a host's lists up to date while it lives: a thread that fetches at once, and then again and again. Any thread
/// may call.
class ListRefresher {
 public:
  /// Waits so long, or until the token says stop. Tests give one that does not.
  using Wait = std::function<void(std::stop_token stop, std::chrono::seconds time)>;
  static constexpr std::chrono::seconds usual_interval{3600};

  explicit ListRefresher(std::unique_ptr<ListFetcher> fetcher, std::chrono::seconds interval = usual_interval,
                         Wait wait = nullptr);
  /// Breaks off what is under way.
  ~ListRefresher();
  ListRefresher(const ListRefresher&) = delete;
  ListRefresher& operator=(const ListRefresher&) = delete;

  /// Waits until the first round has ended: at most so long, and not when `stop` is requested. Whether it has ended.
  bool wait_for_first(std::stop_token stop, std::chrono::milliseconds at_most);
  /// Starts another round, and waits for its end as above.
  bool fetch_again(std::stop_token stop, std::chrono::milliseconds at_most);
  /// What came of the last round.
  [[nodiscard]] std::vector<ListReport> last_reports() const;

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] bool wait_for_round(std::uint64_t round, const std::stop_token& stop,
                                    std::chrono::milliseconds at_most);

  const std::unique_ptr<ListFetcher> fetcher_;
  const std::chrono::seconds interval_;
  const Wait wait_;
  mutable std::mutex mutex_;  // Guards what follows; not held while the thread fetches or waits.
  std::condition_variable_any round_ended_;
  std::uint64_t rounds_started_ = 0;
  std::uint64_t rounds_ended_ = 0;
  bool again_ = false;
  std::stop_source pause_;
  std::vector<ListReport> reports_;
  std::jthread thread_;  // Last: it uses all of the above.
};

/// What the sessions of a process share.
struct ProcessLists {
  std::shared_ptr<HostLists> lists;
  std::shared_ptr<ListRefresher> refresher;  ///< Null where there is no source.
};

/// The lists in the default folder, kept up to date from `source`, or where that is empty from the folder's sources.
/// The same ones for all who ask while somebody
/// holds them. Where this machine has no home folder they are in memory. Never waits for a source.
/// ErrorKind::invalid_argument for what is no source.
[[nodiscard]] Result<ProcessLists> process_lists(const RevocationKey& root_key, const std::string& source);

}  // namespace cas::smartpro
