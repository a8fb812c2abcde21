// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/random.hpp"
#include "card/uri.hpp"
#include "smartpro/root_authority.hpp"
#include "smartpro/token_channel.hpp"

namespace cas::smartpro {

struct NewSoftToken {
  TokenInfo info;
  std::optional<std::filesystem::path> pass_phrase_file;  ///< The file of a pass phrase that was drawn for it.
};

/// Makes a soft card at `place` (a URI of the kind soft:) that holds the token applet, personalised under `root`, and
/// lets go of it.
///
/// Where the pass phrase is to come from a file that is not there, one of 192 random bits is drawn and put there, mode
/// 0600. A pass phrase file is never removed again: another card may use it by then.
///
/// The card appears at its path whole, or not at all: it is made beside it, as PATH.unfinished, which the next attempt
/// clears away when this one was killed. Folders are made as needed. ErrorKind::refused when something is at the path
/// already; ErrorKind::io when another process is making a card there.
[[nodiscard]] Result<NewSoftToken> create_soft_token(const card::CardUri& place, RootAuthority& root,
                                                     const std::string& name, bool progenitor, Random& random);

}  // namespace cas::smartpro
