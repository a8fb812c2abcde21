// SPDX-License-Identifier: LGPL-2.1-or-later
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/pass_phrase.hpp"
#include "card/encrypted_file_store.hpp"
#include "card/hosted_card.hpp"
#include "commands.hpp"
#include "common/card_argument.hpp"
#include "common/json_text.hpp"
#include "common/termination.hpp"
#include "crypto/random.hpp"
#include "smartpro/token_session.hpp"

namespace cas::card_program {

namespace {

using card::CardUri;
using tools::Json;

/// HOST:PORT; an IPv6 address is [ADDRESS]:PORT.
Result<card::VpcdAddress> parse_address(const std::string& text) {
  card::VpcdAddress address;
  const std::size_t colon = text.rfind(':');
  const auto wrong = [] {
    return fail(ErrorKind::invalid_argument, "--vpcd takes HOST:PORT, for example 127.0.0.1:35963");
  };
  if (colon == std::string::npos || colon == 0) return wrong();
  address.host = text.substr(0, colon);
  if (address.host.front() == '[' && address.host.back() == ']')
    address.host = address.host.substr(1, address.host.size() - 2);
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, address.port);
  if (parsed.ec != std::errc() || parsed.ptr != end || address.port == 0 || address.host.empty()) return wrong();
  return address;
}

Result<std::shared_ptr<card::AppletHost>> host_of(const CardUri& uri) {
  if (uri.kind != CardUri::Kind::soft)
    return fail(ErrorKind::invalid_argument,
                "what is in a reader is there already: serve puts a soft card (soft:PATH) into a reader");
  CAS_TRY_ASSIGN(const SecretBytes pass_phrase, read_pass_phrase(uri.pin_source));
  CAS_TRY_ASSIGN(auto store, card::EncryptedFileStore::open(uri.path, pass_phrase));
  return card::AppletHost::create(std::move(store), {smartpro::token_applet_factory()}, crypto::system_random());
}

}  // namespace

Result<tools::Report> serve(const ServeArguments& arguments, const tools::Progress& progress) {
  const tools::Termination termination;
  CAS_TRY_ASSIGN(const card::VpcdAddress address, parse_address(arguments.vpcd));
  CAS_TRY_ASSIGN(const CardUri uri, tools::parse_card_argument(arguments.card));
  CAS_TRY_ASSIGN(std::shared_ptr<card::AppletHost> host, host_of(uri));

  const std::string place = card::format_card_uri(uri);
  std::size_t insertions = 0;
  card::HostedCard card(std::move(host));
  card::VpcdServing serving;
  serving.reinsert = true;
  serving.inserted = [&] {
    ++insertions;
    progress.note(place + " is in the reader at " + arguments.vpcd);
  };
  progress.note("putting " + place + " into the reader at " + arguments.vpcd +
                " as soon as pcscd listens there; Ctrl-C takes it out");
  CAS_TRY(card::serve_vpcd(address, card, serving, termination.token()));

  Json json;
  json["uri"] = place;
  json["vpcd"] = arguments.vpcd;
  json["insertions"] = insertions;
  return tools::Report{place + " is out of the reader\n", tools::to_text(json)};
}

}  // namespace cas::card_program
