// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/tcp_attempt.hpp"

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <system_error>
#include <utility>

#include "service/endpoint_access.hpp"
#include "service/tcp_connection_state.hpp"

namespace cas::service {

using Resolver = asio::ip::tcp::resolver;

struct TcpAttempt::State : std::enable_shared_from_this<TcpAttempt::State> {
  State(EventLoop& given_loop, TcpAddress given, std::chrono::milliseconds given_limit, const TcpLimits& given_limits)
      : loop(given_loop),
        address(std::move(given)),
        limit(given_limit),
        limits(given_limits),
        resolver(given_loop.state().io),
        socket(given_loop.state().io) {}

  void begin();
  void resolve();
  template <typename Endpoints>
  void connect(const Endpoints& endpoints);
  void succeed();
  void fail_with(const Error& error);
  void end();
  [[nodiscard]] std::string server() const { return address.host + " port " + std::to_string(address.port); }

  EventLoop& loop;
  TcpAddress address;
  std::chrono::milliseconds limit;
  TcpLimits limits;
  Connected connected;
  Failed failed;
  Resolver resolver;
  TcpSocket socket;
  Timer timer;
  bool over = false;
};

void TcpAttempt::State::begin() {
  timer = loop.after(limit, [weak = weak_from_this()] {
    if (const auto state = weak.lock())
      state->fail_with({ErrorKind::expired,
                        state->server() + " does not answer within " + std::to_string(state->limit.count()) + " ms"});
  });
  if (const auto endpoint = Endpoint::create(address.host, address.port))
    return connect(std::array{EndpointAccess::to<asio::ip::tcp::endpoint>(*endpoint)});
  try {
    resolve();
  } catch (const std::system_error& error) {  // Boost.Asio looks names up on a thread, and there may be none
    loop.post([self = shared_from_this(), text = std::string(error.what())] {
      self->fail_with({ErrorKind::exhausted, "cannot look up " + self->server() + ": " + text});
    });
  }
}

void TcpAttempt::State::resolve() {
  resolver.async_resolve(
      address.host, std::to_string(address.port), Resolver::numeric_service,
      [weak = weak_from_this()](const boost::system::error_code& code, const Resolver::results_type& found) {
        const auto state = weak.lock();
        if (!state || state->over) return;
        if (code) return state->fail_with(error_of(code, "cannot find " + state->server()));
        state->connect(found);
      });
}

template <typename Endpoints>
void TcpAttempt::State::connect(const Endpoints& endpoints) {
  asio::async_connect(
      socket, endpoints,
      [self = shared_from_this()](const boost::system::error_code& code, const asio::ip::tcp::endpoint&) {
        if (self->over) return;
        if (code) return self->fail_with(error_of(code, "cannot connect to " + self->server()));
        self->succeed();
      });
}

void TcpAttempt::State::succeed() {
  const auto self = shared_from_this();
  over = true;
  timer.cancel();
  auto made = std::make_unique<TcpConnection::State>(loop, std::move(socket), limits);
  TcpConnection::State& state = *made;
  const auto connection = std::make_shared<TcpConnection>(std::move(made));
  const auto call = std::move(connected);
  state.handler = call(connection);
  connection->start();
}

void TcpAttempt::State::fail_with(const Error& error) {
  if (over) return;
  const auto self = shared_from_this();
  end();
  const auto call = std::move(failed);
  call(error);
}

void TcpAttempt::State::end() {
  over = true;
  timer.cancel();
  resolver.cancel();
  boost::system::error_code ignored;
  socket.close(ignored);
}

std::unique_ptr<TcpAttempt> TcpAttempt::start(EventLoop& loop, const TcpAddress& address,
                                              std::chrono::milliseconds limit, const TcpLimits& limits,
                                              Connected connected, Failed failed) {
  auto state = std::make_shared<State>(loop, address, limit, limits);
  state->connected = std::move(connected);
  state->failed = std::move(failed);
  state->begin();
  return std::unique_ptr<TcpAttempt>(new TcpAttempt(std::move(state)));
}

TcpAttempt::TcpAttempt(std::shared_ptr<State> state) : state_(std::move(state)) {}

TcpAttempt::~TcpAttempt() {
  if (!state_->over) state_->end();
}

}  // namespace cas::service
