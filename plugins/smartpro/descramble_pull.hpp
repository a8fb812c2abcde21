// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/pool.hpp>

#include <atomic>
#include <memory>

#include "descramble_stream.hpp"
#include "smartpro/protected_reader.hpp"

namespace cas::gst {

/// The bytes of a pad's peer, in pull mode.
class PadSource final : public smartpro::ByteSource {
 public:
  explicit PadSource(GstPad* sink) : sink_(sink) {}
  [[nodiscard]] Result<ByteView> read_at(std::uint64_t offset, std::size_t size) override;
  [[nodiscard]] Result<std::uint64_t> size() override;

  /// What the pad said last: when it is not OK, the failure is the pad's, and upstream has told about it where it must.
  [[nodiscard]] GstFlowReturn flow() const { return flow_; }
  void release();
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  GstPad* const sink_;
  BufferPtr buffer_;
  std::unique_ptr<MappedBuffer> map_;
  GstFlowReturn flow_ = GST_FLOW_OK;
  std::uint64_t bytes_read_ = 0;
};

/// smartpro-descramble on an upstream that can be read at any place: pushes from a task of its own until somebody
/// downstream reads by himself, and serves him then.
///
/// The STREAM_LOCK of the sink pad guards the reader and everything that has no other rule beside it, in the task, in
/// get_range and in seeks.
class DescramblePull {
 public:
  explicit DescramblePull(DescrambleParts& parts) : parts_(parts), source_(parts.sink) {}

  /// Activation of the sink pad in pull mode; `start_task` after that when we drive.
  void activate();
  void deactivate();
  [[nodiscard]] bool start_task();
  /// Downstream reads by itself from now on, or no longer.
  void set_downstream_pulls(bool pulls) { downstream_pulls_ = pulls; }

  [[nodiscard]] GstFlowReturn get_range(std::uint64_t offset, guint length, GstBuffer** buffer);
  [[nodiscard]] bool seek(const SeekRequest& request);
  /// Reads the header, if that has not happened, so that the size is known. For queries: tells nobody about a failure.
  void learn_size();

  /// The body of the task.
  void loop();

 private:
  [[nodiscard]] Status open_reader();
  [[nodiscard]] Status announce();
  void start_stream();
  void announce_licence();
  [[nodiscard]] GstFlowReturn push_next();
  [[nodiscard]] GstFlowReturn read_buffer(std::uint64_t offset, GstBuffer* buffer);
  [[nodiscard]] GstFlowReturn failed(const Error& error);
  void finish(GstFlowReturn flow);

  DescrambleParts& parts_;
  PadSource source_;
  std::unique_ptr<smartpro::ProtectedReader> reader_;
  std::atomic<bool> downstream_pulls_{false};
  bool announced_ = false;       // Stream start and caps.
  bool segment_needed_ = false;  // Before the next buffer.
  bool tags_told_ = false;
  GstSegment segment_{};
  guint32 seqnum_ = 0;
  BufferPoolPtr pool_;
};

}  // namespace cas::gst
