// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::card {

/// A card as a reader sees it. `serve_vpcd` calls one function at a time, all from its own thread.
class VirtualCard {
 public:
  virtual ~VirtualCard() = default;
  virtual void power_on() = 0;
  virtual void power_off() = 0;
  virtual void reset() = 0;
  /// Answer to reset, 2 to 33 bytes (ISO/IEC 7816-3, 8.1).
  [[nodiscard]] virtual Bytes atr() = 0;
  /// A command of at least 4 bytes, and its response of 2 to 65,535 bytes. Nothing when the card dies: it is pulled.
  [[nodiscard]] virtual std::optional<Bytes> transmit(ByteView command) = 0;
};

/// Where the driver listens. Debian's vsmartcard-vpcd has its first slot on port 35963, the second on 35964.
struct VpcdAddress {
  std::string host = "127.0.0.1";  ///< A name or an address.
  std::uint16_t port = 35963;
};

/// When to put the card in again, and whom to tell.
struct VpcdServing {
  /// Keep trying while nothing listens yet, and put the card in again after the connection was lost or the card died.
  bool reinsert = false;
  /// Before each further attempt. vpcd needs 500 ms to notice that the card before is gone.
  std::chrono::milliseconds reinsert_after{500};
  /// pcscd asks for the ATR within 400 ms of a card's coming. A connection that hears nothing for this long stands in
  /// the queue of a slot that already has a card.
  std::chrono::milliseconds silence_limit{5000};
  /// The card is in: connected, though pcscd takes another 30 to 400 ms to see it.
  std::function<void()> inserted = [] {};
};

/// Puts `card` into the reader of vsmartcard's vpcd driver at `address`, and so into pcscd, until `stop` is requested,
/// which is success and happens at once. Without `reinsert`: ErrorKind::io when nothing listens there, when another
/// card is in that slot, or when pcscd ended; card_absent when the card died. With it, only what no waiting mends is an
/// error.
///
/// The driver's protocol, over TCP, with the driver as the listening side:
///
///   length  2 bytes, big-endian; both ways
///   payload `length` bytes
///
///   to the card, length 1:  00 power off, 01 power on, 02 reset (no answer); 04 send the ATR
///   to the card, otherwise: a command APDU, answered with the response APDU
[[nodiscard]] Status serve_vpcd(const VpcdAddress& address, VirtualCard& card, const VpcdServing& serving,
                                const std::stop_token& stop);

}  // namespace cas::card
