// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "service/endpoint.hpp"

namespace cas::service {

class TcpConnection;

/// What one connection may cost. A time of 0 is no limit.
struct TcpLimits {
  std::size_t receive_buffer = 16 * 1024;     ///< Most bytes that on_receive is given at once.
  std::size_t send_queue = 1024 * 1024;       ///< Bytes that wait for the peer to take them.
  std::chrono::milliseconds idle{300'000};    ///< Without a byte from the peer.
  std::chrono::milliseconds stalled{30'000};  ///< While bytes wait, and the peer takes none.
  std::chrono::milliseconds farewell{5'000};  ///< From close() until the peer closes too.
};

/// What is done with a connection. All on the loop's thread, and never from within a call of the connection, so that a
/// handler is not entered twice.
class TcpHandler {
 public:
  virtual ~TcpHandler() = default;
  /// `bytes` as they came, cut anywhere; good for the call only.
  virtual void on_receive(TcpConnection& connection, ByteView bytes) = 0;
  /// All that waited has been taken by the operating system, after `send` had left more than half of the queue full.
  virtual void on_drained(TcpConnection&) {}
  /// The last call. `why`: a success when the peer closed (what waited for it has been sent) or when close() or abort()
  /// was called; expired for a limit of time; io for
  /// all else.
  virtual void on_close(TcpConnection& connection, const Status& why) = 0;
};

/// A TCP connection, whichever end made it. On its loop's thread only. Handlers keep a reference to it no longer than
/// until on_close; whoever needs it longer takes a weak_ptr.
class TcpConnection : public std::enable_shared_from_this<TcpConnection> {
 public:
  ~TcpConnection();
  TcpConnection(const TcpConnection&) = delete;
  TcpConnection& operator=(const TcpConnection&) = delete;

  /// Takes a copy of `bytes` for the peer. What is sent within one on_receive goes out together. ErrorKind::exhausted
  /// when the queue has no room for all of it: then none of it is sent, and the connection goes on. ErrorKind::io
  /// after close() and on_close.
  [[nodiscard]] Status send(ByteView bytes);
  /// Bytes that wait for the peer.
  [[nodiscard]] std::size_t queued() const;
  /// Room in the queue.
  [[nodiscard]] std::size_t room() const;

  /// Back-pressure: no on_receive until resume_receiving; the peer is slowed down by TCP. The idle limit rests.
  void pause_receiving();
  void resume_receiving();

  /// Sends what waits, then says that no more comes; what the peer still sends is dropped.
  void close();
  /// Ends it at once; what waits is lost, and the peer sees a reset.
  void abort();

  [[nodiscard]] const Endpoint& peer() const;
  [[nodiscard]] const Endpoint& local() const;

  /// For the servers and clients of this folder.
  struct State;
  explicit TcpConnection(std::unique_ptr<State> state);
  void start();
  /// Ends it without on_close: its owner goes.
  void drop();

 private:
  std::unique_ptr<State> state_;
};

}  // namespace cas::service
