// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/udp_socket.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>

#include "service/endpoint_access.hpp"
#include "service/event_loop_state.hpp"

namespace cas::service {

namespace {

constexpr std::size_t largest_datagram = 65'507;
// Datagrams that are taken before others get their turn.
constexpr int datagrams_at_once = 32;

}  // namespace

struct UdpSocket::State : std::enable_shared_from_this<UdpSocket::State> {
  State(EventLoop& given_loop, Handler given_handler)
      : loop(given_loop), handler(std::move(given_handler)), socket(given_loop.state().io), in(65'536) {}

  Status open(const UdpBinding& binding);
  Status join(const UdpBinding& binding, bool ipv6);
  Status choose_interface(const UdpBinding& binding);
  void wait();
  void receive();

  EventLoop& loop;
  Handler handler;
  asio::ip::udp::socket socket;
  Bytes in;
  Endpoint local;
  Counts counts;
};

Status UdpSocket::State::open(const UdpBinding& binding) {
  CAS_TRY_ASSIGN(const Endpoint wanted, Endpoint::create(binding.address, binding.port));
  if (binding.multicast_hops < 0 || binding.multicast_hops > 255)
    return fail(ErrorKind::invalid_argument, "a multicast datagram goes 0 to 255 hops far");
  const auto at = EndpointAccess::to<asio::ip::udp::endpoint>(wanted);
  const std::string what = "cannot receive at " + wanted.text();
  boost::system::error_code code;
  socket.open(at.protocol(), code);
  if (!code && binding.share) socket.set_option(asio::socket_base::reuse_address(true), code);
  if (!code && binding.broadcast) socket.set_option(asio::socket_base::broadcast(true), code);
  if (!code) socket.set_option(asio::ip::multicast::hops(binding.multicast_hops), code);
  if (!code) socket.bind(at, code);
  if (!code) socket.non_blocking(true, code);
  if (code) return fail(error_of(code, what));
  CAS_TRY(choose_interface(binding));
  CAS_TRY(join(binding, wanted.is_ipv6()));
  const auto bound = socket.local_endpoint(code);
  if (code) return fail(error_of(code, what));
  local = EndpointAccess::from(bound);
  return {};
}

Status UdpSocket::State::choose_interface(const UdpBinding& binding) {
  if (binding.interface_address.empty()) return {};
  CAS_TRY_ASSIGN(const Endpoint chosen, Endpoint::create(binding.interface_address, 0));
  if (chosen.is_ipv6())
    return fail(ErrorKind::invalid_argument,
                "an interface is chosen by its IPv4 address; groups of IPv6 name theirs: "
                "ff15::1%eth0");
  boost::system::error_code code;
  const auto address = EndpointAccess::address_of(chosen).to_v4();
  socket.set_option(asio::ip::multicast::outbound_interface(address), code);
  if (code) return fail(error_of(code, "cannot send by the interface " + chosen.address()));
  return {};
}

Status UdpSocket::State::join(const UdpBinding& binding, bool ipv6) {
  for (const std::string& text : binding.groups) {
    CAS_TRY_ASSIGN(const Endpoint group, Endpoint::create(text, 0));
    if (!group.is_multicast() || group.is_ipv6() != ipv6)
      return fail(ErrorKind::invalid_argument, text + " is no multicast group of the socket's family");
    const auto address = EndpointAccess::address_of(group);
    boost::system::error_code code;
    if (ipv6 || binding.interface_address.empty()) {
      socket.set_option(asio::ip::multicast::join_group(address), code);
    } else {
      CAS_TRY_ASSIGN(const Endpoint chosen, Endpoint::create(binding.interface_address, 0));
      socket.set_option(asio::ip::multicast::join_group(address.to_v4(), EndpointAccess::address_of(chosen).to_v4()),
                        code);
    }
    if (code) return fail(error_of(code, "cannot join the multicast group " + text));
  }
  return {};
}

void UdpSocket::State::wait() {
  socket.async_wait(asio::ip::udp::socket::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& code) {
                      if (code || !self->socket.is_open()) return;
                      self->receive();
                      self->wait();
                    });
}

void UdpSocket::State::receive() {
  for (int i = 0; i < datagrams_at_once; ++i) {
    asio::ip::udp::endpoint from;
    boost::system::error_code code;
    const std::size_t size = socket.receive_from(asio::buffer(in), from, 0, code);
    if (code == asio::error::would_block) return;
    if (code) continue;  // an ICMP answer to what was sent: of no peer in particular
    ++counts.received;
    handler(ByteView(in).first(size), EndpointAccess::from(from));
  }
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::bind(EventLoop& loop, const UdpBinding& binding, Handler handler) {
  auto state = std::make_shared<State>(loop, std::move(handler));
  CAS_TRY(state->open(binding));
  state->wait();
  return std::unique_ptr<UdpSocket>(new UdpSocket(std::move(state)));
}

UdpSocket::UdpSocket(std::shared_ptr<State> state) : state_(std::move(state)) {}

UdpSocket::~UdpSocket() {
  boost::system::error_code code;
  state_->socket.close(code);
}

Status UdpSocket::send(ByteView bytes, const Endpoint& to) {
  if (bytes.size() > largest_datagram)
    return fail(ErrorKind::invalid_argument,
                "a datagram has at most 65,507 bytes, not " + std::to_string(bytes.size()));
  const auto destination = EndpointAccess::to<asio::ip::udp::endpoint>(to);
  boost::system::error_code code;
  state_->socket.send_to(asio::buffer(bytes.data(), bytes.size()), destination, 0, code);
  // What is reported here may be the fate of an earlier datagram (ICMP): this one has not been sent yet.
  if (code == asio::error::connection_refused)
    state_->socket.send_to(asio::buffer(bytes.data(), bytes.size()), destination, 0, code);
  if (code == asio::error::would_block || code == asio::error::no_buffer_space) {
    ++state_->counts.dropped;
    return fail(ErrorKind::exhausted, "the system has no room for a datagram to " + to.text());
  }
  if (code) return fail(error_of(code, "cannot send a datagram to " + to.text()));
  ++state_->counts.sent;
  return {};
}

const Endpoint& UdpSocket::local() const { return state_->local; }
const UdpSocket::Counts& UdpSocket::counts() const { return state_->counts; }

}  // namespace cas::service
