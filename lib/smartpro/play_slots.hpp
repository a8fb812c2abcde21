// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>

#include "base/error.hpp"
#include "card/applet.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// How often a token keeps count of: one slot for each content with a play count that it has ever rendered.
inline constexpr std::size_t play_slot_count = 64;

using PlayId = std::array<std::uint8_t, 16>;

/// Counts one playback of a content, and gives how many are left. The slot's content is named by the first 16 bytes of
/// the header digest, so that the key periods of one file share a count. The same play id as last time is the same
/// playback: it is not counted again, so that a card that comes back in mid-play costs nothing.
///
///   slot: content (16) || plays used (4) || last play id (16)
///
/// ErrorKind::used_up: the count is used up (6983). ErrorKind::exhausted: no slot is free (6A84).
[[nodiscard]] Result<std::uint32_t> count_play(card::AppletMemory& memory, const HeaderDigest& content,
                                               const PlayId& play_id, std::uint32_t plays_allowed);

}  // namespace cas::smartpro
