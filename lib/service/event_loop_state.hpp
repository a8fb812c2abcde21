// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed: the only header, besides sources, that includes Boost.Asio.

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "service/event_loop.hpp"
#include "service/timer_queue.hpp"

namespace cas::service {

namespace asio = boost::asio;

struct EventLoop::State {
  explicit State(Clock& given) : clock(given), now(given.monotonic()) {}

  Clock& clock;
  asio::io_context io{1};  // one thread
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::shared_ptr<TimerQueue> timers = std::make_shared<TimerQueue>();
  asio::steady_timer alarm{io};
  std::optional<std::chrono::nanoseconds> armed_for;
  std::optional<asio::signal_set> signals;
  std::function<void(int)> on_signal;
  std::chrono::nanoseconds now;
  bool has_waited = false;  ///< A handler runs at once after a wait: `now` is of before it.
  bool stopping = false;

  void arm();
  void wait_for_signal();
};

/// The failure of a socket as an Error: "WHAT: why".
[[nodiscard]] Error error_of(const boost::system::error_code& code, const std::string& what);

}  // namespace cas::service
