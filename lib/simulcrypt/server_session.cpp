// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/server_session.hpp"

#include <algorithm>

namespace cas::simulcrypt {

ServerSession::ServerSession(const Grammar& grammar, const char* peer, const Limits& limits, Instant now)
    : version_(grammar.newest_version),
      grammar_(grammar),
      peer_(peer),
      limits_(limits),
      framing_(limits.message),
      last_heard_(now) {}

void ServerSession::receive(ByteView bytes, Instant now) {
  if (closed_) return;
  framing_.append(bytes);
  for (auto next = framing_.next(); next.found != MessageFraming::Found::nothing; next = framing_.next()) {
    take(next, now);
    if (closed_) return;
  }
}

void ServerSession::take(const MessageFraming::Next& next, Instant now) {
  if (next.found == MessageFraming::Found::too_long)
    return take_fault({grammar_.codes.message_too_long, {}}, find_message(grammar_, next.header.type));
  const CheckedMessage checked = check(grammar_, next.header, next.body);
  // Until the channel is open, the answer is in a version that both may speak (TS 103 197, 4.4.1).
  if (!open_) version_ = std::clamp(next.header.version, grammar_.oldest_version, grammar_.newest_version);
  if (checked.fault) return take_fault(*checked.fault, checked.rule);
  if (open_ && next.header.version != version_)
    return take_fault({grammar_.codes.unsupported_version, {}}, checked.rule);
  faults_ = 0;
  dispatch(*checked.message, now);
  if (open_) last_heard_ = now;  // before, the time for the set-up runs on
}

// A message that is not one. What is invalid is answered, except for errors: two peers could go on for ever.
void ServerSession::take_fault(const Fault& fault, const MessageRule* rule) {
  if (rule == nullptr || !rule->is_error) {
    refuse_message(fault);
  } else {
    report(Misbehaviour::invalid_message, fault.error_status,
           std::string("the ") + peer_ + " sent an error that is malformed");
  }
  if (++faults_ < limits_.faults) return;
  end();
  report(Misbehaviour::invalid_message, fault.error_status,
         std::string("the ") + peer_ + " sends one invalid message after another");
}

std::optional<Instant> ServerSession::next_deadline() const {
  if (closed_) return std::nullopt;
  if (!open_) return last_heard_ + limits_.set_up_time_out;
  const Instant test = test_deadline_.value_or(last_heard_ + limits_.test_interval);
  return std::min(test, next_answer().value_or(test));
}

void ServerSession::tick(Instant now) {
  if (closed_) return;
  const bool no_set_up = !open_ && now >= last_heard_ + limits_.set_up_time_out;
  if (no_set_up || (open_ && test_deadline_ && now >= *test_deadline_)) {
    end();
    return report(Misbehaviour::no_answer, 0,
                  no_set_up ? "no channel was set up in time" : "the test of the channel was not answered in time");
  }
  if (open_ && !test_deadline_ && now >= last_heard_ + limits_.test_interval) {
    test_deadline_ = now + limits_.test_time_out;
    send_channel_test();
  }
  tick_answers(now);
}

}  // namespace cas::simulcrypt
