// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/tcp_server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <unordered_set>
#include <vector>

#include "service/endpoint_access.hpp"
#include "service/tcp_connection_state.hpp"

namespace cas::service {

namespace {

// After accept() has failed for want of descriptors or memory; trying at once would only burn the processor.
constexpr std::chrono::milliseconds accept_pause{100};

}  // namespace

struct TcpServer::State : std::enable_shared_from_this<TcpServer::State> {
  State(EventLoop& given_loop, TcpListening given_listening, Accept given_accept)
      : loop(given_loop),
        listening(std::move(given_listening)),
        accept(std::move(given_accept)),
        acceptor(given_loop.state().io) {}

  Status open();
  void wait();
  void take(TcpSocket socket);
  void forget(const std::shared_ptr<TcpConnection>& connection);
  void finish_stop();

  EventLoop& loop;
  TcpListening listening;
  Accept accept;
  asio::ip::tcp::acceptor acceptor;
  Endpoint local;
  Counts counts;
  std::unordered_set<std::shared_ptr<TcpConnection>> connections;
  Timer retry;
  std::function<void()> on_stopped;
};

Status TcpServer::State::open() {
  CAS_TRY_ASSIGN(const Endpoint wanted, Endpoint::create(listening.address, listening.port));
  const auto at = EndpointAccess::to<asio::ip::tcp::endpoint>(wanted);
  const std::string what = "cannot listen at " + wanted.text();
  boost::system::error_code code;
  acceptor.open(at.protocol(), code);
  // A daemon that is started again need not wait for its old connections to be forgotten.
  if (!code) acceptor.set_option(asio::socket_base::reuse_address(true), code);
  if (!code && wanted.is_ipv6()) acceptor.set_option(asio::ip::v6_only(false), code);
  if (!code) acceptor.bind(at, code);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) return fail(error_of(code, what));
  const auto bound = acceptor.local_endpoint(code);
  if (code) return fail(error_of(code, what));
  local = EndpointAccess::from(bound);
  return {};
}

void TcpServer::State::wait() {
  acceptor.async_accept([self = shared_from_this()](const boost::system::error_code& code, TcpSocket socket) {
    if (!self->acceptor.is_open()) return;
    if (!code) {
      self->take(std::move(socket));
      return self->wait();
    }
    if (code == asio::error::connection_aborted) return self->wait();  // the client was gone before
    self->retry = self->loop.after(accept_pause, [weak = std::weak_ptr(self)] {
      if (const auto server = weak.lock(); server && server->acceptor.is_open()) server->wait();
    });
  });
}

void TcpServer::State::take(TcpSocket socket) {
  if (connections.size() >= listening.max_connections) {
    ++counts.refused;
    return;  // closes it
  }
  auto state = std::make_unique<TcpConnection::State>(loop, std::move(socket), listening.limits);
  TcpConnection::State& made = *state;
  const auto connection = std::make_shared<TcpConnection>(std::move(state));
  made.handler = accept(*connection);
  if (!made.handler) {
    ++counts.refused;
    return;
  }
  made.on_ended = [weak = weak_from_this(), raw = connection.get()] {
    if (const auto server = weak.lock()) server->forget(raw->shared_from_this());
  };
  connections.insert(connection);
  ++counts.accepted;
  counts.open = connections.size();
  connection->start();
}

void TcpServer::State::forget(const std::shared_ptr<TcpConnection>& connection) {
  connections.erase(connection);
  counts.open = connections.size();
  if (connections.empty()) finish_stop();
}

void TcpServer::State::finish_stop() {
  if (!on_stopped || acceptor.is_open()) return;
  const auto done = std::move(on_stopped);
  on_stopped = nullptr;
  done();
}

Result<std::unique_ptr<TcpServer>> TcpServer::listen(EventLoop& loop, const TcpListening& listening, Accept accept) {
  auto state = std::make_shared<State>(loop, listening, std::move(accept));
  CAS_TRY(state->open());
  state->wait();
  return std::unique_ptr<TcpServer>(new TcpServer(std::move(state)));
}

TcpServer::TcpServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

TcpServer::~TcpServer() {
  boost::system::error_code code;
  state_->acceptor.close(code);
  state_->on_stopped = nullptr;
  for (const auto& connection : std::exchange(state_->connections, {})) connection->drop();
}

const Endpoint& TcpServer::local() const { return state_->local; }
const TcpServer::Counts& TcpServer::counts() const { return state_->counts; }

void TcpServer::stop_listening() {
  boost::system::error_code code;
  state_->acceptor.close(code);
}

void TcpServer::stop(std::function<void()> done) {
  stop_listening();
  state_->on_stopped = std::move(done);
  // close() may end a connection, which changes the set.
  const std::vector<std::shared_ptr<TcpConnection>> open(state_->connections.begin(), state_->connections.end());
  for (const auto& connection : open) connection->close();
  state_->loop.post([state = state_] {
    if (state->connections.empty()) state->finish_stop();
  });
}

}  // namespace cas::service
