// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-lecm-bridge
 * @title: lecm-bridge
 * @see_also: smartpro-scramble, smartpro-descramble
 *
 * Takes a protected file (application/x-smartpro) from one virtual domain to others. Only the licences change: the content stays
 * scrambled as it is and goes through untouched, and no card ever holds the key of another domain.
 *
 * It takes two of them. In the source domain, with mode=master, each licence becomes one for the way, addressed to the bridges of one or more
 * destinations. What comes out plays nowhere. In a destination domain, with mode=simple, that becomes a licence of the destination domain, within
 * the rights that the source granted. With direction=back, content goes home the same way.
 *
 * The page docs/elements/lecm-bridge.md has the launch lines.
 *
 * Since: 0.1
 */
#include <gst/cas/element_error.hpp>
#include <gst/cas/properties.hpp>
#include <gst/gst.h>

#include <string>
#include <string_view>
#include <utility>

#include "bridge_converter.hpp"
#include "bridge_licences.hpp"
#include "bridge_stream.hpp"
#include "elements.hpp"
#include "rights_structure.hpp"

GST_DEBUG_CATEGORY(lecm_bridge_debug);
#define GST_CAT_DEFAULT lecm_bridge_debug

using namespace cas;
using namespace cas::gst;

namespace {

/// What the properties say, beside the card.
struct BridgeProperties {
  BridgeMode mode = BridgeMode::master;
  BridgeDirection direction = BridgeDirection::forward;
  std::string destinations;
  std::string mask;
  StructurePtr usage_rights;
  guint licence_slot_size = 0;
  CardRemovalPolicy removal_policy = CardRemovalPolicy::wait;
};

/// Lock order: state lock, STREAM_LOCK of the sink pad, object lock. The object lock is held for moments, never while pushing, querying, posting
/// or talking to a card.
struct Bridge {
  Bridge(GstElement* the_element, GstPad* sink, GstPad* src)
      : element(the_element), licences(the_element), stream(the_element, sink, src, licences) {}

  GstElement* const element;

  // Under the object lock.
  CardRequest card;
  BridgeProperties properties;
  CardSessionPtr session;    // From NULL->READY to READY->NULL.
  CardRequest session_card;  // What it was opened for,
  BridgeMode session_mode = BridgeMode::master;  // and in which mode.

  // Under the STREAM_LOCK of the sink pad.
  BridgeLicences licences;
  BridgeStream stream;
};

enum BridgeProperty : guint {
  property_mode = first_own_property,
  property_direction,
  property_destinations,
  property_mask,
  property_usage_rights,
  property_licence_slot_size,
  property_card_removal_policy,
  property_stats,
};

GType mode_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<gint>(BridgeMode::master), "Master bridge, in the source domain: licences of the domain from and to licences for the way", "master"},
        {static_cast<gint>(BridgeMode::simple), "Simple bridge, in a destination domain: licences for the way to and from licences of the domain", "simple"},
        {0, nullptr, nullptr},
    };
    return g_enum_register_static("GstLecmBridgeMode", values);
  }();
  return type;
}

GType direction_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<gint>(BridgeDirection::forward), "From the source domain to destination domains", "forward"},
        {static_cast<gint>(BridgeDirection::back), "From a destination domain back to the source domain", "back"},
        {0, nullptr, nullptr},
    };
    return g_enum_register_static("GstLecmBridgeDirection", values);
  }();
  return type;
}

smartpro::TokenKind kind_of(BridgeMode mode) {
  return mode == BridgeMode::master ? smartpro::TokenKind::master_bridge : smartpro::TokenKind::simple_bridge;
}

/// Paths with ',' between them.
std::vector<std::filesystem::path> parse_paths(std::string_view text) {
  std::vector<std::filesystem::path> paths;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) paths.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return paths;
}

/// The properties as a converter needs them; fails on the first that cannot be. Call under the object's lock.
Result<BridgeSettings> settings_of(const BridgeProperties& properties) {
  BridgeSettings settings;
  settings.mode = properties.mode;
  settings.direction = properties.direction;
  settings.destinations = parse_paths(properties.destinations);
  settings.mask = properties.mask;
  const bool master = settings.mode == BridgeMode::master;
  if (master && settings.destinations.empty())
    return fail(ErrorKind::invalid_argument,
                "the property 'destinations' has to name the files with the records of the simple bridges, as 'destinations=b.bridge,c.bridge'");
  if (!master && !(settings.destinations.empty() && settings.mask.empty()))
    return fail(ErrorKind::invalid_argument, "the properties 'destinations' and 'mask' are for a master bridge: a simple bridge takes what is addressed to it");
  if (properties.usage_rights) {
    CAS_TRY(change_rights(properties.usage_rights.get(), {}));  // What cannot be is found here, and not at the first licence.
    const std::shared_ptr<GstStructure> changes(gst_structure_copy(properties.usage_rights.get()), gst_structure_free);
    settings.change_rights = [changes](const smartpro::UsageRights& granted) { return change_rights(changes.get(), granted); };
  }
  return settings;
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

/// Checks everything that is local: settings, files, credentials, card. For both steps up, since properties may be set in READY.
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
                                      GST_DEBUG_CATEGORY_INIT(lecm_bridge_debug, "lecm-bridge", 0, "takes protected files to other domains"))

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
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] { return bridge_of(parent).stream.push_list(std::move(owned)); });
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
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) bridge.licences.stop_waits();
  const GstStateChangeReturn result = GST_ELEMENT_CLASS(gst_lecm_bridge_parent_class)->change_state(element, transition);
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
  BridgeProperties& properties = bridge.properties;
  const ObjectLock lock(object);
  if (set_card_property(bridge.card, id, value)) return;
  switch (id) {
    case property_mode: properties.mode = static_cast<BridgeMode>(g_value_get_enum(value)); break;
    case property_direction: properties.direction = static_cast<BridgeDirection>(g_value_get_enum(value)); break;
    case property_destinations: properties.destinations = string_of(value); break;
    case property_mask: properties.mask = string_of(value); break;
    case property_usage_rights: {
      const GstStructure* rights = gst_value_get_structure(value);
      properties.usage_rights.reset(rights == nullptr ? nullptr : gst_structure_copy(rights));
      break;
    }
    case property_licence_slot_size: properties.licence_slot_size = g_value_get_uint(value); break;
    case property_card_removal_policy: properties.removal_policy = static_cast<CardRemovalPolicy>(g_value_get_enum(value)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec); break;
  }
}

static void gst_lecm_bridge_set_property(GObject* object, guint id, const GValue* value, GParamSpec* pspec) {
  shielded(GST_ELEMENT(object), 0, [&] {
    lecm_bridge_set_property(object, id, value, pspec);
    return 0;
  });
}

static GstStructure* bridge_stats(const Bridge& bridge) {
  return gst_structure_new("application/x-lecm-bridge-stats",                                          //
                           "bytes-in", G_TYPE_UINT64, bridge.stream.counters().bytes_in.load(),        //
                           "bytes-out", G_TYPE_UINT64, bridge.stream.counters().bytes_out.load(),      //
                           "licences", G_TYPE_UINT64, bridge.licences.counters().licences.load(),      //
                           "card-waits", G_TYPE_UINT64, bridge.licences.counters().card_waits.load(), nullptr);
}

static void lecm_bridge_get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  const Bridge& bridge = bridge_of(object);
  const BridgeProperties& properties = bridge.properties;
  const ObjectLock lock(object);
  if (get_card_property(bridge.card, id, value)) return;
  switch (id) {
    case property_mode: g_value_set_enum(value, static_cast<gint>(properties.mode)); break;
    case property_direction: g_value_set_enum(value, static_cast<gint>(properties.direction)); break;
    case property_destinations: set_string(value, properties.destinations); break;
    case property_mask: set_string(value, properties.mask); break;
    case property_usage_rights: gst_value_set_structure(value, properties.usage_rights.get()); break;
    case property_licence_slot_size: g_value_set_uint(value, properties.licence_slot_size); break;
    case property_card_removal_policy: g_value_set_enum(value, static_cast<gint>(properties.removal_policy)); break;
    case property_stats: g_value_take_boxed(value, bridge_stats(bridge)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec); break;
  }
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

static void install_bridge_properties(GObjectClass* object_class) {
  install_card_properties(object_class, "URI of the bridge card (default: this machine's master or simple bridge, see 'cas-card')");
  const auto install = [&](guint id, GParamSpec* pspec) { g_object_class_install_property(object_class, id, pspec); };
  install(property_mode, g_param_spec_enum("mode", "Mode", "Which of the two bridges on the way between domains this is", mode_type(),
                                           static_cast<gint>(BridgeMode::master), settable_until_ready));
  install(property_direction, g_param_spec_enum("direction", "Direction", "Which way the content goes", direction_type(),
                                                static_cast<gint>(BridgeDirection::forward), settable_until_ready));
  install(property_destinations,
          g_param_spec_string("destinations", "Destinations",
                              "Master bridge: files with the records of the simple bridges to send to or take back from, with ',' between them", nullptr,
                              settable_until_ready));
  install(property_mask,
          g_param_spec_string("mask", "Authorisation mask",
                              "Master bridge: file with the mask of the bridges that still may be sent to (default: bridging/mask-VDID in $CAS_HOME)",
                              nullptr, settable_until_ready));
  install(property_usage_rights,
          g_param_spec_boxed("usage-rights", "Usage rights",
                             "Limits to put on the new licences, with the fields of smartpro-scramble; what is not named stays, and nothing can be widened",
                             GST_TYPE_STRUCTURE, settable_until_ready));
  install(property_licence_slot_size,
          g_param_spec_uint("licence-slot-size", "Licence slot size",
                            "Bytes that the new file has for each licence, at least (0: as many as the old one, or as the first licence needs)", 0,
                            smartpro::max_licence_slot_size, 0, settable_until_ready));
  install(property_card_removal_policy,
          g_param_spec_enum("card-removal-policy", "Card removal policy", "What to do when a licence has to be converted and the card is gone",
                            removal_policy_type(), static_cast<gint>(CardRemovalPolicy::wait), settable_until_ready));
  install(property_stats, g_param_spec_boxed("stats", "Statistics", "Counters since PAUSED", GST_TYPE_STRUCTURE, readable));
  for (const GType type : {mode_type(), direction_type(), removal_policy_type()}) gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
}

static void gst_lecm_bridge_class_init(GstLecmBridgeClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_lecm_bridge_set_property;
  object_class->get_property = gst_lecm_bridge_get_property;
  object_class->finalize = gst_lecm_bridge_finalize;
  install_bridge_properties(object_class);
  element_class->change_state = gst_lecm_bridge_change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "SmartPRO licence bridge", "Filter/Converter",
                                        "Takes protected files from one domain to others, still scrambled: only the licences change", "gst-plugins-cas");
}

static void gst_lecm_bridge_init(GstLecmBridge* self) {
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
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
