// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/packet_framing.hpp"

#include <algorithm>
#include <string>

namespace cas::mpegts {

namespace {

// How many bytes at the front are whole packets that each start with a sync byte.
std::size_t aligned_size(ByteView bytes) {
  std::size_t size = 0;
  while (bytes.size() - size >= packet_size && bytes[size] == sync_byte) size += packet_size;
  return size;
}

const char* remedy_of(std::size_t size) {
  return size == 204
             ? "204 bytes, with 16 bytes of Reed-Solomon code: take these off, so that packets of 188 bytes remain"
             : "192 bytes, with a time stamp of 4 bytes each (M2TS): take these off, for example with tsparse, so that "
               "packets of 188 bytes remain";
}

}  // namespace

void PacketFraming::push(MutableByteView bytes) { input_ = bytes; }

void PacketFraming::end() { ended_ = true; }

void PacketFraming::reset() {
  held_ = 0;
  input_ = {};
  aligned_ = false;
  ended_ = false;
  found_ = false;
  searched_ = 0;
}

void PacketFraming::fill_window(std::size_t size) {
  const std::size_t count = std::min(input_.size(), size > held_ ? size - held_ : 0);
  std::ranges::copy(input_.first(count), window_.begin() + static_cast<std::ptrdiff_t>(held_));
  held_ += count;
  input_ = input_.subspan(count);
}

void PacketFraming::skip_in_window(std::size_t count) {
  std::copy(window_.begin() + static_cast<std::ptrdiff_t>(count), window_.begin() + static_cast<std::ptrdiff_t>(held_),
            window_.begin());
  held_ -= count;
  searched_ += count;
  counts_.skipped_bytes += count;
}

// The first place in the window from which five sync bytes stand `size` apart.
std::optional<std::size_t> PacketFraming::find_alignment(std::size_t size) const {
  for (std::size_t offset = 0; offset + (packets_to_align - 1) * size < held_; ++offset) {
    std::size_t found = 0;
    while (found < packets_to_align && window_[offset + found * size] == sync_byte) ++found;
    if (found == packets_to_align) return offset;
  }
  return std::nullopt;
}

// At the end, where fewer must do: the first place from which a whole packet and then sync bytes stand up to the end.
std::optional<std::size_t> PacketFraming::find_last_alignment() const {
  for (std::size_t offset = 0; offset + packet_size <= held_; ++offset) {
    std::size_t at = offset;
    while (at < held_ && window_[at] == sync_byte) at += packet_size;
    if (at >= held_) return offset;
  }
  return std::nullopt;
}

Result<std::optional<MutableByteView>> PacketFraming::next() {
  for (;;) {
    if (!aligned_) return search();
    const auto run = take_aligned();
    if (run) {
      counts_.packets += run->size() / packet_size;
      return run;
    }
    if (aligned_) return std::optional<MutableByteView>();
  }
}

// Nothing: more bytes are needed, or the alignment is lost.
std::optional<MutableByteView> PacketFraming::take_aligned() {
  if (held_ == 0 && input_.size() >= packet_size) {
    const MutableByteView run = input_.first(aligned_size(input_));
    if (!run.empty()) {
      input_ = input_.subspan(run.size());
      return run;
    }
    aligned_ = false;
  } else {
    fill_window(packet_size);
    if (held_ > 0 && window_[0] != sync_byte) {
      aligned_ = false;
    } else if (held_ == packet_size) {
      held_ = 0;
      return MutableByteView(window_).first(packet_size);
    } else if (ended_ && held_ > 0) {
      skip_in_window(held_);
    }
  }
  if (!aligned_) ++counts_.sync_losses;
  return std::nullopt;
}

Result<std::optional<MutableByteView>> PacketFraming::search() {
  for (;;) {
    fill_window(window_size);
    const bool last = ended_ && input_.empty();
    if (held_ == 0 || (held_ < window_size && !last)) return std::optional<MutableByteView>();
    const auto offset = held_ == window_size ? find_alignment(packet_size) : find_last_alignment();
    if (offset) return use_window(*offset);
    CAS_TRY(search_failed());
  }
}

// Packets start in the window at `offset`: gives the whole ones, and leaves what is behind them.
std::optional<MutableByteView> PacketFraming::use_window(std::size_t offset) {
  counts_.skipped_bytes += offset;
  searched_ = 0;
  aligned_ = true;
  found_ = true;
  const std::size_t size = aligned_size(ByteView(window_).first(held_).subspan(offset));
  const std::size_t behind = held_ - offset - size;
  // That moves to the front, where take_aligned looks for it; the whole ones go behind it.
  std::rotate(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(offset + size),
              window_.begin() + static_cast<std::ptrdiff_t>(held_));
  held_ = behind;
  counts_.packets += size / packet_size;
  return MutableByteView(window_).subspan(behind + offset, size);
}

// Nothing starts in the window: says so when it is time, and makes room.
Status PacketFraming::search_failed() {
  if (held_ < window_size) {
    const std::size_t count = held_;
    skip_in_window(held_);
    if (!found_)
      return fail(ErrorKind::malformed, "no transport packet was found up to the end of the stream, in its last " +
                                            std::to_string(count) + " bytes: give an MPEG-2 transport stream");
    return {};
  }
  for (const std::size_t size : {std::size_t{204}, std::size_t{192}}) {
    if (!find_alignment(size)) continue;
    skip_in_window(held_);
    searched_ = 0;
    return fail(ErrorKind::unsupported, std::string("these transport packets have ") + remedy_of(size));
  }
  // Each place up to here has been tried for each size of packets.
  skip_in_window(window_size - (packets_to_align - 1) * 204);
  if (searched_ < max_search) return {};
  searched_ = 0;
  return fail(ErrorKind::malformed,
              "no transport packets were found in 65536 bytes: sync bytes 47 do not stand 188 bytes apart; "
              "give an MPEG-2 transport stream that is not encrypted as a whole");
}

}  // namespace cas::mpegts
