// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <unordered_map>

#include "base/clock.hpp"
#include "licence_worker.hpp"
#include "simulcrypt/ecmg_server.hpp"

namespace cas::ecmg_program {

/// Where nothing else is said. Not a registered CA_system_id: 0xFF53 is for trials.
inline constexpr std::uint32_t default_smartpro_super_cas_id = 0xFF530001;

/// error_status of our own (TS 103 197, 5.6: from 8000 on the user's).
inline constexpr auto no_token = static_cast<simulcrypt::ecmg::Error>(0x8001);
inline constexpr auto refused_by_token = static_cast<simulcrypt::ecmg::Error>(0x8002);
[[nodiscard]] simulcrypt::ecmg::Error ecmg_error_of(ErrorKind kind);

/// SmartPRO behind an ECMG: the ECM of a crypto-period is a licence for its control word. Whoever makes the licences
/// answers later, with the order's ticket. One thread at a time.
class SmartproGenerator final : public simulcrypt::EcmGenerator {
 public:
  /// False: there is no room for it now.
  using Order = std::function<bool(LicenceOrder)>;
  /// `parameters`: CW_per_msg 1, lead_CW 0: a licence has one word. Keeps `clock`; `order` is called for each ECM.
  SmartproGenerator(std::uint32_t super_cas_id, const simulcrypt::ecmg::ChannelParameters& parameters, Clock& clock,
                    Order order)
      : super_cas_id_(super_cas_id), parameters_(parameters), clock_(&clock), order_(std::move(order)) {}

  [[nodiscard]] tl::expected<simulcrypt::ecmg::ChannelParameters, simulcrypt::ecmg::Error> open_channel(
      std::uint32_t super_cas_id) override;
  [[nodiscard]] tl::expected<simulcrypt::EcmStreamGrant, simulcrypt::ecmg::Error> open_stream(
      const simulcrypt::EcmStreamOrder& order) override;
  void close_stream(std::uint64_t handle) override;
  [[nodiscard]] std::size_t longest_ecm() const override { return smartpro::max_broadcast_ecm_size; }
  [[nodiscard]] simulcrypt::EcmAnswer make_ecm(const simulcrypt::EcmOrder& order, MutableByteView out) override;

 private:
  struct Stream {
    smartpro::BroadcastPlace place;
    /// Nothing: those that came cannot be read.
    std::optional<smartpro::BroadcastCriteria> criteria = smartpro::BroadcastCriteria{};
  };

  std::uint32_t super_cas_id_;
  simulcrypt::ecmg::ChannelParameters parameters_;
  Clock* clock_;
  Order order_;
  std::unordered_map<std::uint64_t, Stream> streams_;
  std::uint64_t next_handle_ = 1;
};

}  // namespace cas::ecmg_program
