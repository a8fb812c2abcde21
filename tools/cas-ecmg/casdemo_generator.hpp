// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "ca-system/ca_system.hpp"
#include "casdemo/ecm.hpp"
#include "mpegts/section_packetiser.hpp"
#include "simulcrypt/ecmg_server.hpp"

namespace cas::ecmg_program {

namespace ecmg = simulcrypt::ecmg;

/// error_status of our own (TS 103 197, 5.6: from 8000 on the user's).
inline constexpr auto no_key_in_force = static_cast<ecmg::Error>(0x8000);

struct CasdemoTerms {
  std::uint32_t super_cas_id = 0;
  ecmg::ChannelParameters parameters;  ///< With at most casdemo::max_ecm_words in CW_per_msg.
  /// Of streams that were told no access criteria. Without one, these are demanded.
  std::optional<casdemo::ProductId> default_product;
};

/// The demonstration CA system behind an ECMG: the words of a CW_provision under the entitlement key that is in force.
/// One thread at a time. An ECM is made without taking memory.
class CasdemoGenerator final : public simulcrypt::EcmGenerator {
 public:
  /// Keeps `clock` and `random`.
  CasdemoGenerator(const CasdemoTerms& terms, Clock& clock, Random& random)
      : terms_(terms), clock_(&clock), random_(&random) {}

  /// From now on these keys, in place of those before.
  [[nodiscard]] Status set_keys(const std::vector<ca_system::EntitlementKey>& keys);

  [[nodiscard]] tl::expected<ecmg::ChannelParameters, ecmg::Error> open_channel(std::uint32_t super_cas_id) override;
  [[nodiscard]] tl::expected<simulcrypt::EcmStreamGrant, ecmg::Error> open_stream(
      const simulcrypt::EcmStreamOrder& order) override;
  void close_stream(std::uint64_t handle) override;
  [[nodiscard]] std::size_t longest_ecm() const override;
  [[nodiscard]] simulcrypt::EcmAnswer make_ecm(const simulcrypt::EcmOrder& order, MutableByteView out) override;

  /// Since the start.
  [[nodiscard]] std::uint64_t ecms() const { return ecms_; }

 private:
  struct Key {
    UnixSeconds start = 0;
    UnixSeconds expiry = 0;
    casdemo::EcmWriter writer;
  };
  /// Stays where it is as long as the generator lives: streams point to it.
  struct ProductKeys {
    std::vector<Key> keys;  ///< By start.
  };
  struct Stream {
    std::optional<casdemo::AccessCriteria> criteria;  ///< Nothing: none, or none that can be read.
    ProductKeys* product = nullptr;
    mpegts::SectionPacketiser packetiser;  ///< Whoever inserts the packets gives them a PID and a counter of its own.
  };

  void take_criteria(Stream& stream, ByteView access_criteria);
  [[nodiscard]] Key* key_in_force(Stream& stream, UnixSeconds now) const;
  /// Its size, or what the order is refused with.
  [[nodiscard]] tl::expected<std::size_t, ecmg::Error> write_section(const simulcrypt::EcmOrder& order, Stream& stream,
                                                                     MutableByteView out);

  CasdemoTerms terms_;
  Clock* clock_;
  Random* random_;
  std::unordered_map<casdemo::ProductId, ProductKeys> products_;
  std::unordered_map<std::uint64_t, Stream> streams_;
  std::uint64_t next_handle_ = 1;
  std::uint64_t ecms_ = 0;
  Bytes packets_;  ///< Kept, so that it is asked for once.
};

}  // namespace cas::ecmg_program
