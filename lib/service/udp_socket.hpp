// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "service/endpoint.hpp"
#include "service/event_loop.hpp"

namespace cas::service {

struct UdpBinding {
  std::string address = "127.0.0.1";  ///< "0.0.0.0" or "::" for all; a group's own address takes only what is to it.
  std::uint16_t port = 0;             ///< 0: a free one.
  std::vector<std::string> groups;    ///< Multicast groups to join, of the same family.
  std::string interface_address;  ///< IPv4: which interface groups are joined and sent on; empty: the system's choice.
  bool share = false;             ///< Others on this machine may bind to the same port: receivers of a group.
  bool broadcast = false;         ///< May send to broadcast addresses.
  int multicast_hops = 1;         ///< 0 to 255; 1 stays in the local network.
};

/// A UDP socket. On its loop's thread only; goes before its loop, and not from within its handler.
class UdpSocket {
 public:
  /// A datagram, which may be empty; `bytes` are good for the call only.
  using Handler = std::function<void(ByteView bytes, const Endpoint& from)>;
  struct Counts {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    std::uint64_t dropped = 0;  ///< Could not be sent at once: the system's buffer was full.
  };

  /// ErrorKind::invalid_argument for what is no address, or no group; permission_denied; io.
  [[nodiscard]] static Result<std::unique_ptr<UdpSocket>> bind(EventLoop& loop, const UdpBinding& binding,
                                                               Handler handler);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  /// Sends at once or not at all. ErrorKind::exhausted when the system has no room (counted as dropped);
  /// invalid_argument for a datagram above 65,507 bytes; permission_denied for a broadcast that was not asked for; io.
  [[nodiscard]] Status send(ByteView bytes, const Endpoint& to);

  [[nodiscard]] const Endpoint& local() const;
  [[nodiscard]] std::uint16_t port() const { return local().port(); }
  [[nodiscard]] const Counts& counts() const;

 private:
  struct State;
  explicit UdpSocket(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace cas::service
