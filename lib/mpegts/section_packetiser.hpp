// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "mpegts/packet.hpp"

namespace cas::mpegts {

/// Puts what is sent on one PID into packets, with a continuity counter that runs on from call to call.
class SectionPacketiser {
 public:
  /// `counter`: that of the first packet.
  explicit SectionPacketiser(Pid pid, std::uint8_t counter = 0)
      : pid_(pid & pid_mask), counter_(static_cast<std::uint8_t>(counter & 0x0f)) {}

  [[nodiscard]] Pid pid() const { return pid_; }

  /// Appends the packets of these sections, which stand back to back; behind the last, its packet is filled with FF.
  /// `out` grows when it has no room: who calls often keeps it. ErrorKind::malformed for a section whose section_length
  /// is not its size, or that starts with FF; nothing is appended then, and the counter stays.
  [[nodiscard]] Status packetise(std::span<const ByteView> sections, Bytes& out);
  /// One section, in packets of its own.
  [[nodiscard]] Status packetise(ByteView section, Bytes& out) { return packetise({&section, 1}, out); }

  /// Sections as ECMs and EMMs come in TS 103 197: back to back in one piece. ErrorKind as `packetise`, and truncated
  /// when the last one is not whole.
  [[nodiscard]] Status packetise_datagram(ByteView sections, Bytes& out);

  /// Packets that another has made, as ECMs and EMMs come in TS 103 197 when section_TSpkt_flag says packets: gives
  /// them this PID and the running counter, in place. ErrorKind::malformed when they are not whole packets in the clear
  /// with sync bytes and adaptation fields that fit; nothing has changed then.
  [[nodiscard]] Status stamp(MutableByteView packets);

 private:
  [[nodiscard]] std::uint8_t next_counter() {
    const std::uint8_t counter = counter_;
    counter_ = static_cast<std::uint8_t>((counter_ + 1) & 0x0f);
    return counter;
  }

  Pid pid_;
  std::uint8_t counter_;  ///< Of the next packet with a payload.
};

/// How many packets `packetise` makes of one section of `size` bytes: the first has room for 183, the others for 184.
[[nodiscard]] constexpr std::size_t packets_for_section(std::size_t size) {
  return (size + 1 + max_payload_size - 1) / max_payload_size;
}

}  // namespace cas::mpegts
