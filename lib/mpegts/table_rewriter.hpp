// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/section_assembler.hpp"
#include "mpegts/section_packetiser.hpp"

namespace cas::mpegts {

/// Takes the place of one PID that carries tables: each section that has come in whole goes out again, at the moment
/// when it has, as it was or as somebody says. The continuity counter is that of what goes out.
class TableRewriter {
 public:
  /// What stands in the place of a section, which may be damaged (its CRC has not been looked at): itself, others (good
  /// until the next call), or nothing.
  using Edit = std::function<std::vector<ByteView>(ByteView section)>;

  TableRewriter(Pid pid, Edit edit) : edit_(std::move(edit)), assembler_(max_section_size), packetiser_(pid) {}

  /// A packet of the PID. False: it has no payload, and goes its way as it is. Otherwise it is not needed any more, and
  /// what goes out for it, mostly nothing, is appended to `out`.
  [[nodiscard]] bool push(PacketView packet, Bytes& out);
  /// More sections on the PID, now.
  void send(ByteView section, Bytes& out);

  [[nodiscard]] Pid pid() const { return packetiser_.pid(); }

 private:
  Edit edit_;
  SectionAssembler assembler_;
  SectionPacketiser packetiser_;
  bool started_ = false;
};

}  // namespace cas::mpegts
