// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "simulcrypt/emmg_client.hpp"
#include "unit/simulcrypt/ecmg_events.hpp"

namespace cas::simulcrypt::test {

/// Writes down what an EMMG client tells, and may do something on it.
class EmmgEvents final : public EmmgClientListener {
 public:
  void channel_opened() override { add("channel opened"); }
  void stream_opened(std::uint16_t id) override { add("stream " + std::to_string(id) + " opened"); }
  void stream_closed(std::uint16_t id, const Problem* why) override {
    add("stream " + std::to_string(id) + " closed" + (why != nullptr ? " " + name_of(why->what) : ""));
  }
  void bandwidth_allocated(std::uint16_t id, std::optional<std::uint16_t> kbit) override {
    add("bandwidth " + std::to_string(id) + (kbit ? " " + std::to_string(*kbit) : ""));
  }
  void stream_error(std::uint16_t id, const Problem& problem) override {
    last_problem = problem;
    add("error " + std::to_string(id) + " " + name_of(problem.what));
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
  Problem last_problem;

 private:
  void add(const std::string& event) {
    text_ += (text_.empty() ? "" : "; ") + event;
    if (on_event) on_event(event);
  }
  std::string text_;
};

}  // namespace cas::simulcrypt::test
