// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>

#include "casdemo/access_criteria.hpp"
#include "common/number_options.hpp"
#include "simulcrypt/ecmg_listener.hpp"

namespace cas::ecmg_program {

namespace ecmg = simulcrypt::ecmg;

/// What `cas-ecmg run` was told on the command line; empty and nothing: not told.
struct RunArguments {
  std::string config;
  std::string cas;   ///< "casdemo", "bcast" or "smartpro".
  std::string keys;  ///< With bcast: its file.
  std::string card;  ///< With smartpro: the head-end token, and the host's credentials.
  std::string host;
  std::string host_pin_source;
  std::string system;
  std::string listen;
  std::string metrics;
  std::string product;  ///< A number, or "none".
  std::string mode;     ///< "sections" or "packets".
  std::string port_file;
  bool quiet = false;
  bool json = false;
};

/// The numbers that it takes, and what they are when nothing is said.
[[nodiscard]] std::span<const tools::NumberOption> number_options();

enum class CaSystemName { casdemo, bcast, smartpro };

/// What follows from the command line and the file.
struct Settings {
  CaSystemName cas = CaSystemName::casdemo;
  std::string bcast_keys;  ///< The file of OMA BCAST's keys.
  std::string card;        ///< Of SmartPRO; empty: this machine's head-end token.
  std::string host;        ///< Empty: the default folder.
  std::string host_pin_source;
  std::string system;  ///< Empty: the default folder.
  simulcrypt::EcmgListening serving;
  std::string metrics;  ///< Empty: none.
  simulcrypt::ecmg::ChannelParameters parameters;
  std::optional<std::uint32_t> super_cas_id;  ///< Nothing: that of the system.
  std::optional<casdemo::ProductId> product;
};

/// Reads the file, if there is one. ErrorKind::invalid_argument, and those of Configuration::read.
[[nodiscard]] Result<Settings> settle(const RunArguments& arguments, tools::NumberOptions& numbers);

}  // namespace cas::ecmg_program
