// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed: Endpoint as Boost.Asio has it.

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "service/endpoint.hpp"

namespace cas::service {

struct EndpointAccess {
  [[nodiscard]] static boost::asio::ip::address address_of(const Endpoint& endpoint) {
    if (endpoint.ipv6_) return boost::asio::ip::address_v6(endpoint.bytes_, endpoint.scope_);
    boost::asio::ip::address_v4::bytes_type bytes{};
    std::copy_n(endpoint.bytes_.begin(), bytes.size(), bytes.begin());
    return boost::asio::ip::address_v4(bytes);
  }
  /// `Protocol::endpoint` of TCP or UDP.
  template <typename Asio>
  [[nodiscard]] static Asio to(const Endpoint& endpoint) {
    return Asio(address_of(endpoint), endpoint.port_);
  }
  [[nodiscard]] static Endpoint make(const boost::asio::ip::address& address, std::uint16_t port) {
    Endpoint endpoint;
    endpoint.port_ = port;
    endpoint.ipv6_ = address.is_v6();
    if (endpoint.ipv6_) {
      endpoint.bytes_ = address.to_v6().to_bytes();
      endpoint.scope_ = static_cast<std::uint32_t>(address.to_v6().scope_id());
    } else {
      std::ranges::copy(address.to_v4().to_bytes(), endpoint.bytes_.begin());
    }
    return endpoint;
  }
  template <typename Asio>
  [[nodiscard]] static Endpoint from(const Asio& endpoint) {
    return make(endpoint.address(), endpoint.port());
  }
};

}  // namespace cas::service
