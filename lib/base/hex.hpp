// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas {

/// Reads hexadecimal digits of either case without separators, at most `max_size` bytes of them.
/// Fails with ErrorKind::malformed and names the position, never the text: it may be a key.
[[nodiscard]] Result<Bytes> from_hex(std::string_view text, std::size_t max_size);

}  // namespace cas
