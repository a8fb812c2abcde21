// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/random.hpp"
#include "service/event_loop.hpp"
#include "service/tcp_connection.hpp"

namespace cas::service {

struct TcpConnecting {
  std::string host;  ///< A name or an address, without brackets. A name's addresses are tried one after the other.
  std::uint16_t port = 0;
  std::chrono::milliseconds connect_limit{10'000};  ///< For one try, all addresses together.
  std::chrono::milliseconds first_delay{500};       ///< Between the first two tries; see ReconnectDelay.
  std::chrono::milliseconds longest_delay{30'000};
  TcpLimits limits;
};

/// What is done with a client's connections, one after the other. On the loop's thread only.
class TcpClientHandler {
 public:
  virtual ~TcpClientHandler() = default;
  virtual void on_connect(TcpConnection& connection) = 0;
  virtual void on_receive(TcpConnection& connection, ByteView bytes) = 0;
  virtual void on_drained(TcpConnection&) {}
  /// The connection is gone, why as in TcpHandler; the next try comes after `next_try`.
  virtual void on_disconnect(const Status& why, std::chrono::milliseconds next_try) = 0;
  /// A try failed: not_found, permission_denied, expired, exhausted or io.
  virtual void on_connect_failed(const Error& error, std::chrono::milliseconds next_try) = 0;
};

/// Keeps a connection with a server: connects, and connects again, until it is destroyed. Delays grow from try to try,
/// and start over once the server has sent something: one that takes connections and closes them is not hammered at.
/// On its loop's thread only; goes before its loop, and not from within a call of its handler.
class TcpClient {
 public:
  /// The first try is made in `run`. Keeps `handler` and `random`, which live as long as the client.
  [[nodiscard]] static std::unique_ptr<TcpClient> start(EventLoop& loop, Random& random, TcpConnecting connecting,
                                                        TcpClientHandler& handler);
  ~TcpClient();
  TcpClient(const TcpClient&) = delete;
  TcpClient& operator=(const TcpClient&) = delete;

  /// Nothing while there is none.
  [[nodiscard]] TcpConnection* connection() const;

 private:
  struct State;
  explicit TcpClient(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace cas::service
