// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/token_report.hpp"
#include "domain_session.hpp"
#include "register_text.hpp"

namespace cas::tmc {

namespace {

using smartpro::RegisterEntry;
using smartpro::RegisterEvent;
using smartpro::TokenKind;
using tools::Json;

constexpr const char* examples = R"(
  cas-tmc status
  cas-tmc status --domain studio --json | jq '.attention[]'

The progenitor must be at hand. "Attention" is what somebody should do something about.)";

/// A domain at a glance.
struct Glance {
  std::map<TokenKind, std::size_t> active;  ///< Tokens that work, by kind.
  std::size_t revoked = 0;
  std::size_t deactivated = 0;
  std::vector<smartpro::SerialNumber> backups;  ///< Those that could take over.
  std::vector<std::string> attention;
};

bool is_member_event(RegisterEvent event) {
  return event == RegisterEvent::key_released || event == RegisterEvent::activated;
}

/// The last records of two events that tokens and backups from before them are told apart by.
struct Turns {
  std::uint64_t roll = 0;
  std::uint64_t take_over = 0;
};

void look_at_token(const RegisterEntry& token, const Turns& last, const smartpro::RevocationList& irl, Glance& glance) {
  const std::string name = std::string(token_kind_name(token.kind)) + " " + smartpro::serial_text(token.token);
  if (irl.revokes_token(token.token)) {
    ++glance.revoked;
    return;
  }
  switch (token.event) {
    case RegisterEvent::deactivated: ++glance.deactivated; return;
    case RegisterEvent::key_released:
      glance.attention.push_back(name +
                                 " was sent the domain key and never confirmed it: enrol it again, or revoke it");
      break;
    case RegisterEvent::deactivation_sent:
      glance.attention.push_back(
          name + " was told to forget the domain and never confirmed it: deactivate it again, or revoke it");
      break;
    case RegisterEvent::secrets_released:
      glance.attention.push_back(
          name +
          " was sent all secrets of the domain and never confirmed: run cas-tmc backup with it again, or revoke it");
      return;
    case RegisterEvent::backed_up:
      if (token.sequence > std::max(last.roll, last.take_over))
        glance.backups.push_back(token.token);
      else
        glance.attention.push_back("backup " + smartpro::serial_text(token.token) +
                                   " is from before the domain got a new key or progenitor, and cannot take over: run "
                                   "cas-tmc backup with it again");
      return;
    case RegisterEvent::activated: ++glance.active[token.kind]; break;
    default: return;
  }
  if (is_member_event(token.event) && token.sequence < last.roll)
    glance.attention.push_back(name +
                               " has a domain key from before the roll: deactivate and enrol it again, or revoke it");
}

Glance look_at(const DomainSession& session, const std::vector<RegisterEntry>& entries) {
  Glance glance;
  Turns last;
  for (const RegisterEntry& entry : entries) {
    if (entry.event == RegisterEvent::rolled) last.roll = entry.sequence;
    if (entry.event == RegisterEvent::took_over) last.take_over = entry.sequence;
  }
  std::vector<RegisterEntry> members;
  std::ranges::copy_if(entries, std::back_inserter(members), [&](const RegisterEntry& entry) {
    return entry.token != session.domain().progenitor &&
           (entry.event <= RegisterEvent::deactivated || entry.event == RegisterEvent::secrets_released ||
            entry.event == RegisterEvent::backed_up);
  });
  for (const RegisterEntry& token : tokens_in(members)) look_at_token(token, last, session.irl(), glance);
  for (const RegisterEntry& entry : entries)
    if (entry.event == RegisterEvent::bridge_registered && entry.sequence < last.roll &&
        session.mask().authorises(static_cast<std::uint32_t>(entry.number)))
      glance.attention.push_back("bridge " + std::to_string(entry.number) +
                                 " has keys from before the roll: register it again, or bar it");
  if (glance.backups.empty())
    glance.attention.emplace_back(
        "the progenitor has no backup: if its card is lost, nobody can enrol or revoke any more (cas-tmc backup)");
  return glance;
}

std::string counts_text(const Glance& glance) {
  std::string text;
  for (const auto& [kind, count] : glance.active)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + token_kind_name(kind);
  if (text.empty()) text = "none yet";
  if (glance.deactivated > 0) text += "; " + std::to_string(glance.deactivated) + " deactivated";
  if (glance.revoked > 0) text += "; " + std::to_string(glance.revoked) + " revoked";
  return text;
}

Json json_of(const DomainSession& session, const Glance& glance, std::size_t records,
             const std::vector<KnownBridge>& bridges) {
  Json json;
  json["domain"] = domain_json(session.domain());
  json["generation"] = session.record().generation;
  json["records"] = records;
  json["tokens"] = Json::object();
  for (const auto& [kind, count] : glance.active) json["tokens"][token_kind_name(kind)] = count;
  json["deactivated"] = glance.deactivated;
  json["revoked"] = glance.revoked;
  json["backups"] = serials_json(glance.backups);
  json["list"] = {{"index", session.irl().header.index}, {"tokens", serials_json(session.irl().tokens)}};
  Json rows = Json::array();
  for (const KnownBridge& bridge : bridges)
    rows.push_back({{"index", bridge.record.index},
                    {"serial_number", smartpro::serial_text(bridge.record.simple_bridge)},
                    {"destination", to_hex(bridge.record.destination)},
                    {"authorised", session.mask().authorises(bridge.record.index)}});
  json["mask"] = {{"version", session.mask().header.version}, {"bridges", std::move(rows)}};
  json["attention"] = glance.attention;
  return json;
}

Result<tools::Report> status(const DomainArguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments, progress));
  progress.step("the progenitor reads its register ...");
  CAS_TRY_ASSIGN(const std::vector<RegisterEntry> entries,
                 session->progenitor().read_register(session->register_file()));
  CAS_TRY_ASSIGN(const std::vector<KnownBridge> bridges, load_bridges(session->domain()));
  const Glance glance = look_at(*session, entries);
  const auto authorised = std::ranges::count_if(
      bridges, [&](const KnownBridge& bridge) { return session->mask().authorises(bridge.record.index); });

  const Domain& domain = session->domain();
  std::string text = "domain " + domain.name + ", VDID " + to_hex(domain.vdid) + "\n";
  text += tools::text_line("progenitor", smartpro::serial_text(domain.progenitor) + "  " + domain.progenitor_uri);
  std::string backups;
  for (const smartpro::SerialNumber backup : glance.backups)
    backups += (backups.empty() ? "" : ", ") + smartpro::serial_text(backup);
  text += tools::text_line("backup", backups.empty() ? "none" : backups);
  text += tools::text_line("domain key", std::to_string(session->record().generation) +
                                             (session->record().generation == 1 ? ", never rolled" : ""));
  text += tools::text_line("tokens", counts_text(glance));
  text += tools::text_line("revocation list", std::to_string(session->irl().header.index) + ", " +
                                                  std::to_string(session->irl().tokens.size()) + " revoked");
  text += tools::text_line("bridges", std::to_string(authorised) + " of " + std::to_string(bridges.size()) +
                                          " authorised, mask " + std::to_string(session->mask().header.version));
  text += tools::text_line("register", std::to_string(entries.size()) + " records, whole and the newest");
  for (const std::string& line : glance.attention) text += "attention: " + line + "\n";
  return tools::Report{text, tools::to_text(json_of(*session, glance, entries.size(), bridges))};
}

}  // namespace

void add_status(tools::Program& program) {
  const auto arguments = std::make_shared<DomainArguments>();
  CLI::App& command =
      program.add_command(program.app(), "status", "a domain at a glance, and what needs attention", examples,
                          [arguments](const tools::Progress& progress) { return status(*arguments, progress); });
  add_domain_options(command, *arguments);
}

}  // namespace cas::tmc
