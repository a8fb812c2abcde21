// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "smartpro/file_header.hpp"

namespace cas::smartpro {

/// Bytes behind the content of each segment: 16 with aes-128-gcm, none with aes-128-ctr.
[[nodiscard]] std::uint32_t segment_tag_size(ContentCipher cipher);

/// Where everything in a protected file is: pure arithmetic over
///
///   segment_offset(i) = body_offset + slot_size * (period(i) + 1) + stored_size * i
///   slot_offset(p)    = body_offset + (slot_size + stored_size * period_segments) * p
///
/// with period(i) = i / period_segments, or 0. There are at most 2^32 periods, and a file has at most 2^63 - 1 bytes.
/// Offsets that would lie beyond 64 bits are given as the largest number, which lies in no file. Immutable: any thread.
class FileLayout {
 public:
  /// `header` is one that FileHeader::check() accepts, as a parsed one is.
  FileLayout(const FileHeader& header, std::uint64_t body_offset);

  [[nodiscard]] std::uint32_t segment_size() const { return segment_size_; }        ///< Content bytes.
  [[nodiscard]] std::uint32_t stored_segment_size() const { return stored_size_; }  ///< With tag.
  [[nodiscard]] std::uint32_t tag_size() const { return stored_size_ - segment_size_; }
  [[nodiscard]] std::uint32_t slot_size() const { return slot_size_; }
  [[nodiscard]] std::uint64_t segment_of(std::uint64_t plain_offset) const { return plain_offset / segment_size_; }
  [[nodiscard]] std::uint32_t period_of(std::uint64_t segment) const;
  [[nodiscard]] bool starts_period(std::uint64_t segment) const;
  /// File offset of a segment's stored bytes, of a period's licence slot.
  [[nodiscard]] std::uint64_t segment_offset(std::uint64_t segment) const;
  [[nodiscard]] std::uint64_t slot_offset(std::uint32_t period) const;

  /// The size of a file with so much content. ErrorKind::exhausted: that needs more periods or bytes than a file can
  /// have.
  [[nodiscard]] Result<std::uint64_t> file_size(std::uint64_t plain_size) const;

  /// What a file of this size holds, as far as its size tells.
  struct Extent {
    std::uint64_t plain_size = 0;       ///< Content bytes, the last segment's included.
    std::uint64_t segments = 0;         ///< Segments, the last included; 0 when the file ends before the first segment.
    std::uint32_t last_plain_size = 0;  ///< Content bytes in the last segment.
    /// No whole file has this size: it ends before the first segment, within a slot or behind it, or so early in a
    /// segment that no content of it is there. What is counted above are the whole segments before that.
    bool cut = false;

    bool operator==(const Extent&) const = default;
  };
  [[nodiscard]] Extent extent(std::uint64_t file_size) const;

 private:
  std::uint32_t segment_size_;
  std::uint32_t stored_size_;
  std::uint32_t period_segments_;
  std::uint32_t slot_size_;
  std::uint64_t body_offset_;
};

}  // namespace cas::smartpro
