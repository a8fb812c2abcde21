// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "card/uri.hpp"

// A URI that parses has one meaning: written and parsed again it is the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto uri = cas::card::parse_card_uri({reinterpret_cast<const char*>(data), size});
  if (!uri) return 0;
  const auto again = cas::card::parse_card_uri(cas::card::format_card_uri(*uri));
  if (!again || again->kind != uri->kind || again->reader != uri->reader || again->path != uri->path ||
      again->pin_source != uri->pin_source || again->host != uri->host || again->port != uri->port ||
      again->certificate != uri->certificate || again->key != uri->key || again->authority != uri->authority ||
      again->server_name != uri->server_name)
    std::abort();
  return 0;
}
