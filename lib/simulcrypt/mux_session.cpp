// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "simulcrypt/bcast/profile.hpp"
#include "simulcrypt/mux_server.hpp"

namespace cas::simulcrypt {

namespace {

using emmg::Error;

std::uint16_t code(Error error) { return static_cast<std::uint16_t>(error); }

}  // namespace

MuxSession::MuxSession(MuxServer& server, Instant now)
    : ServerSession(emmg_grammar(), "generator",
                    {server.settings_.longest_message, server.settings_.output_limit, server.settings_.max_faults,
                     server.settings_.set_up_time_out, server.settings_.test_interval, server.settings_.test_time_out},
                    now),
      server_(server) {}

MuxSession::~MuxSession() { close_channel(); }

void MuxSession::dispatch(const MessageView& message, Instant now) {
  const emmg::ChannelId channel = emmg::ChannelMessage::from(message).channel;
  if (message.type() == emmg::channel_setup) return set_up_channel(emmg::ChannelSetup::from(message));
  if (message.type() == emmg::channel_error || message.type() == emmg::stream_error) {
    const auto error = emmg::ErrorMessage::from(message);
    return report(Misbehaviour::reported_error, error.statuses[0],
                  "the generator reported " + error_sentence(emmg_grammar(), error.statuses[0]));
  }
  if (!open_) {
    channel_ = channel;  // the error names what it is about
    return refuse(std::nullopt, Error::unknown_channel_id);
  }
  if (message.type() == emmg::data_provision) return take_data(message, now);
  if (channel.client_id != channel_.client_id) return refuse(std::nullopt, Error::unknown_client_id);
  if (channel.channel_id != channel_.channel_id) return refuse(std::nullopt, Error::unknown_channel_id);
  switch (message.type()) {
    case emmg::channel_test:
      return cannot_fail(emmg::ChannelSetup{channel_, section_tspkt_flag_}.write(out_, version_, emmg::channel_status));
    case emmg::channel_status: return test_answered();
    case emmg::channel_close: return end();
    case emmg::stream_setup: return set_up_stream(emmg::StreamSetup::from(message), now);
    default: return take_stream_message(message, now);
  }
}

void MuxSession::set_up_channel(const emmg::ChannelSetup& setup) {
  if (open_)
    return refuse(std::nullopt, setup.channel == channel_ ? Error::channel_id_in_use : Error::too_many_channels);
  channel_ = setup.channel;
  const std::uint8_t flag = setup.section_tspkt_flag;
  const bool known_form =
      server_.settings_.binary_messages ? flag == emmg::binary_messages : flag <= emmg::transport_packets;
  if (!known_form) return refuse(std::nullopt, Fault{code(Error::invalid_value), emmg::section_tspkt_flag});
  // 14.1.1.3.4 of OMA BCAST: long term key messages of the Smartcard Profile are not broadcast.
  if (server_.settings_.binary_messages && !bcast::may_broadcast_ltkms(channel_.client_id))
    return refuse(std::nullopt, Error::unknown_client_id);
  if (server_.channels_.contains(channel_)) return refuse(std::nullopt, Error::channel_id_in_use);
  if (server_.channels_.size() >= server_.settings_.max_channels) return refuse(std::nullopt, Error::too_many_channels);
  if (const auto granted = server_.sink_.open_channel(channel_, flag); !granted)
    return refuse(std::nullopt, granted.error());
  section_tspkt_flag_ = flag;
  open_ = true;
  server_.channels_.insert(channel_);
  cannot_fail(setup.write(out_, version_, emmg::channel_status));
  if (server_.listener_ != nullptr) server_.listener_->channel_opened(channel_);
}

void MuxSession::set_up_stream(const emmg::StreamSetup& setup, Instant now) {
  const std::uint16_t id = setup.stream_id;
  if (streams_.contains(id)) return refuse(id, Error::stream_id_in_use);
  if (streams_.size() >= server_.settings_.max_streams_on_channel)
    return refuse(id, Error::too_many_streams_on_channel);
  // 2 is for ECMs, which come another way; what is above is reserved.
  if (setup.data_type > emmg::private_data) return refuse(id, Fault{code(Error::invalid_value), emmg::data_type});
  // 14.1.1.3.4 of OMA BCAST: data_type is 0.
  if (server_.settings_.binary_messages && setup.data_type != emmg::emm)
    return refuse(id, Fault{code(Error::invalid_value), emmg::data_type});
  const MuxServer::DataKey key{channel_.client_id, setup.data_id, setup.data_type};
  // Anybody can send a datagram: a stream over UDP alone gives way to one that is set up.
  if (const auto udp = server_.udp_streams_.find(key); udp != server_.udp_streams_.end()) server_.close_udp_stream(udp);
  if (server_.by_data_.contains(key)) return refuse(id, Error::data_id_in_use);
  if (server_.stream_count_ >= server_.settings_.max_streams) return refuse(id, Error::too_many_streams_on_mux);
  auto grant = server_.sink_.open_stream(
      {channel_.client_id, channel_.channel_id, id, setup.data_id, setup.data_type, section_tspkt_flag_});
  if (!grant) return refuse(id, grant.error());
  grant->section_tspkt_flag = section_tspkt_flag_;
  MuxServer::Stream& stream = streams_.emplace(id, server_.make_stream(*grant, now)).first->second;
  stream.channel = channel_;
  stream.stream_id = id;
  stream.data_id = setup.data_id;
  stream.data_type = setup.data_type;
  server_.by_data_.emplace(key, &stream);
  ++server_.stream_count_;
  cannot_fail(setup.write(out_, version_, emmg::stream_status));
}

void MuxSession::take_stream_message(const MessageView& message, Instant now) {
  const std::uint16_t id = message.u16(emmg::data_stream_id).value_or(0);
  const auto stream = streams_.find(id);
  if (stream == streams_.end()) return refuse(id, Error::unknown_stream_id);
  switch (message.type()) {
    case emmg::stream_bw_request: return take_bandwidth(stream, emmg::StreamBandwidth::from(message), now);
    case emmg::stream_test:
      return cannot_fail(emmg::StreamSetup{channel_, id, stream->second.data_id, stream->second.data_type}.write(
          out_, version_, emmg::stream_status));
    case emmg::stream_status: return;
    case emmg::stream_close_request:
      close_stream(stream);
      return cannot_fail(emmg::StreamMessage{channel_, id}.write(out_, version_, emmg::stream_close_response));
    default: return refuse(id, Error::invalid_message);
  }
}

void MuxSession::take_bandwidth(Streams::iterator stream, const emmg::StreamBandwidth& request, Instant now) {
  MuxServer::Stream& it = stream->second;
  if (request.bandwidth)
    server_.set_bandwidth(
        it, std::min(server_.sink_.allocate_bandwidth(it.grant.handle, *request.bandwidth), *request.bandwidth), now);
  tell_bandwidth(*stream);
}

// The answer always says a number: there are generators that cannot read one without. 65,535 is as much as can be said.
void MuxSession::tell_bandwidth(const Streams::value_type& stream) {
  const std::uint16_t allocated = stream.second.bucket ? stream.second.bucket->rate() : std::uint16_t{0xffff};
  cannot_fail(
      emmg::StreamBandwidth{channel_, stream.first, allocated}.write(out_, version_, emmg::stream_bw_allocation));
}

void MuxSession::reallocate(const BandwidthOf& bandwidth, Instant now) {
  for (auto& stream : streams_) {
    MuxServer::Stream& it = stream.second;
    const std::optional<std::uint16_t> allocated = bandwidth(it.grant.handle);
    const std::optional<std::uint16_t> before = it.bucket ? std::optional(it.bucket->rate()) : std::nullopt;
    if (allocated == before) continue;
    server_.set_bandwidth(it, allocated, now);
    tell_bandwidth(stream);
  }
}

void MuxSession::take_data(const MessageView& message, Instant now) {
  const auto provision = emmg::DataProvision::from(message);
  // Over TCP, they are mandatory (TS 103 197, 6.2.5: only the UDP of 6.3 knows no stream).
  if (!provision.channel_id) return refuse(std::nullopt, Fault{code(Error::missing_parameter), emmg::data_channel_id});
  if (!provision.stream_id) return refuse(std::nullopt, Fault{code(Error::missing_parameter), emmg::data_stream_id});
  if (provision.client_id != channel_.client_id) return refuse(std::nullopt, Error::unknown_client_id);
  if (*provision.channel_id != channel_.channel_id) return refuse(std::nullopt, Error::unknown_channel_id);
  const std::uint16_t id = *provision.stream_id;
  const auto stream = streams_.find(id);
  if (stream == streams_.end()) return refuse(id, Error::unknown_stream_id);
  MuxServer::Stream& it = stream->second;
  if (provision.data_id != it.data_id) return refuse(id, Error::unknown_data_id);
  if (!server_.are_well_formed(message, section_tspkt_flag_))
    return refuse(id, Fault{code(Error::invalid_value), emmg::datagram});
  // All of a message or nothing: a generator that is told 000F knows what to send again.
  if (it.bucket && !it.bucket->pass(emmg::size_of_datagrams(message), now))
    return refuse(id, Error::exceeded_bandwidth);
  server_.deliver(it, message);
}

void MuxSession::close_stream(Streams::iterator stream) {
  const MuxServer::Stream& it = stream->second;
  server_.sink_.close_stream(it.grant.handle);
  server_.by_data_.erase({channel_.client_id, it.data_id, it.data_type});
  --server_.stream_count_;
  streams_.erase(stream);
}

void MuxSession::close_channel() {
  if (!open_) return;
  while (!streams_.empty()) close_stream(streams_.begin());
  open_ = false;
  server_.channels_.erase(channel_);
  if (server_.listener_ != nullptr) server_.listener_->channel_closed(channel_);
}

void MuxSession::refuse(std::optional<std::uint16_t> stream_id, const Fault& fault) {
  emmg::ErrorMessage error;
  error.channel = channel_;
  error.stream_id = stream_id;
  error.statuses[0] = fault.error_status;
  error.status_count = 1;
  const std::uint16_t tag = fault.tag.value_or(0);
  const std::array<std::uint8_t, 2> tag_bytes{static_cast<std::uint8_t>(tag >> 8), static_cast<std::uint8_t>(tag)};
  if (fault.tag) error.information = tag_bytes;
  cannot_fail(error.write(out_, version_));
  if (server_.listener_ == nullptr) return;
  const std::string where = stream_id ? "refused on stream " + std::to_string(*stream_id) : "refused";
  report(Misbehaviour::invalid_message, fault.error_status, where + ": " + fault_sentence(emmg_grammar(), fault));
}

void MuxSession::refuse(std::optional<std::uint16_t> stream_id, Error error) {
  refuse(stream_id, Fault{code(error), {}});
}

void MuxSession::report(Misbehaviour what, std::uint16_t error_status, std::string message) {
  if (server_.listener_ != nullptr)
    server_.listener_->peer_misbehaved(channel_, {what, error_status, std::move(message)}, is_closed());
}

void MuxSession::send_channel_test() {
  cannot_fail(emmg::ChannelMessage{channel_}.write(out_, version_, emmg::channel_test));
}

}  // namespace cas::simulcrypt
