// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/bytes.hpp"

namespace cas::crypto {

/// Whether two MACs, hashes or keys are equal, in a time that depends on their (public) sizes only.
[[nodiscard]] bool constant_time_equal(ByteView a, ByteView b);

}  // namespace cas::crypto
