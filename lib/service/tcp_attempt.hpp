// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "service/event_loop.hpp"
#include "service/tcp_connection.hpp"

namespace cas::service {

/// Where a server is.
struct TcpAddress {
  std::string host;  ///< A name or an address, without brackets. A name's addresses are tried one after the other.
  std::uint16_t port = 0;
  bool operator==(const TcpAddress&) const = default;
};

/// One try to connect to a server. Names are looked up on a thread of the loop's, one after the other; an address is no
/// name, and waits for none. On its loop's thread only; goes before its loop. When it is destroyed, nothing is called
/// any more, and what has been connected goes on.
class TcpAttempt {
 public:
  /// Gives the handler of the connection that was made, may send, and may destroy the attempt. Whoever wants to reach
  /// the connection later keeps the pointer until on_close.
  using Connected = std::function<std::unique_ptr<TcpHandler>(const std::shared_ptr<TcpConnection>& connection)>;
  /// not_found, permission_denied, expired, exhausted or io. May destroy the attempt.
  using Failed = std::function<void(const Error& error)>;

  /// Calls one of the two, in `run`. `limit`: for the whole of the try.
  [[nodiscard]] static std::unique_ptr<TcpAttempt> start(EventLoop& loop, const TcpAddress& address,
                                                         std::chrono::milliseconds limit, const TcpLimits& limits,
                                                         Connected connected, Failed failed);
  ~TcpAttempt();
  TcpAttempt(const TcpAttempt&) = delete;
  TcpAttempt& operator=(const TcpAttempt&) = delete;

 private:
  struct State;
  explicit TcpAttempt(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace cas::service
