// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>

#include "base/error.hpp"
#include "card/card.hpp"
#include "card/uri.hpp"

namespace cas::tools {

/// The card that an argument names: a card URI, or a path without a colon, which is a soft card whose pass phrase is in
/// PATH.pin. What it names stays the same when the working folder changes: paths are absolute then.
[[nodiscard]] Result<card::CardUri> parse_card_argument(const std::string& argument);

/// Opens it for the token applet.
[[nodiscard]] Result<std::shared_ptr<card::Card>> open_card_argument(const std::string& argument);

/// What the help of every program says of such arguments.
inline constexpr const char* card_argument_help =
    "the card: pcsc:?reader=NAME, soft:PATH?pin-source=file:P|env:NAME, relay:HOST:PORT?cert=F&key=F&ca=F, or a path";

}  // namespace cas::tools
