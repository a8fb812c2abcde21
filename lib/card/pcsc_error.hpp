// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <winscard.h>

#include <string>

#include "base/error.hpp"

namespace cas::card {

/// Where a PC/SC call failed: the same code means different things to the user.
enum class PcscPhase {
  connecting,  ///< No session yet: nothing is lost.
  exchanging,  ///< A session was open on the card, and is gone or doubtful now.
};

/// Whether `code` says that pcscd is not there, or that it went away and took all contexts and handles with it.
[[nodiscard]] bool pcsc_service_is_gone(LONG code);

/// The failure of a PC/SC call as a sentence with a remedy. `reader` may be empty when no reader is concerned.
/// While exchanging, everything after which the card may have lost its session is card_reset or card_absent; while
/// connecting, nothing is card_reset, so that a caller who connects anew at each card_reset makes no endless loop.
[[nodiscard]] Error pcsc_error(LONG code, PcscPhase phase, const std::string& reader);

}  // namespace cas::card
