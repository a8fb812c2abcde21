// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>
#include <optional>

#include "card/reader_list.hpp"
#include "card/uri.hpp"
#include "commands.hpp"
#include "common/token_report.hpp"
#include "smartpro/token_session.hpp"

namespace cas::card_program {

namespace {

using card::Reader;
using tools::Json;

std::string uri_of(const Reader& reader) {
  return card::format_card_uri({card::CardUri::Kind::pcsc, reader.name, {}, {}});
}

Result<smartpro::TokenInfo> read_token(const Reader& reader) {
  CAS_TRY_ASSIGN(const std::shared_ptr<card::Card> card, smartpro::open_token_card(uri_of(reader)));
  CAS_TRY(card->connect());
  return smartpro::read_token_info(*card);
}

std::string state_text(const Reader& reader) {
  if (!reader.card_present) return "empty";
  if (reader.mute) return "a card that does not answer: is it the right way round?";
  if (reader.exclusive) return "a card that another program holds for itself";
  return "a card";
}

Json reader_json(const Reader& reader) {
  Json json;
  json["name"] = reader.name;
  json["uri"] = uri_of(reader);
  json["card_present"] = reader.card_present;
  json["mute"] = reader.mute;
  json["in_use"] = reader.in_use;
  json["exclusive"] = reader.exclusive;
  json["atr"] = to_hex(reader.atr);
  json["token"] = nullptr;
  return json;
}

/// Appends what there is to say of one reader.
void report_reader(const Reader& reader, std::string& text, Json& list) {
  Json json = reader_json(reader);
  text += uri_of(reader) + "\n" + tools::text_line("reader", reader.name);
  if (!reader.card_present || reader.mute || reader.exclusive) {
    text += tools::text_line("holds", state_text(reader));
  } else if (const auto token = read_token(reader)) {
    text += tools::token_text(*token);
    json["token"] = tools::token_json(*token);
  } else if (token.error().kind == ErrorKind::not_found) {
    text += tools::text_line("holds", "a card without the SmartPRO applet");
  } else {
    text += tools::text_line("holds", "a card that cannot be read: " + token.error().message);
    json["error"] = {{"kind", error_kind_name(token.error().kind)}, {"message", token.error().message}};
  }
  list.push_back(std::move(json));
}

}  // namespace

Result<tools::Report> list(const tools::Progress& progress) {
  progress.step("looking at the readers ...");
  CAS_TRY_ASSIGN(const std::vector<Reader> readers, card::list_readers());
  tools::Report report;
  Json entries = Json::array();
  for (const Reader& reader : readers) report_reader(reader, report.text, entries);
  if (readers.empty())
    report.text = "pcscd knows no reader: plug one in, or put a soft card into a virtual one with cas-card serve\n";
  Json json;
  json["readers"] = std::move(entries);
  report.json = tools::to_text(json);
  return report;
}

}  // namespace cas::card_program
