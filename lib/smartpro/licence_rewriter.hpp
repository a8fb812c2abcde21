// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/file_layout.hpp"
#include "smartpro/licence_bridge.hpp"

namespace cas::smartpro {

/// Takes a protected file from one domain to another as it streams by: new licences come into the slots, and everything
/// else stays. It says of each run of bytes whether it has to see them or whether they go on as they are, so that
/// content is never touched, copied or held.
///
///   in    preamble   header   slot 0   content of period 0   slot 1   content of period 1 ...
///   out   preamble'  header   slot 0'  content of period 0   slot 1'  content of period 1 ...
///
/// The first licence decides the size of the slots in the new file, which stands in its preamble: that of the old file,
/// or more when the licence or the caller needs more. So nothing goes out before the first slot has been read and
/// converted.
///
/// A driver asks `next` while it has bytes, and gives them: to `see`, or to wherever the output goes and their number
/// to `pass`; `finish` at the end. In how many pieces the bytes come makes no difference. What was given out before an
/// error is right. After an error nothing is taken any more: every call gives that error again.
///
/// What it finds of a damaged file is what the sizes tell: it has no keys. A cut is found within the start, a slot, a
/// tag or behind a slot, or where the header states the size of the content; bytes behind the end are found with a
/// stated size. The rest is found by who opens the content. Memory: the start with the first slot, then one slot. One
/// thread at a time.
class LicenceRewriter {
 public:
  /// `converter` makes the new licences, and outlives the rewriter. The new slots have `least_slot_size` bytes at least
  /// (no more than max_licence_slot_size; 0: as needed).
  explicit LicenceRewriter(LicenceConverter& converter, std::uint32_t least_slot_size = 0)
      : converter_(converter), least_slot_size_(least_slot_size) {}

  enum class Action {
    see,   ///< The bytes go to `see`, and what it gives is written in their place.
    pass,  ///< The bytes go on as they are.
  };
  struct Run {
    Action action;
    std::uint64_t size;  ///< At least 1. All bytes of the run are treated alike, whether they come or not.
  };
  /// What becomes of the next bytes, of which there is at least one. ErrorKind::malformed: the file is complete, so
  /// that they do not belong to it.
  [[nodiscard]] Result<Run> next() const;

  /// Takes bytes of a run to see, no more than its size. Gives what is to be written: nothing until the last byte of a
  /// licence slot came, which is converted in this call. Errors: malformed, truncated or unsupported (the file),
  /// exhausted (a licence does not fit into a slot), and what the converter fails with.
  [[nodiscard]] Result<Bytes> see(ByteView bytes);
  /// Whether `see` of so many bytes converts a licence, which may take long.
  [[nodiscard]] bool converts(std::uint64_t size) const;
  /// So many bytes of a run to pass went on.
  [[nodiscard]] Status pass(std::uint64_t size);
  /// The input has ended. ErrorKind::truncated: before the end of the file.
  [[nodiscard]] Status finish() const;

  /// Where the next byte stands in the old file, and where the next one goes in the new file.
  [[nodiscard]] std::uint64_t position_in() const { return position_; }
  [[nodiscard]] std::uint64_t position_out() const { return written_; }
  /// The size of the new file, when the old one has `size_in` bytes. Nothing before the first licence.
  [[nodiscard]] std::optional<std::uint64_t> size_out(std::uint64_t size_in) const;
  /// The header; nothing before it was read.
  [[nodiscard]] const std::optional<ReadHeader>& header() const { return header_; }
  /// Licences that were converted.
  [[nodiscard]] std::uint64_t licences() const { return licences_; }

 private:
  enum class Place { preamble, header, slot, content, end };

  [[nodiscard]] std::uint64_t run_size() const;
  [[nodiscard]] Result<Bytes> take();
  [[nodiscard]] Status read_header();
  [[nodiscard]] Result<Bytes> convert_slot();
  [[nodiscard]] Result<Bytes> new_start(std::size_t content_size);
  void enter_content();
  void leave_content();
  tl::unexpected<Error> failed(Error error);

  LicenceConverter& converter_;
  std::uint32_t least_slot_size_;
  std::optional<Error> failure_;

  Place place_ = Place::preamble;
  Bytes seen_;  // Of the run that is being seen; up to the first slot, of all before it too.
  std::uint64_t position_ = 0;
  std::uint64_t written_ = 0;

  std::optional<ReadHeader> header_;      // As in the old file.
  std::optional<FileLayout> layout_;      // Of the old file.
  std::optional<FileLayout> layout_out_;  // Of the new one.
  std::optional<std::uint64_t> whole_;    // Size of the old file, where its header tells.
  std::uint32_t slot_size_out_ = 0;
  std::uint32_t period_ = 0;
  std::uint64_t content_end_ = 0;  // Of the period, in the old file.
  std::uint64_t licences_ = 0;
};

}  // namespace cas::smartpro
