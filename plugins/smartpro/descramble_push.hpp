// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/held_buffers.hpp>
#include <gst/cas/pointers.hpp>
#include <gst/cas/pool.hpp>

#include <cstdint>
#include <optional>
#include <vector>

#include "descramble_stream.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::gst {

/// smartpro-descramble on an upstream that pushes: takes the protected file apart as it comes, and seeks upstream when
/// downstream seeks, or when a licence stands far from the segment that is wanted.
///
/// Everything belongs to the streaming thread (STREAM_LOCK of the sink pad), but `shared_`, which the object lock
/// guards. Downstream may seek from within a push (qtdemux does, for a moov at the end): then flush events and a new
/// position come while a push of ours is still on the stack. `epoch_` tells afterwards that the stream is another one.
class DescramblePush {
 public:
  explicit DescramblePush(DescrambleParts& parts) : parts_(parts) {}

  void reset();

  /// A segment event from upstream, which ends here.
  void start_segment(const GstSegment& segment, guint32 seqnum);
  /// A serialized event that nobody has to look at: goes on, behind our caps and segment if those have not gone out.
  [[nodiscard]] gboolean pass_on(EventPtr event);
  /// False when the flush was our own, and downstream must not see it.
  [[nodiscard]] bool flush_start(guint32 seqnum);
  [[nodiscard]] bool flush_stop(guint32 seqnum);
  /// Upstream has no more: delivers the rest. True: the end-of-stream event goes on.
  [[nodiscard]] bool finish();

  [[nodiscard]] GstFlowReturn push(BufferPtr buffer);
  [[nodiscard]] GstFlowReturn push_list(GstBufferList* list);

  /// Any thread.
  [[nodiscard]] bool seek(const SeekRequest& request);

 private:
  /// What stands at the front of the held bytes. `place`: to be computed for `next_segment_`.
  enum class Expecting { header, place, slot, segment, end };

  /// A position in the file that upstream was asked for.
  struct Jump {
    guint32 seqnum = 0;
    std::uint64_t offset = 0;
    [[nodiscard]] bool is(guint32 other, std::uint64_t start) const { return seqnum == other || offset == start; }
  };
  struct PendingSeek {
    Jump jump;
    GstSegment segment{};
    std::uint64_t first_segment = 0;
  };
  struct Shared {
    std::optional<smartpro::FileLayout> layout;  // Once content may be sought.
    std::optional<std::uint32_t> period;         // Whose key is at hand.
    GstSegment segment{};
    std::optional<PendingSeek> seek;
    std::optional<Jump> own_jump;
  };

  /// What became of a step: go on with the next one, wait for more bytes, or leave with a flow.
  struct Step {
    enum { next, more, leave } what;
    GstFlowReturn flow = GST_FLOW_OK;
  };

  // descramble_push.cpp: from bytes to segments.
  [[nodiscard]] GstFlowReturn process(bool at_end);
  [[nodiscard]] Step step(bool at_end);
  [[nodiscard]] Step read_header(bool at_end);
  [[nodiscard]] Step find_place(bool at_end);
  [[nodiscard]] Step read_slot(bool at_end);
  [[nodiscard]] Step read_segment(bool at_end);
  [[nodiscard]] Result<BufferPtr> open_segment();
  [[nodiscard]] Status open_into(MutableByteView plain);
  void compare_with_header(GstBuffer* plain, bool last);
  [[nodiscard]] Step jump_to(std::uint64_t offset);
  [[nodiscard]] Step failed(const Error& error);
  [[nodiscard]] Error cut_here() const;
  void learn_size();
  void drop(std::size_t size);

  // descramble_push_output.cpp: what goes downstream.
  [[nodiscard]] GstFlowReturn output(BufferPtr plain);
  [[nodiscard]] GstFlowReturn push_untyped();
  [[nodiscard]] GstFlowReturn push_content(BufferPtr plain);
  void announce();

  DescrambleParts& parts_;

  HeldBuffers held_;
  std::uint64_t file_position_ = 0;  // Where the first held byte stands in the file.
  std::uint64_t skip_to_ = 0;        // What stands before it is dropped.
  Expecting expecting_ = Expecting::header;
  std::uint64_t epoch_ = 0;
  bool position_unknown_ = false;  // Upstream started somewhere before the header was known.
  bool nothing_came_ = true;       // Since upstream started here.
  std::optional<Error> behind_;    // What is wrong behind the segment that was opened last.

  std::optional<smartpro::ReadHeader> header_;
  std::optional<smartpro::FileLayout> layout_;
  std::optional<smartpro::SegmentCipher> cipher_;
  std::uint32_t period_ = 0;  // Of `cipher_`.
  std::uint64_t next_segment_ = 0;
  BufferPoolPtr pool_;

  GstSegment segment_{};  // Of the content.
  guint32 seqnum_ = GST_SEQNUM_INVALID;
  bool segment_needed_ = true;
  bool tags_sent_ = false;
  CapsPtr caps_;                    // Of the content, once known and sent.
  std::vector<BufferPtr> untyped_;  // Content that waits for its type.
  std::size_t untyped_size_ = 0;
  std::vector<EventPtr> early_events_;

  Shared shared_;
};

}  // namespace cas::gst
