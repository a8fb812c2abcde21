// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/mux_listener.hpp"

#include <unordered_set>
#include <utility>

#include "service/udp_socket.hpp"
#include "simulcrypt/report_limit.hpp"
#include "simulcrypt/session_handler.hpp"

namespace cas::simulcrypt {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t receive_buffer = 64 * 1024;
constexpr std::size_t send_queue = 128 * 1024;
// How often losses are told of, and streams over UDP looked at.
constexpr milliseconds between_losses{1'000};
constexpr milliseconds between_looks{10'000};

using Handler = SessionHandler<MuxSession>;

}  // namespace

/// The sink of the sessions: tells the observer of what it lets into the queue.
struct MuxListener::State final : DataSink, MuxServerListener {
  State(service::EventLoop& given_loop, const MuxServerSettings& settings, std::shared_ptr<DataQueue> given_queue,
        MuxListenerObserver* given_observer)
      : loop(given_loop),
        queue(std::move(given_queue)),
        observer(given_observer != nullptr ? *given_observer : nobody),
        mux(settings, *this, this) {}

  Status open(const MuxListening& listening);
  [[nodiscard]] std::unique_ptr<service::TcpHandler> accept(service::TcpConnection& connection);
  void receive_datagram(ByteView bytes);
  void look_at_udp();
  void tell_losses();
  void reallocate();

  tl::expected<void, emmg::Error> open_channel(const emmg::ChannelId& channel, std::uint8_t flag) override {
    return queue->open_channel(channel, flag);
  }
  tl::expected<DataStreamGrant, emmg::Error> open_stream(const DataStreamOrder& order) override;
  void close_stream(std::uint64_t handle) override;
  std::uint16_t allocate_bandwidth(std::uint64_t handle, std::uint16_t wanted) override;
  void take_datagram(std::uint64_t handle, ByteView datagram) override { queue->take_datagram(handle, datagram); }

  void channel_opened(const emmg::ChannelId& channel) override { observer.channel_opened(channel); }
  void channel_closed(const emmg::ChannelId& channel) override { observer.channel_closed(channel); }
  void peer_misbehaved(const emmg::ChannelId& channel, const Problem& problem, bool ends) override {
    if (const auto limited = reports.pass(problem, loop.now())) observer.misbehaved(channel, *limited, ends);
  }

  MuxListenerObserver nobody;
  service::EventLoop& loop;
  std::shared_ptr<DataQueue> queue;
  MuxListenerObserver& observer;
  MuxServer mux;
  ReportLimit reports;
  UdpCounts udp_counts;
  DataQueue::Counts told;  // of losses
  service::Timer losses, looks;
  std::unordered_set<Handler*> handlers;
  std::unique_ptr<service::UdpSocket> udp;
  std::unique_ptr<service::TcpServer> server;  // last: its connections refer to the others
};

// --------------------------------------------------------------------------------------------------------------- sink

tl::expected<DataStreamGrant, emmg::Error> MuxListener::State::open_stream(const DataStreamOrder& order) {
  auto grant = queue->open_stream(order);
  if (grant) observer.stream_opened(*queue->stream(grant->handle), grant->bandwidth);
  return grant;
}

void MuxListener::State::close_stream(std::uint64_t handle) {
  const auto stream = queue->stream(handle);
  queue->close_stream(handle);
  if (stream) observer.stream_closed(*stream);
}

std::uint16_t MuxListener::State::allocate_bandwidth(std::uint64_t handle, std::uint16_t wanted) {
  const std::uint16_t granted = queue->allocate_bandwidth(handle, wanted);
  if (const auto stream = queue->stream(handle)) observer.bandwidth_allocated(*stream, wanted, granted);
  return granted;
}

void MuxListener::State::tell_losses() {
  if (losses.active()) return;
  const DataQueue::Counts counts = queue->counts();
  const std::uint64_t datagrams = counts.lost_datagrams - told.lost_datagrams;
  if (datagrams == 0) return;
  observer.data_lost(datagrams, counts.lost_bytes - told.lost_bytes);
  told = counts;
  losses = loop.after(between_losses, [this] { tell_losses(); });
}

// ------------------------------------------------------------------------------------------------------------ sockets

Status MuxListener::State::open(const MuxListening& listening) {
  service::TcpListening tcp;
  tcp.address = listening.address;
  tcp.port = listening.port;
  tcp.max_connections = listening.max_connections;
  tcp.limits.receive_buffer = receive_buffer;
  tcp.limits.send_queue = send_queue;
  tcp.limits.farewell = milliseconds(1'000);
  CAS_TRY_ASSIGN(server, service::TcpServer::listen(
                             loop, tcp, [this](service::TcpConnection& connection) { return accept(connection); }));
  if (!listening.udp) return {};
  service::UdpBinding binding;
  binding.address = listening.address;
  binding.port = listening.udp_port != 0 ? listening.udp_port : server->port();
  binding.groups = listening.groups;
  CAS_TRY_ASSIGN(udp, service::UdpSocket::bind(loop, binding, [this](ByteView bytes, const service::Endpoint&) {
                   receive_datagram(bytes);
                 }));
  look_at_udp();
  return {};
}

std::unique_ptr<service::TcpHandler> MuxListener::State::accept(service::TcpConnection& connection) {
  /// Is known to the state for as long as it is there.
  class Connection final : public service::TcpHandler {
   public:
    Connection(State& state, service::TcpConnection& connection)
        : state_(state),
          peer_(connection.peer()),
          inner_(
              state.loop, state.mux, connection, [&state] { state.tell_losses(); }, nullptr) {
      state_.handlers.insert(&inner_);
      state_.observer.client_connected(peer_);
    }
    ~Connection() override { state_.handlers.erase(&inner_); }
    void on_receive(service::TcpConnection& on, ByteView bytes) override { inner_.on_receive(on, bytes); }
    void on_drained(service::TcpConnection& on) override { inner_.on_drained(on); }
    void on_close(service::TcpConnection&, const Status& why) override {
      state_.observer.client_disconnected(peer_, why);
    }

   private:
    State& state_;
    service::Endpoint peer_;
    Handler inner_;
  };
  return std::make_unique<Connection>(*this, connection);
}

void MuxListener::State::receive_datagram(ByteView bytes) {
  const auto outcome = mux.receive_datagram(bytes, loop.now());
  const auto complain = [this](Misbehaviour what, emmg::Error error, const char* text) {
    peer_misbehaved({}, {what, static_cast<std::uint16_t>(error), text}, false);
  };
  switch (outcome) {
    case UdpOutcome::taken: ++udp_counts.taken; return tell_losses();
    case UdpOutcome::malformed:
      ++udp_counts.malformed;
      return complain(Misbehaviour::invalid_message, emmg::Error::invalid_message,
                      "a UDP datagram is not one data_provision of whole datagrams");
    case UdpOutcome::refused:
      ++udp_counts.refused;
      return complain(Misbehaviour::unexpected_message, emmg::Error::unknown_stream_id,
                      "a UDP datagram is of a client or stream that is not served");
    case UdpOutcome::exceeded_bandwidth:
      ++udp_counts.exceeded_bandwidth;
      return complain(Misbehaviour::unexpected_message, emmg::Error::exceeded_bandwidth,
                      "a UDP datagram exceeds the bandwidth of its stream, and is dropped");
  }
}

void MuxListener::State::look_at_udp() {
  mux.tick(loop.now());
  looks = loop.after(between_looks, [this] { look_at_udp(); });
}

void MuxListener::State::reallocate() {
  const BandwidthOf bandwidth = [this](std::uint64_t handle) { return queue->bandwidth(handle); };
  mux.reallocate(bandwidth, loop.now());
  for (Handler* const handler : handlers) {
    handler->session().reallocate(bandwidth, loop.now());
    handler->settle();
  }
}

Result<std::unique_ptr<MuxListener>> MuxListener::listen(service::EventLoop& loop, const MuxListening& listening,
                                                         std::shared_ptr<DataQueue> queue,
                                                         MuxListenerObserver* observer) {
  auto state = std::make_unique<State>(loop, listening.settings, std::move(queue), observer);
  CAS_TRY(state->open(listening));
  return std::unique_ptr<MuxListener>(new MuxListener(std::move(state)));
}

MuxListener::MuxListener(std::unique_ptr<State> state) : state_(std::move(state)) {}
MuxListener::~MuxListener() = default;

const service::Endpoint& MuxListener::local() const { return state_->server->local(); }
std::uint16_t MuxListener::udp_port() const { return state_->udp ? state_->udp->port() : std::uint16_t{0}; }
const MuxListener::UdpCounts& MuxListener::udp_counts() const { return state_->udp_counts; }
std::size_t MuxListener::connection_count() const { return state_->handlers.size(); }

void MuxListener::set_total_bandwidth(std::optional<std::uint32_t> kbit_per_second) {
  state_->queue->set_total_bandwidth(kbit_per_second);
  state_->reallocate();
}

void MuxListener::stop(std::function<void()> done) {
  state_->udp.reset();
  state_->server->stop(std::move(done));
}

}  // namespace cas::simulcrypt
