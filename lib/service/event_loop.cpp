// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/event_loop.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "service/event_loop_state.hpp"

namespace cas::service {

namespace {

// How many handlers run before timers are looked at again.
constexpr int handlers_at_once = 64;
// A clock of a test may say that a deadline is years away.
constexpr std::chrono::nanoseconds longest_wait = std::chrono::hours(1);

}  // namespace

void Timer::cancel() {
  if (const auto queue = queue_.lock()) queue->cancel(key_);
  queue_.reset();
}

bool Timer::active() const {
  const auto queue = queue_.lock();
  return queue && queue->contains(key_);
}

EventLoop::EventLoop(std::unique_ptr<State> state) : state_(std::move(state)) {}
EventLoop::~EventLoop() = default;

Result<std::unique_ptr<EventLoop>> EventLoop::create(Clock& clock) {
  try {
    return std::unique_ptr<EventLoop>(new EventLoop(std::make_unique<State>(clock)));
  } catch (const boost::system::system_error& error) {
    return fail(error_of(error.code(), "an event loop cannot be made"));
  }
}

// The alarm only ends the wait: what is due is decided by the loop's own clock.
void EventLoop::State::arm() {
  const auto next = timers->next_deadline();
  if (!next || (armed_for && *armed_for <= *next)) return;
  armed_for = next;
  alarm.expires_after(std::clamp(*next - now, std::chrono::nanoseconds(0), longest_wait));
  alarm.async_wait([this](const boost::system::error_code& code) {
    if (code != asio::error::operation_aborted) armed_for.reset();
  });
}

void EventLoop::run() {
  State& state = *state_;
  while (!state.stopping) {
    state.now = state.clock.monotonic();
    state.timers->run_due(state.now);
    if (state.stopping) break;
    state.arm();
    // The first handler runs within, after a wait of any length: for it the time is looked up when it asks.
    state.has_waited = true;
    state.io.run_one();
    state.now = state.clock.monotonic();
    state.has_waited = false;
    for (int i = 1; i < handlers_at_once && !state.stopping && state.io.poll_one() != 0; ++i) {
    }
  }
  state.stopping = false;
}

void EventLoop::stop() {
  post([this] { state_->stopping = true; });
}

void EventLoop::post(std::function<void()> handler) { asio::post(state_->io, std::move(handler)); }

Timer EventLoop::after(std::chrono::nanoseconds delay, std::function<void()> handler) {
  const auto from = state_->clock.monotonic();
  return {state_->timers, state_->timers->add(from + std::max(delay, std::chrono::nanoseconds(0)), std::move(handler))};
}

void EventLoop::State::wait_for_signal() {
  signals->async_wait([this](const boost::system::error_code& code, int number) {
    if (code) return;
    on_signal(number);
    wait_for_signal();
  });
}

Status EventLoop::on_signals(std::initializer_list<int> signals, std::function<void(int)> handler) {
  State& state = *state_;
  state.signals.emplace(state.io);
  for (const int number : signals) {
    boost::system::error_code code;
    state.signals->add(number, code);
    if (!code) continue;
    state.signals.reset();
    return fail(ErrorKind::invalid_argument,
                "signal " + std::to_string(number) + " cannot be waited for: " + code.message());
  }
  state.on_signal = std::move(handler);
  state.wait_for_signal();
  return {};
}

std::chrono::nanoseconds EventLoop::now() const {
  if (std::exchange(state_->has_waited, false)) state_->now = state_->clock.monotonic();
  return state_->now;
}

Error error_of(const boost::system::error_code& code, const std::string& what) {
  ErrorKind kind = ErrorKind::io;
  if (code == asio::error::access_denied || code == boost::system::errc::operation_not_permitted)
    kind = ErrorKind::permission_denied;
  if (code == asio::error::host_not_found || code == asio::error::host_not_found_try_again ||
      code == asio::error::no_data || code == asio::error::service_not_found)
    kind = ErrorKind::not_found;
  if (code == asio::error::operation_aborted) kind = ErrorKind::cancelled;
  return {kind, what + ": " + code.message()};
}

}  // namespace cas::service
