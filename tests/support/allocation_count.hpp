// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>

namespace cas::test {

/// How often this program has asked for memory so far, through `new` or from within OpenSSL.
[[nodiscard]] std::size_t allocation_count();

/// Whether OpenSSL's requests are counted: it takes other memory functions only before its first request.
[[nodiscard]] bool counts_openssl();

}  // namespace cas::test
