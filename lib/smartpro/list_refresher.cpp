// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/list_refresher.hpp"

#include <map>

#include "smartpro/default_places.hpp"

namespace cas::smartpro {

namespace {

void wait_by_the_clock(std::stop_token stop, std::chrono::seconds time) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, std::move(stop), time, [] { return false; });
}

}  // namespace

ListRefresher::ListRefresher(std::unique_ptr<ListFetcher> fetcher, std::chrono::seconds interval, Wait wait)
    : fetcher_(std::move(fetcher)),
      interval_(interval),
      wait_(wait ? std::move(wait) : wait_by_the_clock),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

ListRefresher::~ListRefresher() {
  thread_.request_stop();
  thread_.join();
}

void ListRefresher::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      const std::lock_guard lock(mutex_);
      ++rounds_started_;
      again_ = false;
    }
    auto reports = fetcher_->fetch(stop);
    std::stop_source pause;
    {
      const std::lock_guard lock(mutex_);
      reports_ = std::move(reports);
      rounds_ended_ = rounds_started_;
      pause_ = pause;
      if (again_) pause.request_stop();
    }
    round_ended_.notify_all();
    const std::stop_callback ends_pause(stop, [&pause] { pause.request_stop(); });
    wait_(pause.get_token(), interval_);
  }
}

bool ListRefresher::wait_for_round(std::uint64_t round, const std::stop_token& stop,
                                   std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  return round_ended_.wait_for(lock, stop, at_most, [&] { return rounds_ended_ >= round; });
}

bool ListRefresher::wait_for_first(std::stop_token stop, std::chrono::milliseconds at_most) {
  return wait_for_round(1, stop, at_most);
}

bool ListRefresher::fetch_again(std::stop_token stop, std::chrono::milliseconds at_most) {
  std::stop_source pause(std::nostopstate);
  std::uint64_t round = 0;
  {
    const std::lock_guard lock(mutex_);
    again_ = true;
    pause = pause_;
    round = rounds_started_ + 1;
  }
  pause.request_stop();
  return wait_for_round(round, stop, at_most);
}

std::vector<ListReport> ListRefresher::last_reports() const {
  const std::lock_guard lock(mutex_);
  return reports_;
}

Result<ProcessLists> process_lists(const RevocationKey& root_key, const std::string& source) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<HostLists>> all_lists;
  static std::map<std::string, std::weak_ptr<ListRefresher>> all_refreshers;

  if (!source.empty()) CAS_TRY(check_list_source(source));
  const auto folder = default_lists_folder();
  const std::string key = to_hex(root_key) + (folder ? folder->string() : std::string());
  const std::lock_guard lock(mutex);
  ProcessLists found;
  found.lists = all_lists[key].lock();
  if (!found.lists) {
    found.lists = folder ? HostLists::in_folder(*folder, root_key) : HostLists::in_memory(root_key);
    all_lists[key] = found.lists;
  }
  auto& refresher = all_refreshers[key + "\n" + source];
  found.refresher = refresher.lock();
  if (found.refresher) return found;
  ListFetcher::Options options;
  if (!source.empty()) options.sources = std::vector<std::string>{source};
  auto fetcher = std::make_unique<ListFetcher>(found.lists, std::move(options));
  CAS_TRY_ASSIGN(const std::vector<std::string> sources, fetcher->sources());
  if (sources.empty()) return found;
  found.refresher = std::make_shared<ListRefresher>(std::move(fetcher));
  refresher = found.refresher;
  return found;
}

}  // namespace cas::smartpro
