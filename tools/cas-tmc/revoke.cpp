// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <algorithm>
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
  cas-tmc revoke 00c0ffee00c0ffee --unknown      one that was never in this domain, and shall never be

A bridge that is registered here is barred with it. The token is put on the domain's revocation list. No host that has the list talks to it, and no token to which a host brings the list: publish it
(cas-tmc publish), or let the hosts fetch it. There is no way back: a token that turns up again stays revoked in this domain.)";

struct Arguments {
  DomainArguments domain;
  std::string token;
  bool unknown = false;
};

/// A wrong digit would revoke nobody, for good, and leave the lost card as it is.
Status check_is_known(DomainSession& session, smartpro::SerialNumber token) {
  CAS_TRY_ASSIGN(const auto entries, session.progenitor().read_register(session.register_file()));
  if (std::ranges::find(entries, token, &smartpro::RegisterEntry::token) != entries.end()) return {};
  return fail(ErrorKind::not_found,
              "token " + smartpro::serial_text(token) + " was never in domain " + session.domain().name +
                  ": see its tokens with cas-tmc list, or say --unknown if it shall be revoked all the same");
}

Result<tools::Report> revoke(const Arguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const smartpro::SerialNumber token, parse_serial_argument(arguments.token));
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments.domain, progress));
  const bool before = session->irl().revokes_token(token);
  if (!before) {
    if (token == session->progenitor().serial_number())
      return fail(ErrorKind::refused, "the token is the progenitor of domain " + session->domain().name +
                                          ": when it is lost, let its backup take over with cas-tmc replace");
    if (!arguments.unknown) CAS_TRY(check_is_known(*session, token));
    progress.step("the progenitor adds the token to its list ...");
    CAS_TRY(session->revoke(token));
  }
  CAS_TRY_ASSIGN(const std::size_t barred, session->bar_bridges_of(token));
  const smartpro::RevocationList& list = session->irl();
  tools::Json json;
  json["domain"] = domain_json(session->domain());
  json["token"] = smartpro::serial_text(token);
  json["already"] = before;
  json["bridges_barred"] = barred;
  json["list"] = {
      {"index", list.header.index}, {"tokens", list.tokens.size()}, {"file", session->domain().irl_file().string()}};
  return tools::Report{
      "token " + smartpro::serial_text(token) +
          (before ? " is revoked in domain " + session->domain().name + " already\n"
                  : " is now revoked in domain " + session->domain().name + "\n") +
          tools::text_line("list", std::to_string(list.header.index) + ", " + std::to_string(list.tokens.size()) +
                                       (list.tokens.size() == 1 ? " token" : " tokens")) +
          (barred > 0 ? tools::text_line("bridges", std::to_string(barred) + " barred") : std::string()) +
          tools::text_line("file",
                           session->domain().irl_file().string() + "  (bring it to the hosts: cas-tmc publish)"),
      tools::to_text(json)};
}

}  // namespace

void add_revoke(tools::Program& program) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command =
      program.add_command(program.app(), "revoke", "put a lost token on the domain's revocation list", examples,
                          [arguments](const tools::Progress& progress) { return revoke(*arguments, progress); });
  command.add_option("TOKEN", arguments->token, "the token: its serial number (16 hexadecimal digits), or a card")
      ->type_name("")
      ->required();
  command.add_flag("--unknown", arguments->unknown, "revoke it although it was never in this domain");
  add_domain_options(command, arguments->domain);
}

}  // namespace cas::tmc
