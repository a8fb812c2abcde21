// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "service/metrics.hpp"
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

/// What a CA system is counted by. What it answers at once is counted when all that came in with it is answered: one
/// look at the clock for many.
class CountingGenerator final : public simulcrypt::EcmGenerator {
 public:
  /// All live as long as it.
  CountingGenerator(simulcrypt::EcmGenerator& inner, EcmgMetrics& metrics, Clock& clock)
      : inner_(inner), metrics_(metrics), clock_(clock) {}

  tl::expected<simulcrypt::ecmg::ChannelParameters, simulcrypt::ecmg::Error> open_channel(std::uint32_t id) override {
    return inner_.open_channel(id);
  }
  tl::expected<simulcrypt::EcmStreamGrant, simulcrypt::ecmg::Error> open_stream(
      const simulcrypt::EcmStreamOrder& order) override;
  void close_stream(std::uint64_t handle) override;
  std::size_t longest_ecm() const override { return inner_.longest_ecm(); }
  simulcrypt::EcmAnswer make_ecm(const simulcrypt::EcmOrder& order, MutableByteView out) override;

  /// All that came in is answered.
  void answered();
  /// One that was put off at `asked` is answered, or refused.
  void answered_later(std::chrono::nanoseconds asked);
  void refused_later() { metrics_.refusals->add(); }

 private:
  simulcrypt::EcmGenerator& inner_;
  EcmgMetrics& metrics_;
  Clock& clock_;
  std::uint64_t made_ = 0;  ///< Since answered().
  std::optional<std::chrono::nanoseconds> first_order_;
};

}  // namespace cas::ecmg_program
