// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/section_assembler.hpp"

#include <algorithm>

namespace cas::mpegts {

namespace {

// A packet may be sent twice, with another PCR in the second (2.4.3.3): so payload and header are compared.
bool is_duplicate(PacketView packet, PacketView last) {
  return equal(packet.first(packet_header_size), last.first(packet_header_size)) &&
         equal(payload_of(packet), payload_of(last));
}

}  // namespace

SectionAssembler::SectionAssembler(std::size_t max_size)
    : max_size_(std::clamp(max_size, section_header_size, max_section_size)), buffer_(max_size_) {}

void SectionAssembler::reset() {
  give_up();
  counter_.reset();
}

void SectionAssembler::give_up() {
  filled_ = 0;
  tail_ = {};
  starts_ = {};
  pointed_ = false;
  waits_ = true;
}

// Whether the packet is to be read: its counter follows, or a gap has been noted.
bool SectionAssembler::continues(PacketView packet) {
  const std::uint8_t counter = continuity_counter(packet);
  if (counter_ && !discontinuity_indicator(packet)) {
    if (counter == *counter_ && is_duplicate(packet, last_)) {
      ++counts_.duplicates;
      return false;
    }
    if (counter != ((*counter_ + 1) & 0x0f)) {
      ++counts_.losses;
      give_up();
    }
  } else if (counter_ && counter != ((*counter_ + 1) & 0x0f)) {
    // An announced jump: what has begun may lack its middle all the same.
    give_up();
  }
  counter_ = counter;
  std::ranges::copy(packet, last_.begin());
  return true;
}

void SectionAssembler::push(PacketView packet) {
  tail_ = {};
  starts_ = {};
  pointed_ = false;
  if (has_transport_error(packet) || !adaptation_field_fits(packet)) {
    // 2.4.3.3: not even the PID can be relied on. The counter of the next one tells whether a packet is missing.
    ++counts_.damaged;
    give_up();
    return;
  }
  if (!has_payload(packet)) return;  // 2.4.3.3: such a packet does not count
  if (!continues(packet)) return;
  if (scrambling_control(packet) != ScramblingControl::clear) {
    ++counts_.scrambled;
    give_up();
    return;
  }
  const ByteView payload = payload_of(packet);
  if (!starts_payload_unit(packet)) {
    if (!waits_) tail_ = payload;
    return;
  }
  // 2.4.4.2: pointer_field counts the bytes that follow it, up to the first section that starts in this packet.
  const std::size_t pointer = payload[0];
  if (1 + pointer >= payload.size()) {
    ++counts_.damaged;
    give_up();
    return;
  }
  if (!waits_) tail_ = payload.subspan(1, pointer);
  starts_ = payload.subspan(1 + pointer);
  pointed_ = true;
}

// The size of the section that has begun, with `behind` behind what is there of it. Nothing: not known yet.
std::optional<std::size_t> SectionAssembler::needed(ByteView behind) const {
  if (filled_ + behind.size() < section_header_size) return std::nullopt;
  std::array<std::uint8_t, section_header_size> header{};
  for (std::size_t i = 0; i < header.size(); ++i) header[i] = i < filled_ ? buffer_[i] : behind[i - filled_];
  return section_size_of(header);
}

std::optional<ByteView> SectionAssembler::finish_section() {
  const ByteView tail = std::exchange(tail_, {});
  if (filled_ > 0) {
    const auto size = needed(tail);
    if (size && *size > max_size_) {
      ++counts_.damaged;
      filled_ = 0;
      waits_ = true;
      return std::nullopt;
    }
    // What is behind it is stuffing: a section that starts has a pointer_field of its packet pointing at it (2.4.4).
    const std::size_t taken = size ? std::min(tail.size(), *size - filled_) : tail.size();
    std::ranges::copy(tail.first(taken), buffer_.begin() + static_cast<std::ptrdiff_t>(filled_));
    filled_ += taken;
    if (size && filled_ == *size) {
      filled_ = 0;
      waits_ = true;
      ++counts_.sections;
      return ByteView(buffer_).first(*size);
    }
  }
  if (pointed_ && filled_ > 0) {
    ++counts_.damaged;
    filled_ = 0;
  }
  return std::nullopt;
}

std::optional<ByteView> SectionAssembler::start_section() {
  if (starts_.empty()) return std::nullopt;
  if (starts_[0] == stuffing_table_id) {
    // 2.4.4: from FF in the place of a table_id on there is nothing but stuffing.
    starts_ = {};
    waits_ = true;
    return std::nullopt;
  }
  const auto size = needed(starts_);
  if (size && *size > max_size_) {
    ++counts_.damaged;
    starts_ = {};
    waits_ = true;
    return std::nullopt;
  }
  if (size && *size <= starts_.size()) {
    const ByteView section = starts_.first(*size);
    starts_ = starts_.subspan(*size);
    ++counts_.sections;
    return section;
  }
  std::ranges::copy(starts_, buffer_.begin());
  filled_ = starts_.size();
  starts_ = {};
  waits_ = false;
  return std::nullopt;
}

std::optional<ByteView> SectionAssembler::next() {
  if (!tail_.empty() || (pointed_ && filled_ > 0)) {
    const auto section = finish_section();
    if (section) return section;
  }
  if (!pointed_) return std::nullopt;
  return start_section();
}

}  // namespace cas::mpegts
