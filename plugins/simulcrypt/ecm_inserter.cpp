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
#include "inserter_enums.hpp"
#include "inserter_settings.hpp"
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

enum Property : guint {
  property_config = 1,
  property_ecmg,
  property_super_cas_id,
  property_channel_id,
  property_access_criteria,
  property_ecm_pid,
  property_service,
  property_components,
  property_cipher,
  property_csa2_checksum,
  property_crypto_period,
  property_clear_lead,
  property_without_ecm,
  property_before_first_period,
  property_scramble,
  property_emm_listen,
  property_emm_bandwidth,
  property_bit_rate,
  property_clock_bit_rate,
  property_ecm_wait,
  property_sdp,
  property_sdp_media,
  property_ltkm_address,
  property_stats,
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

/// False: `id` is not known. Under the object's lock.
static bool set_inserter_property(InserterProperties& properties, guint id, const GValue* value) {
  switch (id) {
    case property_config: properties.config = string_of(value); return true;
    case property_ecmg: properties.ecmg = string_of(value); return true;
    case property_super_cas_id: properties.super_cas_id = g_value_get_uint(value); return true;
    case property_channel_id: properties.channel_id = g_value_get_uint(value); return true;
    case property_access_criteria: properties.access_criteria = string_of(value); return true;
    case property_ecm_pid: properties.ecm_pid = g_value_get_uint(value); return true;
    case property_service: properties.service = string_of(value); return true;
    case property_components:
      properties.components = static_cast<cas::simulcrypt::Components>(g_value_get_enum(value));
      return true;
    case property_cipher: properties.cipher = static_cast<cas::mpegts::TsCipher>(g_value_get_enum(value)); return true;
    case property_csa2_checksum: properties.csa2_checksum = g_value_get_boolean(value) != FALSE; return true;
    case property_crypto_period: properties.crypto_period = g_value_get_uint(value); return true;
    case property_clear_lead: properties.clear_lead = g_value_get_uint(value); return true;
    case property_without_ecm:
      properties.without_ecm = static_cast<cas::simulcrypt::WithoutEcm>(g_value_get_enum(value));
      return true;
    case property_before_first_period:
      properties.before_first_period = static_cast<cas::simulcrypt::BeforeFirstPeriod>(g_value_get_enum(value));
      return true;
    case property_scramble: properties.scramble = g_value_get_boolean(value) != FALSE; return true;
    case property_emm_listen: properties.emm_listen = string_of(value); return true;
    case property_emm_bandwidth: properties.emm_bandwidth = g_value_get_uint(value); return true;
    case property_bit_rate: properties.bit_rate = g_value_get_uint64(value); return true;
    case property_clock_bit_rate: properties.clock_bit_rate = g_value_get_uint64(value); return true;
    case property_ecm_wait: properties.ecm_wait = g_value_get_uint(value); return true;
    case property_sdp: properties.rtp.sdp = string_of(value); return true;
    case property_sdp_media: properties.rtp.media = g_value_get_uint(value); return true;
    case property_ltkm_address: properties.rtp.ltkm_to = string_of(value); return true;
    default: return false;
  }
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
  if (id == property_stats) {
    g_value_take_boxed(value, inserter.stream.stats().release());
    return;
  }
  const ObjectLock lock(object);
  const InserterProperties& properties = inserter.properties;
  switch (id) {
    case property_config: set_string(value, properties.config); break;
    case property_ecmg: set_string(value, properties.ecmg); break;
    case property_super_cas_id: g_value_set_uint(value, properties.super_cas_id); break;
    case property_channel_id: g_value_set_uint(value, properties.channel_id); break;
    case property_access_criteria: set_string(value, properties.access_criteria); break;
    case property_ecm_pid: g_value_set_uint(value, properties.ecm_pid); break;
    case property_service: set_string(value, properties.service); break;
    case property_components: g_value_set_enum(value, static_cast<gint>(properties.components)); break;
    case property_cipher: g_value_set_enum(value, static_cast<gint>(properties.cipher)); break;
    case property_csa2_checksum: g_value_set_boolean(value, properties.csa2_checksum); break;
    case property_crypto_period: g_value_set_uint(value, properties.crypto_period); break;
    case property_clear_lead: g_value_set_uint(value, properties.clear_lead); break;
    case property_without_ecm: g_value_set_enum(value, static_cast<gint>(properties.without_ecm)); break;
    case property_before_first_period:
      g_value_set_enum(value, static_cast<gint>(properties.before_first_period));
      break;
    case property_scramble: g_value_set_boolean(value, properties.scramble); break;
    case property_emm_listen: set_string(value, properties.emm_listen); break;
    case property_emm_bandwidth: g_value_set_uint(value, properties.emm_bandwidth); break;
    case property_bit_rate: g_value_set_uint64(value, properties.bit_rate); break;
    case property_clock_bit_rate: g_value_set_uint64(value, properties.clock_bit_rate); break;
    case property_ecm_wait: g_value_set_uint(value, properties.ecm_wait); break;
    case property_sdp: set_string(value, properties.rtp.sdp); break;
    case property_sdp_media: g_value_set_uint(value, properties.rtp.media); break;
    case property_ltkm_address: set_string(value, properties.rtp.ltkm_to); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec); break;
  }
}

static void gst_simulcrypt_ecm_inserter_finalize(GObject* object) {
  delete GST_SIMULCRYPT_ECM_INSERTER(object)->impl;
  G_OBJECT_CLASS(gst_simulcrypt_ecm_inserter_parent_class)->finalize(object);
}

static constexpr GParamFlags settable_while_playing =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);

static void install_ca_properties(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, property_config,
      g_param_spec_string("config", "Configuration",
                          "TOML file with ECMGs and services, instead of the other properties but 'ecm-wait'; set it "
                          "again to have it read again",
                          nullptr, settable_while_playing));
  g_object_class_install_property(
      object_class, property_ecmg,
      g_param_spec_string("ecmg", "ECMG", "HOST:PORT of the ECMG; behind commas, those that stand in for it",
                          "127.0.0.1:2000", settable_until_ready));
  g_object_class_install_property(
      object_class, property_super_cas_id,
      g_param_spec_uint("super-cas-id", "Super_CAS_id",
                        "CA_system_id and CA_subsystem_id of the ECMG (default: the demonstration CA system's)", 0,
                        G_MAXUINT32, 0xffca0001, settable_until_ready));
  g_object_class_install_property(
      object_class, property_channel_id,
      g_param_spec_uint("channel-id", "ECM_channel_id", "Two head-ends on one ECMG need different ones", 0, G_MAXUINT16,
                        1, settable_until_ready));
  g_object_class_install_property(
      object_class, property_access_criteria,
      g_param_spec_string("access-criteria", "Access criteria",
                          "Hexadecimal, as the CA system has them; they hold from the next crypto-period on (default: "
                          "none are sent)",
                          nullptr, settable_while_playing));
  g_object_class_install_property(
      object_class, property_ecm_pid,
      g_param_spec_uint("ecm-pid", "ECM PID", "PID of the ECMs (0: a free one)", 0, 8190, 0, settable_until_ready));
  g_object_class_install_property(
      object_class, property_service,
      g_param_spec_string("service", "Service", "Id or name of the service that is protected (default: all)", nullptr,
                          settable_until_ready));
  g_object_class_install_property(
      object_class, property_components,
      g_param_spec_enum("components", "Components", "Which elementary streams are scrambled", components_type(),
                        static_cast<gint>(cas::simulcrypt::Components::all), settable_until_ready));
}

static void install_scrambling_properties(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, property_cipher,
      g_param_spec_enum("cipher", "Cipher", "How packets are scrambled", cipher_type(),
                        static_cast<gint>(cas::mpegts::TsCipher::cissa), settable_until_ready));
  g_object_class_install_property(
      object_class, property_csa2_checksum,
      g_param_spec_boolean("csa2-checksum", "CSA2 checksum",
                           "Bytes 3 and 7 of CSA2's control words are sums, as most receivers need them", TRUE,
                           settable_until_ready));
  g_object_class_install_property(
      object_class, property_crypto_period,
      g_param_spec_uint("crypto-period", "Crypto-period",
                        "Milliseconds for which a control word is used; more where the ECMG asks for more", 100,
                        3'600'000, 10'000, settable_until_ready));
  g_object_class_install_property(
      object_class, property_clear_lead,
      g_param_spec_uint("clear-lead", "Clear lead", "Milliseconds in the clear at the start", 0, 3'600'000, 0,
                        settable_until_ready));
  g_object_class_install_property(
      object_class, property_without_ecm,
      g_param_spec_enum("without-ecm", "Without ECM", "What becomes of a crypto-period whose ECM does not come",
                        without_ecm_type(), static_cast<gint>(cas::simulcrypt::WithoutEcm::hold),
                        settable_until_ready));
  g_object_class_install_property(
      object_class, property_before_first_period,
      g_param_spec_enum("before-first-period", "Before the first period",
                        "What becomes of packets before the first ECM has come", before_first_period_type(),
                        static_cast<gint>(cas::simulcrypt::BeforeFirstPeriod::clear), settable_until_ready));
  g_object_class_install_property(
      object_class, property_scramble,
      g_param_spec_boolean("scramble", "Scramble", "FALSE: the stream is clear, until it is TRUE", TRUE,
                           settable_while_playing));
  g_object_class_install_property(
      object_class, property_ecm_wait,
      g_param_spec_uint("ecm-wait", "ECM wait",
                        "For streams that are not live: milliseconds for which the stream waits for an ECM that is due "
                        "(0: not at all)",
                        0, 3'600'000, 0, settable_until_ready));
}

static void install_multiplex_properties(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, property_emm_listen,
      g_param_spec_string("emm-listen", "EMM listen",
                          "ADDRESS:PORT where EMMGs and PDGs may connect, by TCP and UDP; port 0: a free one, see "
                          "'stats' (default: nowhere)",
                          nullptr, settable_until_ready));
  g_object_class_install_property(
      object_class, property_emm_bandwidth,
      g_param_spec_uint("emm-bandwidth", "EMM bandwidth", "kbit/s for all EMMs and data together", 0, G_MAXUINT16, 200,
                        settable_while_playing));
  g_object_class_install_property(
      object_class, property_bit_rate,
      g_param_spec_uint64("bitrate", "Bit rate",
                          "Bit/s of what comes out, constant (0: that of the stream; more if it has no null packets)",
                          0, 100'000'000'000, 0, settable_until_ready));
  g_object_class_install_property(
      object_class, property_clock_bit_rate,
      g_param_spec_uint64("clock-bitrate", "Clock bit rate",
                          "Bit/s of a stream without clock references, which is timed by it (0: unknown)", 0,
                          100'000'000'000, 0, settable_until_ready));
  g_object_class_install_property(
      object_class, property_stats,
      g_param_spec_boxed("stats", "Statistics", "Counters since PAUSED", GST_TYPE_STRUCTURE, readable));
}

static void install_rtp_properties(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, property_sdp,
      g_param_spec_string("sdp", "SDP",
                          "For RTP packets (OMA BCAST): file with the session description that receivers have; it says "
                          "how packets are protected and where key messages go",
                          nullptr, settable_until_ready));
  g_object_class_install_property(
      object_class, property_sdp_media,
      g_param_spec_uint("sdp-media", "SDP media", "Which media of the SDP comes here, from 0", 0, G_MAXUINT16, 0,
                        settable_until_ready));
  g_object_class_install_property(
      object_class, property_ltkm_address,
      g_param_spec_string("ltkm-address", "LTKM address",
                          "For RTP packets: ADDRESS:PORT to which long term key messages of EMMGs are sent (default: "
                          "nowhere)",
                          nullptr, settable_until_ready));
}

static void gst_simulcrypt_ecm_inserter_class_init(GstSimulcryptEcmInserterClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = gst_simulcrypt_ecm_inserter_set_property;
  object_class->get_property = gst_simulcrypt_ecm_inserter_get_property;
  object_class->finalize = gst_simulcrypt_ecm_inserter_finalize;
  install_ca_properties(object_class);
  install_scrambling_properties(object_class);
  install_multiplex_properties(object_class);
  install_rtp_properties(object_class);
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
