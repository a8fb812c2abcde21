// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_client.hpp"

#include <algorithm>

namespace cas::simulcrypt {

namespace {

std::string stream_text(std::uint16_t stream_id) { return "ECM stream " + std::to_string(stream_id); }

// All that the peer said, in sentences.
std::string sentences(std::span<const std::uint16_t> statuses) {
  std::string text;
  for (const std::uint16_t status : statuses)
    text += (text.empty() ? "" : "; ") + error_sentence(ecmg_grammar(), status);
  return text;
}

std::uint16_t first_of(const ecmg::ErrorMessage& error) {
  return error.status_count > 0 ? error.statuses[0] : std::uint16_t{0};
}

bool contains(const ecmg::ErrorMessage& error, ecmg::Error status) {
  return std::ranges::find(error.status(), static_cast<std::uint16_t>(status)) != error.status().end();
}

}  // namespace

EcmgClient::EcmgClient(const EcmgClientSettings& settings, EcmgClientListener& listener)
    : settings_(settings),
      listener_(listener),
      version_(std::clamp(settings.version, ecmg_grammar().oldest_version, ecmg_grammar().newest_version)),
      framing_(settings.longest_message) {}

void EcmgClient::start(Instant now) {
  if (state_ != State::idle) return;
  state_ = State::setting_up;
  last_heard_ = now;
  send_channel_setup(now);
}

void EcmgClient::send_channel_setup(Instant now) {
  set_up_deadline_ = now + settings_.set_up_time_out;
  cannot_fail(ecmg::ChannelSetup{settings_.channel_id, settings_.super_cas_id}.write(out_, version_));
}

void EcmgClient::receive(ByteView bytes, Instant now) {
  if (state_ == State::idle || state_ == State::closed) return;
  framing_.append(bytes);
  for (auto next = framing_.next(); next.found != MessageFraming::Found::nothing; next = framing_.next()) {
    take(next, now);
    if (state_ == State::closed) return;
  }
}

void EcmgClient::take(const MessageFraming::Next& next, Instant now) {
  const Grammar& grammar = ecmg_grammar();
  if (next.found == MessageFraming::Found::too_long)
    return fault({grammar.codes.message_too_long, {}}, find_message(grammar, next.header.type));
  const CheckedMessage checked = check(grammar, next.header, next.body);
  // An error is taken in each version: it may say that ours is none.
  if (checked.message && checked.rule != nullptr && checked.rule->is_error && checked.fault &&
      checked.fault->error_status == grammar.codes.unsupported_version) {
    const CheckedMessage again = check(grammar, {version_, next.header.type, next.header.length}, next.body);
    if (!again.fault) return dispatch(*again.message, now);
  }
  if (checked.fault) return fault(*checked.fault, checked.rule);
  // An ECMG that knows only the older version may answer in it; afterwards there is one version (TS 103 197, 4.4.1).
  const bool may_choose = state_ == State::setting_up && next.header.version < version_;
  if (next.header.version != version_ && !may_choose && !checked.rule->is_error)
    return fault({grammar.codes.unsupported_version, {}}, checked.rule);
  if (may_choose && next.header.type == ecmg::channel_status) version_ = next.header.version;
  dispatch(*checked.message, now);
}

void EcmgClient::dispatch(const MessageView& message, Instant now) {
  if (!is_for_this_channel(message)) return;
  faults_ = 0;
  last_heard_ = now;
  switch (message.type()) {
    case ecmg::channel_status: return take_channel_status(message);
    case ecmg::channel_error: return take_channel_error(ecmg::ErrorMessage::from(message), now);
    case ecmg::channel_close: return close({Misbehaviour::closed, 0, "the ECMG closed the channel"});
    case ecmg::channel_setup:
    case ecmg::cw_provision:
    case ecmg::stream_setup:
    case ecmg::stream_close_request: return unexpected(message, "only a synchroniser sends it");
    default: break;
  }
  if (state_ != State::open) return unexpected(message, "the channel is not set up yet");
  if (message.type() == ecmg::channel_test)
    return cannot_fail(ecmg::ChannelStatus{settings_.channel_id, parameters_}.write(out_, version_));
  take_stream_message(message);
}

bool EcmgClient::is_for_this_channel(const MessageView& message) {
  const std::uint16_t channel = message.u16(ecmg::ecm_channel_id).value_or(0);
  if (channel == settings_.channel_id) return true;
  // An ECMG that could not read the set-up cannot know its channel.
  if (state_ == State::setting_up && message.type() == ecmg::channel_error) return true;
  fault({static_cast<std::uint16_t>(ecmg::Error::unknown_channel_id), {}},
        find_message(ecmg_grammar(), message.type()));
  return false;
}

void EcmgClient::take_channel_status(const MessageView& message) {
  const auto status = ecmg::ChannelStatus::from(message);
  const ecmg::ChannelParameters& asked = status.parameters;
  if (state_ == State::open) {
    test_deadline_.reset();
    // TS 103 197, 5.4.3: they hold as long as the channel lives.
    if (asked != parameters_)
      report(Misbehaviour::unexpected_message, 0,
             "the ECMG changed the parameters of the open channel; those of the set-up are kept");
    return;
  }
  const bool known_form = settings_.binary_messages ? asked.section_tspkt_flag == ecmg::binary_messages
                                                    : asked.section_tspkt_flag <= ecmg::transport_packets;
  if (!known_form || asked.cw_per_msg == 0 || asked.cw_per_msg > ecmg::max_words) {
    const auto status_code = static_cast<std::uint16_t>(ecmg::Error::invalid_value);
    fault({status_code, known_form ? ecmg::cw_per_msg : ecmg::section_tspkt_flag}, nullptr);
    return close({Misbehaviour::unusable_parameters, status_code,
                  known_form ? "the ECMG asks for " + std::to_string(asked.cw_per_msg) +
                                   " control words in a message; 1 to 16 can be served"
                             : "the ECMG gives ECMs in the form section_TSpkt_flag " +
                                   std::to_string(asked.section_tspkt_flag) + ", which is not the one wanted here"});
  }
  parameters_ = asked;
  state_ = State::open;
  listener_.channel_opened(parameters_);
}

void EcmgClient::take_channel_error(const ecmg::ErrorMessage& error, Instant now) {
  if (state_ == State::setting_up && contains(error, ecmg::Error::unsupported_version) &&
      version_ > ecmg_grammar().oldest_version) {
    --version_;
    return send_channel_setup(now);
  }
  Problem problem{Misbehaviour::reported_error, first_of(error), "the ECMG reported " + sentences(error.status())};
  bool ends = state_ == State::setting_up;
  for (const ecmg::Error fatal :
       {ecmg::Error::unsupported_version, ecmg::Error::unknown_super_cas_id, ecmg::Error::unknown_channel_id,
        ecmg::Error::too_many_channels, ecmg::Error::channel_id_in_use, ecmg::Error::unrecoverable})
    ends = ends || contains(error, fatal);
  if (ends) return close(std::move(problem));
  listener_.peer_misbehaved(problem);
}

void EcmgClient::take_stream_message(const MessageView& message) {
  const std::uint16_t stream_id = message.u16(ecmg::ecm_stream_id).value_or(0);
  const auto stream = streams_.find(stream_id);
  if (stream == streams_.end()) return unexpected(message, "its stream is not open");
  switch (message.type()) {
    case ecmg::stream_status: return take_stream_status(stream, message);
    case ecmg::stream_error: return take_stream_error(stream, ecmg::ErrorMessage::from(message));
    case ecmg::stream_test:
      if (stream->second.state != Stream::State::open) return unexpected(message, "its stream is not set up yet");
      return cannot_fail(ecmg::StreamStatus{settings_.channel_id, stream_id, stream->second.ecm_id,
                                            stream->second.access_criteria_each_time}
                             .write(out_, version_));
    case ecmg::stream_close_response:
      if (stream->second.state != Stream::State::closing) return unexpected(message, "it was not asked for");
      return drop_stream(stream, nullptr);
    case ecmg::ecm_response: return take_ecm(stream, ecmg::EcmResponse::from(message));
    default: return unexpected(message, "it has no place here");
  }
}

void EcmgClient::take_stream_status(Streams::iterator stream, const MessageView& message) {
  const auto status = ecmg::StreamStatus::from(message);
  Stream& it = stream->second;
  if (it.state != Stream::State::setting_up) return;  // the answer to a stream_test, or too late
  if (status.ecm_id != it.ecm_id)
    report(Misbehaviour::unexpected_message, 0,
           "the ECMG confirmed ECM_id " + std::to_string(status.ecm_id) + " for " + stream_text(stream->first) +
               ", which was set up with " + std::to_string(it.ecm_id));
  it.state = Stream::State::open;
  it.access_criteria_each_time = status.access_criteria_each_time;
  listener_.stream_opened(stream->first);
}

void EcmgClient::take_stream_error(Streams::iterator stream, const ecmg::ErrorMessage& error) {
  const Problem problem{Misbehaviour::reported_error, first_of(error),
                        "the ECMG reported for " + stream_text(stream->first) + " " + sentences(error.status())};
  const bool is_gone = contains(error, ecmg::Error::unknown_stream_id) || contains(error, ecmg::Error::unrecoverable);
  if (stream->second.state != Stream::State::open || is_gone) return drop_stream(stream, &problem);
  if (!stream->second.in_flight) return listener_.peer_misbehaved(problem);
  fail_provision(stream->first, stream->second, problem);
}

void EcmgClient::take_ecm(Streams::iterator stream, const ecmg::EcmResponse& response) {
  Stream& it = stream->second;
  const std::uint16_t stream_id = stream->first;
  if (it.state == Stream::State::closing) return;  // it crossed the request to close
  // An ECM of another crypto-period would lock the receivers out of this one.
  if (!it.in_flight || it.in_flight->cp_number != response.cp_number)
    return report(
        Misbehaviour::wrong_crypto_period, 0,
        "the ECMG sent an ECM of crypto-period " + std::to_string(response.cp_number) + " for " +
            stream_text(stream_id) + ", where " +
            (it.in_flight ? std::to_string(it.in_flight->cp_number) + " was asked for" : "none was asked for"));
  if (!is_well_formed_datagram(parameters_.section_tspkt_flag, response.datagram))
    return fail_provision(stream_id, it,
                          {Misbehaviour::invalid_message, 0,
                           "the ECM of " + stream_text(stream_id) + " is not of the form that the ECMG announced"});
  it.in_flight.reset();
  it.late_ecms = 0;
  listener_.ecm_received(stream_id, response.cp_number, response.datagram);
}

// What is invalid is answered, except for errors: two peers could go on for ever.
void EcmgClient::fault(const Fault& fault, const MessageRule* rule) {
  std::string message = "the ECMG sent ";
  message += rule != nullptr ? rule->name : "a message";
  message += " that is refused: " + fault_sentence(ecmg_grammar(), fault);
  // A message that is not known is ignored, so that a later ECMG can be spoken to (4.4.1).
  if (fault.error_status == ecmg_grammar().codes.unknown_message_type)
    return report(Misbehaviour::unexpected_message, 0, std::move(message));
  if (rule == nullptr || !rule->is_error) {
    ecmg::ErrorMessage error;
    error.channel_id = settings_.channel_id;
    error.statuses[0] = fault.error_status;
    error.status_count = 1;
    cannot_fail(error.write(out_, version_));
  }
  if (++faults_ >= settings_.max_faults)
    return close({Misbehaviour::invalid_message, fault.error_status, std::move(message)});
  report(Misbehaviour::invalid_message, fault.error_status, std::move(message));
}

void EcmgClient::unexpected(const MessageView& message, const char* why) {
  report(Misbehaviour::unexpected_message, 0,
         "the ECMG sent " + message_name(ecmg_grammar(), message.type()) + ", which is ignored: " + why);
}

void EcmgClient::report(Misbehaviour what, std::uint16_t error_status, std::string message) {
  listener_.peer_misbehaved({what, error_status, std::move(message)});
}

void EcmgClient::fail_provision(std::uint16_t stream_id, Stream& stream, const Problem& why) {
  const std::uint16_t cp_number = stream.in_flight->cp_number;
  stream.in_flight.reset();
  // Whether the ECMG kept the criteria of a provision that failed is not known.
  stream.access_criteria.reset();
  listener_.provision_failed(stream_id, cp_number, why);
}

void EcmgClient::drop_stream(Streams::iterator stream, const Problem* why) {
  const std::uint16_t stream_id = stream->first;
  const Problem closed{Misbehaviour::closed, 0, stream_text(stream_id) + " was closed"};
  const std::optional<InFlight> in_flight = stream->second.in_flight;
  streams_.erase(stream);
  if (in_flight) listener_.provision_failed(stream_id, in_flight->cp_number, why != nullptr ? *why : closed);
  listener_.stream_closed(stream_id, why);
}

void EcmgClient::close(Problem why) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  streams_.clear();
  listener_.channel_closed(why);
}

void EcmgClient::connection_lost() {
  if (state_ == State::idle || state_ == State::closed) return;
  // Some ECMGs of version 2 hang up without a word when they are asked for 3.
  if (state_ == State::setting_up && version_ > ecmg_grammar().oldest_version) --version_;
  close({Misbehaviour::connection_lost, 0,
         framing_.within_message() ? "the connection to the ECMG ended within a message"
                                   : "the connection to the ECMG ended"});
}

void EcmgClient::close_channel() {
  if (state_ == State::open || state_ == State::setting_up)
    cannot_fail(ecmg::ChannelMessage{settings_.channel_id}.write(out_, version_, ecmg::channel_close));
  state_ = State::closed;
  streams_.clear();
}

Status EcmgClient::open_stream(std::uint16_t stream_id, std::uint16_t ecm_id, std::uint16_t nominal_cp_duration,
                               Instant now) {
  if (state_ != State::open)
    return fail(ErrorKind::refused, "the channel to the ECMG is not open: open streams when it is");
  if (streams_.contains(stream_id)) return fail(ErrorKind::refused, stream_text(stream_id) + " is open already");
  if (streams_.size() >= parameters_.max_streams)
    return fail(ErrorKind::refused, "the ECMG takes " + std::to_string(parameters_.max_streams) +
                                        " streams on a channel: open another channel for more");
  if (nominal_cp_duration < parameters_.min_cp_duration)
    return fail(ErrorKind::invalid_argument, "crypto-periods of " + std::to_string(nominal_cp_duration) +
                                                 "00 ms are too short for the ECMG: its least is " +
                                                 std::to_string(parameters_.min_cp_duration) + "00 ms");
  Stream stream;
  stream.ecm_id = ecm_id;
  stream.deadline = now + settings_.set_up_time_out;
  streams_.emplace(stream_id, std::move(stream));
  return ecmg::StreamSetup{settings_.channel_id, stream_id, ecm_id, nominal_cp_duration}.write(out_, version_);
}

Status EcmgClient::check_words(const CwProvisionRequest& request) const {
  const std::size_t wanted = parameters_.cw_per_msg;
  std::uint16_t cp = words_for(request.cp_number);
  bool fits = request.words.size() == wanted;
  for (const ecmg::ControlWord& each : request.words)
    fits = fits && each.cp_number == cp++ && !each.word.empty() && each.word.size() <= ecmg::max_word_size;
  if (!fits)
    return fail(ErrorKind::invalid_argument,
                "the ECMG wants " + std::to_string(wanted) + " control words from crypto-period " +
                    std::to_string(words_for(request.cp_number)) + " on, of 1 to 256 bytes each");
  if (request.cw_encryption && !may_carry(ecmg_grammar(), version_, ecmg::cw_provision, ecmg::cw_encryption))
    return fail(ErrorKind::invalid_argument,
                "the ECMG speaks version 2 of the protocol, which cannot carry encrypted control words");
  if (request.cp_duration && *request.cp_duration < parameters_.min_cp_duration)
    return fail(ErrorKind::invalid_argument, "the crypto-period is shorter than the least that the ECMG allows");
  return {};
}

Status EcmgClient::provision(std::uint16_t stream_id, const CwProvisionRequest& request, Instant now) {
  const auto found = streams_.find(stream_id);
  if (state_ != State::open || found == streams_.end() || found->second.state != Stream::State::open)
    return fail(ErrorKind::refused, stream_text(stream_id) + " is not open");
  Stream& stream = found->second;
  if (stream.in_flight)
    return fail(ErrorKind::refused, stream_text(stream_id) + " waits for the ECM of crypto-period " +
                                        std::to_string(stream.in_flight->cp_number) + ": ask when it has come");
  CAS_TRY(check_words(request));
  ecmg::CwProvision provision;
  provision.channel_id = settings_.channel_id;
  provision.stream_id = stream_id;
  provision.cp_number = request.cp_number;
  std::ranges::copy(request.words, provision.word_list.begin());
  provision.word_count = request.words.size();
  provision.cp_duration = request.cp_duration;
  provision.cw_encryption = request.cw_encryption;
  // TS 103 197, 5.3: access_criteria_transfer_mode.
  const bool is_new = !stream.access_criteria || !equal(*stream.access_criteria, request.access_criteria);
  // Who has never been given any has its own.
  const bool none_ever = request.access_criteria.empty() && !stream.access_criteria_given;
  if (stream.access_criteria_each_time || (is_new && !none_ever)) provision.access_criteria = request.access_criteria;
  CAS_TRY(provision.write(out_, version_));
  if (is_new) stream.access_criteria = copy_of(request.access_criteria);
  if (!none_ever) stream.access_criteria_given = true;
  stream.in_flight =
      InFlight{request.cp_number, now + std::chrono::milliseconds(parameters_.max_comp_time) + settings_.answer_slack};
  return {};
}

bool EcmgClient::takes_provision(std::uint16_t stream_id) const {
  const auto found = streams_.find(stream_id);
  return state_ == State::open && found != streams_.end() && found->second.state == Stream::State::open &&
         !found->second.in_flight;
}

Status EcmgClient::close_stream(std::uint16_t stream_id, Instant now) {
  const auto found = streams_.find(stream_id);
  if (state_ != State::open || found == streams_.end() || found->second.state == Stream::State::closing)
    return fail(ErrorKind::refused, stream_text(stream_id) + " is not open");
  found->second.state = Stream::State::closing;
  found->second.deadline = now + settings_.set_up_time_out;
  return ecmg::StreamMessage{settings_.channel_id, stream_id}.write(out_, version_, ecmg::stream_close_request);
}

std::optional<Instant> EcmgClient::next_deadline() const {
  if (state_ == State::setting_up) return set_up_deadline_;
  if (state_ != State::open) return std::nullopt;
  Instant next = test_deadline_.value_or(last_heard_ + settings_.test_interval);
  for (const auto& [id, stream] : streams_) {
    if (stream.state != Stream::State::open) next = std::min(next, stream.deadline);
    if (stream.in_flight) next = std::min(next, stream.in_flight->deadline);
  }
  return next;
}

void EcmgClient::tick(Instant now) {
  if (state_ == State::setting_up && now >= set_up_deadline_)
    return close({Misbehaviour::no_answer, 0, "the ECMG did not answer the set-up of the channel in time"});
  if (state_ != State::open) return;
  if (test_deadline_ && now >= *test_deadline_)
    return close({Misbehaviour::no_answer, 0, "the ECMG did not answer the test of the channel in time"});
  if (!test_deadline_ && now >= last_heard_ + settings_.test_interval) {
    test_deadline_ = now + settings_.test_time_out;
    cannot_fail(ecmg::ChannelMessage{settings_.channel_id}.write(out_, version_, ecmg::channel_test));
  }
  // The listener may open and close streams meanwhile: no iterator is kept.
  for (auto stream = streams_.begin(); stream != streams_.end();) {
    const std::uint16_t stream_id = stream->first;
    const Stream& it = stream->second;
    const bool is_late =
        (it.state != Stream::State::open && now >= it.deadline) || (it.in_flight && now >= it.in_flight->deadline);
    if (is_late) stream_timed_out(stream);
    if (state_ != State::open) return;
    stream = streams_.upper_bound(stream_id);
  }
}

void EcmgClient::stream_timed_out(Streams::iterator stream) {
  Stream& it = stream->second;
  const std::uint16_t stream_id = stream->first;
  Problem problem{Misbehaviour::no_answer, 0, "the ECMG did not answer for " + stream_text(stream_id) + " in time"};
  if (it.state == Stream::State::setting_up || !it.in_flight) return drop_stream(stream, &problem);
  if (++it.late_ecms < settings_.max_late_ecms || it.state == Stream::State::closing)
    return fail_provision(stream_id, it, problem);
  problem.message += ", " + std::to_string(it.late_ecms) + " times one after another";
  fail_provision(stream_id, it, problem);
  if (state_ != State::open) return;
  cannot_fail(ecmg::ChannelMessage{settings_.channel_id}.write(out_, version_, ecmg::channel_close));
  close(std::move(problem));
}

}  // namespace cas::simulcrypt
