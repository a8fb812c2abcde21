// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/tcp_client.hpp"

#include <functional>

#include "service/reconnect_delay.hpp"
#include "service/tcp_attempt.hpp"

namespace cas::service {

struct TcpClient::State : std::enable_shared_from_this<TcpClient::State> {
  State(EventLoop& given_loop, Random& random, TcpConnecting given, TcpClientHandler& given_handler)
      : loop(given_loop),
        connecting(std::move(given)),
        handler(&given_handler),
        delay(random, connecting.first_delay, connecting.longest_delay) {}

  void schedule(std::chrono::milliseconds after);
  void attempt();
  [[nodiscard]] std::unique_ptr<TcpHandler> take(const std::shared_ptr<TcpConnection>& connected);
  void lose(const Status& why);
  void fail_try(const Error& error);

  EventLoop& loop;
  TcpConnecting connecting;
  TcpClientHandler* handler;  ///< Nothing: the client is gone.
  ReconnectDelay delay;
  std::unique_ptr<TcpAttempt> trying;
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

// The attempt goes with this state: what it calls has one.
void TcpClient::State::attempt() {
  trying = TcpAttempt::start(
      loop, {connecting.host, connecting.port}, connecting.connect_limit, connecting.limits,
      [this](const std::shared_ptr<TcpConnection>& connected) { return take(connected); },
      [this](const Error& error) { fail_try(error); });
}

std::unique_ptr<TcpHandler> TcpClient::State::take(const std::shared_ptr<TcpConnection>& connected) {
  trying.reset();
  connection = connected;
  auto forwarder = std::make_unique<Forwarder>(*handler, delay, [weak = weak_from_this()](const Status& why) {
    const auto state = weak.lock();
    if (state && state->handler != nullptr) state->lose(why);
  });
  handler->on_connect(*connected);
  return forwarder;
}

void TcpClient::State::lose(const Status& why) {
  connection.reset();
  const auto next = delay.next();
  schedule(next);
  handler->on_disconnect(why, next);
}

void TcpClient::State::fail_try(const Error& error) {
  trying.reset();
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
  state.trying.reset();
  if (state.connection) state.connection->drop();
}

TcpConnection* TcpClient::connection() const { return state_->connection.get(); }

}  // namespace cas::service
