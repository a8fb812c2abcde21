// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/in_place_table.hpp"

#include <algorithm>

#include "mpegts/section.hpp"

namespace cas::mpegts {

namespace {

/// Of one table, one extension and one number, or of a short section of one table.
bool is_same_part(ByteView a, ByteView b) {
  const auto is_long = [](ByteView section) {
    return section.size() >= long_section_header_size && (section[1] & 0x80);
  };
  if (a.empty() || b.empty() || a[0] != b[0] || is_long(a) != is_long(b)) return false;
  return !is_long(a) || (a[3] == b[3] && a[4] == b[4] && a[6] == b[6]);
}

}  // namespace

InPlaceTable::InPlaceTable(Pid pid, TableRewriter::Edit edit) : edit_(std::move(edit)), packetiser_(pid) {}

void InPlaceTable::add(ByteView section) {
  const auto older = std::ranges::find_if(waiting_, [section](const Bytes& one) { return is_same_part(one, section); });
  if (older != waiting_.end())
    older->assign(section.begin(), section.end());
  else
    waiting_.emplace_back(section.begin(), section.end());
}

void InPlaceTable::rewrite(MutablePacketView packet) {
  if (!started_) {  // Who has listened before sees no gap.
    last_counter_ = static_cast<std::uint8_t>((continuity_counter(packet) + (has_payload(packet) ? 15 : 0)) & 0x0f);
    packetiser_ = SectionPacketiser(pid(), static_cast<std::uint8_t>((last_counter_ + 1) & 0x0f));
    started_ = true;
  }
  if (!has_payload(packet)) return set_continuity_counter(packet, last_counter_);
  assembler_.push(packet);
  while (const auto section = assembler_.next())
    for (const ByteView replacement : edit_(*section)) add(replacement);
  if (sent_ == packets_.size() && !waiting_.empty()) {
    packets_.clear();
    sent_ = 0;
    static_cast<void>(packetiser_.packetise(waiting_.front(), packets_));
    waiting_.pop_front();
  }
  if (sent_ == packets_.size()) return make_null_packet(packet);
  std::copy_n(packets_.begin() + static_cast<std::ptrdiff_t>(sent_), packet_size, packet.begin());
  sent_ += packet_size;
  last_counter_ = continuity_counter(packet);
}

}  // namespace cas::mpegts
