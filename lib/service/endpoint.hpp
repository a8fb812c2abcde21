// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cas::service {

/// An address of IPv4 or IPv6 with a port: a value, with no name to be looked up.
class Endpoint {
 public:
  /// 0.0.0.0:0.
  Endpoint() = default;
  /// "192.0.2.1", "2001:db8::1", "fe80::1%eth0", with no brackets. ErrorKind::invalid_argument for what is no address.
  [[nodiscard]] static Result<Endpoint> create(std::string_view address, std::uint16_t port);
  /// "192.0.2.1:2000", "[2001:db8::1]:2000". ErrorKind::invalid_argument.
  [[nodiscard]] static Result<Endpoint> parse(std::string_view text);

  [[nodiscard]] bool is_ipv6() const { return ipv6_; }
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Without the port.
  [[nodiscard]] std::string address() const;
  /// As `parse` reads it.
  [[nodiscard]] std::string text() const;

  bool operator==(const Endpoint&) const = default;

 private:
  friend struct EndpointAccess;
  std::array<std::uint8_t, 16> bytes_{};  ///< Of IPv4 the first four.
  std::uint32_t scope_ = 0;
  std::uint16_t port_ = 0;
  bool ipv6_ = false;
};

}  // namespace cas::service
