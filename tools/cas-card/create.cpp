// SPDX-License-Identifier: LGPL-2.1-or-later
#include <filesystem>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/token_report.hpp"
#include "crypto/random.hpp"
#include "smartpro/soft_token.hpp"
#include "smartpro/token_management.hpp"
#include "smartpro/token_session.hpp"

namespace cas::card_program {

namespace {

using card::CardUri;
using tools::Json;

/// What a certificate takes (X.520, ub-common-name).
constexpr std::size_t max_name_size = 64;

std::string name_after(const CardUri& uri) {
  const std::string stem = std::filesystem::path(uri.path).stem().string();
  return stem.empty() || stem.size() > max_name_size ? "token" : stem;
}

Result<smartpro::NewSoftToken> make(const CardUri& uri, smartpro::RootAuthority& root, const std::string& name,
                                    bool progenitor) {
  if (uri.kind == CardUri::Kind::soft)
    return smartpro::create_soft_token(uri, root, name, progenitor, crypto::system_random());
  CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card, smartpro::open_token_card(card::format_card_uri(uri)));
  CAS_TRY_ASSIGN(smartpro::TokenInfo info, smartpro::personalise_token(*card, root, name, progenitor));
  return smartpro::NewSoftToken{std::move(info), std::nullopt};
}

}  // namespace

Result<tools::Report> create(const CreateArguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const CardUri uri, tools::parse_card_argument(arguments.card));
  CAS_TRY_ASSIGN(smartpro::RootAuthority root, tools::load_root(arguments.root));
  const std::string name = arguments.name.empty() ? name_after(uri) : arguments.name;
  progress.step("the token draws its keys and gets its certificate ...");
  CAS_TRY_ASSIGN(const smartpro::NewSoftToken made, make(uri, root, name, arguments.progenitor));

  const std::string place = card::format_card_uri(uri);
  tools::Report report;
  report.text = std::string("made a ") + (arguments.progenitor ? "progenitor token" : "token") + ": " + place + "\n" +
                tools::token_text(made.info);
  if (made.pass_phrase_file)
    report.text += tools::text_line(
        "pass phrase", "drawn at random, in " + made.pass_phrase_file->string() + ": who has both files has the card");
  Json json;
  json["uri"] = place;
  json["token"] = tools::token_json(made.info);
  json["may_found_domain"] = arguments.progenitor;
  json["pass_phrase_file_made"] = made.pass_phrase_file ? Json(made.pass_phrase_file->string()) : Json(nullptr);
  report.json = tools::to_text(json);
  return report;
}

}  // namespace cas::card_program
