// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-kex-keysource
 * @title: kex-keysource
 * @see_also: smartpro-scramble, simulcrypt-ecm-inserter
 *
 * Fetches keys from key management servers (KMS), and gives them to the scrambler behind it: each buffer goes through as
 * it is, and before the first one of each crypto-period goes an event with its key. Keys are fetched ahead on a thread of
 * their own; when a server fails, the next one is asked, and the stream does not notice.
 *
 * One key for a whole file, which a SmartPRO token wraps into the licence:
 *
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=100 ! x264enc ! matroskamux ! kex-keysource kms-uris=http://127.0.0.1:8080/cpix content-id=rushes-7 ! smartpro-scramble key-source=upstream ! filesink location=rushes.spro
 * ]|
 *
 * A live service whose keys change each ten seconds, from two servers:
 *
 * |[
 * gst-launch-1.0 filesrc location=service.ts ! tsparse set-timestamps=true ! kex-keysource kms-uris=http://127.0.0.1:8080/cpix,http://127.0.0.1:8081/cpix content-id=channel-1 period=10000000000 ! simulcrypt-ecm-inserter key-source=upstream ecmg=127.0.0.1:2000 super-cas-id=0xff000001 ! filesink location=scrambled.ts
 * ]|
 *
 * The servers speak CPIX over HTTP in the manner of SPEKE 2; cas-kms is one.
 *
 * Since: 0.1
 */
#include <gst/gst.h>
#include <gst/cas/element_error.hpp>
#include <gst/cas/properties.hpp>

#include <utility>

#include "base/clock.hpp"
#include "crypto/random.hpp"
#include "elements.hpp"
#include "keysource_properties.hpp"
#include "keysource_stream.hpp"

GST_DEBUG_CATEGORY(kex_keysource_debug);
#define GST_CAT_DEFAULT kex_keysource_debug

using namespace cas;
using namespace cas::gst;

namespace {

/// Lock order: state lock, STREAM_LOCK of the sink pad, object lock. The object lock is held for moments, never while
/// pushing, posting or reading files.
struct KeySourceElement {
  KeySourceElement(GstElement* the_element, GstPad* src) : element(the_element), stream(the_element, src) {}

  GstElement* const element;
  KeySourceProperties properties;  // Under the object lock.
  KeySourceStream stream;          // Streaming thread, as it says.
};

/// Checks everything that is local: settings and files of credentials. For both steps up, since properties may be set in
/// READY. Nothing is sent.
Status prepare(KeySourceElement& self, bool for_streaming) {
  KeySourceProperties properties;
  {
    const ObjectLock lock(self.element);
    properties = self.properties;
  }
  CAS_TRY_ASSIGN(kex::KeySourceSettings settings, settings_of(properties));
  kex::KeySourceSettings keys = public_part(settings);
  CAS_TRY_ASSIGN(auto source, kex::KeySource::open(std::move(settings), system_clock(), crypto::system_random()));
  if (!for_streaming) return {};
  KeySourceStream::Settings of_stream;
  of_stream.on_failure = properties.on_failure;
  of_stream.switch_at = properties.switch_at;
  of_stream.limit = std::chrono::milliseconds(properties.request_limit);
  std::optional<guint64> utc_start;
  if (properties.utc_start >= 0) utc_start = static_cast<guint64>(properties.utc_start);
  self.stream.start(std::move(source), std::move(keys), of_stream, properties.time_base, utc_start);
  return {};
}

GstStructure* make_stats(const KeySourceElement& self) {
  const auto statistics = self.stream.statistics().value_or(kex::KeySourceStatistics{});
  const auto ns = [](std::chrono::nanoseconds time) { return static_cast<guint64>(time.count()); };
  const auto& counters = self.stream.counters();
  return gst_structure_new("application/x-kex-keysource-stats",                                  //
                           "periods", G_TYPE_UINT64, guint64{counters.periods},                  //
                           "late-keys", G_TYPE_UINT64, guint64{counters.late},                   //
                           "longest-late", G_TYPE_UINT64, guint64{counters.longest_late},        //
                           "waited", G_TYPE_UINT64, guint64{counters.waited},                    //
                           "cache-hits", G_TYPE_UINT64, guint64{statistics.hits},                //
                           "cache-misses", G_TYPE_UINT64, guint64{statistics.misses},            //
                           "cached-keys", G_TYPE_UINT64, guint64{statistics.cached},             //
                           "requests", G_TYPE_UINT64, guint64{statistics.client.requests},       //
                           "requests-failed", G_TYPE_UINT64, guint64{statistics.client.failed},  //
                           "requests-hedged", G_TYPE_UINT64, guint64{statistics.client.hedged},  //
                           "fail-overs", G_TYPE_UINT64, guint64{statistics.client.fail_overs},   //
                           "recoveries", G_TYPE_UINT64, guint64{statistics.client.recoveries},   //
                           "last-latency", G_TYPE_UINT64, ns(statistics.client.last_latency),    //
                           "longest-latency", G_TYPE_UINT64, ns(statistics.client.longest_latency), nullptr);
}

}  // namespace

struct _GstKexKeysource {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  KeySourceElement* impl;
};

G_DECLARE_FINAL_TYPE(GstKexKeysource, gst_kex_keysource, GST, KEX_KEYSOURCE, GstElement)
G_DEFINE_TYPE(GstKexKeysource, gst_kex_keysource, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE(kex_keysource, "kex-keysource", GST_RANK_NONE, gst_kex_keysource_get_type(),
                                      GST_DEBUG_CATEGORY_INIT(kex_keysource_debug, "kex-keysource", 0,
                                                              "fetches keys for scramblers"))

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static KeySourceElement& element_of(gpointer object) { return *GST_KEX_KEYSOURCE(object)->impl; }

static GstFlowReturn gst_kex_keysource_chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  BufferPtr owned(buffer);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                  [&] { return element_of(parent).stream.push(std::move(owned)); });
}

static GstFlowReturn gst_kex_keysource_chain_list(GstPad*, GstObject* parent, GstBufferList* list) {
  BufferListPtr owned(list);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                  [&] { return element_of(parent).stream.push_list(std::move(owned)); });
}

static gboolean gst_kex_keysource_sink_activate_mode(GstPad*, GstObject* parent, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  // Here no flush can come between that allows waits again.
  if (active)
    element_of(parent).stream.allow_waits();
  else
    element_of(parent).stream.stop_waits();
  return TRUE;
}

static gboolean gst_kex_keysource_sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  EventPtr owned(event);
  KeySourceStream& stream = element_of(parent).stream;
  return shielded(GST_ELEMENT(parent), FALSE, [&] {
    switch (GST_EVENT_TYPE(owned.get())) {
      case GST_EVENT_STREAM_START: stream.new_stream(); break;
      case GST_EVENT_SEGMENT: {
        const GstSegment* segment = nullptr;
        gst_event_parse_segment(owned.get(), &segment);
        stream.set_segment(*segment);
        break;
      }
      case GST_EVENT_FLUSH_START: stream.stop_waits(); break;
      case GST_EVENT_FLUSH_STOP:
        stream.flushed();
        stream.allow_waits();
        break;
      default: break;
    }
    return gst_pad_event_default(pad, parent, owned.release());
  });
}

static GstStateChangeReturn gst_kex_keysource_change_state(GstElement* element, GstStateChange transition) {
  KeySourceElement& self = element_of(element);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY || transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    const bool ready = shielded(element, false, [&] {
      const Status status = prepare(self, transition == GST_STATE_CHANGE_READY_TO_PAUSED);
      if (!status) post_error(element, error_code_at_start(status.error().kind), status.error());
      return status.has_value();
    });
    if (!ready) return GST_STATE_CHANGE_FAILURE;
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_kex_keysource_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) self.stream.stop();
  return result;
}

static void gst_kex_keysource_set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  shielded(GST_ELEMENT(object), 0, [&] {
    if (!may_set_property(GST_ELEMENT(object), pspec)) return 0;
    const ObjectLock lock(object);
    if (!set_keysource_property(element_of(object).properties, id, value))
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    return 0;
  });
}

static void gst_kex_keysource_get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  shielded(GST_ELEMENT(object), 0, [&] {
    if (id == property_stats) {
      g_value_take_boxed(value, make_stats(element_of(object)));
      return 0;
    }
    const ObjectLock lock(object);
    if (!get_keysource_property(element_of(object).properties, id, value))
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    return 0;
  });
}

static void gst_kex_keysource_finalize(GObject* object) {
  delete GST_KEX_KEYSOURCE(object)->impl;
  G_OBJECT_CLASS(gst_kex_keysource_parent_class)->finalize(object);
}

static void gst_kex_keysource_class_init(GstKexKeysourceClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_kex_keysource_set_property;
  object_class->get_property = gst_kex_keysource_get_property;
  object_class->finalize = gst_kex_keysource_finalize;
  install_keysource_properties(object_class);
  element_class->change_state = gst_kex_keysource_change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "Key source", "Filter/Generic",
      "Fetches keys from key management servers, and gives them to the scrambler behind it in time", "gst-plugins-cas");
}

static void gst_kex_keysource_init(GstKexKeysource* self) {
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_activatemode_function(self->sinkpad, gst_kex_keysource_sink_activate_mode);
  gst_pad_set_chain_function(self->sinkpad, gst_kex_keysource_chain);
  gst_pad_set_chain_list_function(self->sinkpad, gst_kex_keysource_chain_list);
  gst_pad_set_event_function(self->sinkpad, gst_kex_keysource_sink_event);
  GST_PAD_SET_PROXY_CAPS(self->sinkpad);
  GST_PAD_SET_PROXY_ALLOCATION(self->sinkpad);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  GST_PAD_SET_PROXY_CAPS(self->srcpad);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);

  self->impl = new KeySourceElement(GST_ELEMENT(self), self->srcpad);
}
