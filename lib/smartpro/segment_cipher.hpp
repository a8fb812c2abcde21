// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "smartpro/file_header.hpp"

namespace cas::smartpro {

/// Scrambles and descrambles the segments of one key period.
///
///   key  = KBKDF-CMAC(control word, "SmartPRO content", file id (16) || period (4) || cipher (1)), 16 bytes
///   gcm  nonce = segment number in the file as 12 bytes; associated data = 1 byte: 1 for the last segment of the file, else 0;
///        the tag stands behind the content. (The STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015.)
///   ctr  counter block of a content byte = IV (8) || number of its 16-byte block in the period (8), where
///        IV = KBKDF-CMAC(control word, "SmartPRO counter", file id (16) || period (4) || cipher (1)), 8 bytes
///
/// With the file id in the derivation one control word never makes one key stream for two files. seal and open take no
/// memory, as long as the pieces are at most 64. One thread at a time.
class SegmentCipher {
 public:
  /// `control_word` has 16 bytes; `header` is one that FileHeader::check() accepts.
  [[nodiscard]] static Result<SegmentCipher> create(const FileHeader& header, const SecretBytes& control_word,
                                                    std::uint32_t period);
  ~SegmentCipher();
  SegmentCipher(SegmentCipher&&) noexcept;
  SegmentCipher& operator=(SegmentCipher&&) noexcept;

  /// Content in pieces (which lie anywhere in memory, one after the other in the content) to stored bytes: `stored` has
  /// the content's size plus the tag's. Every segment but the last of the file has segment_size bytes; only the last
  /// one of an empty file has none. A single piece may start where `stored` does. Segments go in ascending order, each
  /// once: another order is refused with ErrorKind::invalid_argument, since two contents under one nonce give the key
  /// stream away.
  [[nodiscard]] Status seal(std::uint64_t segment, bool last, std::span<const ByteView> plain, MutableByteView stored);

  /// Stored bytes in pieces to content; `plain` has the stored bytes' size less the tag's, and may start where a single
  /// piece does. With gcm, ErrorKind::authentication_failed when anything was changed; nothing of `plain` is to be used
  /// then (it has been cleansed).
  [[nodiscard]] Status open(std::uint64_t segment, bool last, std::span<const ByteView> stored, MutableByteView plain);

  /// As open(), for a full segment of which nobody has said yet whether it is the last one. Gives whether the writer
  /// sealed it as the last: a full segment at the end of a file that was not so sealed shows that the file was cut
  /// there; one that was, with bytes behind it, shows that they do not belong to the file. Costs a second attempt only
  /// when `expected_last` is wrong. `plain` must not overlap `stored`. With ctr nothing can be told, and the answer is
  /// `expected_last`.
  [[nodiscard]] Result<bool> open_either(std::uint64_t segment, bool expected_last, std::span<const ByteView> stored,
                                         MutableByteView plain);

 private:
  struct State;
  explicit SegmentCipher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::smartpro
