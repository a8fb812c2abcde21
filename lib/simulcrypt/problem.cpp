// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/problem.hpp"

#include "mpegts/packet.hpp"

namespace cas::simulcrypt {

namespace {

// Who multiplexes gives them another PID and counter; what is scrambled or damaged already, nobody could use.
bool are_packets(ByteView datagram) {
  if (datagram.size() % mpegts::packet_size != 0) return false;
  for (; !datagram.empty(); datagram = datagram.subspan(mpegts::packet_size)) {
    const auto packet = datagram.first<mpegts::packet_size>();
    if (packet[0] != mpegts::sync_byte || mpegts::has_transport_error(packet) ||
        mpegts::scrambling_control(packet) != mpegts::ScramblingControl::clear ||
        !mpegts::adaptation_field_fits(packet))
      return false;
  }
  return true;
}

// ISO/IEC 13818-1, 2.4.4.11: section_length counts what follows it; private sections have at most 4,093 there.
// 2.4.4: FF in the place of a table_id is stuffing.
bool are_sections(ByteView datagram) {
  while (!datagram.empty()) {
    if (datagram.size() < 3 || datagram[0] == 0xff) return false;
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
