// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <vector>

#include "ca-system/ca_system.hpp"

namespace cas::emmg_program {

using Instant = std::chrono::nanoseconds;

/// Which EMM is sent next: all of them in the order of their issue, again and again; new ones first. Reads them page
/// by page, so that it does not matter how many there are. One thread at a time.
class Carousel {
 public:
  /// EMMs behind an issue number, in their order, at most so many.
  using Fetch =
      std::function<Result<std::vector<ca_system::StoredEmm>>(ca_system::IssueNumber after, std::size_t count)>;

  /// A cycle begins not before `least_cycle` after the beginning of the last one.
  Carousel(Fetch fetch, std::chrono::milliseconds least_cycle) : fetch_(std::move(fetch)), least_cycle_(least_cycle) {}

  /// The EMM that is due; nothing: there is none now. Good until the next call. Fails as the fetch does.
  [[nodiscard]] Result<const ca_system::StoredEmm*> front(Instant now);
  /// It has been sent.
  void pop();
  /// There are others in the store: those that were never sent go first, those that are gone are not sent any more.
  void changed();

  /// Whole cycles that were sent.
  [[nodiscard]] std::uint64_t cycles() const { return cycles_; }

 private:
  [[nodiscard]] Status fill(Instant now);

  Fetch fetch_;
  std::chrono::milliseconds least_cycle_;
  std::deque<ca_system::StoredEmm> page_;
  bool fresh_ = true;                  ///< The page, or the next one, is of EMMs that were never sent.
  ca_system::IssueNumber newest_ = 0;  ///< That was sent.
  ca_system::IssueNumber at_ = 0;      ///< Where the cycle stands.
  std::optional<Instant> cycle_began_;
  std::uint64_t cycles_ = 0;
};

}  // namespace cas::emmg_program
