// SPDX-License-Identifier: LGPL-2.1-or-later
#include "keysource_stream.hpp"

#include <gst/cas/element_error.hpp>

#include <algorithm>
#include <utility>

#include "key_events.hpp"

GST_DEBUG_CATEGORY_EXTERN(kex_keysource_debug);
#define GST_CAT_DEFAULT kex_keysource_debug

namespace cas::gst {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

namespace {

std::uint64_t since(steady_clock::time_point begun) {
  return static_cast<std::uint64_t>(nanoseconds(steady_clock::now() - begun).count());
}

}  // namespace

void KeySourceStream::start(std::shared_ptr<kex::KeySource> source, kex::KeySourceSettings keys,
                            const Settings& settings, TimeBase base, std::optional<guint64> utc_start) {
  settings_ = settings;
  keys_ = std::move(keys);
  clock_.configure(static_cast<guint64>(keys_.period.count()), base, utc_start);
  relay_ = std::make_shared<KeySourceRelay>(element_);
  user_ = std::make_unique<kex::KeySource::User>(source, relay_);
  generation_ = source->generation();
  counters_.periods = counters_.late = counters_.longest_late = counters_.waited = 0;
  new_stream();
  const std::lock_guard lock(source_mutex_);
  source_ = std::move(source);
}

void KeySourceStream::stop() {
  user_.reset();
  relay_.reset();
  std::shared_ptr<kex::KeySource> source;  // Its client may end here: not under the lock.
  const std::lock_guard lock(source_mutex_);
  source = std::move(source_);
}

void KeySourceStream::new_stream() {
  clock_.reset();
  in_force_.reset();
  announced_.reset();
  late_.reset();
  // The one key of content on demand needs no buffer to be known.
  wanted_.reset();
  if (!user_ || clock_.rotates()) return;
  user_->want(0);
  wanted_ = 0;
}

void KeySourceStream::flushed() {
  clock_.flushed();
  // Downstream may have lost what was sent: the key goes before the next buffer again.
  in_force_.reset();
  announced_.reset();
  late_.reset();
}

std::optional<kex::KeySourceStatistics> KeySourceStream::statistics() const {
  std::shared_ptr<kex::KeySource> source;
  {
    const std::lock_guard lock(source_mutex_);
    source = source_;
  }
  if (!source) return std::nullopt;
  return source->statistics();
}

// ----------------------------------------------------------------------------------------------------------------- flow

GstFlowReturn KeySourceStream::push(BufferPtr buffer) {
  const GstFlowReturn flow = prepare(buffer.get());
  if (flow != GST_FLOW_OK) return flow;
  return gst_pad_push(src_, buffer.release());
}

/// A list stays one, unless a period begins in it.
GstFlowReturn KeySourceStream::push_list(BufferListPtr list) {
  const guint size = gst_buffer_list_length(list.get());
  guint begun = 0;
  const auto push_until = [&](guint end) {
    if (begun == end) return GST_FLOW_OK;
    BufferListPtr part(gst_buffer_list_new_sized(end - begun));
    for (; begun < end; ++begun)
      gst_buffer_list_add(part.get(), gst_buffer_ref(gst_buffer_list_get(list.get(), begun)));
    return gst_pad_push_list(src_, part.release());
  };
  for (guint at = 0; at < size; ++at) {
    GstBuffer* buffer = gst_buffer_list_get(list.get(), at);
    // What is in front goes before the event does.
    PeriodClock looked_at = clock_;
    looked_at.take(buffer);
    if (at > begun && (!in_force_ || late_ || looked_at.period() != *in_force_)) {
      const GstFlowReturn flow = push_until(at);
      if (flow != GST_FLOW_OK) return flow;
    }
    const GstFlowReturn flow = prepare(buffer);
    if (flow != GST_FLOW_OK) return flow;
  }
  if (begun == 0) return gst_pad_push_list(src_, list.release());
  return push_until(size);
}

GstFlowReturn KeySourceStream::prepare(GstBuffer* buffer) {
  switch (clock_.take(buffer)) {
    case PeriodClock::Finding::known: break;
    case PeriodClock::Finding::no_time:
      post_error(
          element_, {GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT},
          {ErrorKind::malformed,
           "the buffers have no time, so that there is no telling to which period they belong: put an element that "
           "sets time stamps before kex-keysource (a parser, a demultiplexer), or set period=0, one key for all"});
      return GST_FLOW_ERROR;
    case PeriodClock::Finding::no_utc:
      post_error(element_, {GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT},
                 {ErrorKind::malformed,
                  "the buffers do not tell the time of day (GstReferenceTimestampMeta with timestamp/x-unix or "
                  "timestamp/x-ntp): set utc-start, or time-base=running-time"});
      return GST_FLOW_ERROR;
  }
  const std::uint64_t period = clock_.period();
  // Read before anything is looked for, so that what comes meanwhile is news to the next buffer.
  const std::uint64_t generation = source_->generation();
  const bool has_news = generation != generation_;
  generation_ = generation;
  if (in_force_ != period) {
    const bool is_delta = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    if (wanted_ != period) user_->want(period);
    wanted_ = period;
    // A key that was not there is looked for again when one has come.
    const bool may_be_there = late_ != period || has_news;
    if (may_be_there && (settings_.switch_at == SwitchAt::buffer || !is_delta || !in_force_)) {
      const GstFlowReturn flow = change_to(period);
      if (flow != GST_FLOW_OK) return flow;
    }
  }
  if (has_news) announce();
  return GST_FLOW_OK;
}

GstFlowReturn KeySourceStream::change_to(std::uint64_t period) {
  auto key = late_ == period ? user_->peek(period) : user_->find(period);
  if (!key) {
    if (settings_.on_failure == OnFailure::hold && in_force_) {
      if (late_ != period) {
        late_ = period;
        late_since_ = steady_clock::now();
        ++counters_.late;
        tell_late(period, "held");
      }
      return GST_FLOW_OK;
    }
    const GstFlowReturn flow = wait_for(period, key);
    if (flow != GST_FLOW_OK) return flow;
  }
  if (late_) {
    const std::uint64_t late = since(late_since_);
    counters_.longest_late = std::max(counters_.longest_late.load(), late);
    if (late_ == period) tell_late(period, "arrived", late);
    late_.reset();
  }
  put_in_force(period, *key);
  return GST_FLOW_OK;
}

GstFlowReturn KeySourceStream::wait_for(std::uint64_t period, std::shared_ptr<const kex::FetchedKey>& key) {
  const std::stop_token stop = stop_.token();
  const bool is_first = !in_force_;
  if (!is_first) {
    late_ = period;
    late_since_ = steady_clock::now();
    ++counters_.late;
    tell_late(period, "blocked");
  }
  const Time begun = steady_clock::now();
  const Time until = settings_.on_failure == OnFailure::error ? begun + settings_.limit : Time::max();
  for (;;) {
    const std::uint64_t seen = relay_->keys();
    key = user_->peek(period);
    if (key || stop.stop_requested() || steady_clock::now() >= until) break;
    // Not for ever at once: what comes in other users' names is noticed, too.
    const Time next = std::min(until, steady_clock::now() + std::chrono::seconds(1));
    relay_->wait_for_key(seen, next, stop);
  }
  if (!is_first) counters_.waited += since(begun);
  if (key) return GST_FLOW_OK;
  if (stop.stop_requested()) return GST_FLOW_FLUSHING;
  Error error = relay_->last_failure();
  error.message = "no key for " + (clock_.rotates() ? "period " + std::to_string(period) : std::string("the content")) +
                  " of " + keys_.content_id + ": " + error.message;
  post_error(element_, error_code_at_start(error.kind), error);
  return GST_FLOW_ERROR;
}

void KeySourceStream::send(const kex::FetchedKey& key, std::uint64_t period, bool ahead) {
  KeyPlace place;
  place.period = period;
  place.rotates = clock_.rotates();
  place.utc = clock_.is_utc();
  place.start = clock_.start_of(period);
  place.end = clock_.start_of(period + 1);
  const ContentKeyPointer content_key = content_key_of(key, place, keys_);
  if (!content_key) return;
  gst_pad_push_event(src_, gst_cas_event_new_content_key(content_key.get(), gboolean{ahead}));
}

void KeySourceStream::put_in_force(std::uint64_t period, const kex::FetchedKey& key) {
  in_force_ = period;
  ++counters_.periods;
  for (EventPtr& event : protection_events(key)) gst_pad_push_event(src_, event.release());
  send(key, period, false);
  post(gst_structure_new("kex-period", "period", G_TYPE_UINT64, guint64{period}, "key-id", G_TYPE_STRING,
                         key.key.kid.text().c_str(), nullptr));
  announce();
}

/// Keys of the periods to come, in their order, as far as they are there.
void KeySourceStream::announce() {
  if (!in_force_ || !clock_.rotates()) return;
  const std::uint64_t last = clock_.period() + source_->prefetch();
  std::uint64_t next = clock_.period() + 1;
  if (announced_ && *announced_ >= next && *announced_ <= last) next = *announced_ + 1;
  for (; next <= last; ++next) {
    const auto key = user_->peek(next);
    if (!key) return;
    send(*key, next, true);
    announced_ = next;
  }
}

void KeySourceStream::tell_late(std::uint64_t period, const char* consequence, std::optional<std::uint64_t> late) {
  GST_INFO_OBJECT(element_, "the key of period %" G_GUINT64_FORMAT " is late: %s", guint64{period}, consequence);
  GstStructure* structure = gst_structure_new("kex-late-key", "period", G_TYPE_UINT64, guint64{period}, "consequence",
                                              G_TYPE_STRING, consequence, nullptr);
  if (late) gst_structure_set(structure, "late", G_TYPE_UINT64, guint64{*late}, nullptr);
  post(structure);
}

void KeySourceStream::post(GstStructure* structure) {
  gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), structure));
}

}  // namespace cas::gst
