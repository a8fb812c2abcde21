// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_listener.hpp"

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "simulcrypt/session_handler.hpp"

namespace cas::simulcrypt {

namespace {

// Connections that have no channel yet, beside those that have: enough to tell a synchroniser that there are too many.
constexpr std::size_t spare_connections = 64;
constexpr std::size_t receive_buffer = 64 * 1024;
constexpr std::size_t send_queue = 256 * 1024;

}  // namespace

struct EcmgListener::State {
  State(service::EventLoop& given_loop, const EcmgServerSettings& settings, EcmGenerator& generator,
        EcmgServerListener* listener)
      : loop(given_loop), ecmg(settings, generator, listener) {}

  /// What a session's connection is known by, for as long as that is there.
  class Connection final : public service::TcpHandler {
   public:
    Connection(State& state, service::TcpConnection& connection) : state_(state), peer_(connection.peer().text()) {
      inner_.emplace(
          state.loop, state.ecmg, connection, [&state] { state.answered(); }, nullptr);
      state_.connections.emplace(inner_->session().number(), this);
    }
    ~Connection() override {
      const std::uint64_t number = inner_->session().number();
      inner_.reset();  // closes its channel, and is asked whose it was
      state_.connections.erase(number);
    }
    void on_receive(service::TcpConnection& connection, ByteView bytes) override {
      inner_->on_receive(connection, bytes);
    }
    void on_drained(service::TcpConnection& connection) override { inner_->on_drained(connection); }
    void on_close(service::TcpConnection&, const Status& why) override {
      if (!why && state_.on_broken) state_.on_broken(peer_, why.error());
    }
    [[nodiscard]] SessionHandler<EcmgSession>& handler() { return *inner_; }
    [[nodiscard]] const std::string& peer() const { return peer_; }

   private:
    State& state_;
    std::string peer_;
    std::optional<SessionHandler<EcmgSession>> inner_;
  };

  void answered() {
    if (on_answered) on_answered();
  }
  void settle(const EcmgSession* session) {
    if (session == nullptr) return;
    if (const auto found = connections.find(session->number()); found != connections.end())
      found->second->handler().settle();
  }

  service::EventLoop& loop;
  EcmgServer ecmg;
  std::function<void()> on_answered;
  std::function<void(const std::string&, const Error&)> on_broken;
  std::unordered_map<std::uint64_t, Connection*> connections;
  std::unique_ptr<service::TcpServer> server;  // last: its connections refer to the others
};

Result<std::unique_ptr<EcmgListener>> EcmgListener::listen(service::EventLoop& loop, const EcmgListening& listening,
                                                           EcmGenerator& generator, EcmgServerListener* listener) {
  auto state = std::make_unique<State>(loop, listening.settings, generator, listener);
  service::TcpListening tcp;
  tcp.address = listening.address;
  tcp.port = listening.port;
  tcp.max_connections = listening.settings.max_channels + spare_connections;
  tcp.limits.receive_buffer = receive_buffer;
  tcp.limits.send_queue = send_queue;
  tcp.limits.farewell = std::chrono::milliseconds(1'000);
  CAS_TRY_ASSIGN(state->server,
                 service::TcpServer::listen(loop, tcp, [raw = state.get()](service::TcpConnection& connection) {
                   return std::make_unique<State::Connection>(*raw, connection);
                 }));
  return std::unique_ptr<EcmgListener>(new EcmgListener(std::move(state)));
}

EcmgListener::EcmgListener(std::unique_ptr<State> state) : state_(std::move(state)) {}
EcmgListener::~EcmgListener() = default;

const service::Endpoint& EcmgListener::local() const { return state_->server->local(); }
std::size_t EcmgListener::connection_count() const { return state_->connections.size(); }

std::string EcmgListener::peer_of(std::uint64_t session) const {
  const auto found = state_->connections.find(session);
  return found != state_->connections.end() ? found->second->peer() : std::string();
}

void EcmgListener::complete(const EcmTicket& ticket, ByteView ecm) {
  state_->settle(state_->ecmg.complete(ticket, ecm));
}

void EcmgListener::refuse(const EcmTicket& ticket, ecmg::Error error) {
  state_->settle(state_->ecmg.refuse(ticket, error));
}

void EcmgListener::on_answered(std::function<void()> handler) { state_->on_answered = std::move(handler); }

void EcmgListener::on_broken(std::function<void(const std::string&, const Error&)> handler) {
  state_->on_broken = std::move(handler);
}

void EcmgListener::abort_all() {
  for (const auto& [number, connection] : state_->connections) connection->handler().connection().abort();
}

void EcmgListener::stop(std::function<void()> done) { state_->server->stop(std::move(done)); }

}  // namespace cas::simulcrypt
