// SPDX-License-Identifier: LGPL-2.1-or-later
// What the root revokes in all domains (paper, 4.1: the ERL "contains the elements revoked in all SmartPRO system").
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/durable_file.hpp"
#include "base/file_lock.hpp"
#include "base/hex.hpp"
#include "base/reader.hpp"
#include "commands.hpp"
#include "common/token_report.hpp"
#include "domain_folder.hpp"
#include "external_list.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/host_lists.hpp"

namespace cas::tmc {

namespace fs = std::filesystem;

Status check_is_root(const fs::path& root_folder) {
  std::error_code error;
  if (fs::exists(root_folder / smartpro::root_revocation_public_file, error)) return {};
  return fail(ErrorKind::not_found, "there is no root in " + root_folder.string() +
                                        ": name its folder with --root, or make one with cas-tmc root");
}

Result<std::optional<smartpro::RevocationList>> load_external_list(const fs::path& root_folder) {
  const fs::path file = root_folder / smartpro::external_list_file;
  const auto content = read_file(file, smartpro::max_revocation_file_size);
  if (!content) {
    if (content.error().kind == ErrorKind::not_found) return std::nullopt;
    return fail(content.error());
  }
  CAS_TRY_ASSIGN(const smartpro::RevocationKey key,
                 smartpro::read_revocation_key(root_folder / smartpro::root_revocation_public_file));
  auto list = smartpro::RevocationList::parse(*content, key);
  if (!list) return fail_in(file.string(), std::move(list).error());
  return std::move(*list);
}

Status save_external_list(const fs::path& root_folder, const smartpro::RevocationList& list) {
  return write_file_durably(root_folder / smartpro::external_list_file, list.encode(), 0644);
}

namespace {

using smartpro::RevocationList;
using smartpro::RevokedNumber;
using tools::Json;

constexpr const char* revoke_examples = R"(
  cas-tmc erl revoke --host 41f3a9c27b5e0d18                 a player that gave its keys away
  cas-tmc erl revoke --token 0123456789abcdef --token 00c0ffee00c0ffee
  cas-tmc erl revoke --vdid 0011223344556677                 a whole domain
  cas-tmc erl revoke --host 41f3a9c27b5e0d18 --root /media/safe/root --root-pin-source env:ROOT_PIN

For all domains that hang on the root, and for good. A lost token of one domain is that domain's matter: see cas-tmc revoke.)";

constexpr const char* show_examples = R"(
  cas-tmc erl show
  cas-tmc erl show --json | jq '.list.hosts')";

struct Arguments {
  tools::CredentialsPlace root;
  std::vector<std::string> tokens;
  std::vector<std::string> hosts;
  std::vector<std::string> domains;
};

Status add_numbers(const std::vector<std::string>& texts, const char* option, std::vector<RevokedNumber>& numbers) {
  for (const std::string& text : texts) {
    const auto bytes = from_hex(text, sizeof(RevokedNumber));
    if (!bytes || bytes->size() != sizeof(RevokedNumber))
      return fail(ErrorKind::invalid_argument,
                  std::string(option) + " takes 16 hexadecimal digits, and '" + text + "' is something else");
    CAS_TRY_ASSIGN(const RevokedNumber number, ByteReader(*bytes).u64());
    numbers.push_back(number);
  }
  return {};
}

std::size_t size_of(const RevocationList& list) { return list.tokens.size() + list.hosts.size() + list.domains.size(); }

Json list_json(const RevocationList& list) {
  return {{"index", list.header.index},
          {"tokens", serials_json(list.tokens)},
          {"hosts", serials_json(list.hosts)},
          {"domains", serials_json(list.domains)}};
}

std::string list_text(const RevocationList& list) {
  std::string text = tools::text_line("list", std::to_string(list.header.index));
  for (const auto& [name, numbers] :
       {std::pair{"token", &list.tokens}, {"host", &list.hosts}, {"domain (VDID)", &list.domains}})
    for (const RevokedNumber number : *numbers) text += tools::text_line(name, smartpro::serial_text(number));
  return text;
}

Result<tools::Report> revoke(const Arguments& arguments, const tools::Progress& progress) {
  if (arguments.tokens.empty() && arguments.hosts.empty() && arguments.domains.empty())
    return fail(ErrorKind::invalid_argument, "nothing to revoke: give --token, --host or --vdid");
  CAS_TRY_ASSIGN(const fs::path folder, tools::root_folder(arguments.root));
  CAS_TRY_ASSIGN(const smartpro::RootAuthority root, tools::load_root(arguments.root));
  const fs::path file = folder / smartpro::external_list_file;
  CAS_TRY_ASSIGN(const FileLock lock, FileLock::acquire(file));
  remove_unfinished_writes(file);
  CAS_TRY_ASSIGN(const auto before, load_external_list(folder));
  RevocationList list = before.value_or(RevocationList{});
  list.header.kind = smartpro::RevocationListKind::external;
  CAS_TRY(add_numbers(arguments.tokens, "--token", list.tokens));
  CAS_TRY(add_numbers(arguments.hosts, "--host", list.hosts));
  CAS_TRY(add_numbers(arguments.domains, "--vdid", list.domains));
  ++list.header.index;
  progress.step("the root signs the list ...");
  CAS_TRY_ASSIGN(list, root.issue_revocation_list(std::move(list)));
  const bool grown = !before || size_of(list) > size_of(*before);
  if (grown) CAS_TRY(save_external_list(folder, list));
  const RevocationList& now = grown ? list : *before;
  Json json;
  json["already"] = !grown;
  json["file"] = file.string();
  json["list"] = list_json(now);
  return tools::Report{(grown ? "the external revocation list is now\n" : "all of that is revoked already\n") +
                           list_text(now) +
                           tools::text_line("file", file.string() + "  (bring it to the hosts: cas-tmc publish)"),
                       tools::to_text(json)};
}

Result<tools::Report> show(const Arguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const fs::path folder, tools::root_folder(arguments.root));
  CAS_TRY(check_is_root(folder));
  CAS_TRY_ASSIGN(const auto list, load_external_list(folder));
  Json json;
  json["list"] = list ? list_json(*list) : Json(nullptr);
  return tools::Report{list ? "the external revocation list of the root in " + folder.string() + "\n" + list_text(*list)
                            : "the root in " + folder.string() + " has revoked nothing yet\n",
                       tools::to_text(json)};
}

}  // namespace

void add_erl(tools::Program& program) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& group = program.add_group(
      "erl", "the root's revocation list, for all domains: revoke tokens, hosts and domains, or show it");
  CLI::App& add =
      program.add_command(group, "revoke", "revoke tokens, hosts or whole domains everywhere", revoke_examples,
                          [arguments](const tools::Progress& progress) { return revoke(*arguments, progress); });
  add.add_option("--token", arguments->tokens, "serial number of a token, 16 hexadecimal digits")->type_name("SERIAL");
  add.add_option("--host", arguments->hosts, "serial number of a host")->type_name("SERIAL");
  add.add_option("--vdid", arguments->domains, "VDID of a domain")->type_name("VDID");
  add.add_option("--root", arguments->root.folder, "the folder of the root (default: $CAS_HOME/root)")
      ->type_name("FOLDER");
  add.add_option("--root-pin-source", arguments->root.pin_source,
                 "the pass phrase of the root's keys: file:PATH or env:NAME")
      ->type_name("SOURCE");
  CLI::App& display =
      program.add_command(group, "show", "show the list; needs no key", show_examples,
                          [arguments](const tools::Progress& progress) { return show(*arguments, progress); });
  display.add_option("--root", arguments->root.folder, "the folder of the root (default: $CAS_HOME/root)")
      ->type_name("FOLDER");
}

}  // namespace cas::tmc
