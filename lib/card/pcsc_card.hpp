// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "card/card.hpp"

namespace cas::card {

/// How `wait_for_card` spends its time. The defaults suit everybody but tests.
struct PcscWaitTimes {
  /// The longest single wait inside pcscd. What it does not report (a reader that came at the wrong moment) is seen
  /// then.
  std::chrono::milliseconds slice{1000};
  /// Between two attempts to reach a pcscd that is not running.
  std::chrono::milliseconds service_retry{250};
  /// Between two looks when pcscd reports changes that are not a card.
  std::chrono::milliseconds settle{10};
  /// A card without the wanted applet is tried again after this long: the applet may have been installed meanwhile.
  std::chrono::milliseconds look_again{10'000};
};

/// A card in a PC/SC reader (pcsc-lite), not connected yet.
///
/// `reader_name` is the name of the reader or a part of it that no other reader's name has. When it is empty, each
/// connect looks for a card that has the applet `aid` (5 to 16 bytes): in the reader of the last connect first, then in
/// those whose cards nobody uses, then in the others, with one SELECT in a transaction on each; cards stay powered.
///
/// The card is shared (SCARD_SHARE_SHARED) with other programs, and its handle is held until `disconnect`, since pcscd
/// powers a card off that nobody holds. Each `transmit` is one transaction; it waits while another program is in one,
/// without a limit. After a failure of the exchange the handle is given up, and only `connect` helps.
///
/// `connect`: card_absent when pcscd is not running, or there is no such reader or card, or no card has the applet;
/// invalid_argument when several readers match; io when another program has the card for itself, or the card does not
/// answer; permission_denied when pcscd refuses this user. `wait_for_card` also waits for pcscd to be started, and
/// neither blocks `transmit` nor is blocked by it. A process that forks must not use a card from before the fork.
///
/// ErrorKind::unsupported when the library was built without PC/SC; invalid_argument for an `aid` of another size,
/// which may be left out when a reader is named.
[[nodiscard]] Result<std::shared_ptr<Card>> open_pcsc_card(std::string reader_name, Bytes aid,
                                                           PcscWaitTimes times = {});

}  // namespace cas::card
