// SPDX-License-Identifier: LGPL-2.1-or-later
// The arguments of cas-tmc lists.
#include <CLI/CLI.hpp>

#include "commands.hpp"

namespace cas::tmc {

namespace {

using tools::Program;
using tools::Progress;

constexpr const char* status_examples = R"(
  cas-tmc lists status
  cas-tmc lists status --json | jq '.lists[0].index')";

constexpr const char* fetch_examples = R"(
  cas-tmc lists fetch
  cas-tmc lists fetch --source https://lists.example.org/studio/

Takes the external list, and the internal lists of the domains that this machine has met, where they are newer. Lists are signed: a source
need not be trusted.)";

constexpr const char* install_examples = R"(
  cas-tmc lists install /media/stick/erl
  cas-tmc lists install irl-0123456789abcdef.pub irl-0123456789abcdef

A file irl-VDID.pub is the key by which a domain's lists are known. Without it the key of the first token of the domain is kept.)";

constexpr const char* add_examples = R"(
  cas-tmc lists source add https://lists.example.org/studio/
  cas-tmc lists source add /mnt/lists

A source is a file, a folder, or an http: or https: URL, which is a folder when it ends in '/'. A folder has a file erl, and irl-VDID for
domains. Elements ask the sources when they start, and each hour.)";

constexpr const char* remove_examples = R"(
  cas-tmc lists source remove /mnt/lists)";

constexpr const char* list_examples = R"(
  cas-tmc lists source list --json | jq -r '.sources[]')";

}  // namespace

void add_lists(Program& program, ListsArguments& arguments) {
  CLI::App& group = program.add_group("lists", "this machine's revocation lists, and where they come from");
  CLI::App& status = program.add_command(group, "status", "tell which lists are in use; needs no card", status_examples,
                                         [&](const Progress& progress) { return lists_status(arguments, progress); });
  add_host_options(status, arguments.host);
  CLI::App& fetch = program.add_command(group, "fetch", "take newer lists from the sources", fetch_examples,
                                        [&](const Progress& progress) { return lists_fetch(arguments, progress); });
  fetch.add_option("--source", arguments.sources, "these alone: a file, a folder or a URL")->type_name("SOURCE");
  add_host_options(fetch, arguments.host);
  CLI::App& install =
      program.add_command(group, "install", "take lists, or keys of domains, from files", install_examples,
                          [&](const Progress& progress) { return lists_install(arguments, progress); });
  install.add_option("FILE", arguments.files, "lists, and keys called irl-VDID.pub")->type_name("")->required();
  add_host_options(install, arguments.host);
  CLI::App& source = *group.add_subcommand("source", "the places that lists come from");
  source.require_subcommand(1);
  CLI::App& add = program.add_command(source, "add", "name a source", add_examples,
                                      [&](const Progress& progress) { return lists_source_add(arguments, progress); });
  add.add_option("SOURCE", arguments.sources, "a file, a folder or a URL")->type_name("")->required();
  CLI::App& remove =
      program.add_command(source, "remove", "forget a source", remove_examples,
                          [&](const Progress& progress) { return lists_source_remove(arguments, progress); });
  remove.add_option("SOURCE", arguments.sources, "as it was added")->type_name("")->required();
  program.add_command(source, "list", "list the sources", list_examples, lists_source_list);
}

}  // namespace cas::tmc
