// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/token_report.hpp"
#include "domain_session.hpp"

namespace cas::tmc {

namespace {

constexpr const char* examples = R"(
  cas-tmc deactivate --token camera.card
  cas-tmc deactivate --domain studio --token 'pcsc:?reader=Gemalto'

The token forgets the domain: its keys, its rights, its plays. It is blank then, and can be enrolled anywhere. A token that is not at hand cannot be
deactivated: see cas-tmc revoke.)";

struct Arguments {
  DomainArguments domain;
  std::string token;
};

/// A blank token that has confirmed it to the progenitor. Where its answer was lost, the progenitor asks it again.
Result<bool> confirmed_before(DomainSession& session, const smartpro::TokenInfo& token) {
  if (token.kind != smartpro::TokenKind::blank) return false;
  CAS_TRY_ASSIGN(std::vector<smartpro::RegisterEntry> entries,
                 session.progenitor().read_register(session.register_file()));
  std::ranges::reverse(entries);
  const auto last = std::ranges::find_if(entries, [&](const smartpro::RegisterEntry& entry) {
    return entry.token == token.serial_number && entry.event <= smartpro::RegisterEvent::deactivated;
  });
  return last != entries.end() && last->event == smartpro::RegisterEvent::deactivated;
}

Result<tools::Report> deactivate(const Arguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const card::CardUri uri, tools::parse_card_argument(arguments.token));
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments.domain, progress));
  progress.step("opening the token ...");
  CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card, open_token(uri));
  CAS_TRY_ASSIGN(const smartpro::TokenInfo before, smartpro::read_token_info(*card));
  if (before.vdid && *before.vdid != session->domain().vdid)
    return fail(ErrorKind::wrong_domain, "the token in " + card->description() + " belongs to domain " +
                                             to_hex(*before.vdid) + ", and only its progenitor can deactivate it");
  CAS_TRY_ASSIGN(const bool already, confirmed_before(*session, before));
  smartpro::TokenInfo info = before;
  if (!already) {
    progress.step("the progenitor deactivates the token ...");
    CAS_TRY_ASSIGN(info, session->progenitor().deactivate(*card, session->register_file()));
  }
  tools::Json json;
  json["domain"] = domain_json(session->domain());
  json["uri"] = card::format_card_uri(uri);
  json["token"] = tools::token_json(info);
  json["already"] = already;
  return tools::Report{card::format_card_uri(uri) +
                           (already ? " has left domain " + session->domain().name + " already\n"
                                    : " has left domain " + session->domain().name + "\n") +
                           tools::token_text(info),
                       tools::to_text(json)};
}

}  // namespace

void add_deactivate(tools::Program& program) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command =
      program.add_command(program.app(), "deactivate", "make a token forget its domain", examples,
                          [arguments](const tools::Progress& progress) { return deactivate(*arguments, progress); });
  command.add_option("--token", arguments->token, tools::card_argument_help)->type_name("CARD")->required();
  add_domain_options(command, arguments->domain);
}

}  // namespace cas::tmc
