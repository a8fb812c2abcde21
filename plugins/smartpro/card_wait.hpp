// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/card_session.hpp>
#include <gst/cas/stop_switch.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/error.hpp"

namespace cas::gst {

/// What an element does when the card is gone and a licence needs it.
enum class CardRemovalPolicy { wait, stop };
/// As an enumeration of the property "card-removal-policy".
[[nodiscard]] GType removal_policy_type();

/// Exchanges with a card on a streaming thread that outlast its absence: waits for a card that was pulled, tells the
/// bus, and tries again. No lock but a STREAM_LOCK is held meanwhile, since messages are posted.
class CardWait {
 public:
  /// `waits` counts the waits.
  CardWait(GstElement* element, std::atomic<std::uint64_t>& waits) : element_(element), waits_(waits) {}

  /// Before streaming; lets waits happen.
  void start(CardSessionPtr session, CardRemovalPolicy policy);
  /// After streaming: gives the session back.
  void close() { session_.reset(); }

  /// Ends waits for a card; for flushes and for the way down. Any thread.
  void stop() { switch_.stop(); }
  void allow() { switch_.rearm(); }

  /// What `exchange` gives, a Result, called with the token's session: until it is not the card's absence that it fails
  /// with, or waiting is of no use. `period` is told to the bus. ErrorKind::cancelled: a wait was ended.
  template <typename Exchange>
  auto exchange(std::uint32_t period, Exchange&& exchange)
      -> decltype(exchange(std::declval<smartpro::TokenSession&>())) {
    CAS_TRY(token_session(session_.get()).wait_for_lists(switch_.token()));
    for (int attempt = 1;; ++attempt) {
      auto result = exchange(token_session(session_.get()));
      if (result || !is_worth_waiting(result.error().kind, attempt)) return result;
      CAS_TRY(wait(result.error(), period));
    }
  }

 private:
  [[nodiscard]] bool is_worth_waiting(ErrorKind kind, int attempt) const;
  [[nodiscard]] Status wait(const Error& why, std::uint32_t period);

  GstElement* const element_;
  std::atomic<std::uint64_t>& waits_;
  CardSessionPtr session_;
  CardRemovalPolicy policy_ = CardRemovalPolicy::wait;
  StopSwitch switch_;
};

}  // namespace cas::gst
