// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "card/applet.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

/// REISSUE LICENCE, what a processing token does when its host protects worked-on content again (paper, 2.1 and 2.2:
/// processing devices "cannot create SmartPRO protected content from clear content", and "can modify the license if
/// granted in the usage rights"). `data` has the licence of the content that was opened; the new one is of the same
/// content id and the same way through domains, for another file, with a control word of its own and rights within the
/// old ones, or others where the old ones grant it; how far content may go on to other domains is never widened.
///
/// ErrorKind::refused: the rights do not allow processing, or the new ones go further; wrong_domain; expired;
/// malformed: the licence was changed, or is a transfer licence, or the request is none.
[[nodiscard]] Result<Bytes> reissue_licence(card::AppletMemory& memory, Random& random, SerialNumber issuer,
                                            const Membership& membership, ByteView data);

}  // namespace cas::smartpro
