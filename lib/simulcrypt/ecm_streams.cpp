// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecm_streams.hpp"

#include <algorithm>
#include <utility>

namespace cas::simulcrypt {

namespace {

using std::chrono::milliseconds;

// An ECMG that refuses one request after another is asked more and more slowly.
constexpr milliseconds first_refusal_delay{50};
constexpr milliseconds longest_refusal_delay{2'000};

// Crypto-periods are told in 100 ms, in 16 bits (TS 103 197, 5.3).
std::uint16_t hundreds_of(milliseconds duration) {
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>((duration.count() + 99) / 100, 1, 0xffff));
}

EcmStreamTerms terms_of(const ecmg::ChannelParameters& asked) {
  const auto delay = [](std::optional<std::int16_t> given) {
    return given ? std::optional<milliseconds>(*given) : std::nullopt;
  };
  EcmStreamTerms terms;
  terms.delay_start = milliseconds(asked.delay_start);
  terms.delay_stop = milliseconds(asked.delay_stop);
  terms.transition_delay_start = delay(asked.transition_delay_start);
  terms.transition_delay_stop = delay(asked.transition_delay_stop);
  terms.ac_delay_start = delay(asked.ac_delay_start);
  terms.ac_delay_stop = delay(asked.ac_delay_stop);
  terms.repetition = milliseconds(asked.ecm_rep_period);
  terms.min_cp_duration = milliseconds(100) * asked.min_cp_duration;
  terms.max_comp_time = milliseconds(asked.max_comp_time);
  terms.lead_cw = asked.lead_cw;
  terms.cw_per_msg = asked.cw_per_msg;
  return terms;
}

}  // namespace

Status check_channel_terms(const ecmg::ChannelParameters& parameters) {
  return check_ecm_stream_terms(terms_of(parameters));
}

// ------------------------------------------------------------------------------------------------------------- wishes

void EcmStreams::look_at(std::uint16_t stream_id) {
  const auto wanted = mailbox_->wanted(stream_id);
  auto stream = streams_.find(stream_id);
  if (stream != streams_.end() && (!wanted || wanted->number != stream->second.number)) {
    close(stream);
    stream = streams_.end();
  }
  if (!wanted || stream != streams_.end()) return;
  const service::ReconnectDelay delay(random_, settings_.first_delay, settings_.longest_delay);
  try_open(streams_.try_emplace(stream_id, *wanted, delay).first);
}

void EcmStreams::close(Streams::iterator stream) {
  const std::uint16_t id = stream->first;
  const bool is_at_ecmg = stream->second.state != Stream::State::waiting;
  streams_.erase(stream);
  no_room_.erase(id);
  if (is_at_ecmg && client_ != nullptr) static_cast<void>(client_->close_stream(id, loop_.now()));
}

void EcmStreams::close_all() {
  while (!streams_.empty()) {
    const auto stream = streams_.begin();
    const bool is_at_ecmg = stream->second.state != Stream::State::waiting;
    const std::uint16_t id = stream->first;
    lose(stream);
    streams_.erase(stream);
    if (is_at_ecmg && client_ != nullptr) static_cast<void>(client_->close_stream(id, loop_.now()));
  }
  no_room_.clear();
}

void EcmStreams::try_open(Streams::iterator found) {
  const std::uint16_t id = found->first;
  Stream& stream = found->second;
  if (client_ == nullptr || !client_->is_open() || stream.state != Stream::State::waiting || stream.retry.active())
    return;
  // The one that had this number before is not closed yet: stream_closed comes here again.
  if (at_ecmg_.contains(id)) return;
  // TS 103 197, 5.3, min_CP_duration: what is shorter would be refused, and who synchronises keeps to it anyway.
  stream.nominal = std::max(hundreds_of(stream.wish.nominal_cp_duration), client_->parameters().min_cp_duration);
  const Status opened = client_->open_stream(id, stream.wish.ecm_id, stream.nominal, loop_.now());
  if (opened) {
    at_ecmg_.insert(id);
    no_room_.erase(id);
    stream.state = Stream::State::setting_up;
    return;
  }
  no_room_.insert(id);
  if (std::exchange(stream.told_of_no_room, true)) return;
  report_({Misbehaviour::unusable_parameters, static_cast<std::uint16_t>(ecmg::Error::too_many_streams_on_channel),
           "ECM stream " + std::to_string(id) + " is not opened: " + opened.error().message});
}

// ------------------------------------------------------------------------------------------------------------ channel

void EcmStreams::channel_opened(EcmgClient& client) {
  client_ = &client;
  at_ecmg_.clear();
  no_room_.clear();
  unanswered_ = 0;
  for (auto stream = streams_.begin(); stream != streams_.end(); ++stream) {
    stream->second.told_of_no_room = false;
    // Another channel, or another ECMG: what the last one refused is no reason to wait.
    stream->second.retry.cancel();
    try_open(stream);
  }
}

void EcmStreams::channel_gone() {
  client_ = nullptr;
  at_ecmg_.clear();
  no_room_.clear();
  for (auto stream = streams_.begin(); stream != streams_.end(); ++stream) lose(stream);
}

void EcmStreams::lose(Streams::iterator found) {
  Stream& stream = found->second;
  const bool was_open = stream.state == Stream::State::open;
  stream.state = Stream::State::waiting;
  if (const auto in_flight = std::exchange(stream.in_flight, std::nullopt)) stream.refused = in_flight;
  tell_refusal(found);
  if (was_open) mailbox_->lost(stream.number, found->first);
}

void EcmStreams::stream_opened(std::uint16_t stream_id) {
  unanswered_ = 0;
  const auto found = streams_.find(stream_id);
  if (found == streams_.end() || found->second.state != Stream::State::setting_up) return;
  Stream& stream = found->second;
  stream.state = Stream::State::open;
  EcmEvent event;
  event.kind = EcmEvent::Kind::opened;
  event.stream_id = stream_id;
  event.terms = terms_of(client_->parameters());
  event.section_tspkt_flag = client_->parameters().section_tspkt_flag;
  stream.opening = mailbox_->opened(stream.number, std::move(event));
}

void EcmStreams::stream_closed(std::uint16_t stream_id, const Problem* why) {
  at_ecmg_.erase(stream_id);
  const auto found = streams_.find(stream_id);
  if (found != streams_.end() && found->second.state != Stream::State::waiting) {
    Stream& stream = found->second;
    if (why != nullptr && why->what == Misbehaviour::no_answer && stream.state == Stream::State::setting_up)
      ++unanswered_;
    lose(found);
    stream.retry = loop_.after(stream.delay.next(), [this, stream_id] {
      try_open(streams_.find(stream_id));
      changed_();
    });
  } else if (found != streams_.end()) {
    try_open(found);
  }
  if (why != nullptr) report_(*why);
  if (!no_room_.empty()) try_open(streams_.find(*no_room_.begin()));
}

// --------------------------------------------------------------------------------------------------------------- ECMs

void EcmStreams::request(const OwnedEcmRequest& request) {
  const auto found = streams_.find(request.stream_id);
  if (found == streams_.end() || found->second.number != request.asked.wish) return;
  Stream& stream = found->second;
  // Who asks of a stream that he has not seen open, or twice, is told so.
  if (request.asked.opening == 0 || stream.in_flight) return answer(stream, EcmEvent::Kind::refused, request.cp_number);
  // It crossed the loss of the stream, which is told already.
  if (request.asked.opening != stream.opening || stream.state != Stream::State::open) return;
  std::vector<ecmg::ControlWord> words;
  words.reserve(request.words.size());
  for (const EcmRequest::Word& each : request.words) words.push_back({each.cp_number, each.word.reveal()});
  CwProvisionRequest provision;
  provision.cp_number = request.cp_number;
  provision.words = words;
  const std::uint16_t duration = hundreds_of(request.duration);
  if (duration != stream.nominal) provision.cp_duration = duration;
  provision.access_criteria = request.access_criteria;
  const Status asked = client_->provision(request.stream_id, provision, loop_.now());
  if (asked) {
    stream.in_flight = request.cp_number;
    return;
  }
  report_({Misbehaviour::unusable_parameters, 0, asked.error().message});
  refuse(found, request.cp_number);
}

void EcmStreams::ecm_received(std::uint16_t stream_id, std::uint16_t cp_number, ByteView ecm) {
  const auto found = streams_.find(stream_id);
  if (found == streams_.end() || found->second.in_flight != cp_number) return;
  Stream& stream = found->second;
  stream.in_flight.reset();
  stream.refusals = 0;
  stream.delay.reset();
  answer(stream, EcmEvent::Kind::ecm, cp_number, ecm);
}

void EcmStreams::provision_failed(std::uint16_t stream_id, std::uint16_t cp_number, const Problem& why) {
  const auto found = streams_.find(stream_id);
  if (found == streams_.end() || found->second.in_flight != cp_number) return;
  report_(why);
  found->second.in_flight.reset();
  refuse(found, cp_number);
}

// The first time at once, for the ECMG may well be able the next time. Whoever asks again at once is slowed down by
// being told later.
void EcmStreams::refuse(Streams::iterator found, std::uint16_t cp_number) {
  Stream& stream = found->second;
  tell_refusal(found);
  stream.refused = cp_number;
  if (++stream.refusals == 1) return tell_refusal(found);
  const milliseconds delay = first_refusal_delay * (1U << std::min(stream.refusals - 2, 10U));
  stream.refusal = loop_.after(std::min(delay, longest_refusal_delay),
                               [this, stream_id = found->first] { tell_refusal(streams_.find(stream_id)); });
}

void EcmStreams::tell_refusal(Streams::iterator stream) {
  stream->second.refusal.cancel();
  if (const auto cp_number = std::exchange(stream->second.refused, std::nullopt))
    answer(stream->second, EcmEvent::Kind::refused, *cp_number);
}

void EcmStreams::answer(const Stream& stream, EcmEvent::Kind kind, std::uint16_t cp_number, ByteView ecm) {
  EcmEvent event;
  event.kind = kind;
  event.stream_id = stream.wish.stream_id;
  event.cp_number = cp_number;
  event.ecm = copy_of(ecm);
  mailbox_->answered(stream.number, std::move(event));
}

}  // namespace cas::simulcrypt
