// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/token_report.hpp"
#include "operations.hpp"

namespace cas::tmc {

using tools::Json;

Result<tools::Report> domain_create(const DomainCreateArguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const card::CardUri progenitor, tools::parse_card_argument(arguments.progenitor));
  CAS_TRY(domain_folder(arguments.name));  // a wrong name before a missing host
  CAS_TRY_ASSIGN(const Host host, tools::load_host(arguments.host));
  CAS_TRY_ASSIGN(const FoundedDomain founded, found_domain(arguments.name, progenitor, host, progress));
  const bool before = founded.outcome == Outcome::done_before;
  const Domain& domain = founded.domain;
  Json json;
  json["domain"] = domain_json(domain);
  json["folder"] = domain.folder.string();
  json["already"] = before;
  const std::string first =
      before ? "domain " + domain.name + " is there already\n" : "founded domain " + domain.name + "\n";
  return tools::Report{
      first + tools::text_line("VDID", to_hex(domain.vdid)) +
          tools::text_line("progenitor", smartpro::serial_text(domain.progenitor) + ", " + domain.progenitor_uri) +
          tools::text_line("folder", domain.folder.string()),
      tools::to_text(json)};
}

Result<tools::Report> domain_list(const tools::Progress&) {
  CAS_TRY_ASSIGN(const std::vector<Domain> domains, load_domains());
  std::string text;
  Json list = Json::array();
  for (const Domain& domain : domains) {
    text += domain.name + "\n" + tools::text_line("VDID", to_hex(domain.vdid)) +
            tools::text_line("progenitor", smartpro::serial_text(domain.progenitor) + ", " + domain.progenitor_uri);
    list.push_back(domain_json(domain));
  }
  if (domains.empty()) text = "no domain yet: found one with cas-tmc domain create, or start with cas-tmc init\n";
  Json json;
  json["domains"] = std::move(list);
  return tools::Report{text, tools::to_text(json)};
}

}  // namespace cas::tmc
