// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "simulcrypt/bcast/stkm_generator.hpp"
#include "simulcrypt/ecmg_server.hpp"

namespace cas::simulcrypt::bcast {

struct StkmEcmGeneratorOptions {
  /// What the synchroniser is asked for, beside section_TSpkt_flag, lead_CW and CW_per_msg, which follow from the
  /// profile: two TEKs a message with the DRM Profile, one with the Smartcard Profile. A negative delay_start gives
  /// receivers the TEK before its period begins. max_streams 0: as many as there are.
  ecmg::ChannelParameters channel;
  /// CW_encryption: words that do not come under this key are refused. Nothing: those that come enciphered are.
  std::optional<CwEncryption> cw_encryption;
};

/// Answers as an ECMG with short term key messages: the CA system of OMA BCAST behind an EcmgServer. A channel is of a
/// Super_CAS_id that has streams here; its ECM_ids are those streams. Access criteria are a descriptor list
/// (access_criteria.hpp). What a key message cannot be made of is refused with OMA BCAST's errors.
class StkmEcmGenerator final : public EcmGenerator {
 public:
  explicit StkmEcmGenerator(StkmEcmGeneratorOptions options) : options_(std::move(options)) {}

  /// ErrorKind::invalid_argument: the Super_CAS_id is not one of the generator's profile (14.1.1.3.1), or has this
  /// stream already.
  [[nodiscard]] Status add_stream(std::uint32_t super_cas_id, StkmGenerator generator);
  /// The generator of a stream, for new keys; nothing: there is none.
  [[nodiscard]] StkmGenerator* find(std::uint32_t super_cas_id, std::uint16_t stream);

  [[nodiscard]] tl::expected<ecmg::ChannelParameters, ecmg::Error> open_channel(std::uint32_t super_cas_id) override;
  [[nodiscard]] tl::expected<EcmStreamGrant, ecmg::Error> open_stream(const EcmStreamOrder& order) override;
  void close_stream(std::uint64_t handle) override;
  [[nodiscard]] std::size_t longest_ecm() const override { return longest_stkm; }
  [[nodiscard]] EcmAnswer make_ecm(const EcmOrder& order, MutableByteView out) override;

 private:
  using Key = std::pair<std::uint32_t, std::uint16_t>;

  StkmEcmGeneratorOptions options_;
  std::map<Key, StkmGenerator> streams_;
};

}  // namespace cas::simulcrypt::bcast
