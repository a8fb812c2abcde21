// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_messages.hpp"

namespace cas::simulcrypt::ecmg {

namespace {

std::uint16_t u16_or_0(const MessageView& message, ParameterTag tag) { return message.u16(tag).value_or(0); }

std::optional<std::int16_t> signed_16(const MessageView& message, ParameterTag tag) {
  const auto value = message.u16(tag);
  if (!value) return std::nullopt;
  return static_cast<std::int16_t>(*value);
}

void write_signed(MessageWriter& writer, ParameterTag tag, std::optional<std::int16_t> value) {
  if (value) writer.u16(tag, static_cast<std::uint16_t>(*value));
}

}  // namespace

std::uint16_t first_word_of(std::uint16_t cp, const ChannelParameters& parameters) {
  return static_cast<std::uint16_t>(cp + parameters.lead_cw - parameters.cw_per_msg + 1);
}

ChannelSetup ChannelSetup::from(const MessageView& message) {
  return {u16_or_0(message, ecm_channel_id), message.u32(ecmg::super_cas_id).value_or(0)};
}

Status ChannelSetup::write(ByteQueue& out, std::uint8_t version) const {
  MessageWriter writer(out, version, channel_setup);
  writer.u16(ecm_channel_id, channel_id).u32(ecmg::super_cas_id, super_cas_id);
  return writer.finish();
}

ChannelStatus ChannelStatus::from(const MessageView& message) {
  ChannelStatus status;
  status.channel_id = u16_or_0(message, ecm_channel_id);
  ChannelParameters& p = status.parameters;
  p.section_tspkt_flag = message.u8(ecmg::section_tspkt_flag).value_or(0);
  p.ac_delay_start = signed_16(message, ecmg::ac_delay_start);
  p.ac_delay_stop = signed_16(message, ecmg::ac_delay_stop);
  p.delay_start = signed_16(message, ecmg::delay_start).value_or(0);
  p.delay_stop = signed_16(message, ecmg::delay_stop).value_or(0);
  p.transition_delay_start = signed_16(message, ecmg::transition_delay_start);
  p.transition_delay_stop = signed_16(message, ecmg::transition_delay_stop);
  p.ecm_rep_period = u16_or_0(message, ecmg::ecm_rep_period);
  p.max_streams = u16_or_0(message, ecmg::max_streams);
  p.min_cp_duration = u16_or_0(message, ecmg::min_cp_duration);
  p.lead_cw = message.u8(ecmg::lead_cw).value_or(0);
  p.cw_per_msg = message.u8(ecmg::cw_per_msg).value_or(0);
  p.max_comp_time = u16_or_0(message, ecmg::max_comp_time);
  return status;
}

Status ChannelStatus::write(ByteQueue& out, std::uint8_t version) const {
  MessageWriter writer(out, version, channel_status);
  const ChannelParameters& p = parameters;
  writer.u16(ecm_channel_id, channel_id).u8(ecmg::section_tspkt_flag, p.section_tspkt_flag);
  write_signed(writer, ecmg::ac_delay_start, p.ac_delay_start);
  write_signed(writer, ecmg::ac_delay_stop, p.ac_delay_stop);
  write_signed(writer, ecmg::delay_start, p.delay_start);
  write_signed(writer, ecmg::delay_stop, p.delay_stop);
  write_signed(writer, ecmg::transition_delay_start, p.transition_delay_start);
  write_signed(writer, ecmg::transition_delay_stop, p.transition_delay_stop);
  writer.u16(ecmg::ecm_rep_period, p.ecm_rep_period).u16(ecmg::max_streams, p.max_streams);
  writer.u16(ecmg::min_cp_duration, p.min_cp_duration).u8(ecmg::lead_cw, p.lead_cw);
  writer.u8(ecmg::cw_per_msg, p.cw_per_msg).u16(ecmg::max_comp_time, p.max_comp_time);
  return writer.finish();
}

ChannelMessage ChannelMessage::from(const MessageView& message) { return {u16_or_0(message, ecm_channel_id)}; }

Status ChannelMessage::write(ByteQueue& out, std::uint8_t version, MessageType type) const {
  MessageWriter writer(out, version, type);
  writer.u16(ecm_channel_id, channel_id);
  return writer.finish();
}

StreamMessage StreamMessage::from(const MessageView& message) {
  return {u16_or_0(message, ecm_channel_id), u16_or_0(message, ecm_stream_id)};
}

Status StreamMessage::write(ByteQueue& out, std::uint8_t version, MessageType type) const {
  MessageWriter writer(out, version, type);
  writer.u16(ecm_channel_id, channel_id).u16(ecm_stream_id, stream_id);
  return writer.finish();
}

ErrorMessage ErrorMessage::from(const MessageView& message) {
  ErrorMessage error;
  error.channel_id = u16_or_0(message, ecm_channel_id);
  error.stream_id = message.u16(ecm_stream_id);
  for (const Parameter& parameter : message)
    if (parameter.tag == error_status && parameter.value.size() == 2 && error.status_count < max_statuses)
      error.statuses[error.status_count++] = static_cast<std::uint16_t>(parameter.value[0] << 8 | parameter.value[1]);
  error.information = message.find(error_information).value_or(ByteView());
  return error;
}

Status ErrorMessage::write(ByteQueue& out, std::uint8_t version) const {
  MessageWriter writer(out, version, stream_id ? stream_error : channel_error);
  writer.u16(ecm_channel_id, channel_id);
  if (stream_id) writer.u16(ecm_stream_id, *stream_id);
  for (const std::uint16_t each : status()) writer.u16(error_status, each);
  if (!information.empty()) writer.bytes(error_information, information);
  return writer.finish();
}

StreamSetup StreamSetup::from(const MessageView& message) {
  return {u16_or_0(message, ecm_channel_id), u16_or_0(message, ecm_stream_id), u16_or_0(message, ecmg::ecm_id),
          u16_or_0(message, ecmg::nominal_cp_duration)};
}

Status StreamSetup::write(ByteQueue& out, std::uint8_t version) const {
  MessageWriter writer(out, version, stream_setup);
  writer.u16(ecm_channel_id, channel_id).u16(ecm_stream_id, stream_id);
  writer.u16(ecmg::ecm_id, ecm_id).u16(ecmg::nominal_cp_duration, nominal_cp_duration);
  return writer.finish();
}

StreamStatus StreamStatus::from(const MessageView& message) {
  return {u16_or_0(message, ecm_channel_id), u16_or_0(message, ecm_stream_id), u16_or_0(message, ecmg::ecm_id),
          message.u8(access_criteria_transfer_mode).value_or(0) != 0};
}

Status StreamStatus::write(ByteQueue& out, std::uint8_t version) const {
  MessageWriter writer(out, version, stream_status);
  writer.u16(ecm_channel_id, channel_id).u16(ecm_stream_id, stream_id).u16(ecmg::ecm_id, ecm_id);
  writer.u8(access_criteria_transfer_mode, access_criteria_each_time ? 1 : 0);
  return writer.finish();
}

// One walk through the parameters: this is the message that an ECMG gets all day.
CwProvision CwProvision::from(const MessageView& message) {
  CwProvision provision;
  for (const Parameter& parameter : message) {
    const ByteView value = parameter.value;
    const std::uint16_t number =
        value.size() >= 2 ? static_cast<std::uint16_t>(value[0] << 8 | value[1]) : std::uint16_t{0};
    switch (parameter.tag) {
      case ecm_channel_id: provision.channel_id = number; break;
      case ecm_stream_id: provision.stream_id = number; break;
      case ecmg::cp_number: provision.cp_number = number; break;
      case ecmg::cp_duration: provision.cp_duration = number; break;
      case ecmg::access_criteria: provision.access_criteria = value; break;
      case ecmg::cw_encryption: provision.cw_encryption = value; break;
      case cp_cw_combination:
        if (value.size() > 2 && provision.word_count < max_words)
          provision.word_list[provision.word_count++] = {number, value.subspan(2)};
        break;
      default: break;
    }
  }
  return provision;
}

Status CwProvision::write(ByteQueue& out, std::uint8_t version) const {
  MessageWriter writer(out, version, cw_provision);
  writer.u16(ecm_channel_id, channel_id).u16(ecm_stream_id, stream_id).u16(ecmg::cp_number, cp_number);
  if (cw_encryption) writer.bytes(ecmg::cw_encryption, *cw_encryption);
  for (const ControlWord& each : words()) {
    const std::array<std::uint8_t, 2> cp{static_cast<std::uint8_t>(each.cp_number >> 8),
                                         static_cast<std::uint8_t>(each.cp_number)};
    writer.bytes(cp_cw_combination, cp, each.word);
  }
  if (cp_duration) writer.u16(ecmg::cp_duration, *cp_duration);
  if (access_criteria) writer.bytes(ecmg::access_criteria, *access_criteria);
  return writer.finish();
}

EcmResponse EcmResponse::from(const MessageView& message) {
  return {u16_or_0(message, ecm_channel_id), u16_or_0(message, ecm_stream_id), u16_or_0(message, ecmg::cp_number),
          message.find(ecm_datagram).value_or(ByteView())};
}

Status EcmResponse::write(ByteQueue& out, std::uint8_t version) const {
  MessageWriter writer(out, version, ecm_response);
  writer.u16(ecm_channel_id, channel_id).u16(ecm_stream_id, stream_id).u16(ecmg::cp_number, cp_number);
  writer.bytes(ecm_datagram, datagram);
  return writer.finish();
}

}  // namespace cas::simulcrypt::ecmg
