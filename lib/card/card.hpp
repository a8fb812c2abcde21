// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "card/apdu.hpp"

namespace cas::card {

/// A card as its user sees it, whether behind a reader or in process. Any thread may call; calls wait for one another.
///
/// The life of a connection: `connect` powers the card and takes a shared handle; `transmit` exchanges; when the card
/// is reset or pulled, everything fails with ErrorKind::card_reset or card_absent until the next `connect`. What the
/// card knew of the session (selected applet, secure channel) is gone then.
class Card {
 public:
  virtual ~Card() = default;

  /// Connects, or connects anew. ErrorKind::card_absent when there is no card or reader, never waiting for one.
  [[nodiscard]] virtual Status connect() = 0;
  /// Lets go of the card; harmless when not connected.
  virtual void disconnect() = 0;

  /// Waits until `connect` has a chance: a card is in the reader. Returns at once with ErrorKind::cancelled when `stop`
  /// is requested, from any thread.
  [[nodiscard]] virtual Status wait_for_card(std::stop_token stop) = 0;

  /// One command and its response, in one transaction: no other program's commands come in between, nor between the
  /// parts of a chain. Long data goes out and comes back as extended APDUs where the card takes them, and by command
  /// chaining and GET RESPONSE where it does not (ISO/IEC 7816-4, 5.3). A status word other than 9000 is no error here:
  /// 61xx and 6Cxx have been dealt with, all others are the caller's.
  [[nodiscard]] virtual Result<ResponseApdu> transmit(const CommandApdu& command) = 0;

  /// For people: "soft card /home/ann/renderer.card", "card in reader Virtual PCD 00 00".
  [[nodiscard]] virtual std::string description() const = 0;
};

/// SELECT by AID (ISO/IEC 7816-4, 11.2.2). ErrorKind::not_found when the card has no such applet.
[[nodiscard]] Result<Bytes> select_applet(Card& card, ByteView aid);

}  // namespace cas::card
