// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "mpegts/conditional_access_table.hpp"
#include "mpegts/program_map.hpp"
#include "mpegts/service_description.hpp"
#include "simulcrypt/head_end_settings.hpp"

namespace cas::simulcrypt {

/// What a CA descriptor of ours says.
struct CaSignal {
  std::uint16_t ca_system_id = 0;
  mpegts::Pid pid = 0;
  Bytes private_data;
  std::optional<mpegts::Pid> component;  ///< In a program map: stands with this elementary stream alone.
  bool operator==(const CaSignal&) const = default;
};

/// What a program map says of a service that is protected.
struct ServiceSignal {
  std::vector<CaSignal> systems;
  std::optional<std::uint8_t> scrambling_mode;  ///< EN 300 468, 6.2.32; nothing: no scrambling descriptor of ours.
  bool operator==(const ServiceSignal&) const = default;
};

/// The elementary streams of a program that `settings` mean, in the map's order. Of `Components::all`, those that carry
/// sections are left out: receivers read them before they descramble.
[[nodiscard]] std::vector<mpegts::Pid> chosen_components(const mpegts::ProgramMap& map,
                                                         const ServiceSettings& settings);

/// The map with the CA descriptors of `signal` in the place of those that these systems had; those of other systems,
/// and all else, stay. ErrorKind::exhausted when it does not fit into a section; invalid_argument for a scrambling mode
/// that is reserved.
[[nodiscard]] Result<Bytes> signal_program_map(mpegts::ProgramMap map, const ServiceSignal& signal,
                                               std::uint8_t version_offset);

/// The table with the CA descriptors that tell where the EMMs of these systems are. Without a table: a new one.
[[nodiscard]] Result<std::vector<Bytes>> signal_emms(const mpegts::ConditionalAccessTable* table,
                                                     const std::vector<CaSignal>& systems, std::uint8_t version_offset);

/// The table with free_CA_mode set for these services.
[[nodiscard]] Result<std::vector<Bytes>> signal_free_ca_mode(mpegts::ServiceDescription table,
                                                             const std::set<std::uint16_t>& services,
                                                             std::uint8_t version_offset);

}  // namespace cas::simulcrypt
