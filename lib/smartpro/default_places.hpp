// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "base/error.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// The folder in which programs and elements find each other when nothing is said: $CAS_HOME, else
/// $XDG_DATA_HOME/gst-plugins-cas, else ~/.local/share/gst-plugins-cas.
///
///   root/            root certificate and key       (cas-tmc root)
///   host/            the host's credentials         (cas-tmc host)
///   domains/NAME/    what a TMC knows of a domain   (cas-tmc domain)
///   cards/           soft cards
///   lists/           revocation lists, and where they come from   (cas-tmc lists)
///   default-cards/KIND: the URI of this machine's token of that kind (acquisition, renderer, processing, head-end, ...)
[[nodiscard]] Result<std::filesystem::path> home_folder();

[[nodiscard]] Result<std::filesystem::path> default_host_folder();

[[nodiscard]] Result<std::filesystem::path> default_lists_folder();

/// The URI of this machine's token of `kind`: $CAS_CARD, else the default-cards file, else "pcsc:" (the first card with
/// the applet in any reader).
[[nodiscard]] Result<std::string> default_card_uri(TokenKind kind);
/// The same where a token of any of these kinds (one at least) will do: the first kind for which there is a file
/// counts.
[[nodiscard]] Result<std::string> default_card_uri(std::span<const TokenKind> kinds);
/// Makes `uri` the default for `kind`.
[[nodiscard]] Status set_default_card_uri(TokenKind kind, const std::string& uri);

}  // namespace cas::smartpro
