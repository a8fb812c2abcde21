// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simulcrypt/head_end_settings.hpp"

namespace cas::simulcrypt {

/// A host's name or address, and a port: where something listens, or is to be reached.
struct HostPort {
  std::string host;  ///< Without brackets.
  std::uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};

/// "HOST:PORT", "HOST", "[2001:db8::1]:2000". ErrorKind::invalid_argument.
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port);

/// The ports that the programs here listen on when they are not told another. The standards give none.
inline constexpr std::uint16_t default_ecmg_port = 2000;
inline constexpr std::uint16_t default_mux_port = 2001;

/// An ECMG, with those that stand in for it.
struct EcmgConfiguration {
  std::string name = "ecmg";
  std::uint32_t super_cas_id = 0;
  std::vector<HostPort> addresses;  ///< The primary first.
  std::uint16_t channel_id = 1;
  std::uint8_t version = 3;  ///< Spoken first.
  bool operator==(const EcmgConfiguration&) const = default;
};

/// ECM_ids of a channel are counted from here where the configuration gives none: each channel has 256 of its own, so
/// that head-ends with different ECM_channel_ids can have one ECMG.
[[nodiscard]] constexpr std::uint16_t first_ecm_id_of(std::uint16_t channel_id) {
  return static_cast<std::uint16_t>((channel_id - 1) * 256 + 1);
}

/// Where EMMs and data may come from.
struct DataConfiguration {
  std::optional<HostPort> listen;  ///< Nothing: nowhere.
  bool udp = true;                 ///< On the same port too.
  bool binary_messages = false;    ///< Long term key messages of OMA BCAST, in place of EMMs.
  std::uint16_t bandwidth = 200;   ///< kbit/s for all streams of data together.
  bool operator==(const DataConfiguration&) const = default;
};

/// All that a head-end is told: `settings` with empty `systems`, and what they are made of.
struct HeadEndConfiguration {
  HeadEndSettings settings;
  std::vector<EcmgConfiguration> ecmgs;
  DataConfiguration data;
};

/// A configuration file of simulcrypt-ecm-inserter (docs/elements/simulcrypt-ecm-inserter.md): TOML. Errors name file,
/// line and column: those of service::Configuration, invalid_argument for values that cannot be.
[[nodiscard]] Result<HeadEndConfiguration> read_head_end_configuration(const std::filesystem::path& file);
/// `name` stands for the file in errors.
[[nodiscard]] Result<HeadEndConfiguration> parse_head_end_configuration(std::string_view text, std::string name);

}  // namespace cas::simulcrypt
