// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/random.hpp"

namespace cas::crypto {

/// OpenSSL's generator (RAND_bytes). Lives as long as the process; any thread.
[[nodiscard]] Random& system_random();

}  // namespace cas::crypto
