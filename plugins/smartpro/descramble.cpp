// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-smartpro-descramble
 * @title: smartpro-descramble
 * @see_also: smartpro-scramble
 *
 * Gives the content of a protected file (application/x-smartpro) to everybody downstream as if it were not protected,
 * for a renderer card whose domain and rights allow it. Players plug it by themselves. With a processing card it opens
 * content to be worked on, which smartpro-scramble protects again under the licence that is announced here.
 *
 * ## Example launch lines
 * |[
 * gst-play-1.0 rushes.spro
 * ]| Plays a protected file with this machine's renderer card.
 * |[
 * gst-launch-1.0 filesrc location=rushes.spro ! smartpro-descramble ! qtdemux ! fakesink
 * ]| Puts the element before a demuxer by hand.
 * |[
 * gst-launch-1.0 filesrc location=rushes.spro ! smartpro-descramble ! progressreport format=bytes ! smartpro-scramble licence-from=upstream host=worker ! filesink location=again.spro
 * ]| Opens content with a processing card, and protects it again.
 *
 * Since: 0.1
 */
#include <gst/gst.h>
#include <gst/cas/element_error.hpp>
#include <gst/cas/properties.hpp>

#include <atomic>
#include <string>
#include <utility>

#include "descramble_pull.hpp"
#include "descramble_push.hpp"
#include "elements.hpp"
#include "licence_announcement.hpp"

GST_DEBUG_CATEGORY(smartpro_descramble_debug);
#define GST_CAT_DEFAULT smartpro_descramble_debug

using namespace cas;
using namespace cas::gst;

namespace {

/// Lock order: state lock, STREAM_LOCK of the source pad, STREAM_LOCK of the sink pad, object lock. The object lock is
/// held for moments, never while pushing, querying, posting or talking to a card.
struct Descramble {
  Descramble(GstElement* element, GstPad* sink, GstPad* src) : parts(element, sink, src), pull(parts), push(parts) {}

  // Under the object lock: the properties.
  CardRequest card;
  CardRemovalPolicy removal_policy = CardRemovalPolicy::wait;
  CardSessionPtr session;    // From NULL->READY to READY->NULL.
  CardRequest session_card;  // What it was opened for.

  /// A playback is under way: from the first activation of the sink pad until PAUSED->READY. Under the state lock, of
  /// ours or, when it activates our pads, of the element downstream.
  bool started = false;
  /// How the sink pad is active.
  std::atomic<GstPadMode> mode{GST_PAD_MODE_NONE};

  // Under the STREAM_LOCK of the sink pad.
  DescrambleParts parts;
  DescramblePull pull;
  DescramblePush push;
};

enum DescrambleProperty : guint {
  property_card_removal_policy = first_own_property,
  property_rights,
  property_stats,
};

CardSessionPtr shared_session(Descramble& descramble) {
  const ObjectLock lock(descramble.parts.element);
  return CardSessionPtr(descramble.session ? gst_cas_card_session_ref(descramble.session.get()) : nullptr);
}

/// A session for the card that the properties name now, since they may be set in READY.
Status ensure_session(Descramble& descramble) {
  CardRequest wanted;
  {
    const ObjectLock lock(descramble.parts.element);
    wanted = descramble.card;
    if (descramble.session && descramble.session_card == wanted) return {};
  }
  CAS_TRY_ASSIGN(CardSessionPtr session,
                 acquire_card_session(descramble.parts.element, wanted,
                                      {smartpro::TokenKind::renderer, smartpro::TokenKind::processing}));
  const ObjectLock lock(descramble.parts.element);
  std::swap(descramble.session, session);
  descramble.session_card = wanted;
  return {};
}

/// Begins a playback. Called when the sink pad becomes active, not in the state change: a demuxer behind us that reads
/// by itself goes to PAUSED before we do, and reads at once.
Status start(Descramble& descramble) {
  if (std::exchange(descramble.started, true)) return {};
  CAS_TRY(ensure_session(descramble));
  descramble.parts.clear_counters();
  CardRemovalPolicy policy{};
  {
    const ObjectLock lock(descramble.parts.element);
    policy = descramble.removal_policy;
  }
  return descramble.parts.gate.start(shared_session(descramble), policy);
}

/// Ends it, when no pad is active any more.
void stop(Descramble& descramble) {
  descramble.started = false;
  descramble.pull.deactivate();
  descramble.push.reset();
  descramble.parts.gate.close();
}

/// Posts a failure of what is local; true without one.
bool report(Descramble& descramble, const Status& status) {
  if (!status) post_error(descramble.parts.element, error_code_at_start(status.error().kind), status.error());
  return status.has_value();
}

/// Whether upstream can be read at any place.
bool upstream_gives_ranges(GstPad* sink, GstSchedulingFlags* flags = nullptr) {
  const QueryPtr query(gst_query_new_scheduling());
  if (!gst_pad_peer_query(sink, query.get())) return false;
  if (flags != nullptr) gst_query_parse_scheduling(query.get(), flags, nullptr, nullptr, nullptr);
  return gst_query_has_scheduling_mode_with_flags(query.get(), GST_PAD_MODE_PULL, GST_SCHEDULING_FLAG_SEEKABLE) !=
         FALSE;
}

bool upstream_seeks_bytes(GstPad* sink) {
  const QueryPtr query(gst_query_new_seeking(GST_FORMAT_BYTES));
  gboolean seekable = FALSE;
  if (gst_pad_peer_query(sink, query.get())) gst_query_parse_seeking(query.get(), nullptr, &seekable, nullptr, nullptr);
  return seekable != FALSE;
}

}  // namespace

struct _GstSmartproDescramble {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  Descramble* impl;
};

G_DECLARE_FINAL_TYPE(GstSmartproDescramble, gst_smartpro_descramble, GST, SMARTPRO_DESCRAMBLE, GstElement)
G_DEFINE_TYPE(GstSmartproDescramble, gst_smartpro_descramble, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE(smartpro_descramble, "smartpro-descramble", GST_RANK_PRIMARY,
                                      gst_smartpro_descramble_get_type(),
                                      GST_DEBUG_CATEGORY_INIT(smartpro_descramble_debug, "smartpro-descramble", 0,
                                                              "gives the content of protected files"))

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("application/x-smartpro"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static Descramble& descramble_of(gpointer object) { return *GST_SMARTPRO_DESCRAMBLE(object)->impl; }

// --- Activation: pull mode where upstream can be read at any place, push mode elsewhere ---

static gboolean gst_smartpro_descramble_sink_activate(GstPad* pad, GstObject* parent) {
  if (upstream_gives_ranges(pad) && gst_pad_activate_mode(pad, GST_PAD_MODE_PULL, TRUE)) {
    // A task only when nobody downstream has activated us: then it is we who drive.
    return descramble_of(parent).pull.start_task();
  }
  return gst_pad_activate_mode(pad, GST_PAD_MODE_PUSH, TRUE);
}

static gboolean gst_smartpro_descramble_sink_activate_mode(GstPad* pad, GstObject* parent, GstPadMode mode,
                                                           gboolean active) {
  Descramble& descramble = descramble_of(parent);
  if (active) {
    const bool ready = shielded(descramble.parts.element, false, [&] { return report(descramble, start(descramble)); });
    if (!ready) return FALSE;
    descramble.parts.gate.allow_waits();
    if (mode == GST_PAD_MODE_PULL)
      descramble.pull.activate();
    else
      descramble.push.reset();
    descramble.mode = mode;
    return TRUE;
  }
  descramble.parts.gate.stop_waits();
  descramble.mode = GST_PAD_MODE_NONE;
  return mode == GST_PAD_MODE_PULL ? gst_pad_stop_task(pad) : TRUE;
}

static gboolean gst_smartpro_descramble_src_activate_mode(GstPad*, GstObject* parent, GstPadMode mode,
                                                          gboolean active) {
  if (mode != GST_PAD_MODE_PULL) return mode == GST_PAD_MODE_PUSH;
  Descramble& descramble = descramble_of(parent);
  GstPad* sink = descramble.parts.sink;
  descramble.pull.set_downstream_pulls(active != FALSE);
  // This comes from our own task when a demuxer is plugged while caps go out: pause it, which does not wait for it.
  if (active)
    gst_pad_pause_task(sink);
  else
    descramble.parts.gate.stop_waits();
  return gst_pad_activate_mode(sink, GST_PAD_MODE_PULL, active);
}

// --- Data ---

static GstFlowReturn gst_smartpro_descramble_chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  BufferPtr owned(buffer);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                  [&] { return descramble_of(parent).push.push(std::move(owned)); });
}

static GstFlowReturn gst_smartpro_descramble_chain_list(GstPad*, GstObject* parent, GstBufferList* list) {
  const BufferListPtr owned(list);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] { return descramble_of(parent).push.push_list(list); });
}

static GstFlowReturn gst_smartpro_descramble_get_range(GstPad*, GstObject* parent, guint64 offset, guint length,
                                                       GstBuffer** buffer) {
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                  [&] { return descramble_of(parent).pull.get_range(offset, length, buffer); });
}

// --- Events ---

static gboolean descramble_sink_event(GstPad* pad, GstObject* parent, EventPtr event) {
  DescramblePush& push = descramble_of(parent).push;
  const guint32 seqnum = gst_event_get_seqnum(event.get());
  switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_CAPS:
    case GST_EVENT_GAP: return TRUE;
    case GST_EVENT_SEGMENT: {
      const GstSegment* segment = nullptr;
      gst_event_parse_segment(event.get(), &segment);
      push.start_segment(*segment, seqnum);
      return TRUE;
    }
    case GST_EVENT_FLUSH_START:
      if (!push.flush_start(seqnum)) return TRUE;
      break;
    case GST_EVENT_FLUSH_STOP:
      if (!push.flush_stop(seqnum)) return TRUE;
      break;
    case GST_EVENT_EOS:
      if (!push.finish()) return TRUE;
      break;
    case GST_EVENT_STREAM_START: break;
    default:
      if (is_licence_event(event.get())) return TRUE;  // Of what was protected within: ours is another one.
      if ((gst_event_type_get_flags(GST_EVENT_TYPE(event.get())) & GST_EVENT_TYPE_SERIALIZED) != 0)
        return push.pass_on(std::move(event));
      break;
  }
  return gst_pad_event_default(pad, parent, event.release());
}

static gboolean gst_smartpro_descramble_sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  EventPtr owned(event);
  return shielded(GST_ELEMENT(parent), FALSE, [&] { return descramble_sink_event(pad, parent, std::move(owned)); });
}

static gboolean gst_smartpro_descramble_src_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  if (GST_EVENT_TYPE(event) != GST_EVENT_SEEK) return gst_pad_event_default(pad, parent, event);
  const EventPtr owned(event);
  return shielded(GST_ELEMENT(parent), FALSE, [&]() -> gboolean {
    Descramble& descramble = descramble_of(parent);
    const SeekRequest request(event);
    if (descramble.mode == GST_PAD_MODE_PULL) return descramble.pull.seek(request);
    return descramble.mode == GST_PAD_MODE_PUSH && descramble.push.seek(request);
  });
}

// --- Queries: what upstream says of the file, told for its content ---

static bool answer_scheduling(GstPad* sink, GstQuery* query) {
  GstSchedulingFlags flags{};
  const bool ranges = upstream_gives_ranges(sink, &flags);
  gst_query_set_scheduling(query, flags, 1, -1, 0);
  gst_query_add_scheduling_mode(query, GST_PAD_MODE_PUSH);
  if (ranges) gst_query_add_scheduling_mode(query, GST_PAD_MODE_PULL);
  return true;
}

static bool answer_duration(Descramble& descramble, GstQuery* query) {
  std::uint64_t size = descramble.parts.plain_size;
  if (size == DescrambleParts::unknown && descramble.mode == GST_PAD_MODE_PULL) {
    descramble.pull.learn_size();
    size = descramble.parts.plain_size;
  }
  if (size == DescrambleParts::unknown) return false;
  gst_query_set_duration(query, GST_FORMAT_BYTES, static_cast<gint64>(size));
  return true;
}

static bool answer_seeking(Descramble& descramble, GstQuery* query) {
  const bool seekable = descramble.mode == GST_PAD_MODE_PULL || upstream_seeks_bytes(descramble.parts.sink);
  const std::uint64_t size = descramble.parts.plain_size;
  gst_query_set_seeking(query, GST_FORMAT_BYTES, seekable, 0,
                        size == DescrambleParts::unknown ? -1 : static_cast<gint64>(size));
  return true;
}

static gboolean gst_smartpro_descramble_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  Descramble& descramble = descramble_of(parent);
  GstFormat format = GST_FORMAT_UNDEFINED;
  const bool from_downstream = GST_PAD_IS_SRC(pad);
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CONTEXT:
      if (answer_context_query(query, shared_session(descramble).get())) return TRUE;
      break;
    case GST_QUERY_ALLOCATION: return FALSE;  // What downstream offers is for content.
    case GST_QUERY_SCHEDULING:
      if (from_downstream) return answer_scheduling(descramble.parts.sink, query);
      break;
    case GST_QUERY_POSITION:
      gst_query_parse_position(query, &format, nullptr);
      if (!from_downstream || format != GST_FORMAT_BYTES) break;
      gst_query_set_position(query, format, static_cast<gint64>(descramble.parts.position.load()));
      return TRUE;
    case GST_QUERY_DURATION:
      gst_query_parse_duration(query, &format, nullptr);
      if (from_downstream && format == GST_FORMAT_BYTES) return answer_duration(descramble, query);
      break;
    case GST_QUERY_SEEKING:
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      if (from_downstream && format == GST_FORMAT_BYTES) return answer_seeking(descramble, query);
      break;
    case GST_QUERY_CUSTOM:
      if (!from_downstream || !is_licence_query(query)) break;
      descramble.parts.gate.answer(query);
      return FALSE;  // Others are asked as well.
    default: break;
  }
  return gst_pad_query_default(pad, parent, query);
}

static gboolean gst_smartpro_descramble_any_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  return shielded(GST_ELEMENT(parent), FALSE, [&] { return gst_smartpro_descramble_query(pad, parent, query); });
}

// --- Element ---

static GstStateChangeReturn gst_smartpro_descramble_change_state(GstElement* element, GstStateChange transition) {
  Descramble& descramble = descramble_of(element);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY) {
    const bool ready = shielded(element, false, [&] { return report(descramble, ensure_session(descramble)); });
    if (!ready) return GST_STATE_CHANGE_FAILURE;
  }
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) descramble.parts.gate.stop_waits();
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_smartpro_descramble_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY || transition == GST_STATE_CHANGE_READY_TO_NULL) stop(descramble);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL) {
    CardSessionPtr session;  // Released after the lock is.
    const ObjectLock lock(element);
    session = std::move(descramble.session);
  }
  return result;
}

static void descramble_set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  if (!may_set_property(GST_ELEMENT(object), pspec)) return;
  Descramble& descramble = descramble_of(object);
  const ObjectLock lock(object);
  if (set_card_property(descramble.card, id, value)) return;
  if (id == property_card_removal_policy)
    descramble.removal_policy = static_cast<CardRemovalPolicy>(g_value_get_enum(value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_smartpro_descramble_set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  shielded(GST_ELEMENT(object), 0, [&] {
    descramble_set_property(object, id, value, pspec);
    return 0;
  });
}

static GstStructure* descramble_stats(const DescrambleParts& parts) {
  return gst_structure_new("application/x-smartpro-descramble-stats",                                //
                           "bytes-in", G_TYPE_UINT64, parts.bytes_in.load(),                         //
                           "bytes-out", G_TYPE_UINT64, parts.bytes_out.load(),                       //
                           "segments", G_TYPE_UINT64, parts.segments.load(),                         //
                           "seeks", G_TYPE_UINT64, parts.seeks.load(),                               //
                           "licences-opened", G_TYPE_UINT64, parts.gate.counters().licences.load(),  //
                           "card-waits", G_TYPE_UINT64, parts.gate.counters().card_waits.load(), nullptr);
}

static void descramble_get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  Descramble& descramble = descramble_of(object);
  if (id == property_rights) {
    g_value_take_boxed(value, descramble.parts.gate.rights("smartpro-rights").release());
    return;
  }
  if (id == property_stats) {
    g_value_take_boxed(value, descramble_stats(descramble.parts));
    return;
  }
  const ObjectLock lock(object);
  if (get_card_property(descramble.card, id, value)) return;
  if (id == property_card_removal_policy)
    g_value_set_enum(value, static_cast<gint>(descramble.removal_policy));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_smartpro_descramble_get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  shielded(GST_ELEMENT(object), 0, [&] {
    descramble_get_property(object, id, value, pspec);
    return 0;
  });
}

static void gst_smartpro_descramble_finalize(GObject* object) {
  delete GST_SMARTPRO_DESCRAMBLE(object)->impl;
  G_OBJECT_CLASS(gst_smartpro_descramble_parent_class)->finalize(object);
}

static void gst_smartpro_descramble_class_init(GstSmartproDescrambleClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_smartpro_descramble_set_property;
  object_class->get_property = gst_smartpro_descramble_get_property;
  object_class->finalize = gst_smartpro_descramble_finalize;
  install_card_properties(object_class,
                          "URI of the renderer card, or of a processing card (default: the processing card of a "
                          "smartpro-scramble downstream that has one, or this "
                          "machine's renderer card, or where it has none its processing card, see 'cas-card')");
  g_object_class_install_property(
      object_class, property_card_removal_policy,
      g_param_spec_enum("card-removal-policy", "Card removal policy",
                        "What to do when a licence has to be opened and the card is gone", removal_policy_type(),
                        static_cast<gint>(CardRemovalPolicy::wait), settable_until_ready));
  g_object_class_install_property(
      object_class, property_rights,
      g_param_spec_boxed("rights", "Rights", "Usage rights of the content, once its licence is open",
                         GST_TYPE_STRUCTURE, readable));
  g_object_class_install_property(
      object_class, property_stats,
      g_param_spec_boxed("stats", "Statistics", "Counters since PAUSED", GST_TYPE_STRUCTURE, readable));
  gst_type_mark_as_plugin_api(removal_policy_type(), static_cast<GstPluginAPIFlags>(0));

  element_class->change_state = gst_smartpro_descramble_change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "SmartPRO descrambler", "Decryptor",
      "Gives the content of protected files, with a renderer card or a processing card", "gst-plugins-cas");
}

static void gst_smartpro_descramble_init(GstSmartproDescramble* self) {
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_activate_function(self->sinkpad, gst_smartpro_descramble_sink_activate);
  gst_pad_set_activatemode_function(self->sinkpad, gst_smartpro_descramble_sink_activate_mode);
  gst_pad_set_chain_function(self->sinkpad, gst_smartpro_descramble_chain);
  gst_pad_set_chain_list_function(self->sinkpad, gst_smartpro_descramble_chain_list);
  gst_pad_set_event_function(self->sinkpad, gst_smartpro_descramble_sink_event);
  gst_pad_set_query_function(self->sinkpad, gst_smartpro_descramble_any_query);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_activatemode_function(self->srcpad, gst_smartpro_descramble_src_activate_mode);
  gst_pad_set_getrange_function(self->srcpad, gst_smartpro_descramble_get_range);
  gst_pad_set_event_function(self->srcpad, gst_smartpro_descramble_src_event);
  gst_pad_set_query_function(self->srcpad, gst_smartpro_descramble_any_query);
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);

  self->impl = new Descramble(GST_ELEMENT(self), self->sinkpad, self->srcpad);
}
