// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "common/daemon_log.hpp"
#include "counting_generator.hpp"
#include "simulcrypt/ecmg_listener.hpp"

namespace cas::ecmg_program {

/// The ECMG on TCP, with what an operator sees of it: metrics and the log. On the loop's thread only; goes before its
/// loop.
class EcmgService final : private simulcrypt::EcmgServerListener {
 public:
  /// All that is referred to lives as long as the service. ErrorKind as TcpServer::listen.
  [[nodiscard]] static Result<std::unique_ptr<EcmgService>> listen(service::EventLoop& loop, Clock& clock,
                                                                   const simulcrypt::EcmgListening& listening,
                                                                   simulcrypt::EcmGenerator& generator,
                                                                   EcmgMetrics& metrics, tools::DaemonLog& log);

  [[nodiscard]] const service::Endpoint& local() const { return listener_->local(); }
  /// The answer to an order that the generator put off at `asked` (Clock::monotonic).
  void answer(const simulcrypt::EcmTicket& ticket, ByteView ecm, std::chrono::nanoseconds asked);
  void refuse(const simulcrypt::EcmTicket& ticket, simulcrypt::ecmg::Error error);
  /// Connections are closed when what waits for them is sent; `done` is called then.
  void stop(std::function<void()> done) { listener_->stop(std::move(done)); }

 private:
  EcmgService(Clock& clock, simulcrypt::EcmGenerator& generator, EcmgMetrics& metrics, tools::DaemonLog& log)
      : metrics_(metrics), log_(log), generator_(generator, metrics, clock) {}

  void channel_opened(std::uint64_t session, std::uint32_t super_cas_id, std::uint16_t channel_id) override;
  void channel_closed(std::uint64_t session, std::uint16_t channel_id) override;
  void peer_misbehaved(std::uint64_t session, const simulcrypt::Problem& problem, bool ends) override;
  [[nodiscard]] std::string peer_of(std::uint64_t session) const;

  EcmgMetrics& metrics_;
  tools::DaemonLog& log_;
  CountingGenerator generator_;
  std::unique_ptr<simulcrypt::EcmgListener> listener_;  // last: its sessions refer to the others
};

}  // namespace cas::ecmg_program
