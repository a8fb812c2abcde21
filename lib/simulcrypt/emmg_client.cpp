// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/emmg_client.hpp"

#include <algorithm>

namespace cas::simulcrypt {

namespace {

using emmg::Error;

std::string stream_text(std::uint16_t stream_id) { return "data stream " + std::to_string(stream_id); }

// All that the peer said, in sentences.
std::string sentences(std::span<const std::uint16_t> statuses) {
  std::string text;
  for (const std::uint16_t status : statuses)
    text += (text.empty() ? "" : "; ") + error_sentence(emmg_grammar(), status);
  return text;
}

bool contains(const emmg::ErrorMessage& error, Error status) {
  return std::ranges::find(error.status(), static_cast<std::uint16_t>(status)) != error.status().end();
}

}  // namespace

EmmgClient::EmmgClient(const EmmgClientSettings& settings, EmmgClientListener& listener)
    : settings_(settings),
      listener_(listener),
      version_(std::clamp(settings.version, emmg_grammar().oldest_version, emmg_grammar().newest_version)),
      framing_(settings.longest_message) {}

void EmmgClient::start(Instant now) {
  if (state_ != State::idle) return;
  state_ = State::setting_up;
  last_heard_ = now;
  send_channel_setup(now);
}

void EmmgClient::send_channel_setup(Instant now) {
  set_up_deadline_ = now + settings_.answer_time_out;
  cannot_fail(
      emmg::ChannelSetup{settings_.channel, settings_.section_tspkt_flag}.write(out_, version_, emmg::channel_setup));
}

void EmmgClient::receive(ByteView bytes, Instant now) {
  if (state_ == State::idle || state_ == State::closed) return;
  framing_.append(bytes);
  for (auto next = framing_.next(); next.found != MessageFraming::Found::nothing; next = framing_.next()) {
    take(next, now);
    if (state_ == State::closed) return;
  }
}

void EmmgClient::take(const MessageFraming::Next& next, Instant now) {
  const Grammar& grammar = emmg_grammar();
  const MessageRule* const rule = find_message(grammar, next.header.type);
  if (next.found == MessageFraming::Found::too_long) return fault({grammar.codes.message_too_long, {}}, rule);
  // An error is taken in each version: it may say that ours is none.
  MessageHeader header = next.header;
  if (rule != nullptr && rule->is_error) header.version = version_;
  const CheckedMessage checked = check(grammar, header, next.body);
  if (checked.fault) return fault(*checked.fault, checked.rule);
  // A MUX that knows only an older version may answer in it; afterwards there is one version (TS 103 197, 4.4.1).
  const bool may_choose = state_ == State::setting_up && header.version < version_;
  if (header.version != version_ && !may_choose) return fault({grammar.codes.unsupported_version, {}}, checked.rule);
  const emmg::ChannelId channel = emmg::ChannelMessage::from(*checked.message).channel;
  // A MUX that could not read the set-up cannot know its channel.
  const bool about_set_up = state_ == State::setting_up && header.type == emmg::channel_error;
  if (channel != settings_.channel && !about_set_up)
    return fault(
        {static_cast<std::uint16_t>(channel.client_id != settings_.channel.client_id ? Error::unknown_client_id
                                                                                     : Error::unknown_channel_id),
         {}},
        checked.rule);
  if (may_choose && header.type == emmg::channel_status) version_ = header.version;
  dispatch(*checked.message, now);
}

void EmmgClient::dispatch(const MessageView& message, Instant now) {
  faults_ = 0;
  last_heard_ = now;
  switch (message.type()) {
    case emmg::channel_status: return take_channel_status(message);
    case emmg::channel_error: return take_channel_error(emmg::ErrorMessage::from(message), now);
    case emmg::channel_close: return close({Misbehaviour::closed, 0, "the MUX closed the channel"});
    case emmg::channel_setup:
    case emmg::stream_setup:
    case emmg::stream_bw_request:
    case emmg::data_provision: return unexpected(message, "only a generator sends it");
    default: break;
  }
  if (state_ != State::open) return unexpected(message, "the channel is not set up yet");
  if (message.type() == emmg::channel_test)
    return cannot_fail(emmg::ChannelSetup{settings_.channel, settings_.section_tspkt_flag}.write(out_, version_,
                                                                                                 emmg::channel_status));
  take_stream_message(message);
}

void EmmgClient::take_channel_status(const MessageView& message) {
  if (emmg::ChannelSetup::from(message).section_tspkt_flag != settings_.section_tspkt_flag)
    return close({Misbehaviour::unusable_parameters, 0,
                  "the MUX confirmed another section_TSpkt_flag than the one it was asked for"});
  if (state_ == State::open) return test_deadline_.reset();
  state_ = State::open;
  listener_.channel_opened();
}

void EmmgClient::take_channel_error(const emmg::ErrorMessage& error, Instant now) {
  if (state_ == State::setting_up && contains(error, Error::unsupported_version) &&
      version_ > emmg_grammar().oldest_version) {
    --version_;
    return send_channel_setup(now);
  }
  Problem problem{Misbehaviour::reported_error, error.statuses[0], "the MUX reported " + sentences(error.status())};
  bool ends = state_ == State::setting_up;
  for (const Error fatal :
       {Error::unsupported_version, Error::unknown_channel_id, Error::too_many_channels, Error::unknown_client_id,
        Error::channel_id_in_use, Error::client_id_in_use, Error::unrecoverable})
    ends = ends || contains(error, fatal);
  if (ends) return close(std::move(problem));
  listener_.peer_misbehaved(problem);
}

void EmmgClient::take_stream_message(const MessageView& message) {
  const std::uint16_t id = message.u16(emmg::data_stream_id).value_or(0);
  const auto stream = streams_.find(id);
  if (stream == streams_.end()) return unexpected(message, "its stream is not open");
  Stream& it = stream->second;
  switch (message.type()) {
    case emmg::stream_status:
      if (it.state != Stream::State::setting_up) return;
      it.state = Stream::State::open;
      return listener_.stream_opened(id);
    case emmg::stream_error: return take_stream_error(stream, emmg::ErrorMessage::from(message));
    case emmg::stream_test:
      return cannot_fail(emmg::StreamSetup{settings_.channel, id, it.data_id, it.data_type}.write(out_, version_,
                                                                                                  emmg::stream_status));
    // A MUX that gives a stream up is taken at its word.
    case emmg::stream_close_request: {
      cannot_fail(emmg::StreamMessage{settings_.channel, id}.write(out_, version_, emmg::stream_close_response));
      const Problem problem{Misbehaviour::closed, 0, "the MUX closed " + stream_text(id)};
      return drop_stream(stream, &problem);
    }
    case emmg::stream_close_response:
      if (it.state != Stream::State::closing) return unexpected(message, "it was not asked for");
      return drop_stream(stream, nullptr);
    case emmg::stream_bw_allocation:
      // A MUX may also take bandwidth away of its own accord.
      it.bandwidth_deadline.reset();
      return listener_.bandwidth_allocated(id, emmg::StreamBandwidth::from(message).bandwidth);
    default: return unexpected(message, "it has no place here");
  }
}

void EmmgClient::take_stream_error(Streams::iterator stream, const emmg::ErrorMessage& error) {
  const Problem problem{Misbehaviour::reported_error, error.statuses[0],
                        "the MUX reported for " + stream_text(stream->first) + " " + sentences(error.status())};
  const bool is_gone = contains(error, Error::unknown_stream_id) || contains(error, Error::unrecoverable);
  if (stream->second.state != Stream::State::open || is_gone) return drop_stream(stream, &problem);
  stream->second.bandwidth_deadline.reset();
  listener_.stream_error(stream->first, problem);
}

// What is invalid is answered, except for errors: two peers could go on for ever.
void EmmgClient::fault(const Fault& fault, const MessageRule* rule) {
  std::string message = "the MUX sent ";
  message += rule != nullptr ? rule->name : "a message";
  message += " that is refused: " + fault_sentence(emmg_grammar(), fault);
  // A message that is not known is ignored, so that a later MUX can be spoken to (4.4.1).
  if (fault.error_status == emmg_grammar().codes.unknown_message_type)
    return listener_.peer_misbehaved({Misbehaviour::unexpected_message, 0, std::move(message)});
  if (rule == nullptr || !rule->is_error) {
    emmg::ErrorMessage error;
    error.channel = settings_.channel;
    error.statuses[0] = fault.error_status;
    error.status_count = 1;
    cannot_fail(error.write(out_, version_));
  }
  Problem problem{Misbehaviour::invalid_message, fault.error_status, std::move(message)};
  if (++faults_ >= settings_.max_faults) return close(std::move(problem));
  listener_.peer_misbehaved(problem);
}

void EmmgClient::unexpected(const MessageView& message, const char* why) {
  listener_.peer_misbehaved(
      {Misbehaviour::unexpected_message, 0,
       "the MUX sent " + message_name(emmg_grammar(), message.type()) + ", which is ignored: " + why});
}

void EmmgClient::drop_stream(Streams::iterator stream, const Problem* why) {
  const std::uint16_t stream_id = stream->first;
  streams_.erase(stream);
  listener_.stream_closed(stream_id, why);
}

void EmmgClient::close(Problem why) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  streams_.clear();
  listener_.channel_closed(why);
}

void EmmgClient::connection_lost() {
  if (state_ == State::idle || state_ == State::closed) return;
  // Some peers hang up without a word when the version is not theirs.
  if (state_ == State::setting_up && version_ > emmg_grammar().oldest_version) --version_;
  close({Misbehaviour::connection_lost, 0, "the connection to the MUX ended"});
}

void EmmgClient::close_channel() {
  if (state_ == State::open || state_ == State::setting_up)
    cannot_fail(emmg::ChannelMessage{settings_.channel}.write(out_, version_, emmg::channel_close));
  state_ = State::closed;
  streams_.clear();
}

Status EmmgClient::open_stream(std::uint16_t stream_id, std::uint16_t data_id, std::uint8_t data_type, Instant now) {
  if (state_ != State::open)
    return fail(ErrorKind::refused, "the channel to the MUX is not open: open streams when it is");
  if (streams_.contains(stream_id)) return fail(ErrorKind::refused, stream_text(stream_id) + " is open already");
  Stream stream;
  stream.data_id = data_id;
  stream.data_type = data_type;
  stream.deadline = now + settings_.answer_time_out;
  streams_.emplace(stream_id, stream);
  return emmg::StreamSetup{settings_.channel, stream_id, data_id, data_type}.write(out_, version_, emmg::stream_setup);
}

Status EmmgClient::request_bandwidth(std::uint16_t stream_id, std::optional<std::uint16_t> kbit_per_second,
                                     Instant now) {
  const auto found = streams_.find(stream_id);
  if (found == streams_.end() || found->second.state != Stream::State::open || found->second.bandwidth_deadline)
    return fail(ErrorKind::refused,
                stream_text(stream_id) + " is not open, or waits for the answer to its last request");
  found->second.bandwidth_deadline = now + settings_.answer_time_out;
  return emmg::StreamBandwidth{settings_.channel, stream_id, kbit_per_second}.write(out_, version_,
                                                                                    emmg::stream_bw_request);
}

Status EmmgClient::provide(std::uint16_t stream_id, std::span<const ByteView> datagrams) {
  const auto found = streams_.find(stream_id);
  if (found == streams_.end() || found->second.state != Stream::State::open)
    return fail(ErrorKind::refused, stream_text(stream_id) + " is not open");
  if (datagrams.empty() || datagrams.size() > max_parameters - 4)
    return fail(ErrorKind::invalid_argument, "a message carries 1 to 4,092 datagrams");
  for (const ByteView each : datagrams)
    if (!is_well_formed_datagram(settings_.section_tspkt_flag, each))
      return fail(ErrorKind::invalid_argument, "a datagram is not of the form that the channel was set up for");
  if (out_.size() > settings_.output_limit)
    return fail(ErrorKind::exhausted,
                "the MUX does not read as fast as data is provided: wait until output() is shorter");
  return emmg::DataProvision{settings_.channel.client_id, settings_.channel.channel_id, stream_id,
                             found->second.data_id}
      .write(out_, version_, datagrams);
}

Status EmmgClient::close_stream(std::uint16_t stream_id, Instant now) {
  const auto found = streams_.find(stream_id);
  if (found == streams_.end() || found->second.state == Stream::State::closing)
    return fail(ErrorKind::refused, stream_text(stream_id) + " is not open");
  found->second.state = Stream::State::closing;
  found->second.bandwidth_deadline.reset();
  found->second.deadline = now + settings_.answer_time_out;
  return emmg::StreamMessage{settings_.channel, stream_id}.write(out_, version_, emmg::stream_close_request);
}

std::optional<Instant> EmmgClient::next_deadline() const {
  if (state_ == State::setting_up) return set_up_deadline_;
  if (state_ != State::open) return std::nullopt;
  Instant next = test_deadline_.value_or(last_heard_ + settings_.test_interval);
  for (const auto& [id, stream] : streams_) {
    if (stream.state != Stream::State::open) next = std::min(next, stream.deadline);
    if (stream.bandwidth_deadline) next = std::min(next, *stream.bandwidth_deadline);
  }
  return next;
}

void EmmgClient::tick(Instant now) {
  if (state_ == State::setting_up && now >= set_up_deadline_)
    return close({Misbehaviour::no_answer, 0, "the MUX did not answer the set-up of the channel in time"});
  if (state_ != State::open) return;
  if (test_deadline_ && now >= *test_deadline_)
    return close({Misbehaviour::no_answer, 0, "the MUX did not answer the test of the channel in time"});
  if (!test_deadline_ && now >= last_heard_ + settings_.test_interval) {
    test_deadline_ = now + settings_.test_time_out;
    cannot_fail(emmg::ChannelMessage{settings_.channel}.write(out_, version_, emmg::channel_test));
  }
  // The listener may open and close streams meanwhile: no iterator is kept.
  for (auto stream = streams_.begin(); stream != streams_.end() && state_ == State::open;) {
    const std::uint16_t id = stream->first;
    Stream& it = stream->second;
    const Problem problem{Misbehaviour::no_answer, 0, "the MUX did not answer for " + stream_text(id) + " in time"};
    if (it.state != Stream::State::open && now >= it.deadline) {
      drop_stream(stream, &problem);
    } else if (it.bandwidth_deadline && now >= *it.bandwidth_deadline) {
      it.bandwidth_deadline.reset();
      listener_.stream_error(id, problem);
    }
    stream = streams_.upper_bound(id);
  }
}

}  // namespace cas::simulcrypt
