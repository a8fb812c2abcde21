// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/token_report.hpp"
#include "operations.hpp"

namespace cas::tmc {

namespace {

using smartpro::RegisterEntry;
using smartpro::RegisterEvent;
using tools::Json;

/// A token in the order of its first entry, with its last one.
std::vector<RegisterEntry> tokens_in(const std::vector<RegisterEntry>& entries) {
  std::vector<RegisterEntry> tokens;
  for (const RegisterEntry& entry : entries) {
    const auto found = std::ranges::find(tokens, entry.token, &RegisterEntry::token);
    if (found == tokens.end())
      tokens.push_back(entry);
    else
      *found = entry;
  }
  return tokens;
}

const char* state_text(RegisterEvent event) {
  return event == RegisterEvent::activated ? "activated" : "key released, unconfirmed";
}

const char* state_name(RegisterEvent event) { return event == RegisterEvent::activated ? "activated" : "key-released"; }

std::string row(const std::string& serial, const std::string& kind, const std::string& since, const std::string& state) {
  char text[128];
  std::snprintf(text, sizeof text, "  %-16s  %-11s  %-20s  %s\n", serial.c_str(), kind.c_str(), since.c_str(), state.c_str());
  return text;
}

}  // namespace

Result<tools::Report> list(const ListArguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const Domain domain, load_domain(arguments.domain));
  CAS_TRY_ASSIGN(const card::CardUri progenitor,
                 tools::parse_card_argument(arguments.progenitor.empty() ? domain.progenitor_uri : arguments.progenitor));
  CAS_TRY_ASSIGN(const Host host, tools::load_host(arguments.host));
  CAS_TRY_ASSIGN(const std::vector<RegisterEntry> entries, read_register(domain, progenitor, host, progress));

  const std::vector<RegisterEntry> tokens = tokens_in(entries);
  std::string text = "domain " + domain.name + ", VDID " + to_hex(domain.vdid) + ", as its progenitor " + tools::serial_text(domain.progenitor) + " vouches for it\n";
  if (tokens.empty()) text += "  no token yet: bring one in with cas-tmc enrol\n";
  else text += row("serial number", "kind", "since", "state");
  Json rows = Json::array();
  for (const RegisterEntry& token : tokens) {
    text += row(tools::serial_text(token.token), token_kind_name(token.kind), format_utc_time(token.time), state_text(token.event));
    rows.push_back({{"serial_number", tools::serial_text(token.token)},
                    {"kind", token_kind_name(token.kind)},
                    {"state", state_name(token.event)},
                    {"since", format_utc_time(token.time)}});
  }
  Json json;
  json["domain"] = domain_json(domain);
  json["records"] = entries.size();
  json["tokens"] = std::move(rows);
  return tools::Report{text, tools::to_text(json)};
}

}  // namespace cas::tmc
