// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bcast_keys.hpp"
#include "common/program.hpp"

namespace cas::ecmg_program {

struct BcastArguments {
  std::string file;
  std::uint32_t super_cas_id = default_bcast_super_cas_id;
  std::uint16_t service = 1;
  std::vector<std::uint16_t> streams;
  std::string key_period = "30d";
  std::string suite = "AES_CM_128_HMAC_SHA1_80";
  std::string key_domain;
  std::string bsm;
  bool programme = false;
  std::vector<std::uint16_t> services;
  std::string domain_key;
  std::string device_key;
  std::optional<std::uint64_t> device_id;
  std::string subscriber;
  std::string smk;
  std::string key;
  std::string out;
};

/// `cas-ecmg bcast ...`: the keys of OMA BCAST's services.
void add_bcast(tools::Program& program, BcastArguments& arguments);
/// Those of its commands that are about receivers: subscribe, unsubscribe and ltkm.
void add_bcast_receivers(tools::Program& program, CLI::App& group, BcastArguments& arguments);

struct BcastCommand {
  const char* name;
  const char* what;
  const char* examples;
  Result<tools::Report> (*does)(const BcastArguments&);
};
/// A command that works on the file of keys.
CLI::App& add_bcast_command(tools::Program& program, CLI::App& group, BcastArguments& arguments,
                            const BcastCommand& command);

}  // namespace cas::ecmg_program
