// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-smartpro-scramble
 * @title: smartpro-scramble
 * @see_also: smartpro-descramble
 *
 * Protects a byte stream of any kind for the domain of an acquisition card: what comes out is a protected file
 * (application/x-smartpro) that every renderer card of the domain plays, within the rights that are set here. With a
 * processing card it protects content again that smartpro-descramble has opened. With a head-end card and key-source=upstream
 * the key is one that an element upstream sends, kex-keysource from a key server, so that other DRM systems have it too.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=rushes.mp4 ! smartpro-scramble ! filesink location=rushes.spro
 * ]| Protects a file with this machine's acquisition card.
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=100 ! x264enc ! matroskamux streamable=true ! smartpro-scramble usage-rights="rights,play-count=(int)3,not-after=(string)2027-01-31T00:00:00Z" ! filesink location=screener.spro
 * ]| Protects what an encoder makes; it may be played three times until the end of January 2027.
 * |[
 * gst-launch-1.0 filesrc location=rushes.spro ! smartpro-descramble ! progressreport format=bytes ! smartpro-scramble licence-from=upstream host=worker ! filesink location=again.spro
 * ]| Protects content again that was opened, with a processing card.
 *
 * Since: 0.1
 */
#include <gst/gst.h>
#include <gst/cas/element_error.hpp>

#include <memory>
#include <string>
#include <utility>

#include "elements.hpp"
#include "licence_announcement.hpp"
#include "scramble_properties.hpp"
#include "scramble_stream.hpp"

GST_DEBUG_CATEGORY(smartpro_scramble_debug);
#define GST_CAT_DEFAULT smartpro_scramble_debug

using namespace cas;
using namespace cas::gst;

namespace {

/// Lock order: state lock, STREAM_LOCK of the sink pad, object lock. The object lock is held for moments, never
/// while pushing, querying, posting or talking to a card.
struct Scramble {
  explicit Scramble(GstElement* the_element, GstPad* sink, GstPad* src)
      : element(the_element), stream(the_element, sink, src) {}

  GstElement* const element;

  // Under the object lock: the properties.
  CardRequest card;
  ScrambleProperties properties;
  CardSessionPtr session;    // From NULL->READY to READY->NULL.
  CardRequest session_card;  // What it was opened for, with a token of what kind.
  smartpro::TokenKind session_kind = smartpro::TokenKind::acquisition;

  // Under the STREAM_LOCK of the sink pad.
  ScrambleStream stream;
};

/// The properties as the stream needs them; fails on the first that cannot be.
Result<ScrambleSettings> settings_of(Scramble& scramble) {
  ScrambleSettings settings;
  std::string licence_from;
  {
    const ObjectLock lock(scramble.element);
    licence_from = scramble.properties.licence_from;
    CAS_TRY_ASSIGN(settings, settings_of(scramble.properties));
  }
  if (settings.reissue && licence_from != licence_from_upstream) {
    CAS_TRY_ASSIGN(settings.source_licence, licence_of_file(licence_from));
  }
  return settings;
}

/// Of what kind the token has to be: the first kind that comes to mind, where there are several.
smartpro::TokenKind token_kind_of(const ScrambleProperties& properties) {
  if (properties.key_source == KeySource::upstream) return smartpro::TokenKind::head_end;
  return properties.licence_from.empty() ? smartpro::TokenKind::acquisition : smartpro::TokenKind::processing;
}

/// A session for the card that the properties name now.
Result<CardSessionPtr> session_for(Scramble& scramble) {
  CardRequest wanted;
  smartpro::TokenKind kind{};
  {
    const ObjectLock lock(scramble.element);
    wanted = scramble.card;
    kind = token_kind_of(scramble.properties);
    if (scramble.session && scramble.session_card == wanted && scramble.session_kind == kind)
      return CardSessionPtr(gst_cas_card_session_ref(scramble.session.get()));
  }
  // A head-end token draws words as an acquisition token does.
  CAS_TRY_ASSIGN(CardSessionPtr session,
                 kind == smartpro::TokenKind::acquisition
                     ? acquire_card_session(scramble.element, wanted, {kind, smartpro::TokenKind::head_end})
                     : acquire_card_session(scramble.element, wanted, {kind}));
  CardSessionPtr before;  // Released after the lock is.
  const ObjectLock lock(scramble.element);
  before = std::exchange(scramble.session, CardSessionPtr(gst_cas_card_session_ref(session.get())));
  scramble.session_card = wanted;
  scramble.session_kind = kind;
  return session;
}

/// Checks everything that is local: settings, credentials, card. For both steps up, since properties may be set in
/// READY.
Status prepare(Scramble& scramble, bool for_streaming) {
  CAS_TRY_ASSIGN(const ScrambleSettings settings, settings_of(scramble));
  CAS_TRY_ASSIGN(CardSessionPtr session, session_for(scramble));
  if (for_streaming) scramble.stream.configure(settings, std::move(session));
  return {};
}

}  // namespace

struct _GstSmartproScramble {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  Scramble* impl;
};

G_DECLARE_FINAL_TYPE(GstSmartproScramble, gst_smartpro_scramble, GST, SMARTPRO_SCRAMBLE, GstElement)
G_DEFINE_TYPE(GstSmartproScramble, gst_smartpro_scramble, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE(smartpro_scramble, "smartpro-scramble", GST_RANK_NONE,
                                      gst_smartpro_scramble_get_type(),
                                      GST_DEBUG_CATEGORY_INIT(smartpro_scramble_debug, "smartpro-scramble", 0,
                                                              "protects content for a domain"))

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("application/x-smartpro"));

static Scramble& scramble_of(gpointer object) { return *GST_SMARTPRO_SCRAMBLE(object)->impl; }

static GstFlowReturn gst_smartpro_scramble_chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  BufferPtr owned(buffer);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                  [&] { return scramble_of(parent).stream.push(std::move(owned)); });
}

static GstFlowReturn gst_smartpro_scramble_chain_list(GstPad*, GstObject* parent, GstBufferList* list) {
  const BufferListPtr owned(list);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] { return scramble_of(parent).stream.push_list(list); });
}

static gboolean scramble_sink_event(GstPad* pad, GstObject* parent, EventPtr event) {
  ScrambleStream& stream = scramble_of(parent).stream;
  switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_STREAM_START:
      if (stream.finished()) stream.reset();
      break;
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event.get(), &caps);
      stream.set_caps(caps);
      return TRUE;
    }
    case GST_EVENT_SEGMENT: {
      const GstSegment* segment = nullptr;
      gst_event_parse_segment(event.get(), &segment);
      stream.start_segment(*segment);
      return TRUE;
    }
    case GST_EVENT_GAP:
      return TRUE;  // A byte stream has none.
    // Keys and licences of other systems for the clear stream. What goes out is a protected file, whose key is in its
    // licence alone: whoever plugs decryptors by these would look for what is not there.
    case GST_EVENT_PROTECTION: return TRUE;
    case GST_EVENT_CUSTOM_DOWNSTREAM_STICKY:
      if (is_content_key_event(event.get())) return stream.note_key(event.get());
      if (!is_licence_event(event.get())) break;
      stream.note_licence(gst_event_get_structure(event.get()));
      return TRUE;  // What goes out is under another one.
    case GST_EVENT_FLUSH_STOP: stream.reset(); break;
    case GST_EVENT_EOS: {
      const GstFlowReturn flow = stream.finish();
      if (flow == GST_FLOW_ERROR || flow == GST_FLOW_FLUSHING) return FALSE;
      break;
    }
    default: break;
  }
  return gst_pad_event_default(pad, parent, event.release());
}

static gboolean gst_smartpro_scramble_sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  EventPtr owned(event);
  return shielded(GST_ELEMENT(parent), FALSE, [&] { return scramble_sink_event(pad, parent, std::move(owned)); });
}

static gboolean gst_smartpro_scramble_sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_SEEKING: {
      // Muxers ask whether they may come back to rewrite a header: they may not, whatever the sink behind us can do.
      GstFormat format = GST_FORMAT_UNDEFINED;
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      gst_query_set_seeking(query, format, FALSE, 0, -1);
      return TRUE;
    }
    case GST_QUERY_ALLOCATION: return FALSE;  // What downstream offers is for protected bytes.
    case GST_QUERY_CUSTOM:
      if (is_licence_query(query)) return FALSE;  // What goes out is under another licence.
      break;
    case GST_QUERY_CONTEXT: {
      CardSessionPtr session;
      {
        const ObjectLock lock(parent);
        if (scramble_of(parent).session) session.reset(gst_cas_card_session_ref(scramble_of(parent).session.get()));
      }
      if (answer_context_query(query, session.get())) return TRUE;
      break;
    }
    default: break;
  }
  return gst_pad_query_default(pad, parent, query);
}

static gboolean gst_smartpro_scramble_src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  const ScrambleStream::Counters& counters = scramble_of(parent).stream.counters();
  GstFormat format = GST_FORMAT_UNDEFINED;
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_POSITION:
      gst_query_parse_position(query, &format, nullptr);
      if (format != GST_FORMAT_BYTES) break;
      gst_query_set_position(query, format, static_cast<gint64>(counters.position.load()));
      return TRUE;
    case GST_QUERY_DURATION: {
      gst_query_parse_duration(query, &format, nullptr);
      if (format != GST_FORMAT_BYTES) break;
      const auto size = static_cast<gint64>(counters.file_size.load());
      if (size == 0) return FALSE;
      gst_query_set_duration(query, format, size);
      return TRUE;
    }
    case GST_QUERY_SEEKING:
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      gst_query_set_seeking(query, format, FALSE, 0, -1);
      return TRUE;
    default: return gst_smartpro_scramble_sink_query(pad, parent, query);
  }
  return gst_pad_query_default(pad, parent, query);
}

static gboolean gst_smartpro_scramble_src_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_SEEK) {
    GST_DEBUG_OBJECT(parent, "a protected file is written in one pass: no seek");
    gst_event_unref(event);
    return FALSE;
  }
  return gst_pad_event_default(pad, parent, event);
}

static GstStateChangeReturn gst_smartpro_scramble_change_state(GstElement* element, GstStateChange transition) {
  Scramble& scramble = scramble_of(element);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY || transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    const bool ready = shielded(element, false, [&] {
      const Status status = prepare(scramble, transition == GST_STATE_CHANGE_READY_TO_PAUSED);
      if (!status) post_error(element, error_code_at_start(status.error().kind), status.error());
      return status.has_value();
    });
    if (!ready) return GST_STATE_CHANGE_FAILURE;
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_smartpro_scramble_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) scramble.stream.close();
  if (transition == GST_STATE_CHANGE_READY_TO_NULL) {
    CardSessionPtr session;  // Released after the lock is.
    const ObjectLock lock(element);
    session = std::move(scramble.session);
  }
  return result;
}

static void scramble_set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  if (!may_set_property(GST_ELEMENT(object), pspec)) return;
  Scramble& scramble = scramble_of(object);
  const ObjectLock lock(object);
  if (set_card_property(scramble.card, id, value) || set_scramble_property(scramble.properties, id, value)) return;
  G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_smartpro_scramble_set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  shielded(GST_ELEMENT(object), 0, [&] {
    scramble_set_property(object, id, value, pspec);
    return 0;
  });
}

static GstStructure* scramble_stats(const Scramble& scramble) {
  const ScrambleStream::Counters& counters = scramble.stream.counters();
  GstStructure* stats = gst_structure_new("application/x-smartpro-scramble-stats",                //
                                          "bytes-in", G_TYPE_UINT64, counters.bytes_in.load(),    //
                                          "bytes-out", G_TYPE_UINT64, counters.bytes_out.load(),  //
                                          "segments", G_TYPE_UINT64, counters.segments.load(),    //
                                          "licences-created", G_TYPE_UINT64, counters.licences.load(), "key-source",
                                          G_TYPE_STRING, key_source_name(scramble.properties.key_source), nullptr);
  scramble.stream.key().describe(stats);
  return stats;
}

static void gst_smartpro_scramble_get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  Scramble& scramble = scramble_of(object);
  const ObjectLock lock(object);
  if (get_card_property(scramble.card, id, value) || get_scramble_property(scramble.properties, id, value)) return;
  if (id == property_scramble_stats)
    g_value_take_boxed(value, scramble_stats(scramble));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_smartpro_scramble_finalize(GObject* object) {
  delete GST_SMARTPRO_SCRAMBLE(object)->impl;
  G_OBJECT_CLASS(gst_smartpro_scramble_parent_class)->finalize(object);
}

static void gst_smartpro_scramble_class_init(GstSmartproScrambleClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_smartpro_scramble_set_property;
  object_class->get_property = gst_smartpro_scramble_get_property;
  object_class->finalize = gst_smartpro_scramble_finalize;
  install_scramble_properties(object_class);
  element_class->change_state = gst_smartpro_scramble_change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "SmartPRO scrambler", "Filter/Encryptor",
      "Protects content for the domain of an acquisition card, or again with a processing card", "gst-plugins-cas");
}

static void gst_smartpro_scramble_init(GstSmartproScramble* self) {
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, gst_smartpro_scramble_chain);
  gst_pad_set_chain_list_function(self->sinkpad, gst_smartpro_scramble_chain_list);
  gst_pad_set_event_function(self->sinkpad, gst_smartpro_scramble_sink_event);
  gst_pad_set_query_function(self->sinkpad, gst_smartpro_scramble_sink_query);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_event_function(self->srcpad, gst_smartpro_scramble_src_event);
  gst_pad_set_query_function(self->srcpad, gst_smartpro_scramble_src_query);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);

  self->impl = new Scramble(GST_ELEMENT(self), self->sinkpad, self->srcpad);
}
