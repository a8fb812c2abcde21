// SPDX-License-Identifier: LGPL-2.1-or-later
#include "descramble_push.hpp"

#include <gst/cas/element_error.hpp>

#include <algorithm>
#include <string>
#include <utility>

GST_DEBUG_CATEGORY_EXTERN(smartpro_descramble_debug);
#define GST_CAT_DEFAULT smartpro_descramble_debug

namespace cas::gst {

namespace {

/// Up to so many bytes are read and dropped rather than sought over: about what a request to a server costs in time.
constexpr std::uint64_t max_skip = 256 * 1024;

}  // namespace

void DescramblePush::reset() {
  held_.clear();
  file_position_ = 0;
  skip_to_ = 0;
  expecting_ = Expecting::header;
  ++epoch_;
  position_unknown_ = false;
  nothing_came_ = true;
  behind_.reset();
  header_.reset();
  layout_.reset();
  cipher_.reset();
  next_segment_ = 0;
  pool_.reset();
  gst_segment_init(&segment_, GST_FORMAT_BYTES);
  seqnum_ = GST_SEQNUM_INVALID;
  segment_needed_ = true;
  tags_sent_ = false;
  caps_.reset();
  untyped_.clear();
  untyped_size_ = 0;
  early_events_.clear();
  const ObjectLock lock(parts_.element);
  shared_ = {};
  gst_segment_init(&shared_.segment, GST_FORMAT_BYTES);
}

GstFlowReturn DescramblePush::push(BufferPtr buffer) {
  if (expecting_ == Expecting::end) return GST_FLOW_EOS;
  nothing_came_ = false;
  parts_.bytes_in += gst_buffer_get_size(buffer.get());
  if (!held_.push(std::move(buffer)))
    return failed({ErrorKind::internal, "a buffer could not be mapped for reading"}).flow;
  return process(false);
}

GstFlowReturn DescramblePush::push_list(GstBufferList* list) {
  if (expecting_ == Expecting::end) return GST_FLOW_EOS;
  nothing_came_ = false;
  for (guint i = 0; i < gst_buffer_list_length(list); ++i) {
    GstBuffer* buffer = gst_buffer_list_get(list, i);
    parts_.bytes_in += gst_buffer_get_size(buffer);
    if (!held_.push(BufferPtr(gst_buffer_ref(buffer))))
      return failed({ErrorKind::internal, "a buffer could not be mapped for reading"}).flow;
  }
  return process(false);
}

GstFlowReturn DescramblePush::process(bool at_end) {
  const std::uint64_t epoch = epoch_;
  if (position_unknown_)
    return failed({ErrorKind::malformed,
                   "the stream does not start where a protected file does, so that its header is not known"})
        .flow;
  for (;;) {
    const Step done = step(at_end);
    if (done.what == Step::leave) return done.flow;
    // In another epoch the stream that this loop was about is gone; the next buffer comes from another place.
    if (done.what == Step::more || epoch != epoch_) return GST_FLOW_OK;
  }
}

DescramblePush::Step DescramblePush::step(bool at_end) {
  if (file_position_ < skip_to_) {
    drop(std::min<std::uint64_t>(held_.size(), skip_to_ - file_position_));
    if (file_position_ < skip_to_) return at_end && !nothing_came_ ? failed(cut_here()) : Step{Step::more};
  }
  switch (expecting_) {
    case Expecting::header: return read_header(at_end);
    case Expecting::place: return find_place(at_end);
    case Expecting::slot: return read_slot(at_end);
    case Expecting::segment: return read_segment(at_end);
    case Expecting::end: break;
  }
  return {Step::more};
}

void DescramblePush::drop(std::size_t size) {
  held_.drop(size);
  file_position_ += size;
}

DescramblePush::Step DescramblePush::read_header(bool at_end) {
  Bytes start(std::min(held_.size(), smartpro::preamble_size));
  held_.copy_front(start);
  if (start.size() < smartpro::preamble_size && !at_end) return {Step::more};
  const auto preamble = smartpro::Preamble::parse(start);
  if (!preamble) return failed(preamble.error());
  const std::size_t whole = smartpro::preamble_size + preamble->header_size;
  if (held_.size() < whole && !at_end) return {Step::more};
  start.resize(std::min(held_.size(), whole));
  held_.copy_front(start);
  auto header = smartpro::ReadHeader::parse(start);
  if (!header) return failed(header.error());
  drop(whole);
  header_ = std::move(*header);
  layout_.emplace(header_->header, header_->body_offset);
  pool_ = make_buffer_pool(layout_->segment_size());
  learn_size();
  expecting_ = Expecting::place;
  return {Step::next};
}

/// Size of the content: by the header's word, or by the size of the file.
void DescramblePush::learn_size() {
  gint64 size = -1;
  if (header_->header.plain_size)
    parts_.plain_size = *header_->header.plain_size;
  else if (gst_pad_peer_query_duration(parts_.sink, GST_FORMAT_BYTES, &size) && size > 0)
    parts_.plain_size = layout_->extent(static_cast<std::uint64_t>(size)).plain_size;
}

/// Goes to what has to be read next: the segment itself when its key is at hand, otherwise the licence before it.
DescramblePush::Step DescramblePush::find_place(bool at_end) {
  const std::uint32_t period = layout_->period_of(next_segment_);
  const bool have_key = cipher_ && period_ == period;
  const std::uint64_t offset = have_key ? layout_->segment_offset(next_segment_) : layout_->slot_offset(period);
  expecting_ = have_key ? Expecting::segment : Expecting::slot;
  const bool far = offset > file_position_ && offset - file_position_ > std::max<std::uint64_t>(held_.size(), max_skip);
  if (offset < file_position_ || (far && !at_end)) return jump_to(offset);
  skip_to_ = offset;
  return {Step::next};
}

/// Has upstream go on at `offset` of the file, which downstream does not see.
DescramblePush::Step DescramblePush::jump_to(std::uint64_t offset) {
  const guint32 seqnum = gst_util_seqnum_next();
  {
    const ObjectLock lock(parts_.element);
    shared_.own_jump = Jump{seqnum, offset};
  }
  GST_DEBUG_OBJECT(parts_.element, "asks upstream for byte %" G_GUINT64_FORMAT, offset);
  GstEvent* event = gst_event_new_seek(1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET,
                                       static_cast<gint64>(offset), GST_SEEK_TYPE_NONE, -1);
  gst_event_set_seqnum(event, seqnum);
  if (gst_pad_push_event(parts_.sink, event)) return {Step::leave, GST_FLOW_OK};
  {
    const ObjectLock lock(parts_.element);
    shared_.own_jump.reset();
  }
  if (offset < file_position_)
    return failed({ErrorKind::io, "the source cannot go back to the licence that is needed here"});
  skip_to_ = offset;
  return {Step::next};
}

DescramblePush::Step DescramblePush::read_slot(bool at_end) {
  if (held_.size() < layout_->slot_size()) return at_end && !nothing_came_ ? failed(cut_here()) : Step{Step::more};
  Bytes slot(layout_->slot_size());
  held_.copy_front(slot);
  const auto lecm = smartpro::parse_licence_slot(slot);
  if (!lecm) return failed(lecm.error());
  const std::uint32_t period = layout_->period_of(next_segment_);
  const std::uint64_t epoch = epoch_;
  const auto control_word = parts_.gate.control_word(period, *lecm, *header_);
  if (!control_word) return failed(control_word.error());
  if (epoch != epoch_) return {Step::more};  // A handler of our messages has sought.
  auto cipher = smartpro::SegmentCipher::create(header_->header, *control_word, period);
  if (!cipher) return failed(cipher.error());
  cipher_ = std::move(*cipher);
  period_ = period;
  drop(slot.size());
  expecting_ = Expecting::place;
  const ObjectLock lock(parts_.element);
  shared_.period = period;
  return {Step::next};
}

DescramblePush::Step DescramblePush::read_segment(bool at_end) {
  // A full segment waits for the byte behind it: without one, it is the last.
  if (held_.size() <= layout_->stored_segment_size() && !at_end) return {Step::more};
  if (nothing_came_) return {Step::more};  // A seek to the end.
  auto plain = open_segment();
  if (!plain) return failed(plain.error());
  const std::uint64_t epoch = epoch_;
  if (const GstFlowReturn flow = output(std::move(*plain)); flow != GST_FLOW_OK) return {Step::leave, flow};
  if (epoch == epoch_ && behind_) return failed(*behind_);
  return {Step::next};
}

Error DescramblePush::cut_here() const {
  return {ErrorKind::truncated, "the protected file was cut: it ends at byte " +
                                    std::to_string(file_position_ + held_.size()) + ", before the end of its content"};
}

/// Descrambles the segment at the front, and finds out whether it is the last one. Without a buffer there is no content
/// left; see `behind_` in any case.
Result<BufferPtr> DescramblePush::open_segment() {
  const std::size_t stored_size = std::min<std::size_t>(held_.size(), layout_->stored_segment_size());
  const bool last = held_.size() == stored_size;  // As far as one can see.
  expecting_ = last ? Expecting::end : Expecting::place;
  if (stored_size < layout_->tag_size()) {
    behind_ = cut_here();
    return BufferPtr();
  }
  GstBuffer* acquired = nullptr;
  if (gst_buffer_pool_acquire_buffer(pool_.get(), &acquired, nullptr) != GST_FLOW_OK)
    return fail(ErrorKind::exhausted, "no memory for another segment");
  BufferPtr buffer(acquired);
  const std::size_t plain_size = stored_size - layout_->tag_size();
  {
    MappedBuffer map(buffer.get(), GST_MAP_WRITE);
    if (!map) return fail(ErrorKind::internal, "a buffer of the pool could not be mapped for writing");
    CAS_TRY(open_into(map.writable().first(plain_size)));
  }
  const std::uint64_t offset = next_segment_ * layout_->segment_size();
  gst_buffer_set_size(buffer.get(), static_cast<gssize>(plain_size));
  GST_BUFFER_OFFSET(buffer.get()) = offset;
  GST_BUFFER_OFFSET_END(buffer.get()) = offset + plain_size;
  compare_with_header(buffer.get(), last);
  drop(stored_size);
  ++next_segment_;
  ++parts_.segments;
  return buffer;
}

Status DescramblePush::open_into(MutableByteView plain) {
  const std::size_t stored_size = plain.size() + layout_->tag_size();
  const bool last = held_.size() == stored_size;
  if (stored_size < layout_->stored_segment_size()) {
    const Status opened = cipher_->open(next_segment_, true, held_.front(stored_size), plain);
    if (opened) return {};
    return fail(opened.error().kind,
                opened.error().message + " (or the file was cut within this segment, the last one that is there)");
  }
  CAS_TRY_ASSIGN(const bool sealed_as_last, cipher_->open_either(next_segment_, last, held_.front(stored_size), plain));
  if (last && !sealed_as_last) behind_ = cut_here();
  if (!last && sealed_as_last)
    behind_ = Error{ErrorKind::malformed,
                    "the content is complete, but bytes that do not belong to the protected file follow it"};
  return {};
}

/// What the header says of the content's size: all that tells of a cut or of bytes behind the end with aes-128-ctr.
void DescramblePush::compare_with_header(GstBuffer* plain, bool last) {
  const auto& stated = header_->header.plain_size;
  if (!stated || behind_) return;
  const std::uint64_t end = GST_BUFFER_OFFSET_END(plain);
  if (last && end < *stated) behind_ = cut_here();
  if (end > *stated || (!last && end == *stated)) {
    behind_ = Error{ErrorKind::malformed,
                    "the content is complete, but bytes that do not belong to the protected file follow it"};
    const std::uint64_t excess = std::min<std::uint64_t>(end - *stated, gst_buffer_get_size(plain));
    gst_buffer_set_size(plain, static_cast<gssize>(gst_buffer_get_size(plain) - excess));
    GST_BUFFER_OFFSET_END(plain) = end - excess;
  }
}

DescramblePush::Step DescramblePush::failed(const Error& error) {
  if (error.kind == ErrorKind::cancelled) return {Step::leave, GST_FLOW_FLUSHING};
  post_error(parts_.element, error_code_on_content(error.kind), error);
  return {Step::leave, GST_FLOW_ERROR};
}

}  // namespace cas::gst
