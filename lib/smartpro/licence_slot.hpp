// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::smartpro {

/// The fixed place of a key period's licence in a protected file, which a bridge rewrites without touching the content.
///
///   0  4  slot size, as in the preamble
///   4  4  licence size n, at least 1
///   8  n  licence (LECM; in a file between two domains what the bridges agree on)
///   .. .. zeros up to the slot size
///
/// The slot size is repeated here, because the preamble's is outside the header digest: a wrong one puts every offset
/// behind it wrong, which aes-128-ctr alone could not find.

/// Wraps `lecm` into a slot of `slot_size` bytes. ErrorKind::exhausted: it does not fit.
[[nodiscard]] Result<Bytes> encode_licence_slot(ByteView lecm, std::uint32_t slot_size);

/// The licence in `slot`, which is the whole slot by the preamble's size. ErrorKind::malformed: the sizes contradict
/// one another, or the padding is not zero. The licence itself is authenticated by the token.
[[nodiscard]] Result<ByteView> parse_licence_slot(ByteView slot);

}  // namespace cas::smartpro
