// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_server.hpp"

#include <limits>
#include <vector>

#include "service/event_loop_state.hpp"
#include "service/http_response_head.hpp"
#include "service/http_server_state.hpp"
#include "service/http_session.hpp"

namespace cas::service {

namespace {

constexpr std::size_t max_header_size = 1U << 20;

/// Carries what happens to a connection to its session.
class SessionHandler final : public TcpHandler {
 public:
  explicit SessionHandler(std::shared_ptr<HttpSession> session) : session_(std::move(session)) {}
  void on_receive(TcpConnection&, ByteView bytes) override { session_->receive(bytes); }
  void on_drained(TcpConnection&) override { session_->drained(); }
  void on_close(TcpConnection&, const Status&) override { session_->closed(); }

 private:
  std::shared_ptr<HttpSession> session_;
};

Result<std::optional<crypto::TlsContext>> tls_context(const HttpListening& listening) {
  if (!listening.tls) return std::optional<crypto::TlsContext>();
  crypto::TlsServerPolicy policy;
  policy.clients = listening.tls->clients;
  policy.tls_1_2 = true;
  policy.application_protocol = "http/1.1";
  CAS_TRY_ASSIGN(auto context, crypto::TlsContext::create_server(listening.tls->credentials, policy));
  return std::optional<crypto::TlsContext>(std::move(context));
}

Status check_limits(const HttpServerLimits& limits) {
  if (limits.connections == 0 || limits.target_size == 0 || limits.header_size == 0 || limits.header_fields == 0 ||
      limits.requests == 0 || limits.header_size > max_header_size)
    return fail(ErrorKind::invalid_argument,
                "the limits of an HTTP server are at least 1, and at most a megabyte for the fields");
  for (const auto time :
       {limits.handshake, limits.headers, limits.body, limits.answer, limits.stalled, limits.idle, limits.stop})
    if (time.count() <= 0) return fail(ErrorKind::invalid_argument, "the times of an HTTP server are above 0");
  return {};
}

std::unique_ptr<TcpHandler> accept(HttpServer::State& server, TcpConnection& connection) {
  const auto refuse = [&server] {
    ++server.counts.refused;
    if (server.metrics) server.metrics->refused->add();
    return std::unique_ptr<TcpHandler>();
  };
  if (server.sessions.size() >= server.listening.limits.connections) return refuse();
  std::optional<crypto::TlsSession> tls;
  if (server.tls) {
    auto made = crypto::TlsSession::server(*server.tls);
    if (!made) return refuse();
    tls.emplace(std::move(*made));
  }
  ++server.counts.connections;
  if (server.metrics) server.metrics->connections->add();
  auto session = std::make_shared<HttpSession>(server, connection, std::move(tls));
  server.sessions.insert(session.get());
  if (server.metrics) server.metrics->open->set(static_cast<std::int64_t>(server.sessions.size()));
  session->start();
  return std::make_unique<SessionHandler>(std::move(session));
}

}  // namespace

std::chrono::nanoseconds HttpServer::State::time() const { return loop.state().clock.monotonic(); }

const std::string& HttpServer::State::date() {
  if (const std::int64_t now = loop.state().clock.now(); now != date_of) {
    date_of = now;
    date_text = http_date(now);
  }
  return date_text;
}

void HttpServer::State::begin_waiting() {
  ++counts.waiting;
  if (metrics) metrics->waiting->set(static_cast<std::int64_t>(counts.waiting));
}

void HttpServer::State::end_waiting() {
  --counts.waiting;
  if (metrics) metrics->waiting->set(static_cast<std::int64_t>(counts.waiting));
}

void HttpServer::State::forget(HttpSession& session) {
  sessions.erase(&session);
  if (metrics) metrics->open->set(static_cast<std::int64_t>(sessions.size()));
  // Not from within a call of the connection: whoever is told may destroy the server.
  if (stopping && sessions.empty()) stop_limit = loop.after({}, [this] { finish_stop(); });
}

void HttpServer::State::finish_stop() {
  stop_limit.cancel();
  if (const auto done = std::exchange(on_stopped, nullptr)) done();
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(EventLoop& loop, HttpListening listening, HttpRouter router) {
  CAS_TRY(check_limits(listening.limits));
  auto state = std::make_unique<State>(loop, std::move(listening), std::move(router));
  CAS_TRY_ASSIGN(state->tls, tls_context(state->listening));
  if (state->listening.metrics != nullptr) {
    CAS_TRY_ASSIGN(state->metrics, HttpMetrics::create(*state->listening.metrics, state->listening.name));
  }
  TcpListening tcp;
  tcp.address = state->listening.address;
  tcp.port = state->listening.port;
  tcp.max_connections = std::numeric_limits<std::size_t>::max();  // counted here
  tcp.limits.idle = {};                                           // sessions know what they wait for
  tcp.limits.stalled = state->listening.limits.stalled;
  CAS_TRY_ASSIGN(state->tcp, TcpServer::listen(loop, tcp, [server = state.get()](TcpConnection& connection) {
                   return accept(*server, connection);
                 }));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::~HttpServer() {
  state_->mailbox->close();
  state_->stopping = false;
  state_->tcp.reset();
  if (state_->metrics) state_->metrics->open->set(0);
}

const Endpoint& HttpServer::local() const { return state_->tcp->local(); }

HttpServer::Counts HttpServer::counts() const {
  Counts counts = state_->counts;
  counts.open = state_->sessions.size();
  return counts;
}

Status HttpServer::reload_tls() {
  CAS_TRY_ASSIGN(state_->tls, tls_context(state_->listening));
  return {};
}

void HttpServer::stop(std::function<void()> done) {
  State& state = *state_;
  state.tcp->stop_listening();
  state.stopping = true;
  state.on_stopped = std::move(done);
  // Ending one may change the set.
  const std::vector<HttpSession*> sessions(state.sessions.begin(), state.sessions.end());
  for (HttpSession* const session : sessions) session->finish();
  if (state.sessions.empty()) {
    state.stop_limit = state.loop.after({}, [&state] { state.finish_stop(); });
    return;
  }
  state.stop_limit = state.loop.after(state.listening.limits.stop, [&state] {
    const std::vector<HttpSession*> left(state.sessions.begin(), state.sessions.end());
    for (HttpSession* const session : left) session->abort();
  });
}

}  // namespace cas::service
