// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::card {

/// A PC/SC reader and what is in it.
struct Reader {
  std::string name;
  bool card_present = false;
  bool mute = false;         ///< There is a card, but it does not answer: inserted the wrong way round, or broken.
  bool in_use = false;       ///< Some program holds a handle to the card.
  bool exclusive = false;    ///< Some program holds the card for itself alone.
  Bytes atr;                 ///< Answer to reset, up to 33 bytes; empty without a card.
  std::uint16_t events = 0;  ///< Changes with each insertion and removal.
};

/// All readers that pcscd knows, in its order; none is no failure. ErrorKind::card_absent when pcscd is not running,
/// permission_denied when it refuses this user, unsupported when the library was built without PC/SC. Any thread.
[[nodiscard]] Result<std::vector<Reader>> list_readers();

/// The reader whose name is `wanted`, or else the only one whose name holds `wanted`.
/// ErrorKind::card_absent when there is none, invalid_argument when several match; both name the readers there are.
[[nodiscard]] Result<std::string> choose_reader(const std::vector<Reader>& readers, std::string_view wanted);

}  // namespace cas::card
