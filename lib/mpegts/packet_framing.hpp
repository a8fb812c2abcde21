// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "mpegts/packet.hpp"

namespace cas::mpegts {

/// What the framing saw. The numbers only rise.
struct FramingCounts {
  std::uint64_t packets = 0;
  std::uint64_t skipped_bytes = 0;  ///< Between packets, and half packets at the end.
  std::uint64_t sync_losses = 0;    ///< After packets had been found.
};

/// Finds the packets in a stream of bytes, however it comes: packets of 188 bytes that start anywhere, with garbage
/// before and between. It believes an alignment when five sync bytes stand 188 bytes apart (TS 101 290, 5.2.1 asks for
/// as many), and leaves it at the first that is missing.
///
///   framing.push(bytes);
///   for (;;) {
///     auto run = framing.next();
///     if (!run) ...           // says why this is no stream for us
///     if (!*run) break;       // more bytes are needed
///     ... **run               // whole packets, to be read and changed in place
///   }
///
/// A run lies in the pushed bytes and is not copied, but for a packet that spans two pushes and the packets by which
/// the alignment was found. Memory is part of the object.
class PacketFraming {
 public:
  /// `bytes` must stay where they are until `next` has nothing more. Only then may more be pushed.
  void push(MutableByteView bytes);
  /// Nothing more will be pushed: the last packets are looked for among less than five. `next` gives them.
  void end();
  /// The next run of whole packets, one after the other, each with its sync byte, in the order of the stream; good
  /// until the next call of `next`. Nothing: more bytes are needed. ErrorKind::unsupported for packets of 192 or 204
  /// bytes, malformed when no packets were found in 64 KiB, or none at all up to the end; the message says what to do.
  /// After an error the next call goes on behind the bytes that it was about.
  [[nodiscard]] Result<std::optional<MutableByteView>> next();

  /// Forgets all that was pushed: another stream starts. The counts stay.
  void reset();
  [[nodiscard]] bool aligned() const { return aligned_; }
  /// Bytes that were pushed and not given yet, nor skipped: of the next packets.
  [[nodiscard]] std::size_t waiting() const { return held_ + input_.size(); }
  [[nodiscard]] const FramingCounts& counts() const { return counts_; }

  static constexpr std::size_t packets_to_align = 5;
  static constexpr std::size_t max_search = 64 * 1024;

 private:
  /// All alignments of the largest packets that are recognised, 204 bytes, and the sync byte behind four of them.
  static constexpr std::size_t window_size = 204 * packets_to_align;

  [[nodiscard]] std::optional<MutableByteView> take_aligned();
  [[nodiscard]] Result<std::optional<MutableByteView>> search();
  [[nodiscard]] Status search_failed();
  [[nodiscard]] std::optional<MutableByteView> use_window(std::size_t offset);
  void fill_window(std::size_t size);
  void skip_in_window(std::size_t count);
  [[nodiscard]] std::optional<std::size_t> find_alignment(std::size_t size) const;
  [[nodiscard]] std::optional<std::size_t> find_last_alignment() const;

  std::array<std::uint8_t, window_size>
      window_{};          ///< While not aligned, where packets are looked for; then half a packet.
  std::size_t held_ = 0;  ///< Bytes in it that have not been given.
  MutableByteView input_;
  bool aligned_ = false;
  bool ended_ = false;
  bool found_ = false;        ///< Packets, since the stream began.
  std::size_t searched_ = 0;  ///< Bytes skipped since the last packet.
  FramingCounts counts_;
};

}  // namespace cas::mpegts
