// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/table_rewriter.hpp"

namespace cas::mpegts {

bool TableRewriter::push(PacketView packet, Bytes& out) {
  if (!has_payload(packet)) return false;
  if (!started_) {  // Who has listened before sees no gap.
    packetiser_ = SectionPacketiser(packetiser_.pid(), continuity_counter(packet));
    started_ = true;
  }
  assembler_.push(packet);
  while (const auto section = assembler_.next())
    for (const ByteView replacement : edit_(*section)) send(replacement, out);
  return true;
}

void TableRewriter::send(ByteView section, Bytes& out) {
  started_ = true;
  // What the assembler has given, or a table has encoded, has the size that it says.
  static_cast<void>(packetiser_.packetise(section, out));
}

}  // namespace cas::mpegts
