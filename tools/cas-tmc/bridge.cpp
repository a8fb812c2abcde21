// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/token_report.hpp"
#include "domain_session.hpp"

namespace cas::tmc {

namespace {

using tools::Json;

constexpr const char* register_examples = R"(
  cas-tmc bridge register --token partner-bridge.card
  cas-tmc bridge register --domain studio --token 'relay:partner.example:7443?cert=...'

The token is a simple bridge of the partner's domain (enrolled there with --kind simple-bridge). It gets the keys to open what master bridges of this
domain send it, is authorised in the mask, and its record is what lecm-bridge takes as a destination.)";

constexpr const char* bar_examples = R"(
  cas-tmc bridge bar 3
  cas-tmc bridge bar 41f3a9c27b5e0d18

From now on no master bridge that has the new mask sends it anything, or takes anything back from it. By its serial number it is barred under every index
that it was registered under. cas-tmc bridge authorise is the way back.)";

constexpr const char* authorise_examples = R"(
  cas-tmc bridge authorise 3)";

constexpr const char* list_examples = R"(
  cas-tmc bridge list
  cas-tmc bridge list --json | jq -r '.bridges[] | select(.authorised) | .file'

Needs no card: this is what the folder of the domain says.)";

struct Arguments {
  DomainArguments domain;
  std::string token;
  std::string bridge;
};

Json bridge_json(const KnownBridge& bridge, bool authorised) {
  return {{"index", bridge.record.index},
          {"serial_number", smartpro::serial_text(bridge.record.simple_bridge)},
          {"destination", to_hex(bridge.record.destination)},
          {"authorised", authorised},
          {"file", bridge.file.string()}};
}

std::string bridge_text(const KnownBridge& bridge, bool authorised) {
  return tools::text_line("bridge " + std::to_string(bridge.record.index),
                          smartpro::serial_text(bridge.record.simple_bridge) + "  of domain " +
                              to_hex(bridge.record.destination) + (authorised ? "  authorised  " : "  barred  ") +
                              bridge.file.string());
}

tools::Report report_of(const DomainSession& session, const KnownBridge& bridge, const std::string& what) {
  const bool authorised = session.mask().authorises(bridge.record.index);
  Json json;
  json["domain"] = domain_json(session.domain());
  json["bridge"] = bridge_json(bridge, authorised);
  json["mask"] = {{"version", session.mask().header.version}, {"file", session.domain().mask_file().string()}};
  return {what + "\n" + bridge_text(bridge, authorised) +
              tools::text_line("mask", "version " + std::to_string(session.mask().header.version) + ", " +
                                           session.domain().mask_file().string() +
                                           "  (bring it to the hosts of master bridges: cas-tmc publish)"),
          tools::to_text(json)};
}

Result<tools::Report> register_bridge(const Arguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const card::CardUri uri, tools::parse_card_argument(arguments.token));
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments.domain, progress));
  progress.step("opening the bridge ...");
  CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card, open_token(uri));
  progress.step("the progenitor registers the bridge ...");
  CAS_TRY_ASSIGN(const Bytes signed_record, session->progenitor().register_bridge(*card, session->register_file()));
  CAS_TRY_ASSIGN(const std::filesystem::path file, save_bridge(session->domain(), signed_record));
  CAS_TRY_ASSIGN(const smartpro::BridgeRecord record, smartpro::BridgeRecord::parse(signed_record));
  // A token keeps its newest registration alone. Who had its older keys out of it shall have nothing of them.
  CAS_TRY(session->bar_bridges_of(record.simple_bridge, record.index));
  CAS_TRY(session->set_bridge(record.index, true));
  return report_of(*session, {record, file},
                   card::format_card_uri(uri) + " can now receive from domain " + session->domain().name);
}

/// By index or serial number; the newest registration where there are several of one token.
Result<KnownBridge> find_bridge(const Domain& domain, const std::string& named) {
  CAS_TRY_ASSIGN(std::vector<KnownBridge> bridges, load_bridges(domain));
  std::ranges::reverse(bridges);
  const auto found = std::ranges::find_if(bridges, [&](const KnownBridge& bridge) {
    return named == std::to_string(bridge.record.index) || named == smartpro::serial_text(bridge.record.simple_bridge);
  });
  if (found == bridges.end())
    return fail(ErrorKind::not_found, "no bridge " + named + " is registered in domain " + domain.name +
                                          ": give an index or a serial number of cas-tmc bridge list");
  return std::move(*found);
}

Result<tools::Report> set_bridge(const Arguments& arguments, bool authorised, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const Domain domain, load_domain(arguments.domain.domain));
  CAS_TRY_ASSIGN(const KnownBridge bridge, find_bridge(domain, arguments.bridge));
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments.domain, progress));
  if (authorised && session->irl().revokes_token(bridge.record.simple_bridge))
    return fail(ErrorKind::revoked, "the bridge " + smartpro::serial_text(bridge.record.simple_bridge) +
                                        " is on the revocation list of domain " + domain.name + ", for good");
  progress.step("the progenitor writes the mask ...");
  CAS_TRY(session->set_bridge(bridge.record.index, authorised));
  // By its serial number it is the token that is meant, under whatever index.
  if (!authorised && arguments.bridge == smartpro::serial_text(bridge.record.simple_bridge))
    CAS_TRY(session->bar_bridges_of(bridge.record.simple_bridge));
  const std::string index = std::to_string(bridge.record.index);
  return report_of(*session, bridge,
                   authorised ? "bridge " + index + " is authorised" : "bridge " + index + " is barred");
}

Result<tools::Report> list_bridges(const Arguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const Domain domain, load_domain(arguments.domain.domain));
  CAS_TRY_ASSIGN(const std::vector<KnownBridge> bridges, load_bridges(domain));
  CAS_TRY_ASSIGN(const smartpro::AuthorisationMask mask, load_mask(domain));
  std::string text = "domain " + domain.name + ", VDID " + to_hex(domain.vdid) + ", mask " +
                     std::to_string(mask.header.version) + "\n";
  if (bridges.empty()) text += "  no bridge yet: register a partner's with cas-tmc bridge register\n";
  Json rows = Json::array();
  for (const KnownBridge& bridge : bridges) {
    const bool authorised = mask.authorises(bridge.record.index);
    text += bridge_text(bridge, authorised);
    rows.push_back(bridge_json(bridge, authorised));
  }
  Json json;
  json["domain"] = domain_json(domain);
  json["mask"] = {{"version", mask.header.version}, {"file", domain.mask_file().string()}};
  json["bridges"] = std::move(rows);
  return tools::Report{text, tools::to_text(json)};
}

}  // namespace

void add_bridge(tools::Program& program) {
  using tools::Progress;
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& group = program.add_group("bridge", "register partners' bridges, authorise and bar them, or list them");
  CLI::App& add = program.add_command(
      group, "register", "let a simple bridge of another domain receive from this one", register_examples,
      [arguments](const Progress& progress) { return register_bridge(*arguments, progress); });
  add.add_option("--token", arguments->token, tools::card_argument_help)->type_name("CARD")->required();
  add_domain_options(add, arguments->domain);
  for (const bool authorised : {false, true}) {
    CLI::App& command = program.add_command(
        group, authorised ? "authorise" : "bar",
        authorised ? "let a barred bridge receive again" : "let a bridge receive nothing any more",
        authorised ? authorise_examples : bar_examples,
        [arguments, authorised](const Progress& progress) { return set_bridge(*arguments, authorised, progress); });
    command.add_option("BRIDGE", arguments->bridge, "its index, or its serial number")->type_name("")->required();
    add_domain_options(command, arguments->domain);
  }
  CLI::App& list =
      program.add_command(group, "list", "list the bridges that are registered; needs no card", list_examples,
                          [arguments](const Progress& progress) { return list_bridges(*arguments, progress); });
  list.add_option("--domain", arguments->domain.domain, "the domain (default: the only one there is)")
      ->type_name("NAME");
}

}  // namespace cas::tmc
