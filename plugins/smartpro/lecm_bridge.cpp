// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-lecm-bridge
 * @title: lecm-bridge
 * @see_also: smartpro-scramble, smartpro-descramble
 *
 * Takes a protected file (application/x-smartpro) from one virtual domain to others. Only the licences change: the
 * content stays scrambled as it is and goes through untouched, and no card ever holds the key of another domain.
 *
 * It takes two of them. In the source domain, with mode=master, each licence becomes one for the way, addressed to the
 * bridges of one or more destinations; what comes out plays nowhere:
 *
 * |[
 * gst-launch-1.0 filesrc location=rushes.spro ! lecm-bridge destinations=partner.bridge ! filesink location=sent.spro
 * ]|
 *
 * In a destination domain, with mode=simple, that becomes a licence of the destination domain, within the rights that
 * the source granted:
 *
 * |[
 * gst-launch-1.0 filesrc location=sent.spro ! lecm-bridge mode=simple ! filesink location=received.spro
 * ]|
 *
 * With direction=back, content goes home the same way. The cards, the records and the mask come from cas-tmc.
 *
 * Since: 0.1
 */
#include <gst/gst.h>
#include <gst/cas/element_error.hpp>
#include <gst/cas/properties.hpp>

#include <utility>

#include "bridge_converter.hpp"
#include "bridge_licences.hpp"
#include "bridge_properties.hpp"
#include "bridge_stream.hpp"
#include "elements.hpp"

GST_DEBUG_CATEGORY(lecm_bridge_debug);
#define GST_CAT_DEFAULT lecm_bridge_debug

using namespace cas;
using namespace cas::gst;

namespace {

/// Lock order: state lock, STREAM_LOCK of the sink pad, object lock. The object lock is held for moments, never while
/// pushing, querying, posting or talking to a card.
struct Bridge {
  Bridge(GstElement* the_element, GstPad* sink, GstPad* src)
      : element(the_element), licences(the_element), stream(the_element, sink, src, licences) {}

  GstElement* const element;

  // Under the object lock.
  CardRequest card;
  BridgeProperties properties;
  CardSessionPtr session;                        // From NULL->READY to READY->NULL.
  CardRequest session_card;                      // What it was opened for,
  BridgeMode session_mode = BridgeMode::master;  // and in which mode.

  // Under the STREAM_LOCK of the sink pad.
  BridgeLicences licences;
  BridgeStream stream;
};

smartpro::TokenKind kind_of(BridgeMode mode) {
  return mode == BridgeMode::master ? smartpro::TokenKind::master_bridge : smartpro::TokenKind::simple_bridge;
}

/// A session for the card that the properties name now.
Result<CardSessionPtr> session_for(Bridge& bridge) {
  CardRequest wanted;
  BridgeMode mode{};
  {
    const ObjectLock lock(bridge.element);
    wanted = bridge.card;
    mode = bridge.properties.mode;
    if (bridge.session && bridge.session_card == wanted && bridge.session_mode == mode)
      return CardSessionPtr(gst_cas_card_session_ref(bridge.session.get()));
  }
  CAS_TRY_ASSIGN(CardSessionPtr session, acquire_card_session(bridge.element, wanted, {kind_of(mode)}));
  CardSessionPtr before;  // Released after the lock is.
  const ObjectLock lock(bridge.element);
  before = std::exchange(bridge.session, CardSessionPtr(gst_cas_card_session_ref(session.get())));
  bridge.session_card = wanted;
  bridge.session_mode = mode;
  return session;
}

/// Checks everything that is local: settings, files, credentials, card. For both steps up, since properties may be set
/// in READY.
Status prepare(Bridge& bridge, bool for_streaming) {
  BridgeSettings settings;
  guint slot_size = 0;
  CardRemovalPolicy policy{};
  {
    const ObjectLock lock(bridge.element);
    CAS_TRY_ASSIGN(settings, settings_of(bridge.properties));
    slot_size = bridge.properties.licence_slot_size;
    policy = bridge.properties.removal_policy;
  }
  CAS_TRY_ASSIGN(CardSessionPtr session, session_for(bridge));
  CAS_TRY_ASSIGN(auto converter, make_converter(settings, token_session(session.get()), token_info(session.get())));
  if (!for_streaming) return {};
  bridge.licences.start(std::move(converter), std::move(session), policy);
  bridge.stream.configure(slot_size);
  return {};
}

}  // namespace

struct _GstLecmBridge {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  Bridge* impl;
};

G_DECLARE_FINAL_TYPE(GstLecmBridge, gst_lecm_bridge, GST, LECM_BRIDGE, GstElement)
G_DEFINE_TYPE(GstLecmBridge, gst_lecm_bridge, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE(lecm_bridge, "lecm-bridge", GST_RANK_NONE, gst_lecm_bridge_get_type(),
                                      GST_DEBUG_CATEGORY_INIT(lecm_bridge_debug, "lecm-bridge", 0,
                                                              "takes protected files to other domains"))

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("application/x-smartpro"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("application/x-smartpro"));

static Bridge& bridge_of(gpointer object) { return *GST_LECM_BRIDGE(object)->impl; }

static GstFlowReturn gst_lecm_bridge_chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  BufferPtr owned(buffer);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] { return bridge_of(parent).stream.push(std::move(owned)); });
}

static GstFlowReturn gst_lecm_bridge_chain_list(GstPad*, GstObject* parent, GstBufferList* list) {
  BufferListPtr owned(list);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                  [&] { return bridge_of(parent).stream.push_list(std::move(owned)); });
}

static gboolean gst_lecm_bridge_sink_activate_mode(GstPad*, GstObject* parent, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  // Here no flush can come between that allows waits again.
  if (active)
    bridge_of(parent).licences.allow_waits();
  else
    bridge_of(parent).licences.stop_waits();
  return TRUE;
}

static gboolean lecm_bridge_sink_event(GstPad* pad, GstObject* parent, EventPtr event) {
  Bridge& bridge = bridge_of(parent);
  switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_STREAM_START: bridge.stream.reset(); break;
    case GST_EVENT_CAPS:
    case GST_EVENT_GAP: return TRUE;
    case GST_EVENT_SEGMENT: {
      const GstSegment* segment = nullptr;
      gst_event_parse_segment(event.get(), &segment);
      bridge.stream.start_segment(*segment, gst_event_get_seqnum(event.get()));
      return TRUE;
    }
    case GST_EVENT_FLUSH_START: bridge.licences.stop_waits(); break;
    case GST_EVENT_FLUSH_STOP:
      bridge.stream.reset();
      bridge.licences.allow_waits();
      break;
    case GST_EVENT_EOS: bridge.stream.finish(); break;
    default: break;
  }
  return gst_pad_event_default(pad, parent, event.release());
}

static gboolean gst_lecm_bridge_sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  EventPtr owned(event);
  return shielded(GST_ELEMENT(parent), FALSE, [&] { return lecm_bridge_sink_event(pad, parent, std::move(owned)); });
}

static gboolean lecm_bridge_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  Bridge& bridge = bridge_of(parent);
  GstFormat format = GST_FORMAT_UNDEFINED;
  const bool from_downstream = GST_PAD_IS_SRC(pad);
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_SEEKING:
      // A new file is written in one pass, from the old one as it comes.
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      gst_query_set_seeking(query, format, FALSE, 0, -1);
      return TRUE;
    case GST_QUERY_POSITION:
      gst_query_parse_position(query, &format, nullptr);
      if (!from_downstream || format != GST_FORMAT_BYTES) break;
      gst_query_set_position(query, format, static_cast<gint64>(bridge.stream.counters().position.load()));
      return TRUE;
    case GST_QUERY_DURATION: {
      gst_query_parse_duration(query, &format, nullptr);
      if (!from_downstream || format != GST_FORMAT_BYTES) break;
      const auto size = static_cast<gint64>(bridge.stream.counters().size_out.load());
      if (size == 0) return FALSE;
      gst_query_set_duration(query, format, size);
      return TRUE;
    }
    case GST_QUERY_CONTEXT: {
      CardSessionPtr session;
      {
        const ObjectLock lock(parent);
        if (bridge.session) session.reset(gst_cas_card_session_ref(bridge.session.get()));
      }
      if (answer_context_query(query, session.get())) return TRUE;
      break;
    }
    default: break;
  }
  return gst_pad_query_default(pad, parent, query);
}

static gboolean gst_lecm_bridge_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  return shielded(GST_ELEMENT(parent), FALSE, [&] { return lecm_bridge_query(pad, parent, query); });
}

static gboolean gst_lecm_bridge_src_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_SEEK) {
    GST_DEBUG_OBJECT(parent, "a file is taken to another domain in one pass: no seek");
    gst_event_unref(event);
    return FALSE;
  }
  return gst_pad_event_default(pad, parent, event);
}

static GstStateChangeReturn gst_lecm_bridge_change_state(GstElement* element, GstStateChange transition) {
  Bridge& bridge = bridge_of(element);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY || transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    const bool ready = shielded(element, false, [&] {
      const Status status = prepare(bridge, transition == GST_STATE_CHANGE_READY_TO_PAUSED);
      if (!status) post_error(element, error_code_at_start(status.error().kind), status.error());
      return status.has_value();
    });
    if (!ready) return GST_STATE_CHANGE_FAILURE;
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_lecm_bridge_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    bridge.stream.reset();
    bridge.licences.close();
  }
  if (transition == GST_STATE_CHANGE_READY_TO_NULL) {
    CardSessionPtr session;  // Released after the lock is.
    const ObjectLock lock(element);
    session = std::move(bridge.session);
  }
  return result;
}

static void lecm_bridge_set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  if (!may_set_property(GST_ELEMENT(object), pspec)) return;
  Bridge& bridge = bridge_of(object);
  const ObjectLock lock(object);
  if (set_card_property(bridge.card, id, value) || set_bridge_property(bridge.properties, id, value)) return;
  G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_lecm_bridge_set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  shielded(GST_ELEMENT(object), 0, [&] {
    lecm_bridge_set_property(object, id, value, pspec);
    return 0;
  });
}

static GstStructure* bridge_stats(const Bridge& bridge) {
  return gst_structure_new("application/x-lecm-bridge-stats",                                      //
                           "bytes-in", G_TYPE_UINT64, bridge.stream.counters().bytes_in.load(),    //
                           "bytes-out", G_TYPE_UINT64, bridge.stream.counters().bytes_out.load(),  //
                           "licences", G_TYPE_UINT64, bridge.licences.counters().licences.load(),  //
                           "card-waits", G_TYPE_UINT64, bridge.licences.counters().card_waits.load(), nullptr);
}

static void lecm_bridge_get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  const Bridge& bridge = bridge_of(object);
  const ObjectLock lock(object);
  if (get_card_property(bridge.card, id, value) || get_bridge_property(bridge.properties, id, value)) return;
  if (id == property_bridge_stats)
    g_value_take_boxed(value, bridge_stats(bridge));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_lecm_bridge_get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  shielded(GST_ELEMENT(object), 0, [&] {
    lecm_bridge_get_property(object, id, value, pspec);
    return 0;
  });
}

static void gst_lecm_bridge_finalize(GObject* object) {
  delete GST_LECM_BRIDGE(object)->impl;
  G_OBJECT_CLASS(gst_lecm_bridge_parent_class)->finalize(object);
}

static void gst_lecm_bridge_class_init(GstLecmBridgeClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_lecm_bridge_set_property;
  object_class->get_property = gst_lecm_bridge_get_property;
  object_class->finalize = gst_lecm_bridge_finalize;
  install_card_properties(object_class,
                          "URI of the bridge card (default: this machine's master or simple bridge, see 'cas-card')");
  install_bridge_properties(object_class);
  element_class->change_state = gst_lecm_bridge_change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "SmartPRO licence bridge", "Filter/Converter",
      "Takes protected files from one domain to others, still scrambled: only the licences change", "gst-plugins-cas");
}

static void gst_lecm_bridge_init(GstLecmBridge* self) {
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_activatemode_function(self->sinkpad, gst_lecm_bridge_sink_activate_mode);
  gst_pad_set_chain_function(self->sinkpad, gst_lecm_bridge_chain);
  gst_pad_set_chain_list_function(self->sinkpad, gst_lecm_bridge_chain_list);
  gst_pad_set_event_function(self->sinkpad, gst_lecm_bridge_sink_event);
  gst_pad_set_query_function(self->sinkpad, gst_lecm_bridge_query);
  GST_PAD_SET_PROXY_ALLOCATION(self->sinkpad);  // What downstream offers for the new file is good for the old one.
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_event_function(self->srcpad, gst_lecm_bridge_src_event);
  gst_pad_set_query_function(self->srcpad, gst_lecm_bridge_query);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);

  self->impl = new Bridge(GST_ELEMENT(self), self->sinkpad, self->srcpad);
}
