// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/token_report.hpp"
#include "domain_session.hpp"

namespace cas::tmc {

namespace {

constexpr const char* examples = R"(
  cas-tmc list                                   find the lost card's serial number
  cas-tmc revoke 41f3a9c27b5e0d18
  cas-tmc revoke stolen.card --domain studio     a card that is at hand

The token is put on the domain's revocation list. No host that has the list talks to it, and no token to which a host brings the list: publish it
(cas-tmc publish), or let the hosts fetch it. There is no way back: a token that turns up again stays revoked in this domain.)";

struct Arguments {
  DomainArguments domain;
  std::string token;
};

Result<tools::Report> revoke(const Arguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const smartpro::SerialNumber token, parse_serial_argument(arguments.token));
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments.domain, progress));
  const bool before = session->irl().revokes_token(token);
  if (!before) {
    progress.step("the progenitor adds the token to its list ...");
    CAS_TRY(session->revoke(token));
  }
  const smartpro::RevocationList& list = session->irl();
  tools::Json json;
  json["domain"] = domain_json(session->domain());
  json["token"] = tools::serial_text(token);
  json["already"] = before;
  json["list"] = {{"index", list.header.index}, {"tokens", list.tokens.size()}, {"file", session->domain().irl_file().string()}};
  return tools::Report{"token " + tools::serial_text(token) + (before ? " is revoked in domain " + session->domain().name + " already\n" : " is now revoked in domain " + session->domain().name + "\n") +
                           tools::text_line("list", std::to_string(list.header.index) + ", " + std::to_string(list.tokens.size()) + (list.tokens.size() == 1 ? " token" : " tokens")) +
                           tools::text_line("file", session->domain().irl_file().string() + "  (bring it to the hosts: cas-tmc publish)"),
                       tools::to_text(json)};
}

}  // namespace

void add_revoke(tools::Program& program) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.add_command(program.app(), "revoke", "put a lost token on the domain's revocation list", examples,
                                          [arguments](const tools::Progress& progress) { return revoke(*arguments, progress); });
  command.add_option("TOKEN", arguments->token, "the token: its serial number (16 hexadecimal digits), or a card")->type_name("")->required();
  add_domain_options(command, arguments->domain);
}

}  // namespace cas::tmc
