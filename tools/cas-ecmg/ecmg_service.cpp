// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ecmg_service.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace cas::ecmg_program {

using simulcrypt::EcmgSession;

namespace {

// Connections that have no channel yet, beside those that have: enough to tell a synchroniser that there are too many.
constexpr std::size_t spare_connections = 64;
constexpr std::size_t receive_buffer = 64 * 1024;
constexpr std::size_t send_queue = 256 * 1024;

std::string hex32(std::uint32_t value) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[value >> shift & 0xf];
  return text;
}

}  // namespace

Result<EcmgMetrics> EcmgMetrics::create(service::MetricRegistry& registry) {
  EcmgMetrics made;
  CAS_TRY_ASSIGN(made.channels, registry.gauge("cas_ecmg_channels", "Channels that are open"));
  CAS_TRY_ASSIGN(made.streams, registry.gauge("cas_ecmg_streams", "ECM streams that are open"));
  CAS_TRY_ASSIGN(made.ecms, registry.counter("cas_ecmg_ecms_total", "ECMs that were made"));
  CAS_TRY_ASSIGN(made.refusals,
                 registry.counter("cas_ecmg_refusals_total", "CW_provisions that the CA system made no ECM of"));
  CAS_TRY_ASSIGN(made.misbehaviour,
                 registry.counter("cas_ecmg_misbehaviour_total", "What synchronisers did and must not do"));
  CAS_TRY_ASSIGN(
      made.answer_seconds,
      registry.histogram("cas_ecmg_answer_seconds", "From a CW_provision that is there to its ECM_response",
                         {0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0}));
  return made;
}

tl::expected<simulcrypt::EcmStreamGrant, simulcrypt::ecmg::Error> CountingGenerator::open_stream(
    const simulcrypt::EcmStreamOrder& order) {
  auto grant = inner_.open_stream(order);
  if (grant) metrics_.streams->add(1);
  return grant;
}

void CountingGenerator::close_stream(std::uint64_t handle) {
  metrics_.streams->add(-1);
  inner_.close_stream(handle);
}

/// A connection and its session.
class EcmgService::Connection final : public service::TcpHandler {
 public:
  Connection(EcmgService& service, service::TcpConnection& connection)
      : service_(service), connection_(connection.weak_from_this()), peer_(connection.peer().text()) {
    session_.emplace(service.ecmg_, service.loop_.now());
    service_.connections_.emplace(session_->number(), this);
    arm();
  }
  ~Connection() override {
    const std::uint64_t number = session_->number();
    session_.reset();  // closes its channel, and is asked whose it was
    service_.connections_.erase(number);
  }

  void on_receive(service::TcpConnection& connection, ByteView bytes) override {
    const auto began = service_.clock_.monotonic();
    session_->receive(bytes, service_.loop_.now());
    pump(connection);
    arm();
    const std::uint64_t made = service_.generator_.take_made();
    if (made == 0) return;
    service_.metrics_.ecms->add(made);
    const std::chrono::duration<double> took = service_.clock_.monotonic() - began;
    service_.metrics_.answer_seconds->observe(took.count(), made);
  }
  void on_drained(service::TcpConnection& connection) override {
    pump(connection);
    if (session_->wants_input()) connection.resume_receiving();
  }
  void on_close(service::TcpConnection&, const Status& why) override {
    if (!why) service_.log_.info("connection-broken", why.error().message, {{"peer", peer_}});
  }

  [[nodiscard]] const std::string& peer() const { return peer_; }

 private:
  void pump(service::TcpConnection& connection) {
    while (!session_->output().empty()) {
      const ByteView output = session_->output();
      const std::size_t size = std::min(output.size(), connection.room());
      if (size == 0 || !connection.send(output.first(size))) break;
      session_->sent(size);
    }
    if (session_->is_closed() && session_->output().empty()) return connection.close();
    if (!session_->wants_input()) connection.pause_receiving();
  }
  // Deadlines mostly move away: the timer is set anew when it comes too early.
  void arm() {
    const auto next = session_->next_deadline();
    if (!next || (timer_.active() && armed_for_ <= *next)) return;
    armed_for_ = *next;
    timer_ = service_.loop_.after(*next - service_.loop_.now(), [this] {
      session_->tick(service_.loop_.now());
      if (const auto connection = connection_.lock()) pump(*connection);
      arm();
    });
  }

  EcmgService& service_;
  std::weak_ptr<service::TcpConnection> connection_;
  std::string peer_;
  std::optional<EcmgSession> session_;
  service::Timer timer_;
  std::chrono::nanoseconds armed_for_{};
};

EcmgService::EcmgService(service::EventLoop& loop, Clock& clock, const EcmgServing& serving,
                         simulcrypt::EcmGenerator& generator, EcmgMetrics& metrics, tools::DaemonLog& log)
    : loop_(loop),
      clock_(clock),
      metrics_(metrics),
      log_(log),
      generator_(generator, metrics),
      ecmg_(serving.settings, generator_, this) {}

EcmgService::~EcmgService() = default;

Result<std::unique_ptr<EcmgService>> EcmgService::listen(service::EventLoop& loop, Clock& clock,
                                                         const EcmgServing& serving,
                                                         simulcrypt::EcmGenerator& generator, EcmgMetrics& metrics,
                                                         tools::DaemonLog& log) {
  std::unique_ptr<EcmgService> made(new EcmgService(loop, clock, serving, generator, metrics, log));
  service::TcpListening listening;
  listening.address = serving.address;
  listening.port = serving.port;
  listening.max_connections = serving.settings.max_channels + spare_connections;
  listening.limits.receive_buffer = receive_buffer;
  listening.limits.send_queue = send_queue;
  listening.limits.farewell = std::chrono::milliseconds(1000);
  CAS_TRY_ASSIGN(made->server_, service::TcpServer::listen(loop, listening,
                                                           [service = made.get()](service::TcpConnection& connection) {
                                                             return std::make_unique<Connection>(*service, connection);
                                                           }));
  return made;
}

std::string EcmgService::peer_of(std::uint64_t session) const {
  const auto found = connections_.find(session);
  return found != connections_.end() ? found->second->peer() : "a client that is gone";
}

void EcmgService::channel_opened(std::uint64_t session, std::uint32_t super_cas_id, std::uint16_t channel_id) {
  metrics_.channels->add(1);
  const std::string peer = peer_of(session);
  log_.info("channel-opened", peer + " has opened channel " + std::to_string(channel_id) + " of " + hex32(super_cas_id),
            {{"peer", peer}, {"channel", channel_id}, {"super_cas_id", hex32(super_cas_id)}});
}

void EcmgService::channel_closed(std::uint64_t session, std::uint16_t channel_id) {
  metrics_.channels->add(-1);
  const std::string peer = peer_of(session);
  log_.info("channel-closed", "channel " + std::to_string(channel_id) + " of " + peer + " is closed",
            {{"peer", peer}, {"channel", channel_id}});
}

void EcmgService::peer_misbehaved(std::uint64_t session, const simulcrypt::Problem& problem, bool ends) {
  metrics_.misbehaviour->add();
  const std::string peer = peer_of(session);
  log_.warning("peer-misbehaved", peer + ": " + problem.message + (ends ? "; it is hung up on" : ""),
               {{"peer", peer}, {"error_status", problem.error_status}, {"ends", ends}});
}

}  // namespace cas::ecmg_program
