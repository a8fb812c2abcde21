// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "card/applet.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

/// CREATE LICENCE, what an acquisition or head-end token does for clear content (paper, 3.3). `data` says what the
/// licence is for; with a control word in it, which a head-end token alone takes, the answer is the licence, and without
/// one the licence and the word that the token drew.
///
/// ErrorKind::unsupported: a word from outside at an acquisition token; malformed: the request is none, its word is not
/// of a size for the cipher, or there is none and the cipher is a stream's own.
[[nodiscard]] Result<Bytes> create_licence(const card::AppletMemory& memory, Random& random, SerialNumber issuer,
                                           const Membership& membership, ByteView data);

}  // namespace cas::smartpro
