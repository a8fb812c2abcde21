// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "commands.hpp"
#include "common/token_report.hpp"
#include "domain_session.hpp"
#include "register_text.hpp"

namespace cas::tmc {

namespace {

using smartpro::RegisterEntry;
using smartpro::RegisterEvent;
using tools::Json;

std::string row(const std::string& serial, const std::string& kind, const std::string& since,
                const std::string& state) {
  char text[128];
  std::snprintf(text, sizeof text, "  %-16s  %-11s  %-20s  %s\n", serial.c_str(), kind.c_str(), since.c_str(),
                state.c_str());
  return text;
}

}  // namespace

Result<tools::Report> list(const DomainArguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments, progress));
  const Domain& domain = session->domain();
  progress.step("the progenitor reads its register ...");
  CAS_TRY_ASSIGN(const std::vector<RegisterEntry> entries,
                 session->progenitor().read_register(session->register_file()));

  const std::vector<RegisterEntry> tokens = tokens_in(entries);
  std::string text = "domain " + domain.name + ", VDID " + to_hex(domain.vdid) + ", as its progenitor " +
                     smartpro::serial_text(domain.progenitor) + " vouches for it\n";
  if (tokens.empty())
    text += "  no token yet: bring one in with cas-tmc enrol\n";
  else
    text += row("serial number", "kind", "since", "state");
  Json rows = Json::array();
  for (const RegisterEntry& token : tokens) {
    text += row(smartpro::serial_text(token.token), token_kind_name(token.kind), format_utc_time(token.time),
                event_text(token));
    rows.push_back({{"serial_number", smartpro::serial_text(token.token)},
                    {"kind", token_kind_name(token.kind)},
                    {"state", event_name(token.event)},
                    {"since", format_utc_time(token.time)}});
  }
  Json json;
  json["domain"] = domain_json(domain);
  json["records"] = entries.size();
  json["tokens"] = std::move(rows);
  return tools::Report{text, tools::to_text(json)};
}

}  // namespace cas::tmc
