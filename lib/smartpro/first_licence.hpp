// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::smartpro {

/// The licence of the first key period of a protected file: what content was opened under that is protected again.
/// Reads no content, and no more than the sizes that its start states, which are limited (file_header.hpp). Errors name
/// the file. ErrorKind::not_found: there is no such file; permission_denied; malformed, truncated, unsupported: it is
/// no protected file; wrong_domain: it is on its way between two domains; authentication_failed: the licence is for
/// another file.
[[nodiscard]] Result<Bytes> read_first_licence(const std::filesystem::path& file);

}  // namespace cas::smartpro
