// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "common/credentials.hpp"
#include "common/program.hpp"

namespace cas::tmc {

struct RootArguments {
  tools::CredentialsPlace place;
  std::string name = "SmartPRO root";
};
[[nodiscard]] Result<tools::Report> root(const RootArguments& arguments, const tools::Progress& progress);

struct HostArguments {
  tools::CredentialsPlace place;
  tools::CredentialsPlace root;
  std::string capabilities;
  std::string name;  ///< Empty: the machine's.
};
[[nodiscard]] Result<tools::Report> host(const HostArguments& arguments, const tools::Progress& progress);

struct DomainCreateArguments {
  std::string name;
  std::string progenitor;
  tools::CredentialsPlace host;
};
[[nodiscard]] Result<tools::Report> domain_create(const DomainCreateArguments& arguments,
                                                  const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> domain_list(const tools::Progress& progress);

struct EnrolArguments {
  std::string domain;  ///< Empty: the only one.
  std::string token;
  std::string kind;
  bool make_default = false;
  std::string progenitor;  ///< Empty: where it was last.
  tools::CredentialsPlace host;
};
[[nodiscard]] Result<tools::Report> enrol(const EnrolArguments& arguments, const tools::Progress& progress);

/// Which domain, and how its progenitor is reached.
struct DomainArguments {
  std::string domain;      ///< Empty: the only one.
  std::string progenitor;  ///< Empty: where it was last.
  tools::CredentialsPlace host;
};
[[nodiscard]] Result<tools::Report> list(const DomainArguments& arguments, const tools::Progress& progress);

struct InitArguments {
  std::string name = "home";
};
[[nodiscard]] Result<tools::Report> init(const InitArguments& arguments, const tools::Progress& progress);

/// Of all commands of the group `lists`; each uses what it needs.
struct ListsArguments {
  std::vector<std::string> sources;
  std::vector<std::string> files;
  tools::CredentialsPlace host;
};
[[nodiscard]] Result<tools::Report> lists_status(const ListsArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> lists_fetch(const ListsArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> lists_install(const ListsArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> lists_source_add(const ListsArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> lists_source_remove(const ListsArguments& arguments,
                                                        const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> lists_source_list(const tools::Progress& progress);
/// Adds the group to the program. `arguments` outlives it.
void add_lists(tools::Program& program, ListsArguments& arguments);

/// --host and --host-pin-source.
void add_host_options(CLI::App& command, tools::CredentialsPlace& host);
/// --domain, --progenitor, --host and --host-pin-source.
void add_domain_options(CLI::App& command, DomainArguments& arguments);

// Each adds its subcommands to the program.
void add_deactivate(tools::Program& program);
void add_revoke(tools::Program& program);
void add_bridge(tools::Program& program);
void add_backup(tools::Program& program);
void add_roll(tools::Program& program);
void add_status(tools::Program& program);
void add_publish(tools::Program& program);
void add_erl(tools::Program& program);

}  // namespace cas::tmc
