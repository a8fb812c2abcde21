// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed.

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "base/byte_queue.hpp"
#include "base/secret.hpp"
#include "service/event_loop_state.hpp"
#include "service/tcp_connection.hpp"

namespace cas::service {

using TcpSocket = asio::ip::tcp::socket;

struct TcpConnection::State {
  State(EventLoop& given_loop, TcpSocket given_socket, TcpLimits given_limits)
      : loop(given_loop), socket(std::move(given_socket)), limits(given_limits), in(given_limits.receive_buffer) {}
  ~State() { cleanse(in); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  enum class Phase {
    open,
    closing,   ///< close() was called: what waits is sent.
    farewell,  ///< All is sent, and the peer has been told; it has not closed yet.
    ended,     ///< on_close is called, or about to be.
  };

  void receive(const std::shared_ptr<TcpConnection>& self);
  void on_received(const std::shared_ptr<TcpConnection>& self, const boost::system::error_code& code, std::size_t size);
  void deliver_held(const std::shared_ptr<TcpConnection>& self);
  void on_peer_closed(const std::shared_ptr<TcpConnection>& self);
  void flush(const std::shared_ptr<TcpConnection>& self);
  void wait_for_room(const std::shared_ptr<TcpConnection>& self);
  void on_sent(const std::shared_ptr<TcpConnection>& self);
  void say_farewell(const std::shared_ptr<TcpConnection>& self);
  void watch(const std::shared_ptr<TcpConnection>& self);
  [[nodiscard]] std::optional<std::chrono::nanoseconds> deadline() const;
  void end(const std::shared_ptr<TcpConnection>& self, Status why);

  EventLoop& loop;
  TcpSocket socket;
  TcpLimits limits;
  Endpoint peer, local;
  std::unique_ptr<TcpHandler> handler;
  /// Called behind on_close: whoever holds the connection lets go of it.
  std::function<void()> on_ended;

  Phase phase = Phase::open;
  Bytes in;  ///< Control words may pass through: cleansed when the handler has seen them, as `out` does by itself.
  bool paused = false;
  std::size_t held = 0;    ///< Bytes of `in` that came after the pause.
  bool receiving = false;  ///< A read is under way.
  bool in_handler = false;
  bool peer_closed = false;
  ByteQueue out;
  bool sending = false;  ///< A wait for room in the system's buffer is under way.
  bool was_half_full = false;
  Timer watchdog;
  std::chrono::nanoseconds last_received{0}, last_sent{0}, farewell_since{0};
};

}  // namespace cas::service
