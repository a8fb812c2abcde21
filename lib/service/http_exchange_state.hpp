// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed.

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "service/event_loop.hpp"
#include "service/http_exchange.hpp"

namespace cas::service {

class HttpSession;

/// The way of other threads to a server's loop, for as long as the server is there.
class HttpMailbox {
 public:
  explicit HttpMailbox(EventLoop& loop) : loop_(&loop) {}
  void post(std::function<void()> handler) {
    const std::lock_guard lock(mutex_);
    if (loop_ != nullptr) loop_->post(std::move(handler));
  }
  void close() {
    const std::lock_guard lock(mutex_);
    loop_ = nullptr;
  }

 private:
  std::mutex mutex_;
  EventLoop* loop_;
};

struct HttpExchange::State {
  HttpRequest request;
  std::shared_ptr<HttpMailbox> mailbox;
  std::weak_ptr<HttpSession> session;  ///< On the loop's thread only.
  std::thread::id loop_thread;         ///< Which was in `run` when the request came.
  std::atomic<bool> abandoned{false};
  bool answered = false;
};

}  // namespace cas::service
