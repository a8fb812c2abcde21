// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-simulcrypt-ecm-inserter
 * @title: simulcrypt-ecm-inserter
 *
 * A DVB SimulCrypt head-end in one element: it scrambles services of an MPEG transport stream (DVB-CSA2, DVB-CISSA or
 * AES), gets the ECMs of each crypto-period from one or several ECMGs, puts them and the EMMs of EMMGs into the stream, and
 * says so in PMT, CAT and SDT.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=250 ! x264enc ! mpegtsmux ! simulcrypt-ecm-inserter ecm-wait=5000 ! filesink location=scrambled.ts
 * ]|
 * protects all services of the stream with the ECMG on this machine ('cas-ecmg run').
 *
 * Since: 0.1
 */
#include <gst/cas/element_error.hpp>
#include <gst/cas/properties.hpp>

#include <optional>

#include "elements.hpp"
#include "inserter_properties.hpp"
#include "inserter_stream.hpp"

GST_DEBUG_CATEGORY(simulcrypt_ecm_inserter_debug);
#define GST_CAT_DEFAULT simulcrypt_ecm_inserter_debug

namespace cas::gst {
namespace {

struct Inserter {
  Inserter(GstElement* given, GstPad* src) : element(given), stream(given, src) {}
  GstElement* element;
  InserterProperties properties;  ///< Under the object's lock.
  InserterStream stream;
  bool streaming = false;    ///< Under the object's lock: from the start of READY->PAUSED to that of PAUSED->READY.
  std::uint64_t serial = 0;  ///< Under the object's lock: of the properties when they were looked at last.
};

/// The settings that the properties mean. With `start`, opens all that is needed to stream.
Status prepare(Inserter& inserter, bool start) {
  InserterProperties properties;
  std::uint64_t serial = 0;
  {
    const ObjectLock lock(inserter.element);
    properties = inserter.properties;
    serial = ++inserter.serial;
    // From here on: what is set while it starts counts too.
    inserter.streaming = start;
  }
  CAS_TRY_ASSIGN(const simulcrypt::HeadEndConfiguration configuration, configuration_of(properties));
  CAS_TRY(mpegts::TsScrambler::create(configuration.settings.cipher, configuration.settings.cipher_options));
  if (!start) return {};
  const Status started = inserter.stream.start(configuration, properties.rtp, serial);
  if (!started) inserter.stream.stop();
  return started;
}

/// What was set while the stream passes is taken up with the next buffer.
void reconfigure(Inserter& inserter) {
  InserterProperties properties;
  std::uint64_t serial = 0;
  {
    const ObjectLock lock(inserter.element);
    if (!inserter.streaming) return;
    properties = inserter.properties;
    serial = ++inserter.serial;
  }
  auto configuration = configuration_of(properties);
  if (!configuration) {
    GST_ELEMENT_WARNING(
        inserter.element, LIBRARY, SETTINGS,
        ("The new settings were not taken, and the old ones stay: %s", configuration.error().message.c_str()),
        (nullptr));
    return;
  }
  inserter.stream.configure(std::move(*configuration), serial);
}

}  // namespace
}  // namespace cas::gst

using namespace cas::gst;  // NOLINT(google-build-using-namespace): below here is C in C++'s clothes.

struct _GstSimulcryptEcmInserter {
  GstElement parent;
  GstPad* sinkpad;
  GstPad* srcpad;
  Inserter* impl;
};

G_DECLARE_FINAL_TYPE(GstSimulcryptEcmInserter, gst_simulcrypt_ecm_inserter, GST, SIMULCRYPT_ECM_INSERTER, GstElement)
G_DEFINE_TYPE(GstSimulcryptEcmInserter, gst_simulcrypt_ecm_inserter, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE(simulcrypt_ecm_inserter, "simulcrypt-ecm-inserter", GST_RANK_NONE,
                                      gst_simulcrypt_ecm_inserter_get_type(),
                                      GST_DEBUG_CATEGORY_INIT(simulcrypt_ecm_inserter_debug, "simulcrypt-ecm-inserter",
                                                              0, "DVB SimulCrypt head-end"))

#define TRANSPORT_STREAM_CAPS "video/mpegts, systemstream = (boolean) true, packetsize = (int) 188; "
static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(TRANSPORT_STREAM_CAPS "application/x-rtp"));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(TRANSPORT_STREAM_CAPS "application/x-srtp"));

static Inserter& inserter_of(gpointer object) { return *GST_SIMULCRYPT_ECM_INSERTER(object)->impl; }

static GstFlowReturn gst_simulcrypt_ecm_inserter_chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  BufferPtr owned(buffer);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR,
                  [&] { return inserter_of(parent).stream.push(std::move(owned)); });
}

static GstFlowReturn gst_simulcrypt_ecm_inserter_chain_list(GstPad*, GstObject* parent, GstBufferList* list) {
  const BufferListPtr owned(list);
  return shielded(GST_ELEMENT(parent), GST_FLOW_ERROR, [&] { return inserter_of(parent).stream.push_list(list); });
}

static gboolean inserter_sink_event(GstPad* pad, GstObject* parent, EventPtr event) {
  InserterStream& stream = inserter_of(parent).stream;
  switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event.get(), &caps);
      const CapsPtr out = stream.set_caps(caps);
      if (!out) return FALSE;
      return gst_pad_push_event(GST_SIMULCRYPT_ECM_INSERTER(parent)->srcpad, gst_event_new_caps(out.get()));
    }
    case GST_EVENT_FLUSH_START: stream.waits().stop(); break;
    case GST_EVENT_FLUSH_STOP: {
      stream.flush();
      // Not when it is being stopped: a wait that begins now would hold up the change of state.
      const ObjectLock lock(parent);
      if (inserter_of(parent).streaming) stream.waits().rearm();
      break;
    }
    case GST_EVENT_EOS: {
      const GstFlowReturn flow = stream.finish();
      if (flow == GST_FLOW_ERROR || flow == GST_FLOW_FLUSHING) return FALSE;
      break;
    }
    case GST_EVENT_CUSTOM_DOWNSTREAM_STICKY:
      if (stream.take_key(event.get())) return TRUE;
      break;
    default: break;
  }
  return gst_pad_event_default(pad, parent, event.release());
}

static gboolean gst_simulcrypt_ecm_inserter_sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  EventPtr owned(event);
  return shielded(GST_ELEMENT(parent), FALSE, [&] { return inserter_sink_event(pad, parent, std::move(owned)); });
}

static GstStateChangeReturn gst_simulcrypt_ecm_inserter_change_state(GstElement* element, GstStateChange transition) {
  Inserter& inserter = inserter_of(element);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY || transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    const bool ready = shielded(element, false, [&] {
      const auto status = prepare(inserter, transition == GST_STATE_CHANGE_READY_TO_PAUSED);
      if (!status) post_error(element, error_code_at_start(status.error().kind), status.error());
      return status.has_value();
    });
    if (!ready) {
      const ObjectLock lock(element);
      inserter.streaming = false;
      return GST_STATE_CHANGE_FAILURE;
    }
    inserter.stream.waits().rearm();
  }
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    {
      const ObjectLock lock(element);
      inserter.streaming = false;
    }
    inserter.stream.waits().stop();
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_simulcrypt_ecm_inserter_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) inserter.stream.stop();
  return result;
}

static void gst_simulcrypt_ecm_inserter_set_property(GObject* object, guint id, const GValue* value,
                                                     GParamSpec* pspec) {
  shielded(GST_ELEMENT(object), 0, [&] {
    if (!may_set_property(GST_ELEMENT(object), pspec)) return 0;
    Inserter& inserter = inserter_of(object);
    bool known = false;
    {
      const ObjectLock lock(object);
      known = set_inserter_property(inserter.properties, id, value);
    }
    if (!known) {
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    } else {
      reconfigure(inserter);
    }
    return 0;
  });
}

static void gst_simulcrypt_ecm_inserter_get_property(GObject* object, guint id, GValue* value, GParamSpec* pspec) {
  Inserter& inserter = inserter_of(object);
  if (id == stats_property) {
    g_value_take_boxed(value, inserter.stream.stats().release());
    return;
  }
  const ObjectLock lock(object);
  if (!get_inserter_property(inserter.properties, id, value)) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_simulcrypt_ecm_inserter_finalize(GObject* object) {
  delete GST_SIMULCRYPT_ECM_INSERTER(object)->impl;
  G_OBJECT_CLASS(gst_simulcrypt_ecm_inserter_parent_class)->finalize(object);
}

static void gst_simulcrypt_ecm_inserter_class_init(GstSimulcryptEcmInserterClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_simulcrypt_ecm_inserter_set_property;
  object_class->get_property = gst_simulcrypt_ecm_inserter_get_property;
  object_class->finalize = gst_simulcrypt_ecm_inserter_finalize;
  install_inserter_properties(object_class);
  element_class->change_state = gst_simulcrypt_ecm_inserter_change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "SimulCrypt ECM inserter", "Filter/Encryptor/Network",
      "Scrambles services of a transport stream, and inserts ECMs and EMMs (DVB SimulCrypt)", "gst-plugins-cas");
}

static void gst_simulcrypt_ecm_inserter_init(GstSimulcryptEcmInserter* self) {
  self->sinkpad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sinkpad, gst_simulcrypt_ecm_inserter_chain);
  gst_pad_set_chain_list_function(self->sinkpad, gst_simulcrypt_ecm_inserter_chain_list);
  gst_pad_set_event_function(self->sinkpad, gst_simulcrypt_ecm_inserter_sink_event);
  gst_element_add_pad(GST_ELEMENT(self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template(&src_template, "src");
  gst_element_add_pad(GST_ELEMENT(self), self->srcpad);

  self->impl = new Inserter(GST_ELEMENT(self), self->srcpad);
}
