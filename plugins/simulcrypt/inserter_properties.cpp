// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inserter_properties.hpp"

#include <gst/cas/properties.hpp>

#include "inserter_enums.hpp"

namespace cas::gst {

namespace {

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
  property_key_source,
  property_announce_content,
  property_announce_keys,
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
  property_stats = stats_property,
};

constexpr GParamFlags settable_while_playing =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);

void install_ca_properties(GObjectClass* object_class) {
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
                        static_cast<gint>(simulcrypt::Components::all), settable_until_ready));
}

void install_scrambling_properties(GObjectClass* object_class) {
  g_object_class_install_property(object_class, property_cipher,
                                  g_param_spec_enum("cipher", "Cipher", "How packets are scrambled", cipher_type(),
                                                    static_cast<gint>(mpegts::TsCipher::cissa), settable_until_ready));
  g_object_class_install_property(
      object_class, property_csa2_checksum,
      g_param_spec_boolean("csa2-checksum", "CSA2 checksum",
                           "Bytes 3 and 7 of CSA2's control words are sums, as most receivers need them", TRUE,
                           settable_until_ready));
  g_object_class_install_property(
      object_class, property_crypto_period,
      g_param_spec_uint(
          "crypto-period", "Crypto-period",
          "Milliseconds for which a control word is used; more where the ECMG asks for more. Of keys from "
          "upstream: what ECMGs are told where the key server does not say how long a key is used",
          100, 3'600'000, 10'000, settable_until_ready));
  g_object_class_install_property(
      object_class, property_clear_lead,
      g_param_spec_uint("clear-lead", "Clear lead", "Milliseconds in the clear at the start", 0, 3'600'000, 0,
                        settable_until_ready));
  g_object_class_install_property(
      object_class, property_without_ecm,
      g_param_spec_enum("without-ecm", "Without ECM", "What becomes of a crypto-period whose ECM does not come",
                        without_ecm_type(), static_cast<gint>(simulcrypt::WithoutEcm::hold), settable_until_ready));
  g_object_class_install_property(
      object_class, property_before_first_period,
      g_param_spec_enum("before-first-period", "Before the first period",
                        "What becomes of packets before the first ECM has come", before_first_period_type(),
                        static_cast<gint>(simulcrypt::BeforeFirstPeriod::clear), settable_until_ready));
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

void install_key_properties(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, property_key_source,
      g_param_spec_enum(
          "key-source", "Key source",
          "Where control words come from: drawn here with crypto-periods of 'crypto-period', or keys of a "
          "key server that an element before this one (kex-keysource) sends with the stream, which then "
          "says where crypto-periods begin",
          key_source_type(), static_cast<gint>(simulcrypt::KeySource::generated), settable_until_ready));
  g_object_class_install_property(
      object_class, property_announce_content,
      g_param_spec_boolean("announce-content", "Announce content",
                           "With key-source=upstream: the CA_descriptor names the content as the key server knows it, "
                           "for receivers that ask for keys themselves",
                           FALSE, settable_until_ready));
  g_object_class_install_property(
      object_class, property_announce_keys,
      g_param_spec_boolean(
          "announce-keys", "Announce keys",
          "With key-source=upstream: the ECMG is told content, key id and number of each crypto-period, "
          "behind its access criteria. It has to know that form",
          FALSE, settable_until_ready));
}

void install_multiplex_properties(GObjectClass* object_class) {
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

void install_rtp_properties(GObjectClass* object_class) {
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

}  // namespace

bool set_inserter_property(InserterProperties& properties, guint id, const GValue* value) {
  switch (id) {
    case property_config: properties.config = string_of(value); return true;
    case property_ecmg: properties.ecmg = string_of(value); return true;
    case property_super_cas_id: properties.super_cas_id = g_value_get_uint(value); return true;
    case property_channel_id: properties.channel_id = g_value_get_uint(value); return true;
    case property_access_criteria: properties.access_criteria = string_of(value); return true;
    case property_ecm_pid: properties.ecm_pid = g_value_get_uint(value); return true;
    case property_service: properties.service = string_of(value); return true;
    case property_components:
      properties.components = static_cast<simulcrypt::Components>(g_value_get_enum(value));
      return true;
    case property_cipher: properties.cipher = static_cast<mpegts::TsCipher>(g_value_get_enum(value)); return true;
    case property_csa2_checksum: properties.csa2_checksum = g_value_get_boolean(value) != FALSE; return true;
    case property_key_source:
      properties.key_source = static_cast<simulcrypt::KeySource>(g_value_get_enum(value));
      return true;
    case property_announce_content: properties.announce_content = g_value_get_boolean(value) != FALSE; return true;
    case property_announce_keys: properties.announce_keys = g_value_get_boolean(value) != FALSE; return true;
    case property_crypto_period: properties.crypto_period = g_value_get_uint(value); return true;
    case property_clear_lead: properties.clear_lead = g_value_get_uint(value); return true;
    case property_without_ecm:
      properties.without_ecm = static_cast<simulcrypt::WithoutEcm>(g_value_get_enum(value));
      return true;
    case property_before_first_period:
      properties.before_first_period = static_cast<simulcrypt::BeforeFirstPeriod>(g_value_get_enum(value));
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

bool get_inserter_property(const InserterProperties& properties, guint id, GValue* value) {
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
    case property_key_source: g_value_set_enum(value, static_cast<gint>(properties.key_source)); break;
    case property_announce_content: g_value_set_boolean(value, properties.announce_content); break;
    case property_announce_keys: g_value_set_boolean(value, properties.announce_keys); break;
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
    default: return false;
  }
  return true;
}

void install_inserter_properties(GObjectClass* object_class) {
  install_ca_properties(object_class);
  install_scrambling_properties(object_class);
  install_key_properties(object_class);
  install_multiplex_properties(object_class);
  install_rtp_properties(object_class);
}

}  // namespace cas::gst
