// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace cas::card {

/// A card URI taken apart and decoded; see open_card for its forms.
struct CardUri {
  enum class Kind { pcsc, soft };
  Kind kind = Kind::pcsc;
  std::string reader;      ///< pcsc: name or part of a name; empty: the first card that has the applet.
  std::string path;        ///< soft: the store; never empty.
  std::string pin_source;  ///< soft: "file:PATH" or "env:NAME"; parsing fills in "file:" and the store's path and ".pin" if none is given.
};

/// Errors: invalid_argument, saying what is wrong with the URI. A pass phrase in it (pin-value=) is refused, and the
/// value not repeated.
[[nodiscard]] Result<CardUri> parse_card_uri(std::string_view uri);

/// The URI that parses to this.
[[nodiscard]] std::string format_card_uri(const CardUri& uri);

}  // namespace cas::card
