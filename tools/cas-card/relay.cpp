// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/relay_server.hpp"

#include <atomic>
#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/json_text.hpp"
#include "common/termination.hpp"

namespace cas::card_program {

namespace {

using card::RelayEvent;
using tools::Json;

/// ADDRESS:PORT; an IPv6 address is [ADDRESS]:PORT. Port 0 is a free one.
Status parse_listen_address(const std::string& text, card::RelayServing& serving) {
  const auto wrong = [] {
    return fail(ErrorKind::invalid_argument, "--listen takes ADDRESS:PORT or [IPV6]:PORT, for example 127.0.0.1:7816");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return wrong();
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, serving.port);
  if (parsed.ec != std::errc() || parsed.ptr != end) return wrong();
  serving.host = text.substr(0, colon);
  const bool bracketed = serving.host.size() > 2 && serving.host.front() == '[' && serving.host.back() == ']';
  if (bracketed) serving.host = serving.host.substr(1, serving.host.size() - 2);
  if (bracketed != (serving.host.find(':') != std::string::npos)) return wrong();
  return {};
}

std::string describe(const RelayEvent& event) {
  const std::string who = (event.subject.empty() ? "somebody" : event.subject) + " at " + event.peer;
  switch (event.kind) {
    case RelayEvent::Kind::connected: return who + " has the card";
    case RelayEvent::Kind::left: return who + " has left: " + event.text;
    case RelayEvent::Kind::refused: return who + " was refused: " + event.text;
    case RelayEvent::Kind::rejected: break;
  }
  return who + " was rejected: " + event.text;
}

}  // namespace

Result<tools::Report> relay(const RelayArguments& arguments, const tools::Progress& progress) {
  const tools::Termination termination;
  card::RelayServing serving;
  CAS_TRY(parse_listen_address(arguments.listen, serving));
  serving.certificate_file = arguments.certificate;
  serving.key_file = arguments.key;
  serving.key_pin_source = arguments.pin_source;
  serving.authority_file = arguments.authority;
  std::atomic<std::size_t> clients = 0;
  serving.log = [&](const RelayEvent& event) {
    if (event.kind == RelayEvent::Kind::connected) ++clients;
    progress.note(describe(event));
  };
  CAS_TRY_ASSIGN(const card::CardUri uri, tools::parse_card_argument(arguments.card));
  CAS_TRY_ASSIGN(std::shared_ptr<card::Card> card, tools::open_card_argument(arguments.card));
  const std::string place = card::format_card_uri(uri);
  const std::string host = arguments.listen.substr(0, arguments.listen.rfind(':'));
  CAS_TRY_ASSIGN(const std::unique_ptr<card::RelayServer> server,
                 card::RelayServer::listen(std::move(card), std::move(serving)));

  const std::string listening = host + ":" + std::to_string(server->port());
  progress.note("lending " + place + " at " + listening + "; Ctrl-C ends it");
  if (arguments.json)
    std::cout << Json{{"listening", listening}, {"port", server->port()}}.dump() << '\n' << std::flush;
  CAS_TRY(server->run(termination.token()));

  Json json;
  json["uri"] = place;
  json["listening"] = listening;
  json["port"] = server->port();
  json["clients"] = clients.load();
  return tools::Report{place + " is not lent any more\n", tools::to_text(json)};
}

}  // namespace cas::card_program
