// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::mpegts {

/// Size of a control word of DVB-CSA2 in bytes.
inline constexpr std::size_t csa2_word_size = 8;

/// The word as most receivers take it: byte 3 is the sum of bytes 0 to 2, and byte 7 that of bytes 4 to 6, modulo 256.
/// What was in these two bytes is gone: 48 of 64 bits remain secret. ErrorKind::invalid_argument for another size.
[[nodiscard]] Result<SecretBytes> with_csa2_checksum(const SecretBytes& word);

/// Whether bytes 3 and 7 are those sums; false for another size.
[[nodiscard]] bool has_csa2_checksum(const SecretBytes& word);

}  // namespace cas::mpegts
