// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <stop_token>
#include <thread>

namespace cas::tools {

/// Turns SIGINT, SIGTERM and SIGHUP into a stop token, as long as it lives. Make it before any other thread: threads
/// that are there already would still take the signals the usual way.
class Termination {
 public:
  Termination();
  ~Termination();
  Termination(const Termination&) = delete;
  Termination& operator=(const Termination&) = delete;

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::thread waiter_;
};

}  // namespace cas::tools
