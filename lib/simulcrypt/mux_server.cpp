// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/mux_server.hpp"

#include <algorithm>

#include "simulcrypt/bcast/profile.hpp"

namespace cas::simulcrypt {

void MuxServerListener::channel_opened(const emmg::ChannelId&) {}
void MuxServerListener::channel_closed(const emmg::ChannelId&) {}
void MuxServerListener::peer_misbehaved(const emmg::ChannelId&, const Problem&, bool) {}

MuxServer::MuxServer(const MuxServerSettings& settings, DataSink& sink, MuxServerListener* listener)
    : settings_(settings), sink_(sink), listener_(listener) {}

MuxServer::~MuxServer() {
  for (const auto& [key, stream] : udp_streams_) sink_.close_stream(stream.grant.handle);
}

// 1 kbit/s is a bit in a millisecond.
std::size_t MuxServer::depth_of(std::uint16_t kbit_per_second) const {
  const auto burst = static_cast<std::size_t>(std::max<std::int64_t>(settings_.burst.count(), 0));
  return std::max(kbit_per_second * burst / 8, settings_.least_burst);
}

MuxServer::Stream MuxServer::make_stream(const DataStreamGrant& grant, Instant now) const {
  Stream stream;
  stream.grant = grant;
  set_bandwidth(stream, grant.bandwidth, now);
  return stream;
}

void MuxServer::set_bandwidth(Stream& stream, std::optional<std::uint16_t> kbit_per_second, Instant now) const {
  if (!kbit_per_second)
    stream.bucket.reset();
  else if (stream.bucket)
    stream.bucket->set(*kbit_per_second, depth_of(*kbit_per_second), now);
  else
    stream.bucket.emplace(*kbit_per_second, depth_of(*kbit_per_second), now);
}

void MuxServer::reallocate(const BandwidthOf& bandwidth, Instant now) {
  for (auto& [key, stream] : udp_streams_) set_bandwidth(stream, bandwidth(stream.grant.handle), now);
}

bool MuxServer::are_well_formed(const MessageView& message, std::uint8_t section_tspkt_flag) const {
  for (const Parameter& each : message)
    if (each.tag == emmg::datagram && !is_well_formed_datagram(section_tspkt_flag, each.value)) return false;
  return true;
}

void MuxServer::deliver(const Stream& stream, const MessageView& message) {
  for (const Parameter& each : message)
    if (each.tag == emmg::datagram && !each.value.empty()) sink_.take_datagram(stream.grant.handle, each.value);
}

std::map<MuxServer::DataKey, MuxServer::Stream>::iterator MuxServer::close_udp_stream(
    std::map<DataKey, Stream>::iterator stream) {
  sink_.close_stream(stream->second.grant.handle);
  by_data_.erase(stream->first);
  --stream_count_;
  return udp_streams_.erase(stream);
}

void MuxServer::tick(Instant now) {
  for (auto stream = udp_streams_.begin(); stream != udp_streams_.end();)
    stream = now >= stream->second.last_heard + settings_.udp_time_out ? close_udp_stream(stream) : std::next(stream);
}

MuxServer::Stream* MuxServer::find_udp_stream(const emmg::DataProvision& provision, Instant now) {
  for (const std::uint8_t type : {emmg::emm, emmg::private_data}) {
    const auto found = by_data_.find({provision.client_id, provision.data_id, type});
    if (found == by_data_.end()) continue;
    const Stream& stream = *found->second;
    // Channel and stream may be missing; when they are there, they are those that were set up.
    const bool fits =
        !stream.stream_id || ((!provision.channel_id || *provision.channel_id == stream.channel.channel_id) &&
                              (!provision.stream_id || *provision.stream_id == *stream.stream_id));
    if (fits) return found->second;
  }
  if (stream_count_ >= settings_.max_streams) return nullptr;
  // 14.1.1.3.4 of OMA BCAST, as for channels.
  if (settings_.binary_messages && !bcast::may_broadcast_ltkms(provision.client_id)) return nullptr;
  const DataKey key{provision.client_id, provision.data_id, emmg::emm};
  if (by_data_.contains(key)) return nullptr;
  const std::uint8_t form = settings_.binary_messages ? emmg::binary_messages : emmg::sections;
  auto grant = sink_.open_stream({provision.client_id, std::nullopt, std::nullopt, provision.data_id, emmg::emm, form});
  if (!grant) return nullptr;
  if (settings_.binary_messages) grant->section_tspkt_flag = emmg::binary_messages;
  Stream& stream = udp_streams_.emplace(key, make_stream(*grant, now)).first->second;
  stream.data_id = provision.data_id;
  stream.last_heard = now;
  by_data_.emplace(key, &stream);
  ++stream_count_;
  return &stream;
}

UdpOutcome MuxServer::receive_datagram(ByteView bytes, Instant now) {
  if (bytes.size() < message_header_size) return UdpOutcome::malformed;
  const MessageHeader header = read_message_header(bytes);
  const ByteView body = bytes.subspan(message_header_size);
  if (header.type != emmg::data_provision || header.length != body.size() || body.size() > settings_.longest_message)
    return UdpOutcome::malformed;
  const CheckedMessage checked = check(emmg_grammar(), header, body);
  if (checked.fault) return UdpOutcome::malformed;
  const MessageView& message = *checked.message;
  Stream* const stream = find_udp_stream(emmg::DataProvision::from(message), now);
  if (stream == nullptr) return UdpOutcome::refused;
  if (!are_well_formed(message, stream->grant.section_tspkt_flag)) return UdpOutcome::malformed;
  if (stream->bucket && !stream->bucket->pass(emmg::size_of_datagrams(message), now))
    return UdpOutcome::exceeded_bandwidth;
  stream->last_heard = now;
  deliver(*stream, message);
  return UdpOutcome::taken;
}

}  // namespace cas::simulcrypt
