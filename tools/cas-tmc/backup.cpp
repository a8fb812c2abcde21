// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/token_report.hpp"
#include "domain_session.hpp"

namespace cas::tmc {

namespace {

using tools::Json;

constexpr const char* backup_examples = R"(
  cas-card create spare.card --progenitor
  cas-tmc backup --to spare.card

The second card gets all secrets of the progenitor, over a channel between the two cards, and sleeps: it does nothing until cas-tmc replace wakes it. Keep it
in another safe. A backup that is there already is brought up to date: do so when the domain has been rolled, or its progenitor replaced.)";

constexpr const char* replace_examples = R"(
  cas-tmc replace --with spare.card
  cas-tmc replace --domain studio --with 'pcsc:?reader=Gemalto'

For a progenitor that is lost or broken. The backup reads what the register of the domain has since it was made, is the progenitor from then on, and puts the
old one on the domain's revocation list: if it turns up again, no token and no host has anything to do with it.)";

struct Arguments {
  DomainArguments domain;
  std::string card;
};

Result<tools::Report> backup(const Arguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const card::CardUri uri, tools::parse_card_argument(arguments.card));
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments.domain, progress));
  progress.step("opening the second card ...");
  CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card, open_token(uri));
  progress.step("the progenitor hands over its secrets ...");
  CAS_TRY_ASSIGN(const smartpro::TokenInfo info, session->progenitor().back_up(*card, session->register_file()));
  Json json;
  json["domain"] = domain_json(session->domain());
  json["uri"] = card::format_card_uri(uri);
  json["token"] = tools::token_json(info);
  return tools::Report{card::format_card_uri(uri) + " is now a backup of the progenitor of domain " +
                           session->domain().name + "; it sleeps until cas-tmc replace\n" + tools::token_text(info),
                       tools::to_text(json)};
}

Result<tools::Report> replace(const Arguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const card::CardUri uri, tools::parse_card_argument(arguments.card));
  CAS_TRY_ASSIGN(Domain domain, load_domain(arguments.domain.domain));
  CAS_TRY_ASSIGN(const Host host, tools::load_host(arguments.domain.host));
  CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card, open_token(uri));
  CAS_TRY_ASSIGN(const smartpro::TokenInfo info, smartpro::read_token_info(*card));
  if (info.kind != smartpro::TokenKind::progenitor || info.vdid != domain.vdid)
    return fail(ErrorKind::refused, "the token in " + card->description() +
                                        " is no backup of the progenitor of domain " + domain.name +
                                        ": name the one that cas-tmc backup has made");
  const smartpro::SerialNumber lost = domain.progenitor;
  domain.progenitor = info.serial_number;
  domain.progenitor_uri = card::format_card_uri(uri);
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session,
                 DomainSession::open_for_take_over(domain, uri, host, progress));
  if (session->record().dormant) {
    progress.step("the backup reads the register and takes over ...");
    CAS_TRY(session->take_over());
  }
  if (lost != info.serial_number && !session->irl().revokes_token(lost)) {
    progress.step("the new progenitor revokes the old one ...");
    CAS_TRY(session->revoke(lost));
  }
  // Last: as long as the description names the old one, a command that was stopped is run again and goes on.
  CAS_TRY(save_domain(domain));
  Json json;
  json["domain"] = domain_json(domain);
  json["revoked"] = lost == info.serial_number ? Json(nullptr) : Json(smartpro::serial_text(lost));
  return tools::Report{card::format_card_uri(uri) + " is now the progenitor of domain " + domain.name + "\n" +
                           tools::text_line("serial number", smartpro::serial_text(info.serial_number)) +
                           tools::text_line("list", std::to_string(session->irl().header.index) +
                                                        "  (bring it to the hosts: cas-tmc publish)"),
                       tools::to_text(json)};
}

}  // namespace

void add_backup(tools::Program& program) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& make = program.add_command(
      program.app(), "backup", "make a second progenitor card, while the first one is there", backup_examples,
      [arguments](const tools::Progress& progress) { return backup(*arguments, progress); });
  make.add_option("--to", arguments->card, tools::card_argument_help)->type_name("CARD")->required();
  add_domain_options(make, arguments->domain);
  CLI::App& take_over = program.add_command(
      program.app(), "replace", "let the backup take over for a progenitor that is lost", replace_examples,
      [arguments](const tools::Progress& progress) { return replace(*arguments, progress); });
  take_over.add_option("--with", arguments->card, tools::card_argument_help)->type_name("CARD")->required();
  take_over.add_option("--domain", arguments->domain.domain, "the domain (default: the only one there is)")
      ->type_name("NAME");
  add_host_options(take_over, arguments->domain.host);
}

}  // namespace cas::tmc
