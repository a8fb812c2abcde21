// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/pointers.hpp>

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/licence_rewriter.hpp"

namespace cas::gst {

/// A protected file in, the same with other licences out: the streaming side of lecm-bridge.
///
/// Buffers of content go on as they are, the very GstBuffer where it holds nothing else; they are neither mapped nor
/// copied. Where larger slots shift what follows, the buffer's offsets change, for which a buffer that others hold gets
/// new metadata around the same memory.
///
/// Everything but the counters belongs to the streaming thread (the sink pad's STREAM_LOCK). No lock is taken here.
/// From within a push or a message, somebody may flush the stream on the same thread: `rewriter_` is another one then.
class BridgeStream {
 public:
  BridgeStream(GstElement* element, GstPad* sink, GstPad* src, smartpro::LicenceConverter& converter);
  BridgeStream(const BridgeStream&) = delete;
  BridgeStream& operator=(const BridgeStream&) = delete;

  /// Before streaming: slots get `least_slot_size` bytes at least (0: as needed). Clears the counters.
  void configure(std::uint32_t least_slot_size);
  /// Forgets the stream: what comes next is the start of a protected file.
  void reset();

  /// A segment event from upstream, which ends here: ours goes out.
  void start_segment(const GstSegment& segment, guint32 seqnum);
  [[nodiscard]] GstFlowReturn push(BufferPtr buffer);
  [[nodiscard]] GstFlowReturn push_list(BufferListPtr list);
  /// Upstream has no more. Posts an error when the file is not whole; what is right has gone out.
  void finish();

  /// For other threads.
  struct Counters {
    std::atomic<std::uint64_t> bytes_in{0};
    std::atomic<std::uint64_t> bytes_out{0};
    std::atomic<std::uint64_t> position{0};  ///< In the new file.
    std::atomic<std::uint64_t> size_out{0};  ///< Of the new file; 0 when not known.
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  [[nodiscard]] GstFlowReturn begin();
  void announce();
  [[nodiscard]] bool passes_whole(std::uint64_t size) const;
  [[nodiscard]] GstFlowReturn take(BufferPtr buffer);
  [[nodiscard]] GstFlowReturn pass(BufferPtr& buffer, std::size_t at, std::size_t size);
  [[nodiscard]] GstFlowReturn see(GstBuffer* buffer, std::size_t at, std::size_t size);
  void learn_size();
  [[nodiscard]] GstFlowReturn emit(BufferPtr buffer, std::uint64_t size);
  [[nodiscard]] GstFlowReturn send_list();
  [[nodiscard]] GstFlowReturn failed(const Error& error);

  GstElement* const element_;
  GstPad* const sink_;
  GstPad* const src_;
  smartpro::LicenceConverter& converter_;
  std::uint32_t least_slot_size_ = 0;

  std::shared_ptr<smartpro::LicenceRewriter> rewriter_;  // Each stream has its own.
  bool announced_ = false;                               // Our caps and segment have gone out.
  guint32 seqnum_ = GST_SEQNUM_INVALID;                  // Of upstream's segment.
  bool starts_elsewhere_ = false;                        // Upstream does not begin with the start of the file.
  bool failed_ = false;
  BufferListPtr list_;  // While a list is taken: what it becomes.

  Counters counters_;
};

}  // namespace cas::gst
