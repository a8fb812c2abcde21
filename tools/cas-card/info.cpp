// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/termination.hpp"
#include "common/token_report.hpp"
#include "crypto/certificate.hpp"
#include "smartpro/token_session.hpp"

namespace cas::card_program {

using tools::Json;

namespace {

/// Connects as soon as there is a card. A card that went away again between the two is waited for again.
Status connect_when_there(card::Card& card, const tools::Progress& progress) {
  const tools::Termination termination;
  Status connected = card.connect();
  if (!connected && connected.error().kind == ErrorKind::card_absent)
    progress.note("waiting for " + card.description() + "; Ctrl-C ends it");
  while (!connected && connected.error().kind == ErrorKind::card_absent) {
    CAS_TRY(card.wait_for_card(termination.token()));
    connected = card.connect();
  }
  return connected;
}

}  // namespace

Result<tools::Report> info(const InfoArguments& arguments, const tools::Progress& progress) {
  progress.step("opening the card ...");
  CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card, tools::open_card_argument(arguments.card));
  CAS_TRY(arguments.wait ? connect_when_there(*card, progress) : card->connect());
  CAS_TRY_ASSIGN(const smartpro::TokenInfo info, smartpro::read_token_info(*card));

  std::string pem;
  if (arguments.certificate) {
    if (!info.personalised)
      return fail(ErrorKind::not_found, "the token has no certificate yet: make one with cas-card create");
    CAS_TRY_ASSIGN(const crypto::Certificate certificate, crypto::Certificate::from_der(info.certificate));
    CAS_TRY_ASSIGN(pem, certificate.to_pem());
  }
  Json json;
  json["card"] = card->description();
  json["token"] = tools::token_json(info);
  if (arguments.certificate) json["certificate_pem"] = pem;
  return tools::Report{arguments.certificate ? pem : card->description() + "\n" + tools::token_text(info),
                       tools::to_text(json)};
}

}  // namespace cas::card_program
