// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/token_report.hpp"
#include "operations.hpp"
#include "smartpro/default_places.hpp"

namespace cas::tmc {

namespace {

using smartpro::TokenKind;

Result<TokenKind> member_kind(const std::string& name) {
  const auto kind = smartpro::parse_token_kind(name);
  if (!kind || *kind == TokenKind::blank || *kind == TokenKind::progenitor)
    return fail(
        ErrorKind::invalid_argument,
        "a token is enrolled as acquisition (it makes licences), renderer (it opens them), processing (it opens and "
        "issues them anew), head-end (it makes licences, also for control words that it is given), "
        "master-bridge (it sends to other domains) or simple-bridge (it receives from them): give --kind one of them");
  return *kind;
}

}  // namespace

Result<tools::Report> enrol(const EnrolArguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const TokenKind kind, member_kind(arguments.kind));
  CAS_TRY_ASSIGN(const card::CardUri token, tools::parse_card_argument(arguments.token));
  CAS_TRY_ASSIGN(const Domain domain, load_domain(arguments.domain));
  CAS_TRY_ASSIGN(
      const card::CardUri progenitor,
      tools::parse_card_argument(arguments.progenitor.empty() ? domain.progenitor_uri : arguments.progenitor));
  CAS_TRY_ASSIGN(const Host host, tools::load_host(arguments.host));
  CAS_TRY_ASSIGN(const EnrolledToken enrolled, enrol_token(domain, progenitor, token, kind, host, progress));

  const std::string uri = card::format_card_uri(token);
  if (arguments.make_default) {
    CAS_TRY(smartpro::set_default_card_uri(kind, uri));
  }
  const bool before = enrolled.outcome == Outcome::done_before;
  tools::Json json;
  json["domain"] = domain_json(domain);
  json["uri"] = uri;
  json["token"] = tools::token_json(enrolled.info);
  json["already"] = before;
  json["default"] = arguments.make_default;
  std::string text =
      uri + (before ? " is in domain " + domain.name + " already\n" : " is now in domain " + domain.name + "\n") +
      tools::token_text(enrolled.info);
  if (arguments.make_default)
    text += tools::text_line("default", std::string("for ") + smartpro::token_kind_name(kind) + " on this machine");
  return tools::Report{text, tools::to_text(json)};
}

}  // namespace cas::tmc
