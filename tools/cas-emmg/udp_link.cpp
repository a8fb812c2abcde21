// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/byte_queue.hpp"
#include "mux_link.hpp"
#include "simulcrypt/emmg_messages.hpp"

namespace cas::emmg_program {

namespace emmg = simulcrypt::emmg;

namespace {

constexpr std::chrono::milliseconds between_sends{20};

class UdpLink final : public MuxLink {
 public:
  UdpLink(const MuxLinkParts& parts, std::unique_ptr<service::UdpSocket> socket, const service::Endpoint& mux)
      : parts_(parts), socket_(std::move(socket)), mux_(mux) {
    parts_.sender.set_bandwidth(parts_.settings.bandwidth, parts_.loop.now());
    parts_.metrics.connected->set(1);
    timer_ = parts_.loop.after({}, [this] { work(); });
  }
  void stop(std::function<void()> done) override {
    timer_.cancel();
    done();
  }

 private:
  void work() {
    const Status sent = parts_.sender.send(parts_.loop.now(), [this](std::span<const ByteView> datagrams) -> Status {
      const emmg::DataProvision provision{parts_.client_id, parts_.settings.channel_id, parts_.settings.stream_id,
                                          parts_.settings.data_id};
      message_.clear();
      CAS_TRY(provision.write(message_, parts_.settings.version, datagrams));
      return socket_->send(message_.view(), mux_);
    });
    if (!sent) parts_.log.warning("emms-not-read", sent.error().message);
    timer_ = parts_.loop.after(between_sends, [this] { work(); });
  }

  MuxLinkParts parts_;
  std::unique_ptr<service::UdpSocket> socket_;
  service::Endpoint mux_;
  ByteQueue message_;
  service::Timer timer_;
};

}  // namespace

Result<std::unique_ptr<MuxLink>> make_udp_link(const MuxLinkParts& parts) {
  CAS_TRY_ASSIGN(const service::Endpoint mux, service::Endpoint::create(parts.settings.host, parts.settings.port));
  service::UdpBinding binding;
  binding.address = mux.is_ipv6() ? "::" : "0.0.0.0";
  CAS_TRY_ASSIGN(std::unique_ptr<service::UdpSocket> socket,
                 service::UdpSocket::bind(parts.loop, binding, [](ByteView, const service::Endpoint&) {}));
  return std::unique_ptr<MuxLink>(std::make_unique<UdpLink>(parts, std::move(socket), mux));
}

}  // namespace cas::emmg_program
