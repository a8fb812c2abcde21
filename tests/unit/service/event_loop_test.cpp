// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/event_loop.hpp"

#include <csignal>
#include <thread>
#include <vector>

#include "tests/support/result_matchers.hpp"
#include "tests/unit/service/loop_fixture.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;
using EventLoopTest = test::LoopFixture;

TEST_F(EventLoopTest, CallsWhatIsPostedInOrder) {
  std::vector<int> calls;
  for (int i = 0; i < 200; ++i) loop_->post([&calls, i] { calls.push_back(i); });
  loop_->stop();
  loop_->run();
  ASSERT_EQ(calls.size(), 200U);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(calls[static_cast<std::size_t>(i)], i);
}

TEST_F(EventLoopTest, TakesPostsOfAllThreads) {
  int calls = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) {
        loop_->post([&] {
          if (++calls == 4000) loop_->stop();
        });
      }
    });
  }
  loop_->run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls, 4000);
}

TEST_F(EventLoopTest, AStopBeforeTheRunIsNotLost) {
  loop_->stop();
  loop_->run();
  bool called = false;
  loop_->post([&] {
    called = true;
    loop_->stop();
  });
  loop_->run();
  EXPECT_TRUE(called);
}

TEST_F(EventLoopTest, TimersFollowTheClockInTheirOrder) {
  std::vector<int> calls;
  const Timer third = loop_->after(3s, [&] { calls.push_back(3); });
  const Timer first = loop_->after(1s, [&] { calls.push_back(1); });
  const Timer also_first = loop_->after(1s, [&] { calls.push_back(11); });
  const Timer at_once = loop_->after(-5s, [&] { calls.push_back(0); });
  run_ready();
  EXPECT_EQ(calls, (std::vector<int>{0}));
  EXPECT_TRUE(first.active());
  EXPECT_FALSE(at_once.active());
  advance(1s);
  EXPECT_EQ(calls, (std::vector<int>{0, 1, 11}));
  EXPECT_EQ(loop_->now(), 1s);
  advance(10s);
  EXPECT_EQ(calls, (std::vector<int>{0, 1, 11, 3}));
}

TEST_F(EventLoopTest, TheFirstHandlerAfterAWaitSeesTheTimeOfNow) {
  // The timer stands for the wait: time passes between the loop's look at the clock and the handler.
  const Timer wait = loop_->after(0s, [this] { clock_.advance(5s); });
  loop_->post([this] { EXPECT_EQ(loop_->now(), clock_.monotonic()); });
  loop_->stop();
  loop_->run();
}

TEST_F(EventLoopTest, ATimerThatGoesDoesNotCall) {
  int calls = 0;
  {
    const Timer gone = loop_->after(1s, [&] { ++calls; });
  }
  Timer cancelled = loop_->after(1s, [&] { ++calls; });
  cancelled.cancel();
  Timer replaced = loop_->after(1s, [&] { ++calls; });
  replaced = loop_->after(1s, [&] { calls += 10; });
  Timer moved = loop_->after(1s, [&] { calls += 100; });
  const Timer kept = std::move(moved);
  EXPECT_TRUE(kept.active());
  advance(1s);
  EXPECT_EQ(calls, 110);
}

TEST_F(EventLoopTest, ATimerCancelsAnotherThatIsDue) {
  Timer second;
  int calls = 0;
  const Timer first = loop_->after(1s, [&] { second.cancel(); });
  second = loop_->after(1s, [&] { ++calls; });
  advance(2s);
  EXPECT_EQ(calls, 0);
}

TEST_F(EventLoopTest, ATimerThatSetsItselfAgainKeepsNothingWaiting) {
  int calls = 0;
  Timer timer;
  std::function<void()> again = [&] {
    ++calls;
    timer = loop_->after(0s, again);
  };
  again();
  bool posted = false;
  loop_->post([&] {
    posted = true;
    loop_->stop();
  });
  loop_->run();
  EXPECT_TRUE(posted);
  EXPECT_GE(calls, 2);
}

TEST_F(EventLoopTest, ATimerMayOutliveTheLoop) {
  Timer timer = loop_->after(1s, [] { FAIL(); });
  loop_.reset();
  EXPECT_FALSE(timer.active());
  timer.cancel();
}

TEST(EventLoop, WaitsForTimersByItself) {
  auto loop = EventLoop::create(system_clock());
  ASSERT_OK(loop);
  const auto start = system_clock().monotonic();
  // A later one first, so that the alarm has to be set anew.
  const Timer late = (*loop)->after(1h, [] { FAIL(); });
  Timer early;
  (*loop)->post([&] { early = (*loop)->after(2ms, [&] { (*loop)->stop(); }); });
  (*loop)->run();
  EXPECT_GE(system_clock().monotonic() - start, 2ms);
}

TEST_F(EventLoopTest, SignalsAreHandledInTheLoop) {
  std::vector<int> signals;
  ASSERT_OK(loop_->on_signals({SIGUSR1, SIGUSR2}, [&](int signal) {
    signals.push_back(signal);
    loop_->stop();
  }));
  for (const int signal : {SIGUSR1, SIGUSR2, SIGUSR1}) {
    std::raise(signal);
    loop_->run();
  }
  EXPECT_EQ(signals, (std::vector<int>{SIGUSR1, SIGUSR2, SIGUSR1}));
}

TEST_F(EventLoopTest, WhatIsNoSignalIsRefused) {
  EXPECT_FAILS(loop_->on_signals({SIGTERM, 4711}, [](int) {}), ErrorKind::invalid_argument);
  EXPECT_FAILS(loop_->on_signals({SIGKILL}, [](int) {}), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::service
