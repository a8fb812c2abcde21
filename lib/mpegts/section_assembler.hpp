// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "mpegts/packet.hpp"
#include "mpegts/section.hpp"

namespace cas::mpegts {

/// What happened on a PID. The numbers only rise.
struct SectionCounts {
  std::uint64_t sections = 0;    ///< Complete ones that were given.
  std::uint64_t duplicates = 0;  ///< Packets that were sent twice, as 13818-1 allows (2.4.3.3).
  std::uint64_t losses = 0;      ///< Gaps of the continuity counter.
  std::uint64_t scrambled = 0;   ///< Packets whose payload cannot be read.
  std::uint64_t damaged = 0;     ///< Packets or sections that cannot be what they say; transport errors.
};

/// Takes the sections out of the packets of one PID (13818-1, 2.4.4). What is given has the size that its header says
/// and nothing more: form and CRC are the reader's to check. A section with a gap in it is never given: after a loss or
/// damage it goes on with the next section that a pointer_field points at.
///
///   assembler.push(packet);
///   while (const auto section = assembler.next()) ...
///
/// Memory is taken once, at creation. A section that lies in one packet is given without copying.
class SectionAssembler {
 public:
  /// `max_size`: longer sections are damage; at most max_section_size.
  explicit SectionAssembler(std::size_t max_size = max_section_size);

  /// The next packet of the PID, which the caller has chosen. It must stay as it is until `next` has nothing more.
  void push(PacketView packet);
  /// A section that has become complete, good until the next call of `next` or `push`; nothing: more packets are
  /// needed.
  [[nodiscard]] std::optional<ByteView> next();

  /// Forgets what has begun: the stream starts anew.
  void reset();
  [[nodiscard]] const SectionCounts& counts() const { return counts_; }

 private:
  [[nodiscard]] bool continues(PacketView packet);
  void give_up();
  [[nodiscard]] std::optional<std::size_t> needed(ByteView behind) const;
  [[nodiscard]] std::optional<ByteView> finish_section();
  [[nodiscard]] std::optional<ByteView> start_section();

  std::size_t max_size_;
  Bytes buffer_;            ///< As large as the longest section.
  std::size_t filled_ = 0;  ///< Bytes in it of a section that has begun.
  ByteView tail_;           ///< Of the packet: what may belong to the section that has begun.
  ByteView starts_;         ///< Of the packet: from where the pointer_field points.
  bool pointed_ = false;    ///< The packet has a pointer_field: what has begun ends before it.
  bool waits_ = true;       ///< For a pointer_field.
  std::optional<std::uint8_t> counter_;
  std::array<std::uint8_t, packet_size> last_{};  ///< The last packet with a payload, to know its duplicate.
  SectionCounts counts_;
};

}  // namespace cas::mpegts
