// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "carousel.hpp"
#include "mpegts/section_packetiser.hpp"
#include "service/metrics.hpp"
#include "simulcrypt/leaky_bucket.hpp"

namespace cas::emmg_program {

/// What an EMMG counts, for Prometheus.
struct EmmgMetrics {
  [[nodiscard]] static Result<EmmgMetrics> create(service::MetricRegistry& registry);

  service::Counter* emms = nullptr;
  service::Counter* bytes = nullptr;
  service::Counter* cycles = nullptr;
  service::Counter* misbehaviour = nullptr;
  service::Counter* exceeded = nullptr;
  service::Gauge* bandwidth = nullptr;
  service::Gauge* connected = nullptr;
};

/// Sends what the carousel has, as fast as the bandwidth lets it, in one data_provision after another. Knows nothing of
/// sockets. One thread at a time.
class EmmSender {
 public:
  /// Sends datagrams in one message. An error: not now; they are sent again.
  using Provide = std::function<Status(std::span<const ByteView> datagrams)>;

  /// The carousel and the metrics live as long as it.
  EmmSender(Carousel& carousel, EmmgMetrics& metrics, bool packets)
      : carousel_(carousel), metrics_(metrics), packets_(packets) {}

  /// kbit/s from now on; 0: nothing is sent.
  void set_bandwidth(std::uint16_t kbit_per_second, Instant now);
  [[nodiscard]] std::uint16_t bandwidth() const { return bucket_ ? bucket_->rate() : std::uint16_t{0}; }
  /// Sends what may be sent now. Fails as the carousel does.
  [[nodiscard]] Status send(Instant now, const Provide& provide);

 private:
  /// The form in which it goes out; a view into the EMM or into `packed_`.
  [[nodiscard]] Result<ByteView> datagram_of(const ca_system::StoredEmm& emm);

  Carousel& carousel_;
  EmmgMetrics& metrics_;
  bool packets_;
  std::optional<simulcrypt::LeakyBucket> bucket_;
  mpegts::SectionPacketiser packetiser_{0x1ffe};  ///< The MUX gives packets a PID and a counter of its own.
  Bytes packed_;
};

}  // namespace cas::emmg_program
