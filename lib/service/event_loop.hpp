// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace cas::service {

class TimerQueue;

/// A handler that a loop will call once. When it is destroyed, or another takes its place, the handler is not called.
/// May outlive its loop. On the loop's thread only.
class Timer {
 public:
  Timer() = default;
  ~Timer() { cancel(); }
  Timer(Timer&& other) noexcept : queue_(std::move(other.queue_)), key_(other.key_) { other.queue_.reset(); }
  Timer& operator=(Timer&& other) noexcept {
    if (this != &other) {
      cancel();
      queue_ = std::move(other.queue_);
      key_ = other.key_;
      other.queue_.reset();
    }
    return *this;
  }
  /// Nothing when it has been called, or there is none.
  void cancel();
  /// Whether the handler is yet to be called.
  [[nodiscard]] bool active() const;

 private:
  friend class EventLoop;
  Timer(std::weak_ptr<TimerQueue> queue, std::pair<std::chrono::nanoseconds, std::uint64_t> key)
      : queue_(std::move(queue)), key_(key) {}
  std::weak_ptr<TimerQueue> queue_;
  std::pair<std::chrono::nanoseconds, std::uint64_t> key_{};
};

/// What a daemon waits in: sockets, timers, signals, and what other threads post. Everything that belongs to a loop is
/// used, and calls back, on the one thread that is in `run`; before `run`, on the thread that prepares it. Sockets and
/// servers go before their loop.
///
/// Timers follow the clock that is given. When a test moves its own, the loop notices with the next thing that it does.
class EventLoop {
 public:
  /// Keeps `clock`. ErrorKind::io when the system has no descriptors left.
  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> create(Clock& clock);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Does what there is to do and waits for more, until `stop`. May be called again then.
  void run();
  /// Any thread: ends `run` soon; when nobody is in it, the next one ends as soon as it has begun.
  void stop();
  /// Any thread: calls `handler` in `run`, in the order of posting.
  void post(std::function<void()> handler);

  /// Calls `handler` when `delay` has passed; a delay below 0 is 0.
  [[nodiscard]] Timer after(std::chrono::nanoseconds delay, std::function<void()> handler);
  /// Calls `handler` in `run` each time that one of these signals comes, which then does nothing else to the process.
  /// To be called once. ErrorKind::invalid_argument for what is no signal, or cannot be caught.
  [[nodiscard]] Status on_signals(std::initializer_list<int> signals, std::function<void(int signal)> handler);

  /// Clock::monotonic when the loop last looked: cheap, and the same for all that happens at once.
  [[nodiscard]] std::chrono::nanoseconds now() const;

  /// For the sockets of this folder.
  struct State;
  [[nodiscard]] State& state() { return *state_; }

 private:
  explicit EventLoop(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::service
