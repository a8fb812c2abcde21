// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "simulcrypt/ecmg_client.hpp"

namespace cas::simulcrypt::test {

/// Short names, so that a test compares one line.
inline std::string name_of(Misbehaviour what) {
  switch (what) {
    case Misbehaviour::reported_error: return "reported-error";
    case Misbehaviour::no_answer: return "no-answer";
    case Misbehaviour::invalid_message: return "invalid-message";
    case Misbehaviour::unexpected_message: return "unexpected-message";
    case Misbehaviour::wrong_crypto_period: return "wrong-crypto-period";
    case Misbehaviour::unusable_parameters: return "unusable-parameters";
    case Misbehaviour::closed: return "closed";
    case Misbehaviour::connection_lost: return "connection-lost";
  }
  return "?";
}

/// Writes down what an ECMG client tells, and may do something on it.
class EcmgEvents final : public EcmgClientListener {
 public:
  void channel_opened(const ecmg::ChannelParameters&) override { add("channel opened"); }
  void stream_opened(std::uint16_t id) override { add("stream " + std::to_string(id) + " opened"); }
  void stream_closed(std::uint16_t id, const Problem* why) override {
    add("stream " + std::to_string(id) + " closed" + (why != nullptr ? " " + name_of(why->what) : ""));
  }
  void ecm_received(std::uint16_t id, std::uint16_t cp, ByteView ecm) override {
    last_ecm = copy_of(ecm);
    add("ECM " + std::to_string(id) + "/" + std::to_string(cp));
  }
  void provision_failed(std::uint16_t id, std::uint16_t cp, const Problem& why) override {
    add("failed " + std::to_string(id) + "/" + std::to_string(cp) + " " + name_of(why.what));
  }
  void peer_misbehaved(const Problem& problem) override {
    last_problem = problem;
    add(name_of(problem.what));
  }
  void channel_closed(const Problem& why) override {
    last_problem = why;
    add("channel closed " + name_of(why.what));
  }

  /// The events since it was last called, in order.
  std::string take() { return std::exchange(text_, {}); }

  std::function<void(const std::string&)> on_event;
  Bytes last_ecm;
  Problem last_problem;

 private:
  void add(const std::string& event) {
    text_ += (text_.empty() ? "" : "; ") + event;
    if (on_event) on_event(event);
  }
  std::string text_;
};

}  // namespace cas::simulcrypt::test
