// SPDX-License-Identifier: LGPL-2.1-or-later
#include "scramble_stream.hpp"

#include <gst/base/gstbasesrc.h>
#include <gst/cas/element_error.hpp>
#include <gst/cas/pool.hpp>

#include <cstring>
#include <utility>

#include "crypto/random.hpp"
#include "elements.hpp"
#include "media_type.hpp"
#include "smartpro/licence.hpp"

GST_DEBUG_CATEGORY_EXTERN(smartpro_scramble_debug);
#define GST_CAT_DEFAULT smartpro_scramble_debug

namespace cas::gst {

namespace {

/// Segments that go downstream together at most.
constexpr std::size_t max_output_buffers = 16;

/// Elements of the class Generic hand bytes on as they are. Others that let a size query through may change the size.
bool hands_bytes_on(GstElement* element) {
  const gchar* klass = gst_element_get_metadata(element, GST_ELEMENT_METADATA_KLASS);
  return klass != nullptr && std::strstr(klass, "Generic") != nullptr && !GST_IS_BIN(element) &&
         element->numsinkpads == 1;
}

/// Whether what comes to `sink` are the bytes of a source, unchanged; only then is the source's size the content's.
bool comes_from_source(GstPad* sink) {
  ObjectPtr<GstPad> peer(gst_pad_get_peer(sink));
  while (peer) {
    const ObjectPtr<GstElement> element(gst_pad_get_parent_element(peer.get()));
    if (!element) return false;
    if (GST_IS_BASE_SRC(element.get())) return true;
    if (!hands_bytes_on(element.get())) return false;
    const ObjectPtr<GstPad> next_sink(gst_element_get_static_pad(element.get(), "sink"));
    peer.reset(next_sink ? gst_pad_get_peer(next_sink.get()) : nullptr);
  }
  return false;
}

}  // namespace

void ScrambleStream::configure(const ScrambleSettings& settings, CardSessionPtr session) {
  settings_ = settings;
  source_.configure(settings.source_licence);
  session_ = std::move(session);
}

void ScrambleStream::reset() {
  announced_ = false;
  from_byte_zero_ = false;
  expected_byte_.reset();
  rewound_ = false;
  finished_ = false;
  held_.clear();
  source_.reset();
  key_refused_ = false;
  layout_.reset();
  cipher_.reset();
  next_segment_ = 0;
  received_ = 0;
  output_.clear();
  pool_.reset();
  counters_.position = 0;
  counters_.file_size = 0;
}

void ScrambleStream::close() {
  reset();
  caps_.reset();
  session_.reset();
  key_.forget();
  warned_ = false;
  counters_.bytes_in = 0;
  counters_.bytes_out = 0;
  counters_.segments = 0;
  counters_.licences = 0;
}

void ScrambleStream::set_caps(GstCaps* caps) { caps_.reset(gst_caps_ref(caps)); }

void ScrambleStream::start_segment(const GstSegment& segment) {
  const bool bytes = segment.format == GST_FORMAT_BYTES;
  if (received_ == 0) {
    from_byte_zero_ = bytes && segment.start == 0;
    expected_byte_ = bytes ? std::optional(segment.start) : std::nullopt;
  }
  rewound_ = bytes && expected_byte_ && segment.start != *expected_byte_;
  announce();
}

void ScrambleStream::announce() {
  if (announced_) return;
  announced_ = true;
  const CapsPtr caps(gst_caps_new_empty_simple(smartpro_media_type));
  gst_pad_push_event(src_, gst_event_new_caps(caps.get()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  gst_pad_push_event(src_, gst_event_new_segment(&segment));
}

/// Keys end here, since what comes out is protected: under a licence, and not for those behind us to work with.
bool ScrambleStream::note_key(GstEvent* event) {
  gboolean ahead = FALSE;
  ContentKeyPointer key(gst_cas_event_get_content_key(event, &ahead));
  if (!settings_.key_from_upstream) {
    warn_once(
        "A key came from upstream and is not used, since the token draws the control word: set 'key-source=upstream'.");
    return true;
  }
  // Of a period to come: no file has one, and nobody is to be told of it in time.
  if (ahead != FALSE) return true;
  const Status taken = key_.take(std::move(key), settings_.cipher, received_ > 0 || layout_);
  if (key_refused_) return false;
  if (!taken) return refuse_key(taken.error());
  if (key_.rotates())
    warn_once(
        "The key server gives another key after this crypto-period, and a protected file has one: content that lasts "
        "longer will end with an error. Set 'period=0' at kex-keysource.");
  return true;
}

bool ScrambleStream::has_key() {
  if (!settings_.key_from_upstream) return true;
  if (key_refused_) return false;
  const auto word = key_.control_word();
  return word || refuse_key(word.error());
}

bool ScrambleStream::refuse_key(const Error& error) {
  key_refused_ = true;
  post_error(element_, {GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT}, error);
  return false;
}

void ScrambleStream::warn_once(const char* text) {
  if (!std::exchange(warned_, true)) GST_ELEMENT_WARNING(element_, STREAM, FORMAT, ("%s", text), (nullptr));
}

bool ScrambleStream::hold(BufferPtr buffer) {
  if (!has_key()) return false;
  const std::size_t size = gst_buffer_get_size(buffer.get());
  if (rewound_ && size > 0) {
    post_error(
        element_, {GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT},
        {ErrorKind::unsupported,
         "upstream goes back to rewrite what is protected already, which would put two contents under one key: write a "
         "file first, and protect that"});
    return false;
  }
  received_ += size;
  if (expected_byte_) *expected_byte_ += size;
  counters_.bytes_in += size;
  if (header_.plain_size && layout_ && received_ > *header_.plain_size) {
    post_error(element_, {GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT},
               {ErrorKind::invalid_argument,
                "the content has grown since its size was written into the header of the protected "
                "file: protect it when nobody writes to it any more"});
    return false;
  }
  if (!held_.push(std::move(buffer))) {
    GST_ELEMENT_ERROR(element_, RESOURCE, READ, ("A buffer could not be mapped for reading."), (nullptr));
    return false;
  }
  return true;
}

GstFlowReturn ScrambleStream::push(BufferPtr buffer) {
  if (!hold(std::move(buffer))) return GST_FLOW_ERROR;
  return drain(false);
}

GstFlowReturn ScrambleStream::push_list(GstBufferList* list) {
  for (guint i = 0; i < gst_buffer_list_length(list); ++i)
    if (!hold(BufferPtr(gst_buffer_ref(gst_buffer_list_get(list, i))))) return GST_FLOW_ERROR;
  return drain(false);
}

GstFlowReturn ScrambleStream::finish() {
  announce();
  if (!has_key()) return GST_FLOW_ERROR;
  const GstFlowReturn flow = drain(true);
  if (flow != GST_FLOW_OK) return flow;
  if (header_.plain_size && *header_.plain_size != received_) {
    post_error(
        element_, {GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT},
        {ErrorKind::truncated,
         "the content ended after " + std::to_string(received_) + " bytes, but " + std::to_string(*header_.plain_size) +
             " stand in the header of the protected file: protect it when nobody writes to it any more"});
    return GST_FLOW_ERROR;
  }
  finished_ = true;
  return GST_FLOW_OK;
}

/// Seals what can be sealed: every segment behind which another byte is known, and at the end the last one.
GstFlowReturn ScrambleStream::drain(bool at_end) {
  const auto failed = [this](const Status& status) {
    post_error(element_, error_code_at_start(status.error().kind), status.error());
    return GST_FLOW_ERROR;
  };
  if (!layout_) {
    const bool type_known = caps_ && gst_caps_is_fixed(caps_.get());
    if (!type_known && held_.size() < typefind_size && !at_end) return GST_FLOW_OK;
    if (const Status status = write_start(); !status) return failed(status);
    if (const GstFlowReturn flow = flush_output(); flow != GST_FLOW_OK) return flow;
  }
  while (held_.size() > header_.segment_size || at_end) {
    const bool last = held_.size() <= header_.segment_size;
    const std::size_t plain_size = last ? held_.size() : header_.segment_size;
    if (const Status status = seal_segment(plain_size, last); !status) return failed(status);
    if (last) break;
    if (output_.size() < max_output_buffers) continue;
    if (const GstFlowReturn flow = flush_output(); flow != GST_FLOW_OK) return flow;
  }
  return flush_output();
}

/// Header and first licence slot.
Status ScrambleStream::write_start() {
  Random& random = crypto::system_random();
  header_ = {};
  CAS_TRY(random.fill(header_.file_id));
  CAS_TRY_ASSIGN(header_.content_id, content_id());
  header_.cipher = settings_.cipher;
  header_.segment_size = settings_.segment_size;
  header_.period_segments = settings_.period_segments;
  header_.media_type = media_type();
  header_.plain_size = plain_size();
  if (settings_.key_from_upstream) header_.key_origin = key_.origin();
  CAS_TRY_ASSIGN(const Bytes start, header_.encode());
  CAS_TRY_ASSIGN(digest_, header_.digest());
  const smartpro::FileLayout layout(header_, start.size());
  GST_DEBUG_OBJECT(element_, "content type '%s', %s", header_.media_type.c_str(),
                   header_.plain_size ? "size known" : "size not known");

  emit_bytes(start);
  CAS_TRY(start_period(0));
  pool_ = make_buffer_pool(layout.stored_segment_size());
  layout_ = layout;
  if (header_.plain_size) counters_.file_size = layout.file_size(*header_.plain_size).value_or(0);
  return {};
}

std::string ScrambleStream::media_type() {
  if (caps_ && gst_caps_is_fixed(caps_.get())) {
    std::string type = media_type_of(caps_.get());
    if (!type.empty()) return type;
  }
  Bytes start(std::min(held_.size(), typefind_size));
  held_.copy_front(start);
  return find_media_type(element_, start);
}

/// The size of the content, if it is certain.
std::optional<std::uint64_t> ScrambleStream::plain_size() const {
  gint64 size = -1;
  if (!from_byte_zero_ || !comes_from_source(sink_) || !gst_pad_peer_query_duration(sink_, GST_FORMAT_BYTES, &size) ||
      size < 0)
    return std::nullopt;
  const auto known = static_cast<std::uint64_t>(size);
  return known >= received_ ? std::optional(known) : std::nullopt;
}

/// Content that was opened is the same work when it is protected again.
Result<smartpro::ContentId> ScrambleStream::content_id() {
  if (!settings_.reissue) return settings_.content_id.value_or(header_.file_id);
  CAS_TRY_ASSIGN(const Bytes source, source_.lecm());
  CAS_TRY_ASSIGN(const smartpro::LicenceView view, smartpro::LicenceView::parse(source));
  return view.content_id;
}

Result<smartpro::CreatedLicence> ScrambleStream::make_licence(std::uint32_t period) {
  smartpro::TokenSession& token = token_session(session_.get());
  const smartpro::LicenceRequest request{header_.content_id, digest_, header_.cipher, period, settings_.rights};
  if (settings_.key_from_upstream) {
    CAS_TRY_ASSIGN(const SecretBytes* word, key_.control_word());
    CAS_TRY_ASSIGN(Bytes lecm, token.wrap_control_word(request, *word));
    return smartpro::CreatedLicence{std::move(lecm), word->clone()};
  }
  if (!settings_.reissue) return token.create_licence(request);
  CAS_TRY_ASSIGN(const Bytes source, source_.lecm());
  std::optional<smartpro::UsageRights> rights;
  if (settings_.change_rights) {
    CAS_TRY_ASSIGN(const smartpro::LicenceView view, smartpro::LicenceView::parse(source));
    if (!view.summary)
      return fail(ErrorKind::unsupported,
                  "the licence of the content does not tell its rights, so that they cannot be changed: leave "
                  "'usage-rights' unset");
    CAS_TRY_ASSIGN(rights, settings_.change_rights(*view.summary));
  }
  return token.reissue_licence(source, {digest_, header_.cipher, period}, rights);
}

Status ScrambleStream::start_period(std::uint32_t period) {
  CAS_TRY_ASSIGN(const smartpro::CreatedLicence licence, make_licence(period));
  CAS_TRY_ASSIGN(const Bytes slot, smartpro::encode_licence_slot(licence.lecm, header_.licence_slot_size));
  CAS_TRY_ASSIGN(cipher_, smartpro::SegmentCipher::create(header_, licence.control_word, period));
  emit_bytes(slot);
  ++counters_.licences;
  GST_DEBUG_OBJECT(element_, "licence of period %u made", period);
  return {};
}

Status ScrambleStream::seal_segment(std::size_t plain_size, bool last) {
  if (next_segment_ > 0 && layout_->starts_period(next_segment_))
    CAS_TRY(start_period(layout_->period_of(next_segment_)));
  GstBuffer* acquired = nullptr;
  if (gst_buffer_pool_acquire_buffer(pool_.get(), &acquired, nullptr) != GST_FLOW_OK)
    return fail(ErrorKind::exhausted, "no memory for another segment");
  BufferPtr buffer(acquired);
  {
    MappedBuffer map(buffer.get(), GST_MAP_WRITE);
    if (!map) return fail(ErrorKind::internal, "a buffer of the pool could not be mapped for writing");
    const MutableByteView stored = map.writable().first(plain_size + layout_->tag_size());
    CAS_TRY(cipher_->seal(next_segment_, last, held_.front(plain_size), stored));
  }
  gst_buffer_set_size(buffer.get(), static_cast<gssize>(plain_size + layout_->tag_size()));
  held_.drop(plain_size);
  ++next_segment_;
  ++counters_.segments;
  emit(std::move(buffer));
  return {};
}

void ScrambleStream::emit_bytes(ByteView bytes) {
  BufferPtr buffer(gst_buffer_new_memdup(bytes.data(), bytes.size()));
  GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_HEADER);
  emit(std::move(buffer));
}

void ScrambleStream::emit(BufferPtr buffer) {
  const std::size_t size = gst_buffer_get_size(buffer.get());
  if (size == 0) return;
  const std::uint64_t offset = counters_.position.fetch_add(size);
  GST_BUFFER_OFFSET(buffer.get()) = offset;
  GST_BUFFER_OFFSET_END(buffer.get()) = offset + size;
  counters_.bytes_out += size;
  output_.push_back(std::move(buffer));
}

GstFlowReturn ScrambleStream::flush_output() {
  if (output_.empty()) return GST_FLOW_OK;
  if (output_.size() == 1) {
    GstBuffer* buffer = output_.front().release();
    output_.clear();
    return gst_pad_push(src_, buffer);
  }
  GstBufferList* list = gst_buffer_list_new_sized(static_cast<guint>(output_.size()));
  for (BufferPtr& buffer : output_) gst_buffer_list_add(list, buffer.release());
  output_.clear();
  return gst_pad_push_list(src_, list);
}

}  // namespace cas::gst
