// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "card/relay_frame.hpp"
#include "card/socket_wait.hpp"
#include "crypto/tls.hpp"

namespace cas::card {

/// Internal to card/, not installed. A moment of the monotonic clock that somebody waits until.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds from_now);
  /// What is left; 0 when it has passed.
  [[nodiscard]] std::chrono::milliseconds left() const;

 private:
  std::chrono::nanoseconds at_;
};

/// Internal to card/, not installed. Frames over TLS over a socket: what the client of a card relay and the relay have
/// in common. One thread at a time; every call ends by its deadline, and at once when the stop of `waiter` is
/// requested.
///
/// Errors of all calls: cancelled (the stop), truncated (the other end is gone, or took nothing more by the deadline),
/// malformed and authentication_failed (see crypto::TlsSession, RelayFrameParser).
class RelayStream {
 public:
  /// `socket` is connected and does not block.
  RelayStream(FileDescriptor socket, crypto::TlsSession tls) : socket_(std::move(socket)), tls_(std::move(tls)) {}
  ~RelayStream();
  RelayStream(const RelayStream&) = delete;
  RelayStream& operator=(const RelayStream&) = delete;

  /// ErrorKind::truncated when the deadline passes.
  [[nodiscard]] Status handshake(const Waiter& waiter, const Deadline& deadline);
  [[nodiscard]] Status send(RelayFrameType type, ByteView payload, const Waiter& waiter, const Deadline& deadline);
  /// Nothing when the deadline passes; what has arrived of a frame is kept for the next call, as it is when the stop is
  /// requested.
  [[nodiscard]] Result<std::optional<RelayFrame>> receive(const Waiter& waiter, const Deadline& deadline);
  /// Says that nothing more comes, and waits until the other end has heard it: closing a socket in which something
  /// waits unread would take away from the other end what was sent last.
  void finish(const Waiter& waiter, const Deadline& deadline);
  [[nodiscard]] std::string peer_subject() const { return tls_.peer_subject(); }

 private:
  [[nodiscard]] Status flush(const Waiter& waiter, const Deadline& deadline);
  /// Feeds TLS with what the socket has; false when the deadline passes.
  [[nodiscard]] Result<bool> fill(const Waiter& waiter, const Deadline& deadline);

  FileDescriptor socket_;
  crypto::TlsSession tls_;
  RelayFrameParser parser_;
};

/// HOST:PORT, or [ADDRESS]:PORT for an IPv6 address.
[[nodiscard]] std::string relay_place(const std::string& host, std::uint16_t port);

/// A socket for a stream: does not block, sends at once, and finds out within a minute when the other machine is gone.
void prepare_relay_socket(int socket);

/// A connected socket. ErrorKind::card_absent when nothing answers there by the deadline, or the name is not known at
/// the moment; not_found when there is no such name; cancelled.
[[nodiscard]] Result<FileDescriptor> connect_relay_socket(const std::string& host, std::uint16_t port,
                                                          const Waiter& waiter, const Deadline& deadline);

}  // namespace cas::card
