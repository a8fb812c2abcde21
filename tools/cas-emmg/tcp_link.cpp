// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <functional>

#include "mux_link.hpp"

namespace cas::emmg_program {

using simulcrypt::EmmgClient;
using simulcrypt::Problem;
namespace emmg = simulcrypt::emmg;

namespace {

constexpr std::chrono::milliseconds between_sends{20};
// After "exceeded bandwidth": the MUX has counted otherwise, and what it allows is asked for again.
constexpr std::chrono::milliseconds penalty{1000};
constexpr std::chrono::milliseconds longest_leave{1000};
constexpr std::uint16_t no_limit = 0xffff;

class TcpLink final : public MuxLink, service::TcpClientHandler, simulcrypt::EmmgClientListener {
 public:
  TcpLink(const MuxLinkParts& parts, Random& random) : parts_(parts), version_(parts.settings.version) {
    service::TcpConnecting connecting;
    connecting.host = parts_.settings.host;
    connecting.port = parts_.settings.port;
    connecting.limits.farewell = longest_leave;
    tcp_ = service::TcpClient::start(parts_.loop, random, connecting, *this);
  }

  void stop(std::function<void()> done) override {
    stopped_ = std::move(done);
    service::TcpConnection* connection = tcp_->connection();
    if (connection == nullptr || !client_) return stopped_();
    client_->close_channel();
    pump();
    connection->close();
    leave_ = parts_.loop.after(longest_leave, [this] { stopped_(); });
  }

 private:
  // The connection.
  void on_connect(service::TcpConnection& connection) override {
    simulcrypt::EmmgClientSettings settings;
    settings.channel = {parts_.client_id, parts_.settings.channel_id};
    settings.section_tspkt_flag = parts_.settings.packets ? emmg::transport_packets : emmg::sections;
    settings.version = version_;
    client_.emplace(settings, static_cast<simulcrypt::EmmgClientListener&>(*this));
    parts_.log.info("connected", "connected with the MUX at " + connection.peer().text(),
                    {{"mux", connection.peer().text()}});
    client_->start(parts_.loop.now());
    pump();
    work();
  }
  void on_receive(service::TcpConnection&, ByteView bytes) override {
    client_->receive(bytes, parts_.loop.now());
    pump();
  }
  void on_drained(service::TcpConnection&) override { pump(); }
  void on_disconnect(const Status& why, std::chrono::milliseconds next_try) override {
    timer_.cancel();
    client_->connection_lost();
    version_ = client_->version();
    client_.reset();
    hang_up_ = false;  // of this connection, and not of the next
    stream_gone();
    if (stopped_) return stopped_();
    parts_.log.warning("disconnected",
                       (why ? "the MUX has closed the connection" : why.error().message) + again_in(next_try));
  }
  void on_connect_failed(const Error& error, std::chrono::milliseconds next_try) override {
    parts_.log.warning("connect-failed", error.message + again_in(next_try));
  }

  // The channel.
  void channel_opened() override {
    version_ = client_->version();
    expect(client_->open_stream(parts_.settings.stream_id, parts_.settings.data_id, emmg::emm, parts_.loop.now()));
  }
  void stream_opened(std::uint16_t stream_id) override {
    parts_.metrics.connected->set(1);
    parts_.log.info("stream-opened", "the MUX has opened the stream; asking for " +
                                         std::to_string(parts_.settings.bandwidth) + " kbit/s");
    expect(client_->request_bandwidth(stream_id, parts_.settings.bandwidth, parts_.loop.now()));
  }
  void bandwidth_allocated(std::uint16_t, std::optional<std::uint16_t> kbit_per_second) override {
    const std::uint16_t given = kbit_per_second.value_or(no_limit);
    const std::uint16_t used = std::min(given, parts_.settings.bandwidth);
    if (!open_ || used != parts_.sender.bandwidth())
      parts_.log.info("bandwidth",
                      "sending at " + std::to_string(used) + " kbit/s" + (used == 0 ? ": the MUX gives none" : ""),
                      {{"kbit_per_second", used}});
    parts_.sender.set_bandwidth(used, parts_.loop.now());
    open_ = true;
  }
  void stream_error(std::uint16_t stream_id, const Problem& problem) override {
    peer_misbehaved(problem);
    if (problem.error_status != static_cast<std::uint16_t>(emmg::Error::exceeded_bandwidth)) return;
    parts_.metrics.exceeded->add();
    pause_until_ = parts_.loop.now() + penalty;
    // Refused while the last request is not answered: it will be.
    static_cast<void>(client_->request_bandwidth(stream_id, parts_.settings.bandwidth, parts_.loop.now()));
  }
  void stream_closed(std::uint16_t, const Problem* why) override {
    stream_gone();
    if (why != nullptr) parts_.log.warning("stream-closed", "the stream is closed: " + why->message);
    hang_up_ = true;  // a new connection begins from the start, after a while
  }
  void peer_misbehaved(const Problem& problem) override {
    parts_.metrics.misbehaviour->add();
    parts_.log.warning("mux-misbehaved", problem.message, {{"error_status", problem.error_status}});
  }
  void channel_closed(const Problem& why) override {
    stream_gone();
    parts_.log.warning("channel-closed", "the channel is closed: " + why.message, {{"error_status", why.error_status}});
    hang_up_ = true;
  }

  static std::string again_in(std::chrono::milliseconds time) {
    return "; again in " + std::to_string(time.count()) + " ms";
  }
  void expect(const Status& status) {
    if (!status) parts_.log.error("internal", status.error().message);
  }
  void stream_gone() {
    open_ = false;
    parts_.metrics.connected->set(0);
    parts_.metrics.bandwidth->set(0);
  }

  void pump() {
    service::TcpConnection* connection = tcp_->connection();
    if (connection == nullptr || !client_) return;
    while (!client_->output().empty()) {
      const ByteView output = client_->output();
      const std::size_t size = std::min(output.size(), connection->room());
      if (size == 0 || !connection->send(output.first(size))) break;
      client_->sent(size);
    }
    if (hang_up_ && client_->output().empty()) {
      hang_up_ = false;
      connection->close();
    }
  }

  // What is done at all times: sending, and whatever the session wants.
  void work() {
    const Instant now = parts_.loop.now();
    client_->tick(now);
    if (open_ && now >= pause_until_) {
      const Status sent = parts_.sender.send(now, [this](std::span<const ByteView> datagrams) {
        return client_->provide(parts_.settings.stream_id, datagrams);
      });
      if (!sent) parts_.log.warning("emms-not-read", sent.error().message);
    }
    pump();
    timer_ = parts_.loop.after(between_sends, [this] { work(); });
  }

  MuxLinkParts parts_;
  std::uint8_t version_;
  std::optional<EmmgClient> client_;
  bool open_ = false;
  bool hang_up_ = false;
  Instant pause_until_{0};
  std::function<void()> stopped_;
  service::Timer timer_, leave_;
  std::unique_ptr<service::TcpClient> tcp_;  // last: calls back
};

}  // namespace

std::unique_ptr<MuxLink> make_tcp_link(const MuxLinkParts& parts, Random& random) {
  return std::make_unique<TcpLink>(parts, random);
}

}  // namespace cas::emmg_program
