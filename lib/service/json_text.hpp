// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to service/, not installed.

#include <string>
#include <string_view>

namespace cas::service {

/// Writes a string of JSON (RFC 8259, 7), with its quotes. Control characters and DEL are escaped, so that a text is in
/// one line and does nothing to a terminal; each byte that is no UTF-8 (RFC 3629) becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace cas::service
