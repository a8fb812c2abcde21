// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_session.hpp"

#include <algorithm>
#include <utility>

#include "service/http_response_head.hpp"

namespace cas::service {

namespace {

// What a client may send ahead of its answers, besides what the sockets hold.
constexpr std::size_t max_ahead = 16 * 1024;
// One record of TLS (RFC 8446, 5.1), which is also what is copied at once.
constexpr std::size_t piece_size = 16 * 1024;
// Room in the connection's queue for a head, a piece, and what TLS puts around them.
constexpr std::size_t room_needed = 64 * 1024;
constexpr std::string_view continue_answer = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

HttpSession::HttpSession(HttpServer::State& server, TcpConnection& connection, std::optional<crypto::TlsSession> tls)
    : server_(server),
      connection_(&connection),
      peer_(connection.peer()),
      tls_(std::move(tls)),
      phase_(tls_ ? Phase::handshake : Phase::open),
      parser_(server.listening.limits) {}

HttpSession::~HttpSession() {
  if (connection_ == nullptr) return;
  end_exchange();
  server_.sessions.erase(this);
}

void HttpSession::start() {
  since_ = server_.loop.now();
  watch();
}

// ---------------------------------------------------------------------------------------------------------- receiving

void HttpSession::receive(ByteView bytes) {
  if (phase_ == Phase::closing) return;
  if (tls_) {
    receive_tls(bytes);
  } else {
    in_.append(bytes);
  }
  process();
  settle();
}

void HttpSession::receive_tls(ByteView bytes) {
  tls_->receive(bytes);
  if (phase_ == Phase::handshake && !shake_hands()) return;
  for (;;) {
    const auto got = tls_->read(in_.prepare(piece_size));
    if (!got) {  // the alert that tells the client is in the output
      flush_tls();
      phase_ = Phase::closing;
      if (connection_ != nullptr) connection_->close();
      return;
    }
    if (!*got || **got == 0) break;  // a client that writes no more may still read
    in_.commit(**got);
  }
  flush_tls();
}

bool HttpSession::shake_hands() {
  const auto done = tls_->handshake();
  flush_tls();
  if (done && !*done) return false;
  if (!done) {
    ++server_.counts.tls_failures;
    if (server_.metrics) server_.metrics->tls_failures->add();
    phase_ = Phase::closing;
    if (connection_ != nullptr) connection_->close();
    return false;
  }
  phase_ = Phase::open;
  since_ = server_.loop.now();
  if (auto peer = tls_->peer()) client_ = std::make_shared<const crypto::TlsPeer>(std::move(*peer));
  return true;
}

void HttpSession::flush_tls() {
  const Bytes output = tls_->take_output();
  if (output.empty() || connection_ == nullptr) return;
  if (!connection_->send(output)) connection_->abort();
}

void HttpSession::write(ByteView bytes) {
  if (connection_ == nullptr) return;
  if (tls_) {
    if (!tls_->write(bytes)) return connection_->abort();
    return flush_tls();
  }
  if (!connection_->send(bytes)) connection_->abort();
}

// ----------------------------------------------------------------------------------------------------------- requests

bool HttpSession::is_busy() const {
  return exchange_ || outgoing_ || connection_ == nullptr || connection_->room() < room_needed;
}

bool HttpSession::is_idle() const {
  return !exchange_ && !outgoing_ && in_.empty() && parser_.state() == HttpRequestParser::State::idle;
}

void HttpSession::process() {
  if (std::exchange(processing_, true)) return;
  while (phase_ == Phase::open && !is_busy() && !in_.empty() && take_request()) {
  }
  processing_ = false;
  if (phase_ == Phase::open && finishing_ && is_idle()) say_goodbye();
}

/// False when more bytes are needed.
bool HttpSession::take_request() {
  using State = HttpRequestParser::State;
  const State before = parser_.state();
  in_.consume(parser_.take(in_.view()));
  const State after = parser_.state();
  if (after != before) since_ = server_.loop.now();
  switch (after) {
    case State::refused: refuse(parser_.refusal().status, parser_.refusal().sentence); return false;
    case State::complete: dispatch(); return true;
    case State::body:
      if (parser_.take_expectation() && in_.empty()) write(as_bytes(continue_answer));
      return false;
    case State::idle:
    case State::head: break;
  }
  return false;
}

void HttpSession::dispatch() {
  ++server_.counts.requests;
  request_at_ = server_.time();
  keep_alive_ = parser_.keep_alive();
  http_1_0_ = parser_.is_http_1_0();
  const auto exchange = std::make_shared<HttpExchange::State>();
  exchange->request = parser_.release();
  exchange->request.peer_ = peer_;
  exchange->request.secure_ = tls_.has_value();
  exchange->request.client_ = client_;
  exchange->mailbox = server_.mailbox;
  exchange->session = weak_from_this();
  exchange->loop_thread = std::this_thread::get_id();
  exchange_ = exchange;
  waiting_ = true;
  server_.begin_waiting();
  call_handler(exchange);
}

void HttpSession::call_handler(const std::shared_ptr<HttpExchange::State>& exchange) {
  const auto found = server_.router.find(exchange->request);
  if (found.handler == nullptr) {
    HttpResponse response = HttpResponse::text(
        found.status, found.status == 405 ? "this path does not know that method" : "there is nothing at this path");
    if (found.status == 405) response.headers.emplace_back("Allow", found.allow);
    return complete(*exchange, std::move(response));
  }
  if (server_.counts.waiting > server_.listening.limits.requests) {
    HttpResponse response = HttpResponse::text(503, "too many requests wait for their answers; try again later");
    response.headers.emplace_back("Retry-After", "1");
    return complete(*exchange, std::move(response));
  }
  if (const auto* const handler = std::get_if<HttpRouter::Handler>(found.handler))
    return complete(*exchange, (*handler)(exchange->request));
  std::get<HttpRouter::DeferredHandler> (*found.handler)(HttpExchange(exchange));
}

// ------------------------------------------------------------------------------------------------------------ answers

void HttpSession::complete(const HttpExchange::State& exchange, HttpResponse response) {
  if (phase_ != Phase::open || exchange_.get() != &exchange || !waiting_) return;
  waiting_ = false;
  server_.end_waiting();
  send(std::move(response), false);
  if (processing_) return;
  process();
  settle();
}

void HttpSession::send(HttpResponse response, bool last) {
  if (!check_response(response)) response = HttpResponse::text(500, "the answer cannot be sent");
  last_ = last || response.close || !keep_alive_ || finishing_;
  const bool is_head = exchange_ && exchange_->request.method() == "HEAD";
  outgoing_ = std::move(response);
  rest_ = is_head || !has_body(outgoing_->status) ? ByteView() : outgoing_->body_view();
  body_size_ = rest_.size();
  const auto field = last_       ? HttpConnectionField::close
                     : http_1_0_ ? HttpConnectionField::keep_alive
                                 : HttpConnectionField::none;
  write_response_head(scratch_, *outgoing_, server_.date(), field);
  // Head and small body go out together.
  const ByteView first = rest_.first(std::min(rest_.size(), piece_size));
  scratch_.append(first);
  rest_ = rest_.subspan(first.size());
  write(scratch_.view());
  scratch_.clear();
  send_more();
}

void HttpSession::send_more() {
  while (!rest_.empty()) {
    if (connection_ == nullptr || connection_->room() < room_needed) return;  // drained() comes
    const ByteView piece = rest_.first(std::min(rest_.size(), piece_size));
    rest_ = rest_.subspan(piece.size());
    write(piece);
  }
  finish_answer();
}

void HttpSession::finish_answer() {
  tell(outgoing_->status, body_size_);
  outgoing_.reset();
  exchange_.reset();
  since_ = server_.loop.now();
  if (last_) say_goodbye();
}

void HttpSession::drained() {
  if (phase_ != Phase::open) return;
  if (outgoing_) send_more();
  process();
  settle();
}

void HttpSession::refuse(int status, std::string_view sentence) {
  ++server_.counts.refused_requests;
  request_at_ = server_.time();
  send(HttpResponse::text(status, sentence), true);
}

void HttpSession::say_goodbye() {
  phase_ = Phase::closing;
  in_.clear();
  if (connection_ == nullptr) return;
  if (tls_) {
    tls_->close();
    flush_tls();
  }
  connection_->close();
}

void HttpSession::tell(int status, std::size_t size) {
  const auto duration = server_.time() - request_at_;
  if (server_.metrics && status != 0) server_.metrics->count_answer(status, duration);
  if (!server_.listening.access_log) return;
  server_.listening.access_log(HttpAccess{peer_, client_ ? std::string_view(client_->subject) : std::string_view(),
                                          exchange_ ? exchange_->request.method() : std::string_view(),
                                          exchange_ ? exchange_->request.path() : std::string_view(), status, size,
                                          duration});
}

void HttpSession::end_exchange() {
  if (!exchange_) return;
  exchange_->abandoned = true;
  if (std::exchange(waiting_, false)) server_.end_waiting();
  exchange_.reset();
}

// ------------------------------------------------------------------------------------------------------------- limits

/// After each step: whether the client is listened to, and until when it is waited for.
void HttpSession::settle() {
  if (connection_ == nullptr || phase_ == Phase::closing) {
    timer_.cancel();
    return;
  }
  const bool pause = is_busy() && in_.size() > max_ahead;
  if (pause != paused_) {
    paused_ = pause;
    if (pause) {
      connection_->pause_receiving();
    } else {
      connection_->resume_receiving();
    }
  }
  watch();
}

std::chrono::nanoseconds HttpSession::deadline() const {
  const HttpServerLimits& limits = server_.listening.limits;
  if (phase_ == Phase::handshake) return since_ + limits.handshake;
  if (waiting_) return since_ + limits.answer;
  if (outgoing_) return server_.loop.now() + limits.idle;  // the connection's own limit holds
  switch (parser_.state()) {
    case HttpRequestParser::State::head: return since_ + limits.headers;
    case HttpRequestParser::State::body: return since_ + limits.body;
    default: return since_ + limits.idle;
  }
}

// One timer, set anew when it comes too early: a busy connection does not touch it.
void HttpSession::watch() {
  const auto due = deadline();
  if (timer_.active() && armed_for_ <= due) return;
  armed_for_ = due;
  timer_ = server_.loop.after(due - server_.loop.now(), [weak = weak_from_this()] {
    if (const auto session = weak.lock()) session->on_deadline();
  });
}

void HttpSession::on_deadline() {
  if (connection_ == nullptr || phase_ == Phase::closing) return;
  if (deadline() > server_.loop.now()) return watch();
  if (phase_ == Phase::handshake) {
    ++server_.counts.tls_failures;
    if (server_.metrics) server_.metrics->tls_failures->add();
    return abort();
  }
  if (waiting_) {
    exchange_->abandoned = true;
    waiting_ = false;
    server_.end_waiting();
    return send(HttpResponse::text(503, "the answer took too long"), true);
  }
  if (parser_.state() != HttpRequestParser::State::idle) return refuse(408, "the request came too slowly");
  say_goodbye();
}

// ------------------------------------------------------------------------------------------------------------- ending

void HttpSession::finish() {
  finishing_ = true;
  if (phase_ == Phase::handshake) return abort();
  if (phase_ == Phase::open && is_idle()) say_goodbye();
}

void HttpSession::abort() {
  phase_ = Phase::closing;
  timer_.cancel();
  if (connection_ != nullptr) connection_->abort();
}

void HttpSession::closed() {
  timer_.cancel();
  if (exchange_) {
    ++server_.counts.abandoned;
    tell(0, 0);
  }
  end_exchange();
  connection_ = nullptr;
  phase_ = Phase::closing;
  server_.forget(*this);
}

}  // namespace cas::service
