// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <cstdlib>
#include <map>

#include "mpegts/service_descrambler.hpp"

namespace {

using namespace cas;
using namespace cas::mpegts;

void require(bool holds) {
  if (!holds) std::abort();
}

/// A stream out of the input's parts, each a PID (2), a size and that many bytes: a section, whose CRC is set right where
/// it has room for one, or (top bit of the PID) the begin of a packet's payload with its scrambling control.
Bytes stream_of(ByteView input) {
  Bytes stream;
  std::map<Pid, SectionPacketiser> packetisers;
  while (input.size() >= 3) {
    const Pid pid = static_cast<Pid>((input[0] << 8 | input[1]) & pid_mask);
    const unsigned control = input[0] >> 6;
    const std::size_t size = std::min<std::size_t>(input[2], input.size() - 3);
    Bytes part = copy_of(input.subspan(3, size));
    input = input.subspan(3 + size);
    if (control != 0 || part.size() < section_header_size) {
      std::array<std::uint8_t, packet_size> packet{};
      std::copy_n(part.begin(), std::min(part.size(), max_payload_size), packet.begin() + packet_header_size);
      packet[0] = sync_byte;
      packet[3] = static_cast<std::uint8_t>(control << 6 | (size % 3 == 0 ? 0x30 : 0x10));
      set_pid(packet, pid);
      append(stream, packet);
      continue;
    }
    part[1] = static_cast<std::uint8_t>((part[1] & 0xf0) | (part.size() - section_header_size) >> 8);
    part[2] = static_cast<std::uint8_t>(part.size() - section_header_size);
    if (part.size() >= long_section_header_size + crc_size) {
      const std::uint32_t crc = crc32_mpeg2(ByteView(part).first(part.size() - crc_size));
      for (std::size_t i = 0; i < crc_size; ++i)
        part[part.size() - crc_size + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
    }
    static_cast<void>(packetisers.try_emplace(pid, pid).first->second.packetise(part, stream));
  }
  return stream;
}

}  // namespace

// Whatever a stream says: packets stay packets, in number and size, and nothing else than what was scrambled changes but
// maps.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes stream = stream_of({data, size});
  const Bytes before = stream;
  ServiceDescrambler descrambler({.programs = {}, .cipher = TsCipher::cissa});
  descrambler.use_ca_systems({0x4ae1, 0x0b00});
  const SecretBytes word(16);
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t run = std::min<std::size_t>(5 * packet_size, stream.size() - at);
    const auto kept = descrambler.push(MutableByteView(stream).subspan(at, run));
    require(kept.has_value() && *kept == run);
    for (const auto& section : descrambler.sections()) {
      require(section.section.size() >= section_header_size);
      if (section.kind == ServiceDescrambler::Section::Kind::ecm)
        static_cast<void>(
            descrambler.set_word(section.pid, (section.section[0] & 1) != 0 ? Parity::odd : Parity::even, word));
    }
    at += run;
  }
  for (std::size_t at = 0; at < stream.size(); at += packet_size) {
    const PacketView was(before.data() + at, packet_size), is(stream.data() + at, packet_size);
    require(is[0] == sync_byte);
    const bool scrambled = scrambling_control(was) != ScramblingControl::clear;
    require(equal(was, is) || scrambled || pid_of(was) >= first_free_pid);
  }
  return 0;
}
