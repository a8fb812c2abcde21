// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/section_packetiser.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "mpegts/section.hpp"

namespace cas::mpegts {

namespace {

Status check_section(ByteView section) {
  if (section.size() < section_header_size || section.size() != section_size_of(section.first<section_header_size>()))
    return fail(ErrorKind::malformed, "a section of " + std::to_string(section.size()) +
                                          " bytes has another section_length: it cannot be put into packets");
  if (section.size() > max_section_size)
    return fail(ErrorKind::malformed, "a section of " + std::to_string(section.size()) +
                                          " bytes cannot be put into packets: 4096 is the most");
  if (section[0] == stuffing_table_id)
    return fail(ErrorKind::malformed, "a section has the table_id FF, which means stuffing: choose another");
  return {};
}

// The bytes of sections one after the other.
class SectionRun {
 public:
  explicit SectionRun(std::span<const ByteView> sections) : sections_(sections) {}

  [[nodiscard]] bool empty() const { return sections_.empty(); }
  /// How much is left of a section of which something was taken.
  [[nodiscard]] std::size_t begun() const { return taken_ == 0 ? 0 : sections_.front().size() - taken_; }
  [[nodiscard]] bool has_more_than_begun() const { return sections_.size() > (taken_ == 0 ? 0U : 1U); }

  /// Fills `room` with what comes next, and stuffing when nothing does.
  void take(MutableByteView room) {
    while (!room.empty() && !sections_.empty()) room = room.subspan(take_of_first(room));
    std::ranges::fill(room, stuffing_table_id);
  }
  /// Fills `room` with the rest of what has begun, then stuffing.
  void finish(MutableByteView room) {
    room = room.subspan(take_of_first(room));
    std::ranges::fill(room, stuffing_table_id);
  }

 private:
  std::size_t take_of_first(MutableByteView room) {
    const ByteView section = sections_.front();
    const std::size_t count = std::min(room.size(), section.size() - taken_);
    std::ranges::copy(section.subspan(taken_, count), room.begin());
    taken_ += count;
    if (taken_ == section.size()) {
      sections_ = sections_.subspan(1);
      taken_ = 0;
    }
    return count;
  }

  std::span<const ByteView> sections_;
  std::size_t taken_ = 0;  ///< Of the first.
};

}  // namespace

Status SectionPacketiser::packetise(std::span<const ByteView> sections, Bytes& out) {
  for (const ByteView section : sections) CAS_TRY(check_section(section));
  SectionRun run(sections);
  while (!run.empty()) {
    const std::size_t at = out.size();
    out.resize(at + packet_size);
    const MutableByteView packet = MutableByteView(out).subspan(at);
    // A section starts in this packet when, besides the pointer_field, one byte of it has room (2.4.4.2).
    const std::size_t begun = run.begun();
    const bool starts = run.has_more_than_begun() && begun + 1 < max_payload_size;
    packet[0] = sync_byte;
    packet[1] = static_cast<std::uint8_t>((starts ? 0x40 : 0) | pid_ >> 8);
    packet[2] = static_cast<std::uint8_t>(pid_);
    packet[3] = static_cast<std::uint8_t>(0x10 | next_counter());
    if (starts) {
      packet[4] = static_cast<std::uint8_t>(begun);
      run.take(packet.subspan(packet_header_size + 1));
    } else {
      run.finish(packet.subspan(packet_header_size));
    }
  }
  return {};
}

Status SectionPacketiser::packetise_datagram(ByteView sections, Bytes& out) {
  std::vector<ByteView> each;
  while (!sections.empty()) {
    const std::size_t size = sections.size() < section_header_size
                                 ? section_header_size
                                 : section_size_of(sections.first<section_header_size>());
    if (size > sections.size())
      return fail(ErrorKind::truncated, "sections that came in one piece end within a section");
    each.push_back(sections.first(size));
    sections = sections.subspan(size);
  }
  return packetise(each, out);
}

Status SectionPacketiser::stamp(MutableByteView packets) {
  if (packets.size() % packet_size != 0)
    return fail(ErrorKind::malformed, std::to_string(packets.size()) +
                                          " bytes are no whole number of transport packets: send packets of 188 bytes");
  const auto packet_at = [&](std::size_t at) { return packets.subspan(at).first<packet_size>(); };
  for (std::size_t at = 0; at < packets.size(); at += packet_size) {
    const MutablePacketView packet = packet_at(at);
    if (packet[0] != sync_byte || has_transport_error(packet) || !adaptation_field_fits(packet) ||
        scrambling_control(packet) != ScramblingControl::clear)
      return fail(ErrorKind::malformed, "packet " + std::to_string(at / packet_size) +
                                            " has no sync byte, is scrambled or damaged: it cannot be sent on");
  }
  for (std::size_t at = 0; at < packets.size(); at += packet_size) {
    const MutablePacketView packet = packet_at(at);
    set_pid(packet, pid_);
    // 2.4.3.3: only packets with a payload count; another repeats the number before it.
    set_continuity_counter(packet,
                           has_payload(packet) ? next_counter() : static_cast<std::uint8_t>((counter_ + 15) & 0x0f));
  }
  return {};
}

}  // namespace cas::mpegts
