// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "simulcrypt/message.hpp"

// The messages of ECMG <-> SCS (TS 103 197, clause 5). A from() reads a message that check() has passed; of any other
// it takes what is there, and zero for the rest. Views point into the message. write() puts the message behind what
// waits in `out`, and fails only with ErrorKind::exhausted, when what it is to carry is longer than a message can be.
namespace cas::simulcrypt::ecmg {

enum MessageType : std::uint16_t {
  channel_setup = 0x0001,
  channel_test = 0x0002,
  channel_status = 0x0003,
  channel_close = 0x0004,
  channel_error = 0x0005,
  stream_setup = 0x0101,
  stream_test = 0x0102,
  stream_status = 0x0103,
  stream_close_request = 0x0104,
  stream_close_response = 0x0105,
  stream_error = 0x0106,
  cw_provision = 0x0201,
  ecm_response = 0x0202,
};

enum ParameterTag : std::uint16_t {
  super_cas_id = 0x0001,
  section_tspkt_flag = 0x0002,
  delay_start = 0x0003,
  delay_stop = 0x0004,
  transition_delay_start = 0x0005,
  transition_delay_stop = 0x0006,
  ecm_rep_period = 0x0007,
  max_streams = 0x0008,
  min_cp_duration = 0x0009,
  lead_cw = 0x000a,
  cw_per_msg = 0x000b,
  max_comp_time = 0x000c,
  access_criteria = 0x000d,
  ecm_channel_id = 0x000e,
  ecm_stream_id = 0x000f,
  nominal_cp_duration = 0x0010,
  access_criteria_transfer_mode = 0x0011,
  cp_number = 0x0012,
  cp_duration = 0x0013,
  cp_cw_combination = 0x0014,
  ecm_datagram = 0x0015,
  ac_delay_start = 0x0016,
  ac_delay_stop = 0x0017,
  cw_encryption = 0x0018,
  ecm_id = 0x0019,
  error_status = 0x7000,
  error_information = 0x7001,
};

/// TS 103 197, 5.6; codes from 0x8000 on are the user's.
enum class Error : std::uint16_t {
  invalid_message = 0x0001,
  unsupported_version = 0x0002,
  unknown_message_type = 0x0003,
  message_too_long = 0x0004,
  unknown_super_cas_id = 0x0005,
  unknown_channel_id = 0x0006,
  unknown_stream_id = 0x0007,
  too_many_channels = 0x0008,
  too_many_streams_on_channel = 0x0009,
  too_many_streams_on_ecmg = 0x000a,
  not_enough_control_words = 0x000b,
  out_of_storage = 0x000c,
  out_of_computation = 0x000d,
  unknown_parameter_type = 0x000e,
  inconsistent_length = 0x000f,
  missing_parameter = 0x0010,
  invalid_value = 0x0011,
  unknown_ecm_id = 0x0012,
  channel_id_in_use = 0x0013,
  stream_id_in_use = 0x0014,
  ecm_id_in_use = 0x0015,
  unknown = 0x7000,
  unrecoverable = 0x7001,
};

/// The most control words that a CW_provision may carry here; the protocol could say 255, ECMGs in use say 1 to 3.
inline constexpr std::size_t max_words = 16;
/// The longest control word, or key material in its place, in bytes.
inline constexpr std::size_t max_word_size = 256;

/// section_TSpkt_flag: what ECM_datagram holds.
enum SectionTspktFlag : std::uint8_t {
  sections = 0x00,
  transport_packets = 0x01,
  binary_messages = 0x02,  ///< OMA BCAST: short term key messages (14.1.1.3.1).
};

struct ChannelSetup {
  std::uint16_t channel_id = 0;
  std::uint32_t super_cas_id = 0;
  [[nodiscard]] static ChannelSetup from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version) const;
};

/// What an ECMG asks of the synchroniser for as long as the channel lives. Delays and times in milliseconds, where a
/// delay that is negative means before the crypto-period; durations of crypto-periods in 100 ms.
struct ChannelParameters {
  std::uint8_t section_tspkt_flag = sections;
  std::optional<std::int16_t> ac_delay_start;
  std::optional<std::int16_t> ac_delay_stop;
  std::int16_t delay_start = 0;
  std::int16_t delay_stop = 0;
  std::optional<std::int16_t> transition_delay_start;
  std::optional<std::int16_t> transition_delay_stop;
  std::uint16_t ecm_rep_period = 100;  ///< ms
  std::uint16_t max_streams = 0;
  std::uint16_t min_cp_duration = 10;  ///< 100 ms
  std::uint8_t lead_cw = 1;
  std::uint8_t cw_per_msg = 2;
  std::uint16_t max_comp_time = 100;  ///< ms
  [[nodiscard]] bool operator==(const ChannelParameters&) const = default;
};

/// The crypto-periods whose words the CW_provision for `cp` carries: n + lead_CW - CW_per_msg + 1 to n + lead_CW,
/// modulo 65,536. Gives the first; there are cw_per_msg.
[[nodiscard]] std::uint16_t first_word_of(std::uint16_t cp, const ChannelParameters& parameters);

struct ChannelStatus {
  std::uint16_t channel_id = 0;
  ChannelParameters parameters;
  [[nodiscard]] static ChannelStatus from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version) const;
};

/// channel_test and channel_close: nothing but the channel.
struct ChannelMessage {
  std::uint16_t channel_id = 0;
  [[nodiscard]] static ChannelMessage from(const MessageView& message);
  /// `type`: channel_test or channel_close.
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version, MessageType type) const;
};

/// stream_test, stream_close_request and stream_close_response: nothing but the stream.
struct StreamMessage {
  std::uint16_t channel_id = 0;
  std::uint16_t stream_id = 0;
  [[nodiscard]] static StreamMessage from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version, MessageType type) const;
};

/// channel_error, and stream_error when it has a stream.
struct ErrorMessage {
  static constexpr std::size_t max_statuses = 8;

  std::uint16_t channel_id = 0;
  std::optional<std::uint16_t> stream_id;
  std::array<std::uint16_t, max_statuses> statuses{};  ///< Further ones are passed over.
  std::size_t status_count = 0;
  ByteView information;  ///< The first error_information.

  [[nodiscard]] std::span<const std::uint16_t> status() const { return {statuses.data(), status_count}; }
  [[nodiscard]] static ErrorMessage from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version) const;
};

struct StreamSetup {
  std::uint16_t channel_id = 0;
  std::uint16_t stream_id = 0;
  std::uint16_t ecm_id = 0;
  std::uint16_t nominal_cp_duration = 0;  ///< 100 ms
  [[nodiscard]] static StreamSetup from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version) const;
};

struct StreamStatus {
  std::uint16_t channel_id = 0;
  std::uint16_t stream_id = 0;
  std::uint16_t ecm_id = 0;
  /// Whether each CW_provision must carry the access criteria, and not only the first and those that change them.
  bool access_criteria_each_time = false;
  [[nodiscard]] static StreamStatus from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version) const;
};

/// A word and the crypto-period that it scrambles. The bytes are secret, and somebody else's.
struct ControlWord {
  std::uint16_t cp_number = 0;
  ByteView word;
};

struct CwProvision {
  std::uint16_t channel_id = 0;
  std::uint16_t stream_id = 0;
  std::uint16_t cp_number = 0;
  std::array<ControlWord, max_words> word_list;
  std::size_t word_count = 0;
  std::optional<std::uint16_t> cp_duration;  ///< 100 ms
  std::optional<ByteView> access_criteria;
  std::optional<ByteView> cw_encryption;

  [[nodiscard]] std::span<const ControlWord> words() const { return {word_list.data(), word_count}; }
  [[nodiscard]] static CwProvision from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version) const;
};

struct EcmResponse {
  std::uint16_t channel_id = 0;
  std::uint16_t stream_id = 0;
  std::uint16_t cp_number = 0;
  ByteView datagram;
  [[nodiscard]] static EcmResponse from(const MessageView& message);
  [[nodiscard]] Status write(ByteQueue& out, std::uint8_t version) const;
};

}  // namespace cas::simulcrypt::ecmg
