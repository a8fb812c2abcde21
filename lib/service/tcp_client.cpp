// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/tcp_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <system_error>

#include "service/reconnect_delay.hpp"
#include "service/tcp_connection_state.hpp"

namespace cas::service {

struct TcpClient::State : std::enable_shared_from_this<TcpClient::State> {
  State(EventLoop& given_loop, Random& random, TcpConnecting given, TcpClientHandler& given_handler)
      : loop(given_loop),
        connecting(std::move(given)),
        handler(&given_handler),
        delay(random, connecting.first_delay, connecting.longest_delay),
        resolver(given_loop.state().io) {}

  void schedule(std::chrono::milliseconds after);
  void attempt();
  void resolve(std::uint64_t this_try);
  void connect(const asio::ip::tcp::resolver::results_type& addresses, std::uint64_t this_try);
  void take(TcpSocket connected);
  void fail_try(const Error& error);
  [[nodiscard]] std::string server() const { return connecting.host + " port " + std::to_string(connecting.port); }

  EventLoop& loop;
  TcpConnecting connecting;
  TcpClientHandler* handler;  ///< Nothing: the client is gone.
  ReconnectDelay delay;
  asio::ip::tcp::resolver resolver;
  std::shared_ptr<TcpSocket> socket;
  std::uint64_t tries = 0;  ///< What belongs to an earlier one is too late.
  Timer timer;
  std::shared_ptr<TcpConnection> connection;
};

namespace {

/// Hands what a connection does on to the client's handler.
class Forwarder final : public TcpHandler {
 public:
  Forwarder(TcpClientHandler& handler, ReconnectDelay& delay, std::function<void(const Status&)> on_lost)
      : handler_(handler), delay_(delay), on_lost_(std::move(on_lost)) {}
  void on_receive(TcpConnection& connection, ByteView bytes) override {
    delay_.reset();
    handler_.on_receive(connection, bytes);
  }
  void on_drained(TcpConnection& connection) override { handler_.on_drained(connection); }
  void on_close(TcpConnection&, const Status& why) override { on_lost_(why); }

 private:
  TcpClientHandler& handler_;
  ReconnectDelay& delay_;
  std::function<void(const Status&)> on_lost_;
};

}  // namespace

void TcpClient::State::schedule(std::chrono::milliseconds after) {
  timer = loop.after(after, [weak = weak_from_this()] {
    if (const auto state = weak.lock()) state->attempt();
  });
}

void TcpClient::State::attempt() {
  const std::uint64_t this_try = ++tries;
  timer = loop.after(connecting.connect_limit, [weak = weak_from_this()] {
    if (const auto state = weak.lock())
      state->fail_try({ErrorKind::expired, state->server() + " does not answer within " +
                                               std::to_string(state->connecting.connect_limit.count()) + " ms"});
  });
  try {
    resolve(this_try);
  } catch (const std::system_error& error) {  // Boost.Asio looks names up on a thread, and there may be none
    fail_try({ErrorKind::exhausted, "cannot look up " + server() + ": " + error.what()});
  }
}

void TcpClient::State::resolve(std::uint64_t this_try) {
  resolver.async_resolve(connecting.host, std::to_string(connecting.port), asio::ip::tcp::resolver::numeric_service,
                         [weak = weak_from_this(), this_try](const boost::system::error_code& code,
                                                             const asio::ip::tcp::resolver::results_type& addresses) {
                           const auto state = weak.lock();
                           if (!state || state->handler == nullptr || state->tries != this_try) return;
                           if (code) return state->fail_try(error_of(code, "cannot find " + state->server()));
                           state->connect(addresses, this_try);
                         });
}

void TcpClient::State::connect(const asio::ip::tcp::resolver::results_type& addresses, std::uint64_t this_try) {
  socket = std::make_shared<TcpSocket>(loop.state().io);
  asio::async_connect(*socket, addresses,
                      [weak = weak_from_this(), connected = socket, this_try](const boost::system::error_code& code,
                                                                              const asio::ip::tcp::endpoint&) {
                        const auto state = weak.lock();
                        if (!state || state->handler == nullptr || state->tries != this_try) return;
                        if (code) return state->fail_try(error_of(code, "cannot connect to " + state->server()));
                        state->take(std::move(*connected));
                      });
}

void TcpClient::State::take(TcpSocket connected) {
  timer.cancel();
  ++tries;
  auto made = std::make_unique<TcpConnection::State>(loop, std::move(connected), connecting.limits);
  made->handler = std::make_unique<Forwarder>(*handler, delay, [weak = weak_from_this()](const Status& why) {
    const auto state = weak.lock();
    if (!state || state->handler == nullptr) return;
    state->connection.reset();
    const auto next = state->delay.next();
    state->schedule(next);
    state->handler->on_disconnect(why, next);
  });
  connection = std::make_shared<TcpConnection>(std::move(made));
  const auto kept = connection;
  handler->on_connect(*kept);
  kept->start();
}

void TcpClient::State::fail_try(const Error& error) {
  ++tries;
  resolver.cancel();
  if (socket) {
    boost::system::error_code ignored;
    socket->close(ignored);
    socket.reset();
  }
  const auto next = delay.next();
  schedule(next);
  handler->on_connect_failed(error, next);
}

std::unique_ptr<TcpClient> TcpClient::start(EventLoop& loop, Random& random, TcpConnecting connecting,
                                            TcpClientHandler& handler) {
  auto state = std::make_shared<State>(loop, random, std::move(connecting), handler);
  state->schedule(std::chrono::milliseconds(0));
  return std::unique_ptr<TcpClient>(new TcpClient(std::move(state)));
}

TcpClient::TcpClient(std::shared_ptr<State> state) : state_(std::move(state)) {}

TcpClient::~TcpClient() {
  State& state = *state_;
  state.handler = nullptr;
  state.timer.cancel();
  state.resolver.cancel();
  boost::system::error_code ignored;
  if (state.socket) state.socket->close(ignored);
  if (state.connection) state.connection->drop();
}

TcpConnection* TcpClient::connection() const { return state_->connection.get(); }

}  // namespace cas::service
