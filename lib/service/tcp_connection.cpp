// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/tcp_connection.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "service/endpoint_access.hpp"
#include "service/tcp_connection_state.hpp"

namespace cas::service {

TcpConnection::TcpConnection(std::unique_ptr<State> state) : state_(std::move(state)) {
  State& made = *state_;
  boost::system::error_code code;
  // A peer that is gone already has no endpoint any more: the first read will tell.
  made.peer = EndpointAccess::from(made.socket.remote_endpoint(code));
  made.local = EndpointAccess::from(made.socket.local_endpoint(code));
  made.socket.non_blocking(true, code);
  // Answers are written in one piece: waiting for more (RFC 896) only delays them.
  made.socket.set_option(asio::ip::tcp::no_delay(true), code);
}

TcpConnection::~TcpConnection() = default;

void TcpConnection::start() {
  State& state = *state_;
  state.last_received = state.last_sent = state.loop.now();
  state.receive(shared_from_this());
  state.watch(shared_from_this());
}

// ---------------------------------------------------------------------------------------------------------- receiving

void TcpConnection::State::receive(const std::shared_ptr<TcpConnection>& self) {
  if (receiving || paused || held != 0 || phase == Phase::ended) return;
  receiving = true;
  socket.async_read_some(asio::buffer(in), [this, self](const boost::system::error_code& code, std::size_t size) {
    receiving = false;
    on_received(self, code, size);
  });
}

void TcpConnection::State::on_received(const std::shared_ptr<TcpConnection>& self,
                                       const boost::system::error_code& code, std::size_t size) {
  if (phase == Phase::ended) return;
  if (code == asio::error::eof) return on_peer_closed(self);
  if (code) return end(self, fail(error_of(code, "the connection with " + peer.text() + " broke")));
  last_received = loop.now();
  if (phase == Phase::open && paused) {  // the read was under way already
    held = size;
    return;
  }
  if (phase == Phase::open) {
    in_handler = true;
    handler->on_receive(*self, ByteView(in).first(size));
    in_handler = false;
    flush(self);
  }
  cleanse(MutableByteView(in).first(size));
  receive(self);
}

// A peer may say that no more comes, and still wait for its answers.
void TcpConnection::State::on_peer_closed(const std::shared_ptr<TcpConnection>& self) {
  peer_closed = true;
  if (phase == Phase::farewell) return end(self, {});
  phase = Phase::closing;
  flush(self);
}

void TcpConnection::pause_receiving() { state_->paused = true; }

void TcpConnection::resume_receiving() {
  State& state = *state_;
  if (!state.paused) return;
  state.paused = false;
  state.last_received = state.loop.now();
  if (state.phase == State::Phase::ended) return;
  state.watch(shared_from_this());
  if (state.held != 0) {
    asio::post(state.loop.state().io, [&state, self = shared_from_this()] { state.deliver_held(self); });
  } else if (!state.in_handler) {
    state.receive(shared_from_this());
  }
}

void TcpConnection::State::deliver_held(const std::shared_ptr<TcpConnection>& self) {
  if (paused || held == 0) return;
  on_received(self, {}, std::exchange(held, 0));
}

// ------------------------------------------------------------------------------------------------------------ sending

Status TcpConnection::send(ByteView bytes) {
  State& state = *state_;
  if (state.phase != State::Phase::open)
    return fail(ErrorKind::io, "the connection with " + state.peer.text() + " is closed");
  if (bytes.size() > room())
    return fail(ErrorKind::exhausted, state.peer.text() + " takes its bytes too slowly: " +
                                          std::to_string(state.out.size()) + " are waiting for it");
  if (state.out.size() == 0) state.last_sent = state.loop.now();
  state.out.append(bytes);
  if (!state.in_handler) state.flush(shared_from_this());
  if (state.out.size() > state.limits.send_queue / 2) state.was_half_full = true;
  return {};
}

void TcpConnection::State::flush(const std::shared_ptr<TcpConnection>& self) {
  if (sending || phase == Phase::ended || phase == Phase::farewell) return;
  while (!out.empty()) {
    boost::system::error_code code;
    const std::size_t sent = socket.write_some(asio::buffer(out.view().data(), out.size()), code);
    if (code == asio::error::would_block) return wait_for_room(self);
    if (code) return end(self, fail(error_of(code, "the connection with " + peer.text() + " broke")));
    out.consume(sent);
    last_sent = loop.now();
  }
  on_sent(self);
}

void TcpConnection::State::wait_for_room(const std::shared_ptr<TcpConnection>& self) {
  sending = true;
  watch(self);
  socket.async_wait(TcpSocket::wait_write, [this, self](const boost::system::error_code& code) {
    sending = false;
    if (phase == Phase::ended) return;
    if (code) return end(self, fail(error_of(code, "the connection with " + peer.text() + " broke")));
    flush(self);
  });
}

void TcpConnection::State::on_sent(const std::shared_ptr<TcpConnection>& self) {
  if (phase == Phase::closing) return say_farewell(self);
  if (!was_half_full) return;
  was_half_full = false;
  asio::post(loop.state().io, [this, self] {
    if (phase != Phase::open) return;
    in_handler = true;
    handler->on_drained(*self);
    in_handler = false;
    flush(self);
    receive(self);
  });
}

std::size_t TcpConnection::queued() const { return state_->out.size(); }

std::size_t TcpConnection::room() const {
  return state_->limits.send_queue - std::min(state_->limits.send_queue, state_->out.size());
}

// ------------------------------------------------------------------------------------------------------------- limits

std::optional<std::chrono::nanoseconds> TcpConnection::State::deadline() const {
  std::optional<std::chrono::nanoseconds> first;
  const auto take = [&first](std::chrono::nanoseconds since, std::chrono::milliseconds limit) {
    if (limit.count() > 0 && (!first || since + limit < *first)) first = since + limit;
  };
  if (phase == Phase::farewell) {
    take(farewell_since, limits.farewell);
    return first;
  }
  if (phase == Phase::open && !paused) take(last_received, limits.idle);
  if (out.size() != 0) take(last_sent, limits.stalled);
  return first;
}

// One timer, set anew when it comes too early: a busy connection does not touch it.
void TcpConnection::State::watch(const std::shared_ptr<TcpConnection>& self) {
  const auto due = deadline();
  if (!due) {
    watchdog.cancel();
    return;
  }
  watchdog = loop.after(*due - loop.now(), [this, weak = std::weak_ptr(self)] {
    const auto connection = weak.lock();
    if (!connection || phase == Phase::ended) return;
    const auto now_due = deadline();
    if (!now_due || *now_due > loop.now()) return watch(connection);
    if (phase == Phase::farewell) return end(connection, {});
    end(connection, fail(ErrorKind::expired, out.size() != 0 && last_sent + limits.stalled == *now_due
                                                 ? peer.text() + " takes none of the bytes that wait for it"
                                                 : peer.text() + " has not been heard of for " +
                                                       std::to_string(limits.idle.count() / 1000) + " s"));
  });
}

// ------------------------------------------------------------------------------------------------------------- ending

void TcpConnection::close() {
  State& state = *state_;
  if (state.phase != State::Phase::open) return;
  state.phase = State::Phase::closing;
  state.paused = false;
  state.held = 0;
  const auto self = shared_from_this();
  if (!state.in_handler) {
    state.flush(self);
    state.receive(self);  // to see the peer's end
  }
}

void TcpConnection::State::say_farewell(const std::shared_ptr<TcpConnection>& self) {
  if (peer_closed) return end(self, {});
  phase = Phase::farewell;
  farewell_since = loop.now();
  boost::system::error_code code;
  socket.shutdown(TcpSocket::shutdown_send, code);
  if (code) return end(self, {});
  watch(self);
  receive(self);
}

void TcpConnection::abort() {
  State& state = *state_;
  if (state.phase == State::Phase::ended) return;
  boost::system::error_code code;
  state.socket.set_option(asio::socket_base::linger(true, 0), code);
  state.end(shared_from_this(), {});
}

void TcpConnection::drop() {
  State& state = *state_;
  state.on_ended = nullptr;
  state.watchdog.cancel();
  state.phase = State::Phase::ended;
  boost::system::error_code code;
  state.socket.close(code);
  state.handler.reset();
}

void TcpConnection::State::end(const std::shared_ptr<TcpConnection>& self, Status why) {
  if (phase == Phase::ended) return;
  phase = Phase::ended;
  watchdog.cancel();
  boost::system::error_code code;
  socket.close(code);
  asio::post(loop.state().io, [this, self, why = std::move(why)] {
    if (!handler) return;  // dropped meanwhile
    handler->on_close(*self, why);
    handler.reset();
    if (on_ended) on_ended();
  });
}

const Endpoint& TcpConnection::peer() const { return state_->peer; }
const Endpoint& TcpConnection::local() const { return state_->local; }

}  // namespace cas::service
