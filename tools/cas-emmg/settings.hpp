// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>

#include "common/number_options.hpp"
#include "simulcrypt/emmg_client.hpp"

namespace cas::emmg_program {

/// What `cas-emmg run` was told on the command line.
struct RunArguments {
  std::string config;
  std::string system;
  std::string mux;
  std::string metrics;
  std::string mode;  ///< "sections" or "packets".
  bool udp = false;
  bool quiet = false;
  bool json = false;
};

[[nodiscard]] std::span<const tools::NumberOption> number_options();

struct Settings {
  std::string system;
  std::string host;
  std::uint16_t port = 0;
  bool udp = false;
  std::string metrics;
  bool packets = false;
  std::int64_t client_id = -1;  ///< -1: the Super_CAS_id of the system.
  std::uint16_t channel_id = 0;
  std::uint16_t stream_id = 0;
  std::uint16_t data_id = 0;
  std::uint16_t bandwidth = 0;  ///< kbit/s that are asked for, and never more.
  std::uint8_t version = 3;
  std::chrono::milliseconds least_cycle{0};
};

[[nodiscard]] Result<Settings> settle(const RunArguments& arguments, tools::NumberOptions& numbers);

}  // namespace cas::emmg_program
