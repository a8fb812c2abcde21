// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "base/clock.hpp"
#include "bcast_keys.hpp"
#include "crypto/random.hpp"
#include "simulcrypt/bcast/stkm_ecm_generator.hpp"

namespace cas::ecmg_program {

/// OMA BCAST behind an ECMG: short term key messages of the profile that the keys are of, under the service or
/// programme key that is valid at that second. One thread at a time.
class BcastGenerator final : public simulcrypt::EcmGenerator {
 public:
  /// What channels are asked for: as StkmEcmGeneratorOptions has it. Keeps `clock` and `random`.
  BcastGenerator(const simulcrypt::ecmg::ChannelParameters& channel, Clock& clock,
                 Random& random = crypto::system_random())
      : inner_({channel, std::nullopt}), clock_(&clock), random_(&random) {}

  /// From now on these. ErrorKind::invalid_argument: the Super_CAS_id, the key domain or the suite of a stream is
  /// another one now; the services before go on.
  [[nodiscard]] Status set_keys(BcastKeys keys);

  [[nodiscard]] tl::expected<simulcrypt::ecmg::ChannelParameters, simulcrypt::ecmg::Error> open_channel(
      std::uint32_t super_cas_id) override {
    return inner_.open_channel(super_cas_id);
  }
  [[nodiscard]] tl::expected<simulcrypt::EcmStreamGrant, simulcrypt::ecmg::Error> open_stream(
      const simulcrypt::EcmStreamOrder& order) override {
    return inner_.open_stream(order);
  }
  void close_stream(std::uint64_t handle) override { inner_.close_stream(handle); }
  [[nodiscard]] std::size_t longest_ecm() const override { return inner_.longest_ecm(); }
  [[nodiscard]] simulcrypt::EcmAnswer make_ecm(const simulcrypt::EcmOrder& order, MutableByteView out) override;

 private:
  [[nodiscard]] Status check_streams(const BcastKeys& keys);
  /// Each stream gets the key that is valid now, and `next_change_` says when that is to be done again.
  [[nodiscard]] Status take_keys(UnixSeconds now);

  simulcrypt::bcast::StkmEcmGenerator inner_;
  Clock* clock_;
  Random* random_;
  std::optional<BcastKeys> keys_;
  UnixSeconds next_change_ = 0;
};

}  // namespace cas::ecmg_program
