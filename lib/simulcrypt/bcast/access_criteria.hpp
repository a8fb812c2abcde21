// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::simulcrypt::bcast {

/// A list of access criteria descriptors: tag (1 byte), length (1), value. It is what the access_criteria of a
/// CW_provision hold in BCAST mode, and what key messages carry to the receiver.
inline constexpr std::size_t max_access_criteria_descriptors = 16;

/// How many descriptors `list` has. ErrorKind::malformed: the last one does not end with it; exhausted: more than 16.
[[nodiscard]] Result<std::uint8_t> count_access_criteria(ByteView list);

}  // namespace cas::simulcrypt::bcast
