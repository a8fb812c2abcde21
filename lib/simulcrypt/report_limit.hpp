// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to simulcrypt/, not installed.

#include <cstdint>
#include <optional>

#include "simulcrypt/problem.hpp"

namespace cas::simulcrypt {

/// Lets a peer that misbehaves on purpose not fill the operator's log: twenty problems a second, and how many others
/// there were.
class ReportLimit {
 public:
  /// The problem as it is to be told; nothing: it is only counted.
  [[nodiscard]] std::optional<Problem> pass(const Problem& problem, Instant now) {
    if (now >= window_ + std::chrono::seconds(1)) {
      window_ = now;
      passed_ = 0;
    }
    if (passed_ == most) {
      ++left_out_;
      return std::nullopt;
    }
    ++passed_;
    Problem told = problem;
    if (left_out_ != 0) told.message += " (" + std::to_string(left_out_) + " other problems were left out)";
    left_out_ = 0;
    return told;
  }

 private:
  static constexpr unsigned most = 20;
  Instant window_{};
  unsigned passed_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace cas::simulcrypt
