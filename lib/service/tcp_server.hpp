// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "service/event_loop.hpp"
#include "service/tcp_connection.hpp"

namespace cas::service {

struct TcpListening {
  std::string address = "127.0.0.1";  ///< "0.0.0.0" for all of IPv4, "::" for all of IPv6 and IPv4.
  std::uint16_t port = 0;             ///< 0: a free one.
  std::size_t max_connections = 1024;
  TcpLimits limits;
};

/// Listens, and gives each connection a handler. On its loop's thread only; goes before its loop.
class TcpServer {
 public:
  /// Makes the handler of a new connection, which lives as long as it; nothing: it is closed. May not send.
  using Accept = std::function<std::unique_ptr<TcpHandler>(TcpConnection& connection)>;
  struct Counts {
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;  ///< Because there were too many, or by `Accept`.
    std::size_t open = 0;       ///< Now.
  };

  /// ErrorKind::invalid_argument for what is no address; permission_denied; io when it is in use, or not of this
  /// machine.
  [[nodiscard]] static Result<std::unique_ptr<TcpServer>> listen(EventLoop& loop, const TcpListening& listening,
                                                                 Accept accept);
  /// Drops the connections that are left: their handlers are destroyed without on_close. Not from within a handler.
  ~TcpServer();
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;

  [[nodiscard]] const Endpoint& local() const;
  [[nodiscard]] std::uint16_t port() const { return local().port(); }
  [[nodiscard]] const Counts& counts() const;

  /// Takes no more connections; those that are there go on.
  void stop_listening();
  /// Graceful stop: listens no more, and calls close() on each connection. `done` is called when the last one has
  /// ended; in `run` if there is none.
  void stop(std::function<void()> done);

 private:
  struct State;
  explicit TcpServer(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace cas::service
