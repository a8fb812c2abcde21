// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/open.hpp"

#include "base/pass_phrase.hpp"
#include "card/pcsc_card.hpp"
#include "card/relay_card.hpp"
#include "card/soft_card.hpp"
#include "card/uri.hpp"

namespace cas::card {

Result<std::shared_ptr<Card>> open_card(std::string_view uri, const OpenOptions& options) {
  CAS_TRY_ASSIGN(CardUri parsed, parse_card_uri(uri));
  if (parsed.kind == CardUri::Kind::pcsc) return open_pcsc_card(std::move(parsed.reader), options.aid);
  if (parsed.kind == CardUri::Kind::relay) {
    return open_relay_card({std::move(parsed.host), parsed.port, std::move(parsed.server_name),
                            std::move(parsed.certificate), std::move(parsed.key), std::move(parsed.pin_source),
                            std::move(parsed.authority)});
  }
  std::error_code error;
  // Before the pass phrase is looked for: of the two that may be missing, the card is the one to tell of.
  if (std::filesystem::status(parsed.path, error).type() == std::filesystem::file_type::not_found)
    return fail(ErrorKind::not_found,
                "there is no card store " + parsed.path + ": create it first, or correct the path");
  CAS_TRY_ASSIGN(const SecretBytes pass_phrase, read_pass_phrase(parsed.pin_source));
  return open_soft_card(parsed.path, pass_phrase, options.applets, options.random);
}

}  // namespace cas::card
