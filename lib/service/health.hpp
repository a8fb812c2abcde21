// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace cas::service {

/// What a program says of itself to those who look after it. Two questions: whether it works at all, or has to be
/// started again (live); and whether it can be given work (ready). Ready means live, too. On one thread only.
class Health {
 public:
  /// Looks, without waiting; a failure says what is wrong. Called by whoever asks.
  using Check = std::function<Status()>;
  struct Finding {
    std::string name;
    Status status;
  };
  struct Report {
    bool well = true;  ///< None of the findings is a failure.
    std::vector<Finding> findings;
    /// "NAME: ok" or "NAME: SENTENCE", a line each; "ok" when there are none.
    [[nodiscard]] std::string text() const;
  };

  void add_live(std::string name, Check check);
  void add_ready(std::string name, Check check);
  /// From now on not ready: no new work comes while the old one is finished.
  void set_stopping() { stopping_ = true; }

  [[nodiscard]] Report live() const;
  [[nodiscard]] Report ready() const;

 private:
  struct Entry {
    std::string name;
    Check check;
  };
  static void look(const std::vector<Entry>& entries, Report& report);
  std::vector<Entry> live_;
  std::vector<Entry> ready_;
  bool stopping_ = false;
};

}  // namespace cas::service
