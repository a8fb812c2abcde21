// SPDX-License-Identifier: LGPL-2.1-or-later
#include "counting_generator.hpp"

#include <chrono>
#include <utility>

namespace cas::ecmg_program {

using simulcrypt::EcmAnswer;

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

EcmAnswer CountingGenerator::make_ecm(const simulcrypt::EcmOrder& order, MutableByteView out) {
  if (!first_order_) first_order_ = clock_.monotonic();
  const EcmAnswer answer = inner_.make_ecm(order, out);
  if (answer.kind == EcmAnswer::Kind::ready) ++made_;
  if (answer.kind == EcmAnswer::Kind::refused) metrics_.refusals->add();
  return answer;
}

void CountingGenerator::answered() {
  const auto began = std::exchange(first_order_, std::nullopt);
  if (made_ == 0) return;
  const std::chrono::duration<double> took = clock_.monotonic() - *began;
  metrics_.ecms->add(made_);
  metrics_.answer_seconds->observe(took.count(), std::exchange(made_, 0));
}

void CountingGenerator::answered_later(std::chrono::nanoseconds asked) {
  const std::chrono::duration<double> took = clock_.monotonic() - asked;
  metrics_.ecms->add(1);
  metrics_.answer_seconds->observe(took.count(), 1);
}

}  // namespace cas::ecmg_program
