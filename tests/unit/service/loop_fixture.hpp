// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "service/event_loop.hpp"
#include "tests/support/manual_clock.hpp"

namespace cas::test {

/// A loop whose time stands still until the test moves it. Whatever happens in it calls `happened`.
class LoopFixture : public testing::Test {
 protected:
  LoopFixture() {
    auto made = service::EventLoop::create(clock_);
    if (!made) throw std::runtime_error(made.error().message);
    loop_ = std::move(*made);
  }
  void happened() {
    if (std::exchange(waiting_, false)) loop_->stop();
  }
  /// Runs until `done`. When it never comes about, the time limit of the test program ends it.
  void run_until(const std::function<bool()>& done) {
    while (!done()) {
      waiting_ = true;
      loop_->run();
    }
    waiting_ = false;
  }
  /// Does what can be done without waiting, timers that are due among it.
  void run_ready() {
    for (int i = 0; i < 5; ++i) {
      loop_->stop();
      loop_->run();
    }
  }
  /// Moves the time, and lets timers notice.
  void advance(std::chrono::seconds by) {
    clock_.advance(by);
    run_ready();
  }

  ManualClock clock_;
  std::unique_ptr<service::EventLoop> loop_;

 private:
  bool waiting_ = false;  // for something to happen; stops that nobody waits for would end later runs
};

}  // namespace cas::test
