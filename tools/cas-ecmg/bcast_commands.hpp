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
  std::vector<std::uint16_t> services;
  std::string domain_key;
  std::string device_key;
  std::optional<std::uint64_t> device_id;
  std::string out;
};

/// `cas-ecmg bcast ...`: the keys of OMA BCAST's services.
void add_bcast(tools::Program& program, BcastArguments& arguments);

}  // namespace cas::ecmg_program
