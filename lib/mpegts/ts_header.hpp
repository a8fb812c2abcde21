// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to mpegts/, not installed: what the scramblers read and change of a packet's header.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

/// Transport packets (ISO/IEC 13818-1, 2.4.3), read and changed where they lie.
namespace cas::mpegts {

inline constexpr std::size_t packet_size = 188;
inline constexpr std::size_t packet_header_size = 4;
inline constexpr std::size_t max_payload_size = packet_size - packet_header_size;
inline constexpr std::uint8_t sync_byte = 0x47;

using PacketView = std::span<const std::uint8_t, packet_size>;
using MutablePacketView = std::span<std::uint8_t, packet_size>;
using Pid = std::uint16_t;
inline constexpr Pid null_pid = 0x1fff;

/// transport_scrambling_control as TS 100 289 table 1 uses it.
enum class ScramblingControl : std::uint8_t {
  clear = 0b00,
  reserved = 0b01,
  even = 0b10,
  odd = 0b11,
};

[[nodiscard]] inline Pid pid_of(PacketView packet) { return static_cast<Pid>((packet[1] << 8 | packet[2]) & 0x1fff); }

[[nodiscard]] inline ScramblingControl scrambling_control(PacketView packet) {
  return static_cast<ScramblingControl>(packet[3] >> 6);
}

inline void set_scrambling_control(MutablePacketView packet, ScramblingControl control) {
  packet[3] = static_cast<std::uint8_t>((packet[3] & 0x3f) | static_cast<unsigned>(control) << 6);
}

// adaptation_field_control, table 2-5. The value 00 is reserved, and such a packet has neither.
[[nodiscard]] inline bool has_adaptation_field(PacketView packet) { return (packet[3] & 0x20) != 0; }
[[nodiscard]] inline bool has_payload(PacketView packet) { return (packet[3] & 0x10) != 0; }

/// Where the payload starts, 4 to 187. Nothing: there is none, or the adaptation field leaves it no byte, which it must
/// (adaptation_field_length is 0 to 182 before a payload, 2.4.3.5).
[[nodiscard]] inline std::optional<std::size_t> payload_offset(PacketView packet) {
  if (!has_payload(packet)) return std::nullopt;
  if (!has_adaptation_field(packet)) return packet_header_size;
  if (packet[4] > max_payload_size - 2) return std::nullopt;
  return packet_header_size + 1 + packet[4];
}

}  // namespace cas::mpegts
