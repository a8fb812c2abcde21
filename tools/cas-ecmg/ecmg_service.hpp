// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "base/clock.hpp"
#include "common/daemon_log.hpp"
#include "service/metrics.hpp"
#include "service/tcp_server.hpp"
#include "simulcrypt/ecmg_server.hpp"

namespace cas::ecmg_program {

/// What an ECMG counts, for Prometheus.
struct EcmgMetrics {
  [[nodiscard]] static Result<EcmgMetrics> create(service::MetricRegistry& registry);

  service::Gauge* channels = nullptr;
  service::Gauge* streams = nullptr;
  service::Counter* ecms = nullptr;
  service::Counter* refusals = nullptr;
  service::Counter* misbehaviour = nullptr;
  service::Histogram* answer_seconds = nullptr;
};

/// What a CA system is counted by.
class CountingGenerator final : public simulcrypt::EcmGenerator {
 public:
  /// Both live as long as it.
  CountingGenerator(simulcrypt::EcmGenerator& inner, EcmgMetrics& metrics) : inner_(inner), metrics_(metrics) {}

  tl::expected<simulcrypt::ecmg::ChannelParameters, simulcrypt::ecmg::Error> open_channel(std::uint32_t id) override {
    return inner_.open_channel(id);
  }
  tl::expected<simulcrypt::EcmStreamGrant, simulcrypt::ecmg::Error> open_stream(
      const simulcrypt::EcmStreamOrder& order) override;
  void close_stream(std::uint64_t handle) override;
  std::size_t longest_ecm() const override { return inner_.longest_ecm(); }
  simulcrypt::EcmAnswer make_ecm(const simulcrypt::EcmOrder& order, MutableByteView out) override {
    const simulcrypt::EcmAnswer answer = inner_.make_ecm(order, out);
    if (answer.kind == simulcrypt::EcmAnswer::Kind::ready) ++made_;
    if (answer.kind == simulcrypt::EcmAnswer::Kind::refused) metrics_.refusals->add();
    return answer;
  }
  /// ECMs made since the last call.
  [[nodiscard]] std::uint64_t take_made() { return std::exchange(made_, 0); }

 private:
  simulcrypt::EcmGenerator& inner_;
  EcmgMetrics& metrics_;
  std::uint64_t made_ = 0;
};

struct EcmgServing {
  std::string address = "127.0.0.1";
  std::uint16_t port = 2000;
  simulcrypt::EcmgServerSettings settings;
};

/// The ECMG on TCP: a session for each connection, all in one event loop. All that came in at once is answered in one
/// piece. On the loop's thread only; goes before its loop.
class EcmgService final : public simulcrypt::EcmgServerListener {
 public:
  /// All that is referred to lives as long as the service. ErrorKind as TcpServer::listen.
  [[nodiscard]] static Result<std::unique_ptr<EcmgService>> listen(service::EventLoop& loop, Clock& clock,
                                                                   const EcmgServing& serving,
                                                                   simulcrypt::EcmGenerator& generator,
                                                                   EcmgMetrics& metrics, tools::DaemonLog& log);
  ~EcmgService() override;

  [[nodiscard]] const service::Endpoint& local() const { return server_->local(); }
  /// Connections are closed when what waits for them is sent; `done` is called then.
  void stop(std::function<void()> done) { server_->stop(std::move(done)); }

 private:
  class Connection;
  EcmgService(service::EventLoop& loop, Clock& clock, const EcmgServing& serving, simulcrypt::EcmGenerator& generator,
              EcmgMetrics& metrics, tools::DaemonLog& log);

  void channel_opened(std::uint64_t session, std::uint32_t super_cas_id, std::uint16_t channel_id) override;
  void channel_closed(std::uint64_t session, std::uint16_t channel_id) override;
  void peer_misbehaved(std::uint64_t session, const simulcrypt::Problem& problem, bool ends) override;
  [[nodiscard]] std::string peer_of(std::uint64_t session) const;

  service::EventLoop& loop_;
  Clock& clock_;
  EcmgMetrics& metrics_;
  tools::DaemonLog& log_;
  CountingGenerator generator_;
  simulcrypt::EcmgServer ecmg_;
  std::unordered_map<std::uint64_t, Connection*> connections_;
  std::unique_ptr<service::TcpServer> server_;  // last: its connections refer to the others
};

}  // namespace cas::ecmg_program
