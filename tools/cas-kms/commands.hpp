// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "common/program.hpp"

namespace cas::kms_program {

struct InitArguments {
  std::string folder;
  std::string keys = "derived";
  std::string listen = "127.0.0.1:8443";
  std::vector<std::string> hosts;
  std::string store;
  std::string client = "encoder";
  std::vector<std::string> contents;
  std::string join;
};
[[nodiscard]] Result<tools::Report> init(const InitArguments& arguments);

struct RunArguments {
  std::string config, listen, port_file;
  bool quiet = false, json = false;
};
[[nodiscard]] Result<tools::Report> run(const RunArguments& arguments);

struct SeedArguments {
  std::string config, from;
  std::vector<std::string> contents;
};
[[nodiscard]] Result<tools::Report> add_seed(const SeedArguments& arguments);
[[nodiscard]] Result<tools::Report> list_seeds(const SeedArguments& arguments);

struct ClientArguments {
  std::string config, name;
  std::vector<std::string> ask, push;
  bool certificate = false, password = false, token = false, all = false;
};
[[nodiscard]] Result<tools::Report> add_client(const ClientArguments& arguments);
[[nodiscard]] Result<tools::Report> remove_client(const ClientArguments& arguments);
[[nodiscard]] Result<tools::Report> list_clients(const ClientArguments& arguments);

struct AskArguments {
  std::vector<std::string> urls;
  std::string content, track_type, representation, scheme;
  std::vector<std::uint64_t> periods;
  std::string authority, certificate, key, user, password_source, token_source;
  std::string keys_to;
  bool capabilities = false;
  std::uint32_t timeout_ms = 2'000;
};
[[nodiscard]] Result<tools::Report> ask(const AskArguments& arguments);

struct AuditArguments {
  std::string file;
};
[[nodiscard]] Result<tools::Report> verify_audit(const AuditArguments& arguments);

}  // namespace cas::kms_program
