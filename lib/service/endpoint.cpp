// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/endpoint.hpp"

#include <charconv>

#include "service/endpoint_access.hpp"

namespace cas::service {

Result<Endpoint> Endpoint::create(std::string_view address, std::uint16_t port) {
  boost::system::error_code code;
  const auto made = boost::asio::ip::make_address(std::string(address), code);
  if (code || address.find('\0') != std::string_view::npos)
    return fail(ErrorKind::invalid_argument, "'" + std::string(address) + "' is no IPv4 or IPv6 address");
  return EndpointAccess::make(made, port);
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto wrong = [text] {
    return fail(ErrorKind::invalid_argument,
                "'" + std::string(text) + "' is not of the form ADDRESS:PORT or [IPV6-ADDRESS]:PORT");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  std::string_view address = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) address = address.substr(1, address.size() - 2);
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc() || end != digits.data() + digits.size()) return wrong();
  auto made = create(address, port);
  if (!made || made->is_ipv6() != bracketed) return wrong();
  return made;
}

bool Endpoint::is_multicast() const { return EndpointAccess::address_of(*this).is_multicast(); }
bool Endpoint::is_loopback() const { return EndpointAccess::address_of(*this).is_loopback(); }

std::string Endpoint::address() const { return EndpointAccess::address_of(*this).to_string(); }

std::string Endpoint::text() const { return (ipv6_ ? "[" + address() + "]" : address()) + ":" + std::to_string(port_); }

}  // namespace cas::service
