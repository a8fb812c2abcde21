// SPDX-License-Identifier: LGPL-2.1-or-later
#include "emm_sender.hpp"

#include <algorithm>
#include <array>

namespace cas::emmg_program {

namespace {

// A burst is a twentieth of a second, and at least a few EMMs: MUXes allow more (8 KiB here).
constexpr std::size_t least_burst = 1024;
constexpr std::size_t most_burst = 6 * 1024;

std::size_t burst_of(std::uint16_t kbit_per_second) {
  return std::clamp<std::size_t>(std::size_t{kbit_per_second} * 1000 / 8 / 20, least_burst, most_burst);
}

}  // namespace

Result<EmmgMetrics> EmmgMetrics::create(service::MetricRegistry& registry) {
  EmmgMetrics made;
  CAS_TRY_ASSIGN(made.emms, registry.counter("cas_emmg_emms_total", "EMMs that were sent"));
  CAS_TRY_ASSIGN(made.bytes, registry.counter("cas_emmg_bytes_total", "Bytes of datagrams that were sent"));
  CAS_TRY_ASSIGN(made.cycles, registry.counter("cas_emmg_cycles_total", "Times that all EMMs were sent"));
  CAS_TRY_ASSIGN(made.misbehaviour,
                 registry.counter("cas_emmg_misbehaviour_total", "What the MUX did and must not do, and its errors"));
  CAS_TRY_ASSIGN(made.exceeded,
                 registry.counter("cas_emmg_exceeded_bandwidth_total", "Times that the MUX found it too fast"));
  CAS_TRY_ASSIGN(made.bandwidth, registry.gauge("cas_emmg_bandwidth_kbit", "Bandwidth that is used, in kbit/s"));
  CAS_TRY_ASSIGN(made.connected, registry.gauge("cas_emmg_stream_open", "Whether the MUX has the stream open"));
  return made;
}

void EmmSender::set_bandwidth(std::uint16_t kbit_per_second, Instant now) {
  metrics_.bandwidth->set(kbit_per_second);
  if (bucket_)
    bucket_->set(kbit_per_second, burst_of(kbit_per_second), now);
  else
    bucket_.emplace(kbit_per_second, burst_of(kbit_per_second), now);
}

Result<ByteView> EmmSender::datagram_of(const ca_system::StoredEmm& emm) {
  if (!packets_) return ByteView(emm.section);
  packed_.clear();
  CAS_TRY(packetiser_.packetise(emm.section, packed_));
  return ByteView(packed_);
}

Status EmmSender::send(Instant now, const Provide& provide) {
  if (!bucket_) return {};
  const std::uint64_t cycles = carousel_.cycles();
  for (;;) {
    CAS_TRY_ASSIGN(const ca_system::StoredEmm* emm, carousel_.front(now));
    if (emm == nullptr) break;
    CAS_TRY_ASSIGN(const ByteView datagram, datagram_of(*emm));
    if (!bucket_->pass(datagram.size(), now)) break;
    const std::array datagrams{datagram};
    if (!provide(datagrams)) break;
    metrics_.emms->add();
    metrics_.bytes->add(datagram.size());
    carousel_.pop();
  }
  metrics_.cycles->add(carousel_.cycles() - cycles);
  return {};
}

}  // namespace cas::emmg_program
