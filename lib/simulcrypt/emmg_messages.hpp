// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "simulcrypt/message.hpp"

// The messages of EMMG/PDG <-> MUX (TS 103 197, clause 6). A from() reads a message that check() has passed; of any
// other it takes what is there, and zero for the rest. Views point into the message. write() puts the message behind
// what waits in `out`, and fails only with ErrorKind::exhausted, when what it is to carry is longer than a message can
// be.
namespace cas::simulcrypt::emmg {

enum MessageType : std::uint16_t {
  channel_setup = 0x0011,
  channel_test = 0x0012,
  channel_status = 0x0013,
  channel_close = 0x0014,
  channel_error = 0x0015,
  stream_setup = 0x0111,
  stream_test = 0x0112,
  stream_status = 0x0113,
  stream_close_request = 0x0114,
  stream_close_response = 0x0115,
  stream_error = 0x0116,
  stream_bw_request = 0x0117,
  stream_bw_allocation = 0x0118,
  data_provision = 0x0211,
};

enum ParameterTag : std::uint16_t {
  client_id = 0x0001,
  section_tspkt_flag = 0x0002,
  data_channel_id = 0x0003,
  data_stream_id = 0x0004,
  datagram = 0x0005,
  bandwidth = 0x0006,
  data_type = 0x0007,
  data_id = 0x0008,
  error_status = 0x7000,
  error_information = 0x7001,
};

/// TS 103 197, 6.2.6; codes from 0x8000 on are the user's.
enum class Error : std::uint16_t {
  invalid_message = 0x0001,
  unsupported_version = 0x0002,
  unknown_message_type = 0x0003,
  message_too_long = 0x0004,
  unknown_stream_id = 0x0005,
  unknown_channel_id = 0x0006,
  too_many_channels = 0x0007,
  too_many_streams_on_channel = 0x0008,
  too_many_streams_on_mux = 0x0009,
  unknown_parameter_type = 0x000a,
  inconsistent_length = 0x000b,
  missing_parameter = 0x000c,
  invalid_value = 0x000d,
  unknown_client_id = 0x000e,
  exceeded_bandwidth = 0x000f,
  unknown_data_id = 0x0010,
  channel_id_in_use = 0x0011,
  stream_id_in_use = 0x0012,
  data_id_in_use = 0x0013,
  client_id_in_use = 0x0014,
  unknown = 0x7000,
  unrecoverable = 0x7001,
};

/// section_TSpkt_flag: what a datagram holds.
enum SectionTspktFlag : std::uint8_t {
  sections = 0x00,
  transport_packets = 0x01,
  binary_messages = 0x02,  ///< OMA BCAST: long term key messages (14.1.1.3.4).
};

/// data_type: what a stream carries.
enum DataType : std::uint8_t {
  emm = 0x00,
  private_data = 0x01,
  ecm = 0x02,  ///< Reserved by DVB; a MUX refuses it.
};

/// A channel: each message of the interface names it.
struct ChannelId {
  std::uint32_t client_id = 0;
  std::uint16_t channel_id = 0;
  [[nodiscard]] auto operator<=>(const ChannelId&) const = default;
};

/// channel_setup and channel_status.
struct ChannelSetup {
  ChannelId channel;
  std::uint8_t section_tspkt_flag = sections;
  [[nodiscard]] static ChannelSetup from(const MessageView& message);
  /// `type`: channel_setup or channel_status.
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version, MessageType type) const;
};

/// channel_test and channel_close: nothing but the channel.
struct ChannelMessage {
  ChannelId channel;
  [[nodiscard]] static ChannelMessage from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version, MessageType type) const;
};

/// stream_test, stream_close_request and stream_close_response: nothing but the stream.
struct StreamMessage {
  ChannelId channel;
  std::uint16_t stream_id = 0;
  [[nodiscard]] static StreamMessage from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version, MessageType type) const;
};

/// channel_error, and stream_error when it has a stream.
struct ErrorMessage {
  static constexpr std::size_t max_statuses = 8;

  ChannelId channel;
  std::optional<std::uint16_t> stream_id;
  std::array<std::uint16_t, max_statuses> statuses{};  ///< Further ones are passed over.
  std::size_t status_count = 0;
  ByteView information;  ///< The first error_information.

  [[nodiscard]] std::span<const std::uint16_t> status() const { return {statuses.data(), status_count}; }
  [[nodiscard]] static ErrorMessage from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version) const;
};

/// stream_setup and stream_status.
struct StreamSetup {
  ChannelId channel;
  std::uint16_t stream_id = 0;
  std::uint16_t data_id = 0;
  std::uint8_t data_type = emm;
  [[nodiscard]] static StreamSetup from(const MessageView& message);
  /// `type`: stream_setup or stream_status.
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version, MessageType type) const;
};

/// stream_BW_request and stream_BW_allocation.
struct StreamBandwidth {
  ChannelId channel;
  std::uint16_t stream_id = 0;
  std::optional<std::uint16_t> bandwidth;  ///< kbit/s; a request without it asks what is allocated.
  [[nodiscard]] static StreamBandwidth from(const MessageView& message);
  /// `type`: stream_bw_request or stream_bw_allocation.
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version, MessageType type) const;
};

/// The head of a data_provision; its datagrams are read from the message one by one. Over UDP, channel and stream may
/// be missing.
struct DataProvision {
  std::uint32_t client_id = 0;
  std::optional<std::uint16_t> channel_id;
  std::optional<std::uint16_t> stream_id;
  std::uint16_t data_id = 0;
  [[nodiscard]] static DataProvision from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version, std::span<const ByteView> datagrams) const;
};

/// The sum of the sizes of the datagrams of a data_provision, in bytes.
[[nodiscard]] std::size_t size_of_datagrams(const MessageView& message);

}  // namespace cas::simulcrypt::emmg
