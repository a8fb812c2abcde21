// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to simulcrypt/, not installed.

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "service/event_loop.hpp"
#include "simulcrypt/ecm_supply.hpp"

namespace cas::simulcrypt {

/// What stands between those who want ECMs, on any thread, and the one who gets them, on a loop's: the streams that are
/// wanted, and the events of each. All functions are for any thread.
///
/// Nothing is told of a stream that is wanted no more, and nothing twice: what happened to a wish carries its number,
/// and a request the number of the opening that the asker has taken, so that a request that crosses a loss falls aside.
/// Of each stream at most four events wait.
class EcmMailbox {
 public:
  explicit EcmMailbox(service::EventLoop& loop) : loop_(&loop) {}

  struct Wanted {
    EcmStreamWish wish;
    std::uint64_t number = 0;  ///< Each wish has another.
  };
  /// To which wish a request belongs, and to which opening of its stream; 0: the asker has not seen it open.
  struct Asked {
    std::uint64_t wish = 0;
    std::uint64_t opening = 0;
  };

  // For those who want ECMs.
  /// False: it is wanted in the same way already.
  bool want(const EcmStreamWish& wish);
  bool want_no_more(std::uint16_t stream_id);
  [[nodiscard]] std::optional<Asked> asked(std::uint16_t stream_id) const;
  [[nodiscard]] bool has_events() const { return has_events_.load(std::memory_order_acquire); }
  void take(std::vector<EcmEvent>& events);
  /// When this returns, the ring before is in no call any more. Not from within a ring.
  void on_events(std::function<void()> ring);
  /// Calls `handler` on the loop's thread; after leave_loop, never.
  void post(std::function<void()> handler) const;

  // For the one who gets them.
  [[nodiscard]] std::optional<Wanted> wanted(std::uint16_t stream_id) const;
  /// Gives the number of the opening.
  std::uint64_t opened(std::uint64_t wish, EcmEvent event);
  /// The answer to a request: ecm or refused.
  void answered(std::uint64_t wish, EcmEvent event);
  void lost(std::uint64_t wish, std::uint16_t stream_id);
  void leave_loop();

 private:
  struct Entry {
    EcmStreamWish wish;
    std::uint64_t number = 0;
    std::uint64_t opening_taken = 0;
  };
  struct Item {
    EcmEvent event;
    std::uint64_t opening = 0;  // of opened
  };
  [[nodiscard]] bool is_wanted(std::uint16_t stream_id, std::uint64_t wish) const;
  void forget_events(std::uint16_t stream_id);
  void push(Item item);
  void ring();

  mutable std::mutex mutex_;
  service::EventLoop* loop_;
  std::map<std::uint16_t, Entry> entries_;
  std::vector<Item> events_;
  std::atomic<bool> has_events_ = false;
  std::uint64_t next_number_ = 1;
  std::mutex ring_mutex_;  // apart, so that whoever is rung may take at once
  std::function<void()> ring_;
};

}  // namespace cas::simulcrypt
