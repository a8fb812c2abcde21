// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/ts_cipher.hpp"
#include "simulcrypt/synchroniser.hpp"

namespace cas::simulcrypt {

class EcmSupply;

/// One CA system of a head-end.
struct CaSystem {
  std::string name;                   ///< What services call it by.
  std::uint16_t ca_system_id = 0;     ///< For CA descriptors; the upper half of the Super_CAS_id.
  std::shared_ptr<EcmSupply> supply;  ///< Where its ECMs come from.
  /// ECM_ids are counted from here where none is given: two head-ends on one ECMG need different ones.
  std::uint16_t first_ecm_id = 1;
};

/// That a service is sold through a CA system.
struct CaUse {
  std::string system;  ///< CaSystem::name.
  Bytes access_criteria;
  WithoutEcm without = WithoutEcm::hold;
  std::optional<mpegts::Pid>
      ecm_pid;  ///< Of the first word; the next words have the PIDs after it. Nothing: free ones.
  std::optional<std::uint16_t> ecm_id;  ///< Likewise; nothing: counted from 1.
  Bytes private_data;                   ///< For the CA descriptor.
  /// With keys from outside: content_announcement follows the private data; key_announcement follows the access criteria
  /// of each period, which does not make them others.
  bool announce_content = false, announce_keys = false;
  bool operator==(const CaUse&) const = default;
};

/// Which elementary streams of a service are scrambled.
enum class Components {
  all,
  video,
  audio,
  audio_video,
};

/// A service, or all of them, and what is to be done with it.
struct ServiceSettings {
  /// By either; neither: each service of the stream that no other settings name.
  std::optional<std::uint16_t> id;
  std::string name;  ///< As the SDT has it.
  Components components = Components::all;
  std::set<mpegts::Pid> pids;          ///< Not empty: these instead.
  bool word_per_component = false;     ///< Each elementary stream has its own control words and ECMs.
  bool component_descriptors = false;  ///< CA descriptors stand with the elementary streams.
  std::chrono::milliseconds period{10'000};
  std::chrono::milliseconds clear_lead{};
  ServicePolicy policy = ServicePolicy::all;
  bool scramble = true;  ///< Off: the service is clear, until it is on.
  std::vector<CaUse> systems;
};

/// The PID of a stream of data that an EMMG or PDG sends.
struct DataPid {
  std::uint32_t client_id = 0;
  std::uint16_t data_id = 0;
  mpegts::Pid pid = 0;
  bool operator==(const DataPid&) const = default;
};

/// What becomes of a service's packets before its first crypto-period, beside its clear lead.
enum class BeforeFirstPeriod {
  clear,     ///< They pass.
  withheld,  ///< Null packets go out in their place.
};

/// Where control words come from.
enum class KeySource {
  generated,  ///< Drawn here, with crypto-periods by the clock of the stream.
  upstream,   ///< Keys of a key server or the like, which come with the stream and say where periods begin.
};

struct HeadEndSettings {
  KeySource key_source = KeySource::generated;
  mpegts::TsCipher cipher = mpegts::TsCipher::cissa;
  mpegts::TsCipherOptions cipher_options;
  bool csa2_checksum = true;                    ///< Bytes 3 and 7 of words of CSA2 are sums.
  std::optional<std::uint8_t> scrambling_mode;  ///< For the scrambling descriptor; nothing: that of the cipher.
  BeforeFirstPeriod before_first_period = BeforeFirstPeriod::clear;
  std::vector<CaSystem> systems;
  std::vector<ServiceSettings> services;
  std::vector<DataPid> data_pids;
  std::optional<std::uint64_t> bit_rate;  ///< Of what comes out: constant. Nothing: that of the stream, if it has room.
  std::uint64_t data_bit_rate = 0;        ///< Bits a second that EMMs and data may take, for the room that is made.
  /// For streams without program clock references: what their bit rate is. Nothing: nothing can be timed then.
  std::optional<std::uint64_t> clock_bit_rate;
  /// Real time: for content that is not live, so long the stream waits for an ECM that is due, or for an ECMG at the
  /// start.
  std::chrono::milliseconds wait_for_ecms{};
};

/// ErrorKind::invalid_argument: two services of the same id or name, a system that is not there or stands twice, no
/// system, a PID that cannot be, a crypto-period below 100 ms or above an hour, a cipher's options.
[[nodiscard]] Status check_head_end_settings(const HeadEndSettings& settings);

}  // namespace cas::simulcrypt
