// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/bytes.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/section_assembler.hpp"
#include "mpegts/section_packetiser.hpp"
#include "mpegts/table_rewriter.hpp"

namespace cas::mpegts {

/// Rewrites the tables of one PID within the packets that they come in: no packet is added to the stream and none is
/// taken out, so that its bit rate and its clock references stay as they are. A table goes out as soon as it has come in
/// whole and the PID has a packet for it; one in a single packet, as most are, at once. Packets that are not needed
/// become null packets.
class InPlaceTable {
 public:
  /// `edit` as in TableRewriter. Of a table that comes anew before it has gone out, the newer one goes out.
  InPlaceTable(Pid pid, TableRewriter::Edit edit);
  InPlaceTable(const InPlaceTable&) = delete;
  InPlaceTable& operator=(const InPlaceTable&) = delete;

  /// A packet of the PID.
  void rewrite(MutablePacketView packet);
  [[nodiscard]] Pid pid() const { return packetiser_.pid(); }
  /// Sections that wait for packets: as many as the PID has different ones, at most.
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  void add(ByteView section);

  TableRewriter::Edit edit_;
  SectionAssembler assembler_;
  std::deque<Bytes> waiting_;  ///< Sections, the oldest first.
  Bytes packets_;              ///< Of the section that goes out.
  std::size_t sent_ = 0;       ///< Bytes of packets_.
  SectionPacketiser packetiser_;
  bool started_ = false;
  std::uint8_t last_counter_ = 0;
};

}  // namespace cas::mpegts
