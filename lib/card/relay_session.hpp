// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <stop_token>

#include "base/error.hpp"
#include "card/card.hpp"
#include "card/relay_server.hpp"
#include "card/relay_stream.hpp"

namespace cas::card {

/// Internal to card/, not installed. A client that has the card, from the answer to its hello until it leaves: answers
/// its frames. One thread.
class RelaySession {
 public:
  RelaySession(Card& card, RelayStream& stream, const RelayServing& serving, const Waiter& waiter,
               const std::stop_token& stop)
      : card_(card), stream_(stream), serving_(serving), waiter_(waiter), stop_(stop) {}

  /// Why it ended: always an error. cancelled (the stop), truncated (the client has left), others (it was thrown out).
  [[nodiscard]] Error run();

 private:
  [[nodiscard]] Status answer(const RelayFrame& frame);
  [[nodiscard]] Status connect();
  [[nodiscard]] Status carry(ByteView wire);
  [[nodiscard]] Status wait();
  [[nodiscard]] Status hear_pings(const Waiter& until);
  [[nodiscard]] Status say(RelayFrameType type, ByteView payload);
  [[nodiscard]] Status say_error(const Error& error);

  Card& card_;
  RelayStream& stream_;
  const RelayServing& serving_;
  const Waiter& waiter_;
  const std::stop_token stop_;
};

}  // namespace cas::card
