// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_server.hpp"

#include <algorithm>
#include <array>

namespace cas::simulcrypt {

namespace {

using ecmg::Error;

std::uint16_t code(Error error) { return static_cast<std::uint16_t>(error); }

}  // namespace

void EcmgServerListener::channel_opened(std::uint64_t, std::uint32_t, std::uint16_t) {}
void EcmgServerListener::channel_closed(std::uint64_t, std::uint16_t) {}
void EcmgServerListener::peer_misbehaved(std::uint64_t, const Problem&, bool) {}

EcmgServer::EcmgServer(const EcmgServerSettings& settings, EcmGenerator& generator, EcmgServerListener* listener)
    : settings_(settings), generator_(generator), listener_(listener), longest_ecm_(generator.longest_ecm()) {}

EcmgSession* EcmgServer::complete(const EcmTicket& ticket, ByteView ecm) {
  const auto session = sessions_.find(ticket.session);
  if (session == sessions_.end()) return nullptr;
  const auto stream = session->second->find_pending(ticket);
  if (stream == session->second->streams_.end()) return nullptr;
  stream->second.pending.reset();
  --session->second->pending_count_;
  if (!session->second->send_ecm(ticket.stream_id, ticket.cp_number, ecm))
    session->second->refuse(ticket.stream_id, Error::unknown);
  return session->second;
}

EcmgSession* EcmgServer::refuse(const EcmTicket& ticket, Error error) {
  const auto session = sessions_.find(ticket.session);
  if (session == sessions_.end()) return nullptr;
  const auto stream = session->second->find_pending(ticket);
  if (stream == session->second->streams_.end()) return nullptr;
  stream->second.pending.reset();
  --session->second->pending_count_;
  session->second->refuse(ticket.stream_id, error);
  return session->second;
}

EcmgSession::EcmgSession(EcmgServer& server, Instant now)
    : ServerSession(ecmg_grammar(), "synchroniser",
                    {server.settings_.longest_message, server.settings_.output_limit, server.settings_.max_faults,
                     server.settings_.set_up_time_out, server.settings_.test_interval, server.settings_.test_time_out},
                    now),
      server_(server),
      number_(server.next_session_++) {
  server_.sessions_.emplace(number_, this);
}

EcmgSession::~EcmgSession() {
  close_channel();
  server_.sessions_.erase(number_);
}

void EcmgSession::dispatch(const MessageView& message, Instant now) {
  const std::uint16_t channel_id = message.u16(ecmg::ecm_channel_id).value_or(0);
  if (message.type() == ecmg::channel_setup) return set_up_channel(ecmg::ChannelSetup::from(message));
  if (message.type() == ecmg::channel_error || message.type() == ecmg::stream_error) {
    const auto error = ecmg::ErrorMessage::from(message);
    return report(Misbehaviour::reported_error, error.statuses[0],
                  "the synchroniser reported " + error_sentence(ecmg_grammar(), error.statuses[0]));
  }
  if (!open_ || channel_id != channel_id_) {
    if (!open_) channel_id_ = channel_id;  // the error names what it is about
    return refuse(std::nullopt, Error::unknown_channel_id);
  }
  switch (message.type()) {
    case ecmg::channel_test: return cannot_fail(ecmg::ChannelStatus{channel_id_, parameters_}.write(out_, version_));
    case ecmg::channel_status: return test_answered();
    case ecmg::channel_close: return end();
    case ecmg::stream_setup: return set_up_stream(ecmg::StreamSetup::from(message));
    default: return take_stream_message(message, now);
  }
}

void EcmgSession::set_up_channel(const ecmg::ChannelSetup& setup) {
  if (open_)
    return refuse(std::nullopt, setup.channel_id == channel_id_ ? Error::channel_id_in_use : Error::too_many_channels);
  channel_id_ = setup.channel_id;
  super_cas_id_ = setup.super_cas_id;
  if (server_.settings_.channel_ids_unique && server_.channel_ids_.contains(channel_id_))
    return refuse(std::nullopt, Error::channel_id_in_use);
  if (server_.channels_ >= server_.settings_.max_channels) return refuse(std::nullopt, Error::too_many_channels);
  const auto parameters = server_.generator_.open_channel(super_cas_id_);
  if (!parameters) return refuse(std::nullopt, parameters.error());
  parameters_ = *parameters;
  parameters_.cw_per_msg = std::clamp<std::uint8_t>(parameters_.cw_per_msg, 1, ecmg::max_words);
  open_ = true;
  ++server_.channels_;
  server_.channel_ids_.insert(channel_id_);
  cannot_fail(ecmg::ChannelStatus{channel_id_, parameters_}.write(out_, version_));
  if (server_.listener_ != nullptr) server_.listener_->channel_opened(number_, super_cas_id_, channel_id_);
}

void EcmgSession::set_up_stream(const ecmg::StreamSetup& setup) {
  const std::uint16_t id = setup.stream_id;
  const std::pair ecm_id{super_cas_id_, setup.ecm_id};
  if (streams_.contains(id)) return refuse(id, Error::stream_id_in_use);
  if (streams_.size() >= parameters_.max_streams) return refuse(id, Error::too_many_streams_on_channel);
  if (server_.streams_ >= server_.settings_.max_streams) return refuse(id, Error::too_many_streams_on_ecmg);
  if (server_.settings_.ecm_ids_unique && server_.ecm_ids_.contains(ecm_id)) return refuse(id, Error::ecm_id_in_use);
  if (setup.nominal_cp_duration < parameters_.min_cp_duration)
    return refuse(id, Fault{code(Error::invalid_value), ecmg::nominal_cp_duration});
  const auto grant =
      server_.generator_.open_stream({super_cas_id_, channel_id_, id, setup.ecm_id, setup.nominal_cp_duration});
  if (!grant) return refuse(id, grant.error());
  Stream stream;
  stream.ecm_id = setup.ecm_id;
  stream.nominal_cp_duration = setup.nominal_cp_duration;
  stream.grant = *grant;
  streams_.emplace(id, std::move(stream));
  ++server_.streams_;
  server_.ecm_ids_.insert(ecm_id);
  cannot_fail(
      ecmg::StreamStatus{channel_id_, id, setup.ecm_id, grant->access_criteria_each_time}.write(out_, version_));
}

void EcmgSession::take_stream_message(const MessageView& message, Instant now) {
  const std::uint16_t id = message.u16(ecmg::ecm_stream_id).value_or(0);
  const auto stream = streams_.find(id);
  if (stream == streams_.end()) return refuse(id, Error::unknown_stream_id);
  switch (message.type()) {
    case ecmg::cw_provision: return take_provision(stream, ecmg::CwProvision::from(message), now);
    case ecmg::stream_test:
      return cannot_fail(
          ecmg::StreamStatus{channel_id_, id, stream->second.ecm_id, stream->second.grant.access_criteria_each_time}
              .write(out_, version_));
    case ecmg::stream_status: return;
    case ecmg::stream_close_request:
      close_stream(stream);
      return cannot_fail(ecmg::StreamMessage{channel_id_, id}.write(out_, version_, ecmg::stream_close_response));
    default: return refuse(id, Error::invalid_message);
  }
}

std::optional<Fault> EcmgSession::order_words(ecmg::CwProvision& provision) const {
  const std::size_t wanted = parameters_.cw_per_msg;
  if (provision.word_count < wanted) return Fault{code(Error::not_enough_control_words), {}};
  if (provision.word_count > wanted) return Fault{code(Error::invalid_value), ecmg::cp_cw_combination};
  const std::uint16_t first = ecmg::first_word_of(provision.cp_number, parameters_);
  std::array<ecmg::ControlWord, ecmg::max_words> in_order;
  for (const ecmg::ControlWord& each : provision.words()) {
    const auto place = static_cast<std::uint16_t>(each.cp_number - first);
    // TS 103 197, 5.3, CW_per_msg: each crypto-period of the window, once.
    if (place >= wanted || !in_order[place].word.empty())
      return Fault{code(Error::invalid_value), ecmg::cp_cw_combination};
    in_order[place] = each;
  }
  std::copy_n(in_order.begin(), wanted, provision.word_list.begin());
  return std::nullopt;
}

void EcmgSession::take_provision(Streams::iterator stream, const ecmg::CwProvision& received, Instant now) {
  Stream& it = stream->second;
  const std::uint16_t id = stream->first;
  // TS 103 197, 5.5: the next CW_provision follows the answer to the last.
  if (it.pending) return refuse(id, Error::invalid_message);
  ecmg::CwProvision provision = received;
  if (const auto fault = order_words(provision)) return refuse(id, *fault);
  if (provision.cp_duration && *provision.cp_duration < parameters_.min_cp_duration)
    return refuse(id, Fault{code(Error::invalid_value), ecmg::cp_duration});
  bool changed = false;
  if (provision.access_criteria) {
    changed = !it.has_access_criteria || !equal(it.access_criteria, *provision.access_criteria);
    if (changed) it.access_criteria.assign(provision.access_criteria->begin(), provision.access_criteria->end());
    it.has_access_criteria = true;
  } else if (it.grant.access_criteria_each_time || !(it.has_access_criteria || it.grant.access_criteria_optional)) {
    return refuse(id, Fault{code(Error::missing_parameter), ecmg::access_criteria});
  }
  answer(stream,
         {it.grant.handle,
          provision.cp_number,
          provision.words(),
          provision.cp_duration.value_or(it.nominal_cp_duration),
          it.access_criteria,
          changed,
          provision.cw_encryption,
          {number_, id, provision.cp_number, next_serial_++}},
         now);
}

// The ECM is written where it is sent from.
void EcmgSession::answer(Streams::iterator stream, const EcmOrder& order, Instant now) {
  const std::uint16_t id = stream->first;
  MessageWriter writer(out_, version_, ecmg::ecm_response);
  writer.u16(ecmg::ecm_channel_id, channel_id_).u16(ecmg::ecm_stream_id, id).u16(ecmg::cp_number, order.cp_number);
  const auto room = writer.begin_value(ecmg::ecm_datagram, server_.longest_ecm_);
  EcmAnswer made = EcmAnswer::refused(Error::unknown);
  if (room) made = server_.generator_.make_ecm(order, *room);
  if (made.kind == EcmAnswer::Kind::ready && made.size <= server_.longest_ecm_) {
    writer.end_value(made.size);
    return cannot_fail(writer.finish());
  }
  writer.abandon();
  if (made.kind == EcmAnswer::Kind::later) {
    stream->second.pending =
        Pending{order.cp_number, order.ticket.serial, now + std::chrono::milliseconds(parameters_.max_comp_time)};
    ++pending_count_;
    return;
  }
  refuse(id, Fault{made.kind == EcmAnswer::Kind::refused ? made.error_status : code(Error::unknown), {}});
}

bool EcmgSession::send_ecm(std::uint16_t stream_id, std::uint16_t cp_number, ByteView ecm) {
  return ecmg::EcmResponse{channel_id_, stream_id, cp_number, ecm}.write(out_, version_).has_value();
}

EcmgSession::Streams::iterator EcmgSession::find_pending(const EcmTicket& ticket) {
  const auto stream = streams_.find(ticket.stream_id);
  // The serial: a stream of this number may have been closed and opened again.
  if (stream == streams_.end() || !stream->second.pending || stream->second.pending->serial != ticket.serial)
    return streams_.end();
  return stream;
}

void EcmgSession::close_stream(Streams::iterator stream) {
  if (stream->second.pending) --pending_count_;
  server_.generator_.close_stream(stream->second.grant.handle);
  server_.ecm_ids_.erase(server_.ecm_ids_.find({super_cas_id_, stream->second.ecm_id}));
  --server_.streams_;
  streams_.erase(stream);
}

void EcmgSession::close_channel() {
  if (!open_) return;
  while (!streams_.empty()) close_stream(streams_.begin());
  open_ = false;
  --server_.channels_;
  server_.channel_ids_.erase(server_.channel_ids_.find(channel_id_));
  if (server_.listener_ != nullptr) server_.listener_->channel_closed(number_, channel_id_);
}

void EcmgSession::refuse(std::optional<std::uint16_t> stream_id, const Fault& fault) {
  ecmg::ErrorMessage error;
  error.channel_id = channel_id_;
  error.stream_id = stream_id;
  error.statuses[0] = fault.error_status;
  error.status_count = 1;
  const std::uint16_t tag = fault.tag.value_or(0);
  const std::array<std::uint8_t, 2> tag_bytes{static_cast<std::uint8_t>(tag >> 8), static_cast<std::uint8_t>(tag)};
  if (fault.tag) error.information = tag_bytes;
  cannot_fail(error.write(out_, version_));
  if (server_.listener_ == nullptr) return;
  std::string message = "refused on channel " + std::to_string(channel_id_);
  if (stream_id) message += ", stream " + std::to_string(*stream_id);
  report(Misbehaviour::invalid_message, fault.error_status, message + ": " + fault_sentence(ecmg_grammar(), fault));
}

void EcmgSession::refuse(std::optional<std::uint16_t> stream_id, Error error) {
  refuse(stream_id, Fault{code(error), {}});
}

void EcmgSession::report(Misbehaviour what, std::uint16_t error_status, std::string message) {
  if (server_.listener_ != nullptr)
    server_.listener_->peer_misbehaved(number_, {what, error_status, std::move(message)}, is_closed());
}

void EcmgSession::send_channel_test() {
  cannot_fail(ecmg::ChannelMessage{channel_id_}.write(out_, version_, ecmg::channel_test));
}

std::optional<Instant> EcmgSession::next_answer() const {
  std::optional<Instant> next;
  if (pending_count_ > 0)
    for (const auto& [id, stream] : streams_)
      if (stream.pending) next = std::min(next.value_or(stream.pending->deadline), stream.pending->deadline);
  return next;
}

void EcmgSession::tick_answers(Instant now) {
  if (pending_count_ == 0) return;
  for (auto& [id, stream] : streams_) {
    if (!stream.pending || now < stream.pending->deadline) continue;
    stream.pending.reset();
    --pending_count_;
    refuse(id, Error::out_of_computation);
  }
}

}  // namespace cas::simulcrypt
