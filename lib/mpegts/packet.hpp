// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.hpp"

/// Transport packets (ISO/IEC 13818-1, 2.4.3), read and changed where they lie. Nothing here allocates, waits or fails
/// with a sentence: these functions are called for each packet. Each works on exactly 188 bytes that start with a sync
/// byte; who gives them has looked at that (packet_framing.hpp).
namespace cas::mpegts {

inline constexpr std::size_t packet_size = 188;
inline constexpr std::size_t packet_header_size = 4;
/// A packet without an adaptation field carries this many bytes.
inline constexpr std::size_t max_payload_size = packet_size - packet_header_size;
inline constexpr std::uint8_t sync_byte = 0x47;

using PacketView = std::span<const std::uint8_t, packet_size>;
using MutablePacketView = std::span<std::uint8_t, packet_size>;

/// A packet identifier: 13 bits.
using Pid = std::uint16_t;
/// What a PID that is written is: 13 bits.
inline constexpr Pid pid_mask = 0x1fff;
inline constexpr std::size_t number_of_pids = 0x2000;

// PIDs that are given (ISO/IEC 13818-1 table 2-3, EN 300 468 table 1).
inline constexpr Pid pat_pid = 0x0000;
inline constexpr Pid cat_pid = 0x0001;
inline constexpr Pid nit_pid = 0x0010;
inline constexpr Pid sdt_pid = 0x0011;
inline constexpr Pid null_pid = 0x1fff;
/// A program map, an elementary stream, or ECMs and EMMs may have the PIDs from here up to the null packet's.
inline constexpr Pid first_free_pid = 0x0010;

/// transport_scrambling_control as EN 300 468 and TS 100 289 table 1 use it.
enum class ScramblingControl : std::uint8_t {
  clear = 0b00,
  reserved = 0b01,
  even = 0b10,
  odd = 0b11,
};

[[nodiscard]] inline bool has_transport_error(PacketView packet) { return (packet[1] & 0x80) != 0; }

/// payload_unit_start_indicator.
[[nodiscard]] inline bool starts_payload_unit(PacketView packet) { return (packet[1] & 0x40) != 0; }

[[nodiscard]] inline Pid pid_of(PacketView packet) { return static_cast<Pid>((packet[1] << 8 | packet[2]) & pid_mask); }

/// `pid`: of more than 13 bits the lower ones are taken.
inline void set_pid(MutablePacketView packet, Pid pid) {
  packet[1] = static_cast<std::uint8_t>((packet[1] & 0xe0) | (pid >> 8 & 0x1f));
  packet[2] = static_cast<std::uint8_t>(pid);
}

[[nodiscard]] inline ScramblingControl scrambling_control(PacketView packet) {
  return static_cast<ScramblingControl>(packet[3] >> 6);
}

inline void set_scrambling_control(MutablePacketView packet, ScramblingControl control) {
  packet[3] = static_cast<std::uint8_t>((packet[3] & 0x3f) | static_cast<unsigned>(control) << 6);
}

/// 0 to 15.
[[nodiscard]] inline std::uint8_t continuity_counter(PacketView packet) { return packet[3] & 0x0f; }

/// `counter`: the lower four bits are taken.
inline void set_continuity_counter(MutablePacketView packet, std::uint8_t counter) {
  packet[3] = static_cast<std::uint8_t>((packet[3] & 0xf0) | (counter & 0x0f));
}

// adaptation_field_control, table 2-5. The value 00 is reserved, and such a packet has neither.
[[nodiscard]] inline bool has_adaptation_field(PacketView packet) { return (packet[3] & 0x20) != 0; }
[[nodiscard]] inline bool has_payload(PacketView packet) { return (packet[3] & 0x10) != 0; }

/// Whether adaptation_field_length is one that the packet may have: 0 to 182 before a payload, 183 without one
/// (2.4.3.5). True of a packet without an adaptation field.
[[nodiscard]] inline bool adaptation_field_fits(PacketView packet) {
  if (!has_adaptation_field(packet)) return true;
  return has_payload(packet) ? packet[4] <= max_payload_size - 2 : packet[4] == max_payload_size - 1;
}

/// Where the payload starts, 4 to 187. Nothing: there is none, or the adaptation field does not fit.
[[nodiscard]] inline std::optional<std::size_t> payload_offset(PacketView packet) {
  if (!has_payload(packet) || !adaptation_field_fits(packet)) return std::nullopt;
  if (!has_adaptation_field(packet)) return packet_header_size;
  return packet_header_size + 1 + packet[4];
}

/// The payload, 1 to 184 bytes; empty where payload_offset has nothing.
[[nodiscard]] inline ByteView payload_of(PacketView packet) {
  const auto offset = payload_offset(packet);
  return offset ? ByteView(packet).subspan(*offset) : ByteView();
}
[[nodiscard]] inline MutableByteView mutable_payload_of(MutablePacketView packet) {
  const auto offset = payload_offset(packet);
  return offset ? MutableByteView(packet).subspan(*offset) : MutableByteView();
}

namespace detail {
/// The byte of flags of an adaptation field; 0 when it has none or does not fit.
[[nodiscard]] inline std::uint8_t adaptation_flags(PacketView packet) {
  if (!has_adaptation_field(packet) || !adaptation_field_fits(packet) || packet[4] == 0) return 0;
  return packet[5];
}
}  // namespace detail

[[nodiscard]] inline bool discontinuity_indicator(PacketView packet) {
  return (detail::adaptation_flags(packet) & 0x80) != 0;
}
[[nodiscard]] inline bool random_access_indicator(PacketView packet) {
  return (detail::adaptation_flags(packet) & 0x40) != 0;
}

/// What program clock references and stream times count in.
inline constexpr std::uint64_t clock_hz = 27'000'000;
/// A program clock reference is a number below this: 33 bits of 90 kHz, each of 300 ticks (2.4.2.2).
inline constexpr std::uint64_t pcr_modulus = (std::uint64_t{1} << 33) * 300;

/// The program clock reference in ticks of 27 MHz, below pcr_modulus. Nothing: the packet has none, or it is damaged:
/// the field does not fit, or its extension is 300 or more, which no clock gives (2.4.2.2, equation 2-3).
[[nodiscard]] inline std::optional<std::uint64_t> pcr_of(PacketView packet) {
  constexpr std::uint8_t flags_and_pcr = 7;
  if ((detail::adaptation_flags(packet) & 0x10) == 0 || packet[4] < flags_and_pcr) return std::nullopt;
  const std::uint64_t base = std::uint64_t{packet[6]} << 25 | std::uint64_t{packet[7]} << 17 |
                             std::uint64_t{packet[8]} << 9 | std::uint64_t{packet[9]} << 1 | packet[10] >> 7;
  const std::uint64_t extension = static_cast<std::uint64_t>(packet[10] & 1) << 8 | packet[11];
  if (extension >= 300) return std::nullopt;
  return base * 300 + extension;
}

/// Puts another program clock reference (taken modulo pcr_modulus) in the place of the packet's; its reserved bits
/// stay. False, and nothing has changed: the packet has none that pcr_of would read.
[[nodiscard]] inline bool set_pcr(MutablePacketView packet, std::uint64_t pcr) {
  if (!pcr_of(packet)) return false;
  pcr %= pcr_modulus;
  const std::uint64_t base = pcr / 300;
  const std::uint64_t extension = pcr % 300;
  packet[6] = static_cast<std::uint8_t>(base >> 25);
  packet[7] = static_cast<std::uint8_t>(base >> 17);
  packet[8] = static_cast<std::uint8_t>(base >> 9);
  packet[9] = static_cast<std::uint8_t>(base >> 1);
  packet[10] = static_cast<std::uint8_t>((base & 1) << 7 | (packet[10] & 0x7eU) | extension >> 8);
  packet[11] = static_cast<std::uint8_t>(extension);
  return true;
}

/// Adds `delta` ticks of 27 MHz, which may be negative, to the packet's program clock reference, modulo pcr_modulus.
/// False, and nothing has changed: the packet has none.
[[nodiscard]] inline bool restamp_pcr(MutablePacketView packet, std::int64_t delta) {
  const auto pcr = pcr_of(packet);
  if (!pcr) return false;
  constexpr auto modulus = static_cast<std::int64_t>(pcr_modulus);
  const std::int64_t forward = (delta % modulus + modulus) % modulus;
  return set_pcr(packet, *pcr + static_cast<std::uint64_t>(forward));
}

/// Makes the packet a null packet (2.4.3.3): PID 1FFF, payload of FF, counter 0.
inline void make_null_packet(MutablePacketView packet) {
  std::ranges::fill(packet, std::uint8_t{0xff});
  packet[0] = sync_byte;
  packet[1] = static_cast<std::uint8_t>(null_pid >> 8);
  packet[2] = static_cast<std::uint8_t>(null_pid & 0xff);
  packet[3] = 0x10;
}

/// Makes the packet one of `pid` that carries nothing: an adaptation field of stuffing alone. `counter` is that of the
/// packet of this PID before it, since packets without payload do not count (2.4.3.3).
inline void make_stuffing_packet(MutablePacketView packet, Pid pid, std::uint8_t counter) {
  std::ranges::fill(packet, std::uint8_t{0xff});
  packet[0] = sync_byte;
  packet[1] = static_cast<std::uint8_t>(pid >> 8 & 0x1f);
  packet[2] = static_cast<std::uint8_t>(pid);
  packet[3] = static_cast<std::uint8_t>(0x20 | (counter & 0x0f));
  packet[4] = max_payload_size - 1;
  packet[5] = 0;
}

}  // namespace cas::mpegts
