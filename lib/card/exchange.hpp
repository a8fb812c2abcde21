// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <functional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "card/apdu.hpp"

namespace cas::card {

/// One APDU out and its response back, as bytes: what a reader, a socket or an applet in process does. Its errors come
/// back from `exchange` unchanged.
using RawTransmit = std::function<Result<Bytes>(ByteView command)>;

/// What is known of a card's lengths. One object goes with a connection, and is made anew at each connect: the next
/// card may be another one.
struct ExchangeLimits {
  /// The card may take extended APDUs. Set to false at connect when the card says that it does not; `exchange` sets
  /// it to false when the card refuses one.
  bool extended = true;
  /// The card has taken an extended APDU, so a later 6700 is about the command and not about its form.
  bool extended_proven = false;
  /// Response data of one command, all parts together. Beyond it the command fails with ErrorKind::exhausted.
  std::size_t max_response = 65536;
};

/// One command and its response over `transmit`, whatever lengths the card takes (ISO/IEC 7816-4, 5.3):
///
///  - short where it fits, otherwise extended; when the card refuses the extended form, by command chaining in parts
///    of 255 bytes, and from then on always so;
///  - 61xx: the rest is fetched with GET RESPONSE, and the last status word is the command's;
///  - 6Cxx: the command is given again, once, with the length that the card names.
///
/// The class byte is kept, secure messaging bit and all; the chaining bit is ours and must not be set. All other status
/// words are the caller's. The caller keeps other users of the card away meanwhile.
///
/// Errors: invalid_argument (a command that has no encoding), card_reset (a response without a status word: the card
/// died), malformed (a card that contradicts itself), exhausted (more response data than `max_response`), and those of
/// `transmit`.
[[nodiscard]] Result<ResponseApdu> exchange(const RawTransmit& transmit, const CommandApdu& command,
                                            ExchangeLimits& limits);

}  // namespace cas::card
