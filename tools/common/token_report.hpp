// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include "common/json_text.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/token_channel.hpp"

namespace cas::tools {

/// "  label          value\n".
[[nodiscard]] std::string text_line(std::string_view label, std::string_view value);

/// What a token says of itself: kind, serial number, VDID, name, applet version, validity of the certificate.
[[nodiscard]] std::string token_text(const smartpro::TokenInfo& info);
[[nodiscard]] Json token_json(const smartpro::TokenInfo& info);

}  // namespace cas::tools
