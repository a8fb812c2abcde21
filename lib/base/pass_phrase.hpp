// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas {

inline constexpr std::size_t max_pass_phrase_size = 1024;

/// The pass phrase that `source` names, as `pin-source` does in URIs (RFC 7512, 2.4):
///
///   file:PATH   the first line of a file or pipe, without its line end (LF or CR LF)
///   env:NAME    the value of an environment variable
///
/// 1 to 1,024 bytes. Errors: invalid_argument (another kind of source, an empty or longer pass phrase), not_found,
/// permission_denied, io. They name the source and never what is in it.
[[nodiscard]] Result<SecretBytes> read_pass_phrase(std::string_view source);

}  // namespace cas
