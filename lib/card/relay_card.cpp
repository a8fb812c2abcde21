// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/relay_card.hpp"

#include <cerrno>
#include <mutex>
#include <optional>
#include <utility>

#include "base/secret.hpp"
#include "card/relay_stream.hpp"

namespace cas::card {

namespace {

constexpr const char* never_connected = "no connection to the relayed card: connect first";

// Errors of an attempt to reach a relay after which the next one may fare better: nobody there, no card, another
// client.
bool may_mend(const Error& error) { return error.kind == ErrorKind::card_absent || error.kind == ErrorKind::io; }

// What tells that a connection is not one any more: it was closed, or the relay has said goodbye before.
bool is_over(const Error& error) { return error.kind == ErrorKind::truncated || error.kind == ErrorKind::card_reset; }

ErrorKind kind_of(RelayErrorCode code) {
  switch (code) {
    case RelayErrorCode::version: return ErrorKind::unsupported;
    case RelayErrorCode::unexpected: return ErrorKind::malformed;
    case RelayErrorCode::invalid_command: return ErrorKind::invalid_argument;
    case RelayErrorCode::too_long: return ErrorKind::exhausted;
    case RelayErrorCode::busy:
    case RelayErrorCode::other: break;
  }
  return ErrorKind::io;
}

// What a frame says when it is not the one that was hoped for.
Error error_in(const RelayFrame& frame, const std::string& place) {
  const std::string context = "the card relay at " + place + " says: ";
  if (frame.type == RelayFrameType::error) {
    const auto error = parse_relay_error(frame.payload);
    return error ? Error{kind_of(error->code), context + error->why} : error.error();
  }
  if (frame.type == RelayFrameType::card_absent || frame.type == RelayFrameType::card_reset) {
    const auto why = parse_relay_text(frame.payload);
    const ErrorKind kind = frame.type == RelayFrameType::card_absent ? ErrorKind::card_absent : ErrorKind::card_reset;
    return why ? Error{kind, context + *why} : why.error();
  }
  return {ErrorKind::malformed, "the card relay at " + place + " answers with a frame that has no place there"};
}

class RelayCard final : public Card {
 public:
  RelayCard(RelayTarget target, RelayTimes times, crypto::TlsContext tls)
      : target_(std::move(target)),
        times_(times),
        tls_(std::move(tls)),
        place_(relay_place(target_.host, target_.port)) {}

  Status connect() override;
  void disconnect() override;
  Status wait_for_card(std::stop_token stop) override;
  Result<ResponseApdu> transmit(const CommandApdu& command) override;
  std::string description() const override;

 private:
  using StreamPointer = std::unique_ptr<RelayStream>;

  Result<StreamPointer> open_stream(const Waiter& waiter);
  Result<RelayFrame> ask(RelayStream& stream, RelayFrameType type, ByteView payload);
  Status connect_over(RelayStream& stream);
  Result<bool> wait_once(const Waiter& waiter);
  Status wait_over(RelayStream& stream, const Waiter& waiter);
  void lose(const Error& why);

  const RelayTarget target_;
  const RelayTimes times_;
  const crypto::TlsContext tls_;
  const std::string place_;
  const Waiter never_stopped_{std::stop_token()};

  // Order: exchange_, then state_. Nobody waits for the network while holding state_.
  std::mutex exchange_;   // Held throughout connect, transmit and disconnect.
  StreamPointer stream_;  // There only while the session with the card is whole.
  Error lost_{ErrorKind::card_reset, never_connected};

  mutable std::mutex state_;
  bool connected_ = false;
  StreamPointer waited_;  // Over which wait_for_card saw a card: the next connect goes on with it.
  std::string card_;      // As the relay described it last.
};

Result<RelayCard::StreamPointer> RelayCard::open_stream(const Waiter& waiter) {
  if (!waiter.valid()) return fail(ErrorKind::io, "no event descriptor: " + system_error_text(errno));
  const Deadline deadline(times_.connect);
  const std::string context = "the card relay at " + place_;
  CAS_TRY_ASSIGN(FileDescriptor socket, connect_relay_socket(target_.host, target_.port, waiter, deadline));
  CAS_TRY_ASSIGN(crypto::TlsSession tls,
                 crypto::TlsSession::client(tls_, target_.server_name.empty() ? target_.host : target_.server_name));
  auto stream = std::make_unique<RelayStream>(std::move(socket), std::move(tls));
  const auto told = [&](Error error) {
    // One that is gone may come back.
    if (error.kind == ErrorKind::truncated) error.kind = ErrorKind::card_absent;
    return fail_in(context, std::move(error));
  };
  if (auto shaken = stream->handshake(waiter, deadline); !shaken) return told(shaken.error());
  const Status sent = stream->send(RelayFrameType::hello, encode_relay_hello({}), waiter, deadline);
  // Even when that failed: a relay that refuses our certificate has said so before it closed.
  auto answer = stream->receive(waiter, deadline);
  if (!answer) return told(answer.error());
  if (!sent) return told(sent.error());
  if (!*answer) return fail(ErrorKind::card_absent, context + " does not answer in time");
  if ((*answer)->type != RelayFrameType::hello) return fail(error_in(**answer, place_));
  CAS_TRY_ASSIGN(RelayHello hello, parse_relay_hello((*answer)->payload));
  if (hello.version != relay_version)
    return fail(ErrorKind::unsupported, context + " speaks version " + std::to_string(hello.version) +
                                            " of the protocol, and this program version " +
                                            std::to_string(relay_version));
  const std::lock_guard lock(state_);
  card_ = std::move(hello.description);
  return stream;
}

// One question and its answer. Errors are the connection's: truncated when it is gone, or silent.
Result<RelayFrame> RelayCard::ask(RelayStream& stream, RelayFrameType type, ByteView payload) {
  const Deadline deadline(times_.answer);
  const Status sent = stream.send(type, payload, never_stopped_, deadline);
  // A relay that has closed may have said why.
  CAS_TRY_ASSIGN(std::optional<RelayFrame> answer,
                 stream.receive(never_stopped_, sent ? deadline : Deadline(std::chrono::milliseconds(0))));
  if (!answer) return fail(ErrorKind::truncated, "the relay did not answer in time");
  return std::move(*answer);
}

Status RelayCard::connect_over(RelayStream& stream) {
  CAS_TRY_ASSIGN(const RelayFrame answer, ask(stream, RelayFrameType::connect, {}));
  if (answer.type != RelayFrameType::connected) return fail(error_in(answer, place_));
  CAS_TRY_ASSIGN(std::string description, parse_relay_text(answer.payload));
  const std::lock_guard lock(state_);
  card_ = std::move(description);
  return {};
}

Status RelayCard::connect() {
  const std::lock_guard exchange_lock(exchange_);
  StreamPointer stream = std::move(stream_);
  {
    const std::lock_guard lock(state_);
    connected_ = false;
    if (waited_) stream = std::move(waited_);
  }
  Status connected = fail(ErrorKind::truncated, "");
  // The relay may have let go of the connection that is there; then, and only then, a new one is tried.
  if (stream) connected = connect_over(*stream);
  if (!connected && is_over(connected.error())) {
    stream.reset();
    auto opened = open_stream(never_stopped_);
    if (opened) {
      stream = std::move(*opened);
      connected = connect_over(*stream);
      if (!connected && is_over(connected.error()))
        connected = fail(ErrorKind::card_absent, "the card relay at " + place_ + ": " + connected.error().message);
    } else {
      connected = fail(std::move(opened).error());
    }
  }
  if (!connected) {
    lose(connected.error());
    return connected;
  }
  stream_ = std::move(stream);
  const std::lock_guard lock(state_);
  connected_ = true;
  return {};
}

void RelayCard::disconnect() {
  const std::lock_guard exchange_lock(exchange_);
  stream_.reset();
  lost_ = {ErrorKind::card_reset, never_connected};
  const std::lock_guard lock(state_);
  connected_ = false;
  waited_.reset();
}

Result<ResponseApdu> RelayCard::transmit(const CommandApdu& command) {
  const std::lock_guard lock(exchange_);
  if (!stream_) return fail(lost_);
  Bytes wire = command.encode();
  const ScopedCleanse cleanse_wire(wire);
  if (wire.empty())
    return fail(ErrorKind::invalid_argument, "a command APDU carries at most 65535 bytes and asks for 1 to 65536");
  auto answer = ask(*stream_, RelayFrameType::command, wire);
  if (!answer) {
    const Error error{ErrorKind::card_reset, "the connection to the card relay at " + place_ +
                                                 " was lost within a command (" + answer.error().message +
                                                 "): whether the card carried it out is not known; connect anew"};
    lose(error);
    return fail(error);
  }
  const ScopedCleanse cleanse_answer(answer->payload);
  if (answer->type == RelayFrameType::response) return ResponseApdu::parse(answer->payload);
  Error error = error_in(*answer, place_);
  if (error.kind != ErrorKind::invalid_argument) lose(error);
  return fail(std::move(error));
}

// What the card kept of the session is gone, or cannot be trusted any more: later calls fail until the next connect.
void RelayCard::lose(const Error& why) {
  lost_ = {why.kind == ErrorKind::card_absent ? ErrorKind::card_absent : ErrorKind::card_reset,
           "no connection to the card, connect anew: " + why.message};
  stream_.reset();
  const std::lock_guard lock(state_);
  connected_ = false;
}

std::string RelayCard::description() const {
  const std::lock_guard lock(state_);
  return (card_.empty() ? "card" : card_) + " relayed from " + place_;
}

Status RelayCard::wait_for_card(std::stop_token stop) {
  const Waiter waiter(stop);
  for (;;) {
    if (!waiter.valid()) return fail(ErrorKind::io, "no event descriptor: " + system_error_text(errno));
    auto there = stop.stop_requested() ? Result<bool>(false) : wait_once(waiter);
    if (!there && !stop.stop_requested()) return fail(std::move(there).error());
    if (there && *there) return {};
    if (stop.stop_requested() || waiter.wait(-1, 0, times_.look_again) == Waited::stopped)
      return fail(ErrorKind::cancelled, "waiting for " + description() + " was given up");
  }
}

// Whether a card is there. Errors are those that no waiting mends.
Result<bool> RelayCard::wait_once(const Waiter& waiter) {
  {
    const std::lock_guard lock(state_);
    if (connected_ || waited_) return true;
  }
  auto stream = open_stream(waiter);
  if (!stream) {
    if (may_mend(stream.error())) return false;
    return fail(std::move(stream).error());
  }
  if (auto waited = wait_over(**stream, waiter); !waited) {
    if (is_over(waited.error()) || waited.error().kind == ErrorKind::card_absent) return false;
    return fail(std::move(waited).error());
  }
  const std::lock_guard lock(state_);
  waited_ = std::move(*stream);
  return true;
}

Status RelayCard::wait_over(RelayStream& stream, const Waiter& waiter) {
  CAS_TRY(stream.send(RelayFrameType::wait, {}, waiter, Deadline(times_.connect)));
  bool asked = false;
  for (;;) {
    CAS_TRY_ASSIGN(const std::optional<RelayFrame> frame,
                   stream.receive(waiter, Deadline(asked ? times_.connect : times_.ping)));
    if (!frame) {
      if (asked) return fail(ErrorKind::truncated, "the relay does not answer any more");
      CAS_TRY(stream.send(RelayFrameType::ping, {}, waiter, Deadline(times_.connect)));
      asked = true;
    } else if (frame->type == RelayFrameType::ping) {
      asked = false;
    } else if (frame->type == RelayFrameType::card_present) {
      return {};
    } else {
      return fail(error_in(*frame, place_));
    }
  }
}

}  // namespace

Result<std::shared_ptr<Card>> open_relay_card(RelayTarget target, RelayTimes times) {
  if (target.host.empty() || target.port == 0)
    return fail(ErrorKind::invalid_argument, "a card relay is reached at a host and a port");
  const crypto::TlsCredentials credentials{target.certificate_file, target.key_file, target.key_pin_source,
                                           target.authority_file};
  CAS_TRY_ASSIGN(crypto::TlsContext tls, crypto::TlsContext::create(crypto::TlsRole::client, credentials));
  return std::make_shared<RelayCard>(std::move(target), times, std::move(tls));
}

}  // namespace cas::card
