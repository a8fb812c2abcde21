// SPDX-License-Identifier: LGPL-2.1-or-later
#include "descramble_pull.hpp"

#include <gst/cas/element_error.hpp>

#include <algorithm>
#include <utility>

#include "media_type.hpp"

GST_DEBUG_CATEGORY_EXTERN(smartpro_descramble_debug);
#define GST_CAT_DEFAULT smartpro_descramble_debug

namespace cas::gst {

Result<ByteView> PadSource::read_at(std::uint64_t offset, std::size_t size) {
  map_.reset();
  buffer_.reset();
  // Upstream's own buffer: one of ours it would not shorten where the file ends.
  GstBuffer* pulled = nullptr;
  flow_ = gst_pad_pull_range(sink_, offset, static_cast<guint>(size), &pulled);
  if (flow_ == GST_FLOW_EOS) {
    flow_ = GST_FLOW_OK;
    return ByteView();
  }
  if (flow_ == GST_FLOW_FLUSHING) return fail(ErrorKind::cancelled, "the source is flushing");
  if (flow_ != GST_FLOW_OK)
    return fail(ErrorKind::io, std::string("the source gives no data: ") + gst_flow_get_name(flow_));
  buffer_.reset(pulled);
  map_ = std::make_unique<MappedBuffer>(buffer_.get(), GST_MAP_READ);
  if (!*map_) return fail(ErrorKind::internal, "a buffer of the source could not be mapped for reading");
  const ByteView bytes = map_->bytes().first(std::min(size, map_->bytes().size()));
  bytes_read_ += bytes.size();
  return bytes;
}

Result<std::uint64_t> PadSource::size() {
  gint64 size = -1;
  if (!gst_pad_peer_query_duration(sink_, GST_FORMAT_BYTES, &size) || size < 0)
    return fail(ErrorKind::io, "the source can be read at any place, but does not tell its size");
  return static_cast<std::uint64_t>(size);
}

void PadSource::release() {
  map_.reset();
  buffer_.reset();
  flow_ = GST_FLOW_OK;
  bytes_read_ = 0;
}

void DescramblePull::activate() {
  gst_segment_init(&segment_, GST_FORMAT_BYTES);
  announced_ = false;
  segment_needed_ = true;
  tags_told_ = false;
  seqnum_ = gst_util_seqnum_next();
}

void DescramblePull::deactivate() {
  reader_.reset();
  source_.release();
  pool_.reset();
}

bool DescramblePull::start_task() {
  const GstTaskFunction body = [](gpointer self) {
    auto* pull = static_cast<DescramblePull*>(self);
    const bool went_well = shielded(pull->parts_.element, false, [pull] {
      pull->loop();
      return true;
    });
    if (!went_well) gst_pad_pause_task(pull->parts_.sink);
  };
  return gst_pad_start_task(parts_.sink, body, this, nullptr) != FALSE;
}

Status DescramblePull::open_reader() {
  if (reader_) return {};
  CAS_TRY_ASSIGN(reader_, smartpro::ProtectedReader::open(source_, parts_.gate));
  parts_.plain_size = reader_->plain_size();
  return {};
}

void DescramblePull::learn_size() {
  if (!downstream_pulls_) return;
  GST_PAD_STREAM_LOCK(parts_.sink);
  const Status status = open_reader();
  GST_PAD_STREAM_UNLOCK(parts_.sink);
  if (!status) GST_DEBUG_OBJECT(parts_.element, "no size yet: %s", status.error().message.c_str());
}

void DescramblePull::loop() {
  GstFlowReturn flow = GST_FLOW_OK;
  if (!announced_) {
    Status status = open_reader();
    if (status) status = announce();
    if (!status) flow = failed(status.error());
  }
  // While the caps went out, a demuxer may have been plugged that pulls.
  if (flow == GST_FLOW_OK && downstream_pulls_) return;
  if (flow == GST_FLOW_OK) flow = push_next();
  if (flow != GST_FLOW_OK) finish(flow);
}

/// Opens the first licence, which makes the header more than a claim, and sends what comes before the segment.
Status DescramblePull::announce() {
  CapsPtr caps = caps_of_media_type(reader_->header().header.media_type);
  Bytes start(caps ? 1 : typefind_size);
  CAS_TRY_ASSIGN(const std::size_t size, reader_->read(0, start));
  if (!caps) caps = find_caps(parts_.element, ByteView(start).first(size));
  announced_ = true;
  pool_ = make_buffer_pool(reader_->layout().segment_size());
  start_stream();
  gst_pad_push_event(parts_.src, gst_event_new_caps(caps.get()));
  return {};
}

void DescramblePull::announce_licence() {
  if (EventPtr licence = parts_.gate.take_announcement()) gst_pad_push_event(parts_.src, licence.release());
}

void DescramblePull::start_stream() {
  const TextPtr stream_id(gst_pad_create_stream_id(parts_.src, parts_.element, nullptr));
  guint group = gst_util_group_id_next();
  if (const EventPtr upstream(gst_pad_get_sticky_event(parts_.sink, GST_EVENT_STREAM_START, 0)); upstream) {
    guint theirs = 0;
    if (gst_event_parse_group_id(upstream.get(), &theirs)) group = theirs;
  }
  GstEvent* event = gst_event_new_stream_start(stream_id.get());
  gst_event_set_group_id(event, group);
  gst_pad_push_event(parts_.src, event);
}

GstFlowReturn DescramblePull::push_next() {
  if (std::exchange(segment_needed_, false)) {
    GstEvent* event = gst_event_new_segment(&segment_);
    gst_event_set_seqnum(event, seqnum_);
    gst_pad_push_event(parts_.src, event);
    if (!std::exchange(tags_told_, true)) gst_pad_push_event(parts_.src, gst_event_new_tag(parts_.gate.rights_tags()));
    announce_licence();
  }
  const std::uint64_t segment_size = reader_->layout().segment_size();
  const std::uint64_t position = segment_.position;
  std::uint64_t size = segment_size - position % segment_size;
  if (segment_.stop != GST_CLOCK_TIME_NONE) size = std::min(size, segment_.stop - std::min(segment_.stop, position));
  if (size == 0) return GST_FLOW_EOS;

  GstBuffer* acquired = nullptr;
  if (const GstFlowReturn flow = gst_buffer_pool_acquire_buffer(pool_.get(), &acquired, nullptr); flow != GST_FLOW_OK)
    return flow;
  BufferPtr buffer(acquired);
  gst_buffer_set_size(buffer.get(), static_cast<gssize>(size));
  if (const GstFlowReturn flow = read_buffer(position, buffer.get()); flow != GST_FLOW_OK) return flow;
  segment_.position = position + gst_buffer_get_size(buffer.get());
  ++parts_.segments;
  announce_licence();
  return gst_pad_push(parts_.src, buffer.release());
}

/// Fills the buffer with content, and shortens it where content ends.
GstFlowReturn DescramblePull::read_buffer(std::uint64_t offset, GstBuffer* buffer) {
  std::size_t size = 0;
  {
    MappedBuffer map(buffer, GST_MAP_WRITE);
    if (!map) return failed({ErrorKind::internal, "a buffer could not be mapped for writing"});
    const auto read = reader_->read(offset, map.writable());
    if (!read) return failed(read.error());
    size = *read;
  }
  parts_.plain_size = reader_->plain_size();
  parts_.bytes_in = source_.bytes_read();
  if (size == 0) return GST_FLOW_EOS;
  gst_buffer_set_size(buffer, static_cast<gssize>(size));
  GST_BUFFER_OFFSET(buffer) = offset;
  GST_BUFFER_OFFSET_END(buffer) = offset + size;
  parts_.bytes_out += size;
  parts_.position = offset + size;
  return GST_FLOW_OK;
}

/// Tells the bus, unless the source has told already, or nothing is wrong.
GstFlowReturn DescramblePull::failed(const Error& error) {
  if (source_.flow() != GST_FLOW_OK) return source_.flow();
  if (error.kind == ErrorKind::cancelled) return GST_FLOW_FLUSHING;
  post_error(parts_.element, error_code_on_content(error.kind), error);
  return GST_FLOW_ERROR;
}

/// The task's end, for whatever reason.
void DescramblePull::finish(GstFlowReturn flow) {
  GST_DEBUG_OBJECT(parts_.element, "the task pauses: %s", gst_flow_get_name(flow));
  gst_pad_pause_task(parts_.sink);
  if (flow == GST_FLOW_FLUSHING) return;
  GstEvent* event = nullptr;
  if (flow == GST_FLOW_EOS && (segment_.flags & GST_SEGMENT_FLAG_SEGMENT) != 0) {
    const auto position = static_cast<gint64>(segment_.position);
    GstMessage* message = gst_message_new_segment_done(GST_OBJECT(parts_.element), GST_FORMAT_BYTES, position);
    gst_message_set_seqnum(message, seqnum_);
    gst_element_post_message(parts_.element, message);
    event = gst_event_new_segment_done(GST_FORMAT_BYTES, position);
  } else {
    // Our own errors have been posted; this one is downstream's.
    if (flow == GST_FLOW_NOT_LINKED || flow == GST_FLOW_NOT_NEGOTIATED) GST_ELEMENT_FLOW_ERROR(parts_.element, flow);
    event = gst_event_new_eos();
  }
  gst_event_set_seqnum(event, seqnum_);
  gst_pad_push_event(parts_.src, event);
}

GstFlowReturn DescramblePull::get_range(std::uint64_t offset, guint length, GstBuffer** buffer) {
  GST_PAD_STREAM_LOCK(parts_.sink);
  GstFlowReturn flow = GST_FLOW_OK;
  if (const Status status = open_reader(); !status) flow = failed(status.error());
  BufferPtr own;
  if (flow == GST_FLOW_OK && *buffer == nullptr) {
    own.reset(gst_buffer_new_allocate(nullptr, length, nullptr));
    if (!own) flow = failed({ErrorKind::exhausted, "no memory for " + std::to_string(length) + " bytes of content"});
  }
  if (flow == GST_FLOW_OK) flow = read_buffer(offset, own ? own.get() : *buffer);
  const bool tell_tags = flow == GST_FLOW_OK && !std::exchange(tags_told_, true);
  GST_PAD_STREAM_UNLOCK(parts_.sink);
  if (flow == GST_FLOW_OK && own) *buffer = own.release();
  if (tell_tags) {
    // No event can go downstream: there is no stream.
    GstMessage* message = gst_message_new_tag(GST_OBJECT(parts_.element), parts_.gate.rights_tags());
    gst_element_post_message(parts_.element, message);
  }
  return flow;
}

bool DescramblePull::seek(const SeekRequest& request) {
  if (downstream_pulls_ || !request.is_possible()) return false;
  if (request.flushes()) {
    parts_.gate.stop_waits();
    const EventPtr flush(gst_event_new_flush_start());
    gst_event_set_seqnum(flush.get(), request.seqnum);
    gst_pad_push_event(parts_.sink, gst_event_ref(flush.get()));
    gst_pad_push_event(parts_.src, gst_event_ref(flush.get()));
  } else {
    gst_pad_pause_task(parts_.sink);
  }
  GST_PAD_STREAM_LOCK(parts_.sink);
  GstSegment segment = segment_;
  const bool possible = request.apply(segment, parts_.plain_size);
  if (request.flushes()) {
    const EventPtr flush(gst_event_new_flush_stop(TRUE));
    gst_event_set_seqnum(flush.get(), request.seqnum);
    gst_pad_push_event(parts_.sink, gst_event_ref(flush.get()));
    gst_pad_push_event(parts_.src, gst_event_ref(flush.get()));
    parts_.gate.allow_waits();
  }
  if (possible) {
    segment_ = segment;
    seqnum_ = request.seqnum;
    ++parts_.seeks;
  }
  segment_needed_ = true;
  const bool started = start_task();
  GST_PAD_STREAM_UNLOCK(parts_.sink);
  return possible && started;
}

}  // namespace cas::gst
