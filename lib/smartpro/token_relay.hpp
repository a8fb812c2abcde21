// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "card/card.hpp"
#include "smartpro/list_synchronisation.hpp"
#include "smartpro/token_channel.hpp"

namespace cas::smartpro {

/// A Token Management Center between a progenitor and another token (paper, 3.2): it carries the messages of their
/// secure channel, and answers what each
/// asks of revocation lists about the other. It sees certificates, public values and ciphertext. Every run of a
/// progenitor with a token goes this way, whatever the commands are called:
///
///   prepare_token         the token's lists are synchronised with the TMC's; the progenitor's channel must be of the same lists then
///   bring_together        message 1 (the progenitor's answer to its first command) -> the channel between the two
///   carry                 a command that the progenitor has protected -> the token's response, for the progenitor

/// Selects the token applet of a connected card, and brings its lists and `lists` to the same versions (see
/// synchronise_lists).
[[nodiscard]] Result<SharedLists> prepare_token(card::Card& token, HostLists& lists, ListAnswers answers);

/// The token as prepare_token left it.
struct PreparedToken {
  card::Card& card;
  const SharedLists& lists;
};

/// Carries the SAC that starts with `message1`. `authenticate` is the progenitor's command that takes message 2.
/// ErrorKind::revoked when one of the two is on a
/// list of the other; outdated when they have different external lists; errors of the channel, and of the commands.
[[nodiscard]] Status bring_together(TokenChannel& progenitor, std::uint8_t authenticate, ByteView message1,
                                    const PreparedToken& token, ListAnswers answers);

/// Sends a protected command, encoded as the progenitor gave it; the encoded response.
[[nodiscard]] Result<Bytes> carry(card::Card& token, ByteView command);

}  // namespace cas::smartpro
