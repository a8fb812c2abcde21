// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/relay_session.hpp"

#include <system_error>
#include <thread>

#include "base/secret.hpp"

namespace cas::card {

namespace {

RelayErrorCode code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument: return RelayErrorCode::invalid_command;
    case ErrorKind::exhausted: return RelayErrorCode::too_long;
    default: return RelayErrorCode::other;
  }
}

tl::unexpected<Error> ending() { return fail(ErrorKind::cancelled, "the relay is ending"); }

}  // namespace

Error RelaySession::run() {
  Status going = say(RelayFrameType::hello, encode_relay_hello({relay_version, card_.description()}));
  while (going) {
    auto frame = stream_.receive(waiter_, Deadline(serving_.silence_limit));
    if (!frame) {
      going = fail(std::move(frame).error());
    } else if (!*frame) {
      going = fail(ErrorKind::expired,
                   "the client said nothing for " + std::to_string(serving_.silence_limit.count() / 1000) + " s");
    } else {
      const ScopedCleanse cleanse_frame((*frame)->payload);
      going = answer(**frame);
    }
  }
  const Error why = stop_.stop_requested() ? ending().value() : going.error();
  // What its next frame will find as an answer.
  const bool told =
      why.kind == ErrorKind::malformed
          ? say(RelayFrameType::error, encode_relay_error({RelayErrorCode::unexpected, why.message})).has_value()
      : why.kind == ErrorKind::expired || why.kind == ErrorKind::cancelled
          // Not by the waiter of this session, which has been told to stop.
          ? stream_
                .send(RelayFrameType::card_reset, encode_relay_text(why.message), Waiter(std::stop_token()),
                      Deadline(std::chrono::milliseconds(0)))
                .has_value()
          : false;
  if (told) stream_.finish(waiter_, Deadline(std::chrono::seconds(1)));
  return why;
}

Status RelaySession::answer(const RelayFrame& frame) {
  switch (frame.type) {
    case RelayFrameType::connect: return connect();
    case RelayFrameType::command: return carry(frame.payload);
    case RelayFrameType::wait: return wait();
    case RelayFrameType::ping: return say(RelayFrameType::ping, {});
    default: return fail(ErrorKind::malformed, "a frame that has no place here");
  }
}

Status RelaySession::connect() {
  const Status connected = card_.connect();
  if (!connected) return say_error(connected.error());
  return say(RelayFrameType::connected, encode_relay_text(card_.description()));
}

Status RelaySession::carry(ByteView wire) {
  auto command = CommandApdu::parse(wire);
  if (!command) return fail(ErrorKind::malformed, "a command frame that holds no command APDU");
  const ScopedCleanse cleanse_command(command->data);
  auto response = card_.transmit(*command);
  if (!response) return say_error(response.error());
  const ScopedCleanse cleanse_response(response->data);
  Bytes answer = response->encode();
  const ScopedCleanse cleanse_answer(answer);
  if (answer.size() > max_relay_response) return say_error({ErrorKind::exhausted, "the card's answer is too long"});
  return say(RelayFrameType::response, answer);
}

// The card is waited for by a thread of its own, while this one notices that the client has left.
Status RelaySession::wait() {
  std::stop_source give_up;
  std::stop_source over;
  const auto end_all = [&] {
    give_up.request_stop();
    over.request_stop();
  };
  const std::stop_callback on_stop(stop_, end_all);
  const Waiter until(over.get_token());
  if (!until.valid()) return say_error({ErrorKind::io, "no event descriptor"});
  Status there = fail(ErrorKind::internal, "not waited yet");
  std::thread card_watch;
  try {
    card_watch = std::thread([&] {
      there = card_.wait_for_card(give_up.get_token());
      over.request_stop();
    });
  } catch (const std::system_error&) {
    return say_error({ErrorKind::io, "the relay cannot start a thread to wait for the card"});
  }
  const Status heard = hear_pings(until);
  give_up.request_stop();
  card_watch.join();
  if (heard.error().kind != ErrorKind::cancelled) return heard;
  if (stop_.stop_requested()) return ending();
  return there ? say(RelayFrameType::card_present, {}) : say_error(there.error());
}

// Until the stop of `until` (cancelled), or until the client leaves or says anything else.
Status RelaySession::hear_pings(const Waiter& until) {
  for (;;) {
    CAS_TRY_ASSIGN(const std::optional<RelayFrame> frame, stream_.receive(until, Deadline(serving_.silence_limit)));
    if (!frame) return fail(ErrorKind::expired, "the client said nothing while it waited for the card");
    if (frame->type != RelayFrameType::ping)
      return fail(ErrorKind::malformed, "a frame that has no place while the card is waited for");
    CAS_TRY(say(RelayFrameType::ping, {}));
  }
}

Status RelaySession::say(RelayFrameType type, ByteView payload) {
  return stream_.send(type, payload, waiter_, Deadline(serving_.write_limit));
}

Status RelaySession::say_error(const Error& error) {
  if (error.kind == ErrorKind::card_absent) return say(RelayFrameType::card_absent, encode_relay_text(error.message));
  if (error.kind == ErrorKind::card_reset) return say(RelayFrameType::card_reset, encode_relay_text(error.message));
  return say(RelayFrameType::error, encode_relay_error({code_of(error.kind), error.message}));
}

}  // namespace cas::card
