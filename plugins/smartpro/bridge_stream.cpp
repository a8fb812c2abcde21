// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bridge_stream.hpp"

#include <gst/cas/element_error.hpp>

#include <algorithm>
#include <utility>

#include "elements.hpp"

GST_DEBUG_CATEGORY_EXTERN(lecm_bridge_debug);
#define GST_CAT_DEFAULT lecm_bridge_debug

namespace cas::gst {

namespace {

/// A bridge takes a file apart, and sees no content: damage of the file's form is no matter of decryption here.
ErrorCode error_code_on_bridging(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::malformed:
    case ErrorKind::truncated:
    case ErrorKind::unsupported: return {GST_STREAM_ERROR, GST_STREAM_ERROR_DEMUX};
    case ErrorKind::exhausted: return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT};
    default: return error_code_on_content(kind);
  }
}

/// Part of a buffer, around the same memory.
BufferPtr region(GstBuffer* buffer, std::size_t at, std::size_t size) {
  BufferPtr part(gst_buffer_copy_region(buffer, GST_BUFFER_COPY_ALL, at, size));
  if (part && at > 0) GST_BUFFER_FLAG_UNSET(part.get(), GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_RESYNC);
  return part;
}

/// Copies bytes of a buffer. False when a memory that they lie in cannot be mapped; no other one is touched.
bool copy_out(GstBuffer* buffer, std::size_t at, MutableByteView out) {
  guint index = 0;
  guint count = 0;
  gsize skip = 0;
  if (!gst_buffer_find_memory(buffer, at, out.size(), &index, &count, &skip)) return false;
  for (; !out.empty(); ++index, skip = 0) {
    GstMemory* memory = gst_buffer_peek_memory(buffer, index);
    GstMapInfo map = GST_MAP_INFO_INIT;
    if (!gst_memory_map(memory, &map, GST_MAP_READ)) return false;
    const ByteView there = ByteView(map.data, map.size).subspan(skip);
    const std::size_t part = std::min(there.size(), out.size());
    std::copy_n(there.begin(), part, out.begin());
    gst_memory_unmap(memory, &map);
    out = out.subspan(part);
  }
  return true;
}

void shift_offsets(BufferPtr& buffer, std::uint64_t shift) {
  if (shift == 0 || (!GST_BUFFER_OFFSET_IS_VALID(buffer.get()) && !GST_BUFFER_OFFSET_END_IS_VALID(buffer.get())))
    return;
  buffer.reset(gst_buffer_make_writable(buffer.release()));
  if (GST_BUFFER_OFFSET_IS_VALID(buffer.get())) GST_BUFFER_OFFSET(buffer.get()) += shift;
  if (GST_BUFFER_OFFSET_END_IS_VALID(buffer.get())) GST_BUFFER_OFFSET_END(buffer.get()) += shift;
}

void set_offsets(GstBuffer* buffer, std::uint64_t offset, std::uint64_t size) {
  GST_BUFFER_OFFSET(buffer) = offset;
  GST_BUFFER_OFFSET_END(buffer) = offset + size;
}

}  // namespace

BridgeStream::BridgeStream(GstElement* element, GstPad* sink, GstPad* src, smartpro::LicenceConverter& converter)
    : element_(element), sink_(sink), src_(src), converter_(converter) {
  reset();
}

void BridgeStream::configure(std::uint32_t least_slot_size) {
  least_slot_size_ = least_slot_size;
  counters_.bytes_in = 0;
  counters_.bytes_out = 0;
  reset();
}

void BridgeStream::reset() {
  rewriter_ = std::make_shared<smartpro::LicenceRewriter>(converter_, least_slot_size_);
  announced_ = false;
  seqnum_ = GST_SEQNUM_INVALID;
  starts_elsewhere_ = false;
  failed_ = false;
  list_.reset();
  counters_.position = 0;
  counters_.size_out = 0;
}

void BridgeStream::start_segment(const GstSegment& segment, guint32 seqnum) {
  const bool bytes = segment.format == GST_FORMAT_BYTES;
  const std::uint64_t start = bytes ? segment.start : 0;
  // On from where it was. Who counts no bytes goes nowhere else without a flush or a new stream.
  if (announced_ && !starts_elsewhere_ && (!bytes || start == rewriter_->position_in())) return;
  reset();
  starts_elsewhere_ = start != 0;
  seqnum_ = seqnum;
  announce();
}

void BridgeStream::announce() {
  if (std::exchange(announced_, true)) return;
  const CapsPtr caps(gst_caps_new_empty_simple(smartpro_media_type));
  gst_pad_push_event(src_, gst_event_new_caps(caps.get()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  GstEvent* event = gst_event_new_segment(&segment);
  if (seqnum_ != GST_SEQNUM_INVALID) gst_event_set_seqnum(event, seqnum_);
  gst_pad_push_event(src_, event);
}

/// Before anything that comes.
GstFlowReturn BridgeStream::begin() {
  if (failed_) return GST_FLOW_ERROR;
  if (starts_elsewhere_)
    return failed({ErrorKind::malformed,
                   "the stream does not start where a protected file does, so that its header is not known"});
  announce();
  return GST_FLOW_OK;
}

/// Whether so many bytes go on as they come.
bool BridgeStream::passes_whole(std::uint64_t size) const {
  const auto run = rewriter_->next();
  return run && run->action == smartpro::LicenceRewriter::Action::pass && size <= run->size;
}

GstFlowReturn BridgeStream::push(BufferPtr buffer) {
  const GstFlowReturn flow = begin();
  return flow == GST_FLOW_OK ? take(std::move(buffer)) : flow;
}

GstFlowReturn BridgeStream::push_list(BufferListPtr list) {
  if (const GstFlowReturn flow = begin(); flow != GST_FLOW_OK) return flow;
  const std::uint64_t size = gst_buffer_list_calculate_size(list.get());
  if (size > 0 && passes_whole(size) && rewriter_->position_in() == rewriter_->position_out()) {
    counters_.bytes_in += size;
    if (const Status passed = rewriter_->pass(size); !passed) return failed(passed.error());
    counters_.bytes_out += size;
    counters_.position += size;
    return gst_pad_push_list(src_, list.release());
  }
  const auto stream = rewriter_;
  list_.reset(gst_buffer_list_new_sized(gst_buffer_list_length(list.get())));
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint i = 0; i < gst_buffer_list_length(list.get()) && flow == GST_FLOW_OK; ++i) {
    flow = take(BufferPtr(gst_buffer_ref(gst_buffer_list_get(list.get(), i))));
    if (stream != rewriter_) return flow;
  }
  if (flow == GST_FLOW_OK) flow = send_list();
  if (stream == rewriter_) list_.reset();
  return flow;
}

GstFlowReturn BridgeStream::take(BufferPtr buffer) {
  const std::size_t size = gst_buffer_get_size(buffer.get());
  counters_.bytes_in += size;
  const auto stream = rewriter_;  // Kept, whatever happens while it works.
  for (std::size_t at = 0; at < size;) {
    const auto run = stream->next();
    if (!run) return failed(run.error());
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(size - at, run->size));
    const bool passes = run->action == smartpro::LicenceRewriter::Action::pass;
    const GstFlowReturn flow = passes ? pass(buffer, at, part) : see(buffer.get(), at, part);
    if (flow != GST_FLOW_OK || stream != rewriter_) return flow;
    at += part;
  }
  return GST_FLOW_OK;
}

/// Content. A buffer that is nothing else is taken.
GstFlowReturn BridgeStream::pass(BufferPtr& buffer, std::size_t at, std::size_t size) {
  const std::uint64_t offset = rewriter_->position_out();
  const std::uint64_t shift = offset - rewriter_->position_in();
  if (const Status passed = rewriter_->pass(size); !passed) return failed(passed.error());
  if (size == gst_buffer_get_size(buffer.get())) {
    shift_offsets(buffer, shift);
    return emit(std::move(buffer), size);
  }
  BufferPtr part = region(buffer.get(), at, size);
  if (!part) return failed({ErrorKind::internal, "a buffer could not be divided"});
  set_offsets(part.get(), offset, size);
  return emit(std::move(part), size);
}

/// Preamble, header or a licence slot.
GstFlowReturn BridgeStream::see(GstBuffer* buffer, std::size_t at, std::size_t size) {
  const auto stream = rewriter_;
  if (stream->converts(size)) {
    // What is right goes out before a card is asked, which may have to be waited for.
    const GstFlowReturn flow = send_list();
    if (flow != GST_FLOW_OK || stream != rewriter_) return flow;
  }
  Bytes bytes(size);
  if (!copy_out(buffer, at, bytes))
    return failed({ErrorKind::io, "a buffer with the header or a licence could not be mapped for reading"});
  const std::uint64_t offset = stream->position_out();
  const auto out = stream->see(bytes);
  if (stream != rewriter_) return GST_FLOW_OK;  // A handler of our messages has flushed.
  if (!out) return failed(out.error());
  if (out->empty()) return GST_FLOW_OK;
  if (offset == 0) learn_size();
  BufferPtr written(gst_buffer_new_memdup(out->data(), out->size()));
  GST_BUFFER_FLAG_SET(written.get(), GST_BUFFER_FLAG_HEADER);
  set_offsets(written.get(), offset, out->size());
  return emit(std::move(written), out->size());
}

/// Size of the new file, by the header's word or by the size of the old file.
void BridgeStream::learn_size() {
  const smartpro::ReadHeader& header = *rewriter_->header();
  gint64 size = -1;
  if (header.header.plain_size)
    size = static_cast<gint64>(
        smartpro::FileLayout(header.header, header.body_offset).file_size(*header.header.plain_size).value_or(0));
  else if (!gst_pad_peer_query_duration(sink_, GST_FORMAT_BYTES, &size))
    return;
  if (size > 0) counters_.size_out = rewriter_->size_out(static_cast<std::uint64_t>(size)).value_or(0);
}

GstFlowReturn BridgeStream::emit(BufferPtr buffer, std::uint64_t size) {
  counters_.bytes_out += size;
  counters_.position += size;
  if (!list_) return gst_pad_push(src_, buffer.release());
  gst_buffer_list_add(list_.get(), buffer.release());
  return GST_FLOW_OK;
}

/// What a list has become so far; the next one is begun.
GstFlowReturn BridgeStream::send_list() {
  if (!list_ || gst_buffer_list_length(list_.get()) == 0) return GST_FLOW_OK;
  BufferListPtr full(gst_buffer_list_new());
  std::swap(full, list_);
  return gst_pad_push_list(src_, full.release());
}

void BridgeStream::finish() {
  if (failed_) return;
  announce();
  if (const Status whole = rewriter_->finish(); !whole) static_cast<void>(failed(whole.error()));
}

GstFlowReturn BridgeStream::failed(const Error& error) {
  const auto stream = rewriter_;
  if (const GstFlowReturn flow = send_list(); flow != GST_FLOW_OK || stream != rewriter_) return flow;
  list_.reset();
  if (error.kind == ErrorKind::cancelled) return GST_FLOW_FLUSHING;
  failed_ = true;
  post_error(element_, error_code_on_bridging(error.kind), error);
  return GST_FLOW_ERROR;
}

}  // namespace cas::gst
