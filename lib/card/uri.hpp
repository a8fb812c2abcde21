// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cas::card {

/// A card URI taken apart and decoded; see open_card for its forms.
struct CardUri {
  enum class Kind { pcsc, soft, relay };
  Kind kind = Kind::pcsc;
  std::string reader;  ///< pcsc: name or part of a name; empty: the first card that has the applet.
  std::string path;    ///< soft: the store; never empty.
  /// "file:PATH" or "env:NAME". soft: of the store; parsing fills in "file:" and the store's path and ".pin" if none is
  /// given. relay: of the private key; empty when that is in clear.
  std::string pin_source;
  std::string host = {};         ///< relay: a name, or an IPv4 or IPv6 address without brackets.
  std::uint16_t port = 0;        ///< relay: 1 to 65,535.
  std::string certificate = {};  ///< relay: file of the certificate to show.
  std::string key = {};          ///< relay: file of the private key to it.
  std::string authority = {};    ///< relay: file of the authority whose certificates count.
  std::string server_name =
      {};  ///< relay: the name or address in the relay's certificate; parsing fills in the host if none is given.
};

/// Errors: invalid_argument, saying what is wrong with the URI. A pass phrase in it (pin-value=) is refused, and the
/// value not repeated.
[[nodiscard]] Result<CardUri> parse_card_uri(std::string_view uri);

/// The URI that parses to this.
[[nodiscard]] std::string format_card_uri(const CardUri& uri);

}  // namespace cas::card
