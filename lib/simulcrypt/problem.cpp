// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/problem.hpp"

namespace cas::simulcrypt {

namespace {

constexpr std::size_t packet_size = 188;
constexpr std::uint8_t sync_byte = 0x47;

bool are_packets(ByteView datagram) {
  if (datagram.size() % packet_size != 0) return false;
  for (std::size_t at = 0; at < datagram.size(); at += packet_size)
    if (datagram[at] != sync_byte) return false;
  return true;
}

// ISO/IEC 13818-1, 2.4.4.11: section_length counts what follows it; private sections have at most 4,093 there.
bool are_sections(ByteView datagram) {
  while (!datagram.empty()) {
    if (datagram.size() < 3) return false;
    const std::size_t length = static_cast<std::size_t>((datagram[1] & 0x0f) << 8 | datagram[2]);
    if (length > 4093 || length > datagram.size() - 3) return false;
    datagram = datagram.subspan(3 + length);
  }
  return true;
}

}  // namespace

bool is_well_formed_datagram(std::uint8_t section_tspkt_flag, ByteView datagram) {
  if (section_tspkt_flag == 0) return are_sections(datagram);
  if (section_tspkt_flag == 1) return are_packets(datagram);
  return section_tspkt_flag == 2;
}

}  // namespace cas::simulcrypt
