// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace cas::test {

/// Something that crossed a RecordingRelay.
struct RelayedPiece {
  enum class Kind {
    opened,    ///< A client has connected.
    data,      ///< Bytes of a connection, as one read has found them.
    ended,     ///< One side says no more.
    datagram,  ///< Over UDP; always to the server.
  } kind = Kind::data;
  std::size_t connection = 0;  ///< Counted from 0; of UDP too, which is one of its own.
  bool to_server = false;
  Bytes bytes;
};

/// Stands before a server on 127.0.0.1, on a TCP port and on a UDP port: passes on what comes, both ways, and notes it
/// in the order in which it crossed. For tests alone.
class RecordingRelay {
 public:
  using Pieces = std::vector<RelayedPiece>;
  static constexpr std::size_t udp_connection = 1000;

  /// Stands before TCP and UDP port `target`.
  explicit RecordingRelay(std::uint16_t target)
      : target_(target),
        listening_(open_socket(SOCK_STREAM)),
        udp_(open_socket(SOCK_DGRAM)),
        wake_(::eventfd(0, EFD_CLOEXEC)) {
    if (::listen(listening_, 16) != 0) throw std::runtime_error("a relay cannot listen");
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ~RecordingRelay() {
    thread_.request_stop();
    ::eventfd_write(wake_, 1);
    thread_.join();
    for (const Connection& connection : connections_) {
      ::close(connection.sockets[0]);
      ::close(connection.sockets[1]);
    }
    ::close(listening_);
    ::close(udp_);
    ::close(wake_);
  }
  RecordingRelay(const RecordingRelay&) = delete;
  RecordingRelay& operator=(const RecordingRelay&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_of(listening_); }
  [[nodiscard]] std::uint16_t udp_port() const { return port_of(udp_); }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

  [[nodiscard]] Pieces pieces() {
    const std::lock_guard lock(mutex_);
    return pieces_;
  }
  /// Until what has crossed is as wanted; false: it is not within a minute.
  bool wait_until(const std::function<bool(const Pieces&)>& wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] { return wanted(pieces_); });
  }

 private:
  struct Connection {
    std::size_t number = 0;
    std::array<int, 2> sockets{};  ///< To the client, to the server.
    std::array<bool, 2> ended{};   ///< Nothing more comes from there.
  };

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
  }
  static int open_socket(int type) {
    const int socket = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
    const sockaddr_in at = loopback(0);
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
      throw std::runtime_error("a relay has no port");
    return socket;
  }
  static std::uint16_t port_of(int socket) {
    sockaddr_in at{};
    socklen_t size = sizeof at;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&at), &size);
    return ntohs(at.sin_port);
  }

  void note(RelayedPiece piece) {
    {
      const std::lock_guard lock(mutex_);
      pieces_.push_back(std::move(piece));
    }
    changed_.notify_all();
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::vector<pollfd> waiting = {{listening_, POLLIN, 0}, {udp_, POLLIN, 0}, {wake_, POLLIN, 0}};
      for (const Connection& connection : connections_)
        for (const std::size_t side : {0U, 1U})
          waiting.push_back({connection.ended[side] ? -1 : connection.sockets[side], POLLIN, 0});
      if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
      for (std::size_t at = 3; at < waiting.size(); ++at)
        if (waiting[at].revents != 0) pass_on(connections_[(at - 3) / 2], (at - 3) % 2);
      std::erase_if(connections_, [](const Connection& connection) {
        if (!connection.ended[0] || !connection.ended[1]) return false;
        ::close(connection.sockets[0]);
        ::close(connection.sockets[1]);
        return true;
      });
      if (waiting[0].revents != 0) accept();
      if (waiting[1].revents != 0) pass_on_datagram();
    }
  }

  void accept() {
    const int client = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in at = loopback(target_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
      ::close(client);
      ::close(server);
      return;
    }
    connections_.push_back({next_++, {client, server}, {}});
    note({RelayedPiece::Kind::opened, connections_.back().number, true, {}});
  }

  // Noted before it is passed on: an answer stands behind what it answers.
  void pass_on(Connection& connection, std::size_t from) {
    std::array<std::uint8_t, 4096> buffer;
    const ssize_t got = ::recv(connection.sockets[from], buffer.data(), buffer.size(), 0);
    if (got <= 0) {
      connection.ended[from] = true;
      note({RelayedPiece::Kind::ended, connection.number, from == 0, {}});
      ::shutdown(connection.sockets[1 - from], SHUT_WR);
      return;
    }
    ByteView rest = ByteView(buffer).first(static_cast<std::size_t>(got));
    note({RelayedPiece::Kind::data, connection.number, from == 0, copy_of(rest)});
    while (!rest.empty()) {
      const ssize_t sent = ::send(connection.sockets[1 - from], rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      rest = rest.subspan(static_cast<std::size_t>(sent));
    }
  }

  void pass_on_datagram() {
    std::array<std::uint8_t, 65536> buffer;
    const ssize_t got = ::recv(udp_, buffer.data(), buffer.size(), 0);
    if (got < 0) return;
    const ByteView datagram = ByteView(buffer).first(static_cast<std::size_t>(got));
    note({RelayedPiece::Kind::datagram, udp_connection, true, copy_of(datagram)});
    const sockaddr_in at = loopback(target_);
    ::sendto(udp_, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&at), sizeof at);
  }

  const std::uint16_t target_;
  const int listening_, udp_, wake_;
  std::vector<Connection> connections_;  ///< Of the thread.
  std::size_t next_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  Pieces pieces_;
  std::jthread thread_;
};

}  // namespace cas::test
