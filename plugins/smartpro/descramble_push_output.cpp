// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <utility>

#include "descramble_push.hpp"
#include "media_type.hpp"

GST_DEBUG_CATEGORY_EXTERN(smartpro_descramble_debug);
#define GST_CAT_DEFAULT smartpro_descramble_debug

namespace cas::gst {

// --- Events from upstream, and seeks from downstream ---

void DescramblePush::start_segment(const GstSegment& segment, guint32 seqnum) {
  const std::uint64_t start = segment.format == GST_FORMAT_BYTES ? segment.start : 0;
  std::optional<PendingSeek> sought;
  bool own_jump = false;
  {
    const ObjectLock lock(parts_.element);
    if (shared_.own_jump && shared_.own_jump->is(seqnum, start))
      own_jump = true;
    else if (shared_.seek && shared_.seek->jump.is(seqnum, start))
      sought = std::exchange(shared_.seek, std::nullopt);
    shared_.own_jump.reset();
  }
  held_.clear();
  file_position_ = start;
  skip_to_ = 0;
  nothing_came_ = true;
  behind_.reset();
  position_unknown_ = false;
  if (own_jump) return;  // The content goes on where it was.

  segment_needed_ = true;
  seqnum_ = seqnum;
  if (sought) {
    segment_ = sought->segment;
    next_segment_ = sought->first_segment;
  } else {
    // The start of the stream, or somebody else has sought: on with the first segment that comes whole.
    gst_segment_init(&segment_, GST_FORMAT_BYTES);
    next_segment_ = layout_ ? layout_->extent(start).segments : 0;
    if (layout_) segment_.start = segment_.position = segment_.time = next_segment_ * layout_->segment_size();
    position_unknown_ = !layout_ && start != 0;
  }
  expecting_ = layout_ ? Expecting::place : Expecting::header;
  const ObjectLock lock(parts_.element);
  shared_.segment = segment_;
}

gboolean DescramblePush::pass_on(EventPtr event) {
  if (!segment_needed_ && caps_) return gst_pad_push_event(parts_.src, event.release());
  early_events_.push_back(std::move(event));
  return TRUE;
}

bool DescramblePush::flush_start(guint32 seqnum) {
  {
    const ObjectLock lock(parts_.element);
    if (shared_.own_jump && shared_.own_jump->seqnum == seqnum) return false;
  }
  parts_.gate.stop_waits();
  return true;
}

bool DescramblePush::flush_stop(guint32 seqnum) {
  ++epoch_;
  held_.clear();
  nothing_came_ = true;
  {
    const ObjectLock lock(parts_.element);
    if (shared_.own_jump && shared_.own_jump->seqnum == seqnum) return false;
  }
  untyped_.clear();
  untyped_size_ = 0;
  early_events_.clear();
  segment_needed_ = true;
  parts_.gate.allow_waits();
  return true;
}

bool DescramblePush::finish() {
  const std::uint64_t epoch = epoch_;
  GstFlowReturn flow = process(true);
  if (flow == GST_FLOW_OK && epoch == epoch_ && !caps_) flow = push_untyped();
  if (epoch != epoch_ || flow == GST_FLOW_FLUSHING) return false;  // Upstream goes on elsewhere.
  if (caps_) announce();
  return true;
}

bool DescramblePush::seek(const SeekRequest& request) {
  // Upstream would tell of the end of a segment seek by itself, before the last segment is out.
  if (!request.is_possible() || (request.flags & GST_SEEK_FLAG_SEGMENT) != 0) return false;
  PendingSeek pending;
  std::optional<smartpro::FileLayout> layout;
  std::optional<std::uint32_t> period;
  {
    const ObjectLock lock(parts_.element);
    layout = shared_.layout;
    period = shared_.period;
    pending.segment = shared_.segment;
  }
  if (!layout) return false;
  const std::uint64_t plain_size = parts_.plain_size;
  if (!request.apply(pending.segment, plain_size)) return false;
  std::uint64_t first_byte = pending.segment.position;
  // Behind the end: the last segment is read, and all of it dropped.
  if (plain_size != DescrambleParts::unknown && plain_size > 0) first_byte = std::min(first_byte, plain_size - 1);
  pending.first_segment = layout->segment_of(first_byte);
  const std::uint32_t wanted_period = layout->period_of(pending.first_segment);
  pending.jump = {request.seqnum, period == wanted_period ? layout->segment_offset(pending.first_segment)
                                                          : layout->slot_offset(wanted_period)};
  {
    const ObjectLock lock(parts_.element);
    shared_.seek = pending;
  }
  GstEvent* event = gst_event_new_seek(request.rate, GST_FORMAT_BYTES, request.flags, GST_SEEK_TYPE_SET,
                                       static_cast<gint64>(pending.jump.offset), GST_SEEK_TYPE_NONE, -1);
  gst_event_set_seqnum(event, request.seqnum);
  ++parts_.seeks;
  if (gst_pad_push_event(parts_.sink, event)) return true;
  const ObjectLock lock(parts_.element);
  shared_.seek.reset();
  return false;
}

// --- Content to downstream ---

/// A segment's content, of which the part goes on that lies in what was sought. Nothing: there was none.
GstFlowReturn DescramblePush::output(BufferPtr plain) {
  if (!plain) return GST_FLOW_OK;
  if (caps_) return push_content(std::move(plain));
  caps_ = caps_of_media_type(header_->header.media_type);
  untyped_size_ += gst_buffer_get_size(plain.get());
  untyped_.push_back(std::move(plain));
  const bool enough = caps_ || untyped_size_ >= typefind_size || expecting_ == Expecting::end;
  return enough ? push_untyped() : GST_FLOW_OK;
}

/// Finds the type of the content where the header does not tell, and sends what waited for it.
GstFlowReturn DescramblePush::push_untyped() {
  if (!caps_) {
    Bytes start;
    for (const BufferPtr& buffer : untyped_) {
      const MappedBuffer map(buffer.get(), GST_MAP_READ);
      if (map) append(start, map.bytes());
    }
    caps_ = find_caps(parts_.element, start);
  }
  gst_pad_push_event(parts_.src, gst_event_new_caps(caps_.get()));
  {
    const ObjectLock lock(parts_.element);
    shared_.layout = layout_;
  }
  const std::uint64_t epoch = epoch_;
  std::vector<BufferPtr> waiting = std::exchange(untyped_, {});
  untyped_size_ = 0;
  for (BufferPtr& buffer : waiting) {
    const GstFlowReturn flow = push_content(std::move(buffer));
    if (flow != GST_FLOW_OK || epoch != epoch_) return flow;
  }
  return GST_FLOW_OK;
}

/// Segment, tags and the events that came before them; the licence whenever it is another one.
void DescramblePush::announce() {
  if (std::exchange(segment_needed_, false)) {
    GstEvent* event = gst_event_new_segment(&segment_);
    if (seqnum_ != GST_SEQNUM_INVALID) gst_event_set_seqnum(event, seqnum_);
    gst_pad_push_event(parts_.src, event);
    if (!std::exchange(tags_sent_, true)) gst_pad_push_event(parts_.src, gst_event_new_tag(parts_.gate.rights_tags()));
    for (EventPtr& early : std::exchange(early_events_, {})) gst_pad_push_event(parts_.src, early.release());
  }
  if (EventPtr licence = parts_.gate.take_announcement()) gst_pad_push_event(parts_.src, licence.release());
}

GstFlowReturn DescramblePush::push_content(BufferPtr plain) {
  const std::uint64_t epoch = epoch_;
  announce();
  if (epoch != epoch_) return GST_FLOW_OK;
  const std::uint64_t start = GST_BUFFER_OFFSET(plain.get());
  const std::uint64_t end = GST_BUFFER_OFFSET_END(plain.get());
  const std::uint64_t from = std::clamp<std::uint64_t>(segment_.start, start, end);
  const std::uint64_t to = std::clamp<std::uint64_t>(segment_.stop, from, end);
  const bool stops = segment_.stop <= end;
  if (from < to) {
    gst_buffer_resize(plain.get(), static_cast<gssize>(from - start), static_cast<gssize>(to - from));
    GST_BUFFER_OFFSET(plain.get()) = from;
    GST_BUFFER_OFFSET_END(plain.get()) = to;
    segment_.position = to;
    parts_.position = to;
    parts_.bytes_out += to - from;
    const GstFlowReturn flow = gst_pad_push(parts_.src, plain.release());
    if (flow != GST_FLOW_OK || epoch != epoch_) return flow;
  }
  if (!stops) return GST_FLOW_OK;
  // All that was sought is out; what else is held is of no concern, damaged or not.
  expecting_ = Expecting::end;
  behind_.reset();
  held_.clear();
  return GST_FLOW_EOS;
}

}  // namespace cas::gst
