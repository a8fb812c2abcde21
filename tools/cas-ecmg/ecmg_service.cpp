// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ecmg_service.hpp"

namespace cas::ecmg_program {

namespace {

std::string hex32(std::uint32_t value) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[value >> shift & 0xf];
  return text;
}

}  // namespace

Result<std::unique_ptr<EcmgService>> EcmgService::listen(service::EventLoop& loop, Clock& clock,
                                                         const simulcrypt::EcmgListening& listening,
                                                         simulcrypt::EcmGenerator& generator, EcmgMetrics& metrics,
                                                         tools::DaemonLog& log) {
  std::unique_ptr<EcmgService> made(new EcmgService(clock, generator, metrics, log));
  CAS_TRY_ASSIGN(made->listener_, simulcrypt::EcmgListener::listen(loop, listening, made->generator_, made.get()));
  made->listener_->on_answered([service = made.get()] { service->generator_.answered(); });
  made->listener_->on_broken([service = made.get()](const std::string& peer, const Error& why) {
    service->log_.info("connection-broken", why.message, {{"peer", peer}});
  });
  return made;
}

void EcmgService::answer(const simulcrypt::EcmTicket& ticket, ByteView ecm, std::chrono::nanoseconds asked) {
  listener_->complete(ticket, ecm);
  generator_.answered_later(asked);
}

void EcmgService::refuse(const simulcrypt::EcmTicket& ticket, simulcrypt::ecmg::Error error) {
  listener_->refuse(ticket, error);
  generator_.refused_later();
}

std::string EcmgService::peer_of(std::uint64_t session) const {
  const std::string peer = listener_->peer_of(session);
  return peer.empty() ? "a client that is gone" : peer;
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
