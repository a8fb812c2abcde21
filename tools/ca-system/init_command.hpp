// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "ca-system/ca_system.hpp"
#include "casdemo/identifiers.hpp"
#include "common/program.hpp"

namespace cas::ca_system {

inline constexpr const char* system_help = "the folder of the CA system (default: ca in $CAS_HOME)";

/// The system that --system names, opened with the system's clock and randomness.
[[nodiscard]] Result<CaSystem> open_system(const std::string& named);

struct InitArguments {
  std::string system;
  std::uint32_t super_cas_id = casdemo::default_super_cas_id;
};
/// Both programs make a system, and it is the same one.
void add_init(tools::Program& program, InitArguments& arguments);

/// "90s", "5min", "12h", "30d": a whole number above 0 with its unit. ErrorKind::invalid_argument, which names `option`.
[[nodiscard]] Result<std::chrono::seconds> parse_duration(const std::string& text, const char* option);
/// The longest of these units that has no rest: "30d".
[[nodiscard]] std::string duration_text(std::chrono::seconds duration);

}  // namespace cas::ca_system
