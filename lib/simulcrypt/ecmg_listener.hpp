// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "service/event_loop.hpp"
#include "service/tcp_server.hpp"
#include "simulcrypt/ecmg_server.hpp"

namespace cas::simulcrypt {

struct EcmgListening {
  std::string address = "127.0.0.1";  ///< As TcpListening has it.
  std::uint16_t port = 0;             ///< 0: a free one.
  EcmgServerSettings settings;
};

/// An ECMG on TCP: a session for each connection, all in one event loop. All that came in at once is answered in one
/// piece. On the loop's thread only; goes before its loop, and not from within a call of the generator or listener.
class EcmgListener {
 public:
  /// Keeps `loop`, `generator` and `listener`, which may be nothing. ErrorKind as TcpServer::listen.
  [[nodiscard]] static Result<std::unique_ptr<EcmgListener>> listen(service::EventLoop& loop,
                                                                    const EcmgListening& listening,
                                                                    EcmGenerator& generator,
                                                                    EcmgServerListener* listener = nullptr);
  ~EcmgListener();
  EcmgListener(const EcmgListener&) = delete;
  EcmgListener& operator=(const EcmgListener&) = delete;

  [[nodiscard]] const service::Endpoint& local() const;
  [[nodiscard]] std::uint16_t port() const { return local().port(); }
  [[nodiscard]] std::size_t connection_count() const;
  /// Where the peer of a session is: "192.0.2.1:40000"; empty: it is gone.
  [[nodiscard]] std::string peer_of(std::uint64_t session) const;

  /// The answer to an order that the generator put off.
  void complete(const EcmTicket& ticket, ByteView ecm);
  void refuse(const EcmTicket& ticket, ecmg::Error error);

  /// Called behind each piece of input, when all of it has been answered.
  void on_answered(std::function<void()> handler);
  /// Called with the peer when a connection has ended otherwise than by a close.
  void on_broken(std::function<void(const std::string& peer, const Error& why)> handler);
  /// Ends a connection at once, as a crash would: its peer sees a reset.
  void abort_all();
  /// Graceful: no new connections; those there are are closed when what waits for them is sent. Then calls `done`.
  void stop(std::function<void()> done);

 private:
  struct State;
  explicit EcmgListener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::simulcrypt
