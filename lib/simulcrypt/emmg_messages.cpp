// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/emmg_messages.hpp"

namespace cas::simulcrypt::emmg {

namespace {

std::uint16_t u16_or_0(const MessageView& message, ParameterTag tag) { return message.u16(tag).value_or(0); }

ChannelId channel_of(const MessageView& message) {
  return {message.u32(client_id).value_or(0), u16_or_0(message, data_channel_id)};
}

void write_channel(MessageWriter& writer, const ChannelId& channel) {
  writer.u32(client_id, channel.client_id).u16(data_channel_id, channel.channel_id);
}

}  // namespace

ChannelSetup ChannelSetup::from(const MessageView& message) {
  return {channel_of(message), message.u8(emmg::section_tspkt_flag).value_or(0)};
}

Status ChannelSetup::write(ByteQueue& out, std::uint8_t version, MessageType type) const {
  MessageWriter writer(out, version, type);
  write_channel(writer, channel);
  writer.u8(emmg::section_tspkt_flag, section_tspkt_flag);
  return writer.finish();
}

ChannelMessage ChannelMessage::from(const MessageView& message) { return {channel_of(message)}; }

Status ChannelMessage::write(ByteQueue& out, std::uint8_t version, MessageType type) const {
  MessageWriter writer(out, version, type);
  write_channel(writer, channel);
  return writer.finish();
}

StreamMessage StreamMessage::from(const MessageView& message) {
  return {channel_of(message), u16_or_0(message, data_stream_id)};
}

Status StreamMessage::write(ByteQueue& out, std::uint8_t version, MessageType type) const {
  MessageWriter writer(out, version, type);
  write_channel(writer, channel);
  writer.u16(data_stream_id, stream_id);
  return writer.finish();
}

ErrorMessage ErrorMessage::from(const MessageView& message) {
  ErrorMessage error;
  error.channel = channel_of(message);
  error.stream_id = message.u16(data_stream_id);
  for (const Parameter& parameter : message)
    if (parameter.tag == error_status && parameter.value.size() == 2 && error.status_count < max_statuses)
      error.statuses[error.status_count++] = static_cast<std::uint16_t>(parameter.value[0] << 8 | parameter.value[1]);
  error.information = message.find(error_information).value_or(ByteView());
  return error;
}

Status ErrorMessage::write(ByteQueue& out, std::uint8_t version) const {
  MessageWriter writer(out, version, stream_id ? stream_error : channel_error);
  write_channel(writer, channel);
  if (stream_id) writer.u16(data_stream_id, *stream_id);
  for (const std::uint16_t each : status()) writer.u16(error_status, each);
  if (!information.empty()) writer.bytes(error_information, information);
  return writer.finish();
}

StreamSetup StreamSetup::from(const MessageView& message) {
  return {channel_of(message), u16_or_0(message, data_stream_id), u16_or_0(message, emmg::data_id),
          message.u8(emmg::data_type).value_or(0)};
}

Status StreamSetup::write(ByteQueue& out, std::uint8_t version, MessageType type) const {
  MessageWriter writer(out, version, type);
  write_channel(writer, channel);
  writer.u16(data_stream_id, stream_id).u16(emmg::data_id, data_id).u8(emmg::data_type, data_type);
  return writer.finish();
}

StreamBandwidth StreamBandwidth::from(const MessageView& message) {
  return {channel_of(message), u16_or_0(message, data_stream_id), message.u16(emmg::bandwidth)};
}

Status StreamBandwidth::write(ByteQueue& out, std::uint8_t version, MessageType type) const {
  MessageWriter writer(out, version, type);
  write_channel(writer, channel);
  writer.u16(data_stream_id, stream_id);
  if (bandwidth) writer.u16(emmg::bandwidth, *bandwidth);
  return writer.finish();
}

DataProvision DataProvision::from(const MessageView& message) {
  return {message.u32(emmg::client_id).value_or(0), message.u16(data_channel_id), message.u16(data_stream_id),
          u16_or_0(message, emmg::data_id)};
}

Status DataProvision::write(ByteQueue& out, std::uint8_t version, std::span<const ByteView> datagrams) const {
  MessageWriter writer(out, version, data_provision);
  writer.u32(emmg::client_id, client_id);
  if (channel_id) writer.u16(data_channel_id, *channel_id);
  if (stream_id) writer.u16(data_stream_id, *stream_id);
  writer.u16(emmg::data_id, data_id);
  for (const ByteView each : datagrams) writer.bytes(datagram, each);
  return writer.finish();
}

std::size_t size_of_datagrams(const MessageView& message) {
  std::size_t size = 0;
  for (const Parameter& parameter : message)
    if (parameter.tag == datagram) size += parameter.value.size();
  return size;
}

}  // namespace cas::simulcrypt::emmg
