// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "service/http_message.hpp"

namespace cas::service {

/// A request that waits for its answer. Answer it once, where and when you like: in the handler, from a timer, or from
/// another thread. It may outlive its client, its server and its loop; the answer goes nowhere then. When it is
/// destroyed without an answer, the client gets a 500. One thread at a time. Moves.
class HttpExchange {
 public:
  ~HttpExchange();
  HttpExchange(HttpExchange&& other) noexcept = default;
  HttpExchange& operator=(HttpExchange&& other) noexcept;

  /// Good until the answer, and from another thread too.
  [[nodiscard]] const HttpRequest& request() const;
  /// Gives the answer; only the first one counts. Any thread.
  void answer(HttpResponse response);
  /// Whether nobody waits for the answer any more. Any thread.
  [[nodiscard]] bool abandoned() const;

  /// For the server.
  struct State;
  explicit HttpExchange(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

}  // namespace cas::service
