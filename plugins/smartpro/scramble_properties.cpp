// SPDX-License-Identifier: LGPL-2.1-or-later
#include "scramble_properties.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/hex.hpp"
#include "rights_structure.hpp"

namespace cas::gst {

namespace {

GType cipher_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<gint>(smartpro::ContentCipher::aes_128_gcm), "AES-128-GCM: finds every change and cut",
         "aes-128-gcm"},
        {static_cast<gint>(smartpro::ContentCipher::aes_128_ctr), "AES-128-CTR: finds neither changes nor a cut",
         "aes-128-ctr"},
        {0, nullptr, nullptr},
    };
    return g_enum_register_static("GstSmartproCipher", values);
  }();
  return type;
}

GType key_source_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<gint>(KeySource::token), "The token draws it", "token"},
        {static_cast<gint>(KeySource::upstream),
         "It is the key that an element upstream sends, kex-keysource from a key server", "upstream"},
        {0, nullptr, nullptr},
    };
    return g_enum_register_static("GstSmartproKeySource", values);
  }();
  return type;
}

Result<std::optional<smartpro::ContentId>> parse_content_id(std::string text) {
  if (text.empty()) return std::nullopt;
  std::erase(text, '-');
  const auto bytes = from_hex(text, smartpro::ContentId{}.size());
  if (!bytes || bytes->size() != smartpro::ContentId{}.size())
    return fail(ErrorKind::invalid_argument,
                "the property 'content-id' has to be 32 hexadecimal digits, as a UUID has them");
  return smartpro::to_array<smartpro::ContentId>(*bytes);
}

/// Where the licence of content that was opened is issued anew: what changes about it.
Status set_reissue(ScrambleSettings& settings, const GstStructure* usage_rights) {
  settings.reissue = true;
  if (settings.content_id)
    return fail(ErrorKind::invalid_argument,
                "with the property 'licence-from' the content stays the same work: leave 'content-id' unset");
  if (usage_rights == nullptr) return {};
  const std::shared_ptr<GstStructure> changes(gst_structure_copy(usage_rights), gst_structure_free);
  settings.change_rights = [changes](const smartpro::UsageRights& granted) {
    return change_rights(changes.get(), granted);
  };
  return {};
}

/// A key from outside is one for all of the content, and for content that no token has protected before.
Status set_key_from_upstream(ScrambleSettings& settings) {
  settings.key_from_upstream = true;
  if (settings.period_segments != 0)
    return fail(
        ErrorKind::invalid_argument,
        "with 'key-source=upstream' a protected file has one key, which comes from upstream: leave 'key-period' "
        "at 0, or have the token draw a key for each period with 'key-source=token'");
  if (settings.reissue)
    return fail(ErrorKind::invalid_argument,
                "with 'licence-from' the token makes the new licence from that of the content, and draws its control "
                "word: leave 'key-source' at 'token'");
  return {};
}

}  // namespace

const char* key_source_name(KeySource source) { return source == KeySource::upstream ? "upstream" : "token"; }

void install_scramble_properties(GObjectClass* object_class) {
  install_card_properties(object_class,
                          "URI of the acquisition card, with 'key-source=upstream' of the head-end card, with "
                          "'licence-from' of the processing card (default: this machine's, see 'cas-card')");
  g_object_class_install_property(
      object_class, property_content_id,
      g_param_spec_string("content-id", "Content id",
                          "Name of the work, 32 hexadecimal digits or a UUID (default: drawn at random for each file)",
                          nullptr, settable_until_ready));
  g_object_class_install_property(
      object_class, property_cipher,
      g_param_spec_enum("cipher", "Cipher", "How the content is scrambled", cipher_type(),
                        static_cast<gint>(smartpro::ContentCipher::aes_128_gcm), settable_until_ready));
  g_object_class_install_property(
      object_class, property_segment_size,
      g_param_spec_uint("segment-size", "Segment size", "Content bytes in a segment, a multiple of 16",
                        smartpro::min_segment_size, smartpro::max_segment_size, smartpro::default_segment_size,
                        settable_until_ready));
  g_object_class_install_property(
      object_class, property_key_period,
      g_param_spec_uint("key-period", "Key period", "Segments under one key and licence (0: one key for all)", 0,
                        G_MAXUINT, 0, settable_until_ready));
  g_object_class_install_property(
      object_class, property_scramble_rights,
      g_param_spec_boxed("usage-rights", "Usage rights",
                         "What may be done with the content (default: play and process without limits; with "
                         "'licence-from': as the licence says, and what is named here "
                         "changes it)",
                         GST_TYPE_STRUCTURE, settable_until_ready));
  g_object_class_install_property(
      object_class, property_licence_from,
      g_param_spec_string(
          "licence-from", "Licence from",
          "Protects content again that was opened, with a processing card, under the licence of this protected file, "
          "or 'upstream': the one "
          "that smartpro-descramble before this element has opened (default: none, the content is clear)",
          nullptr, settable_until_ready));
  g_object_class_install_property(
      object_class, property_key_source,
      g_param_spec_enum(
          "key-source", "Key source",
          "Where the control word of a file comes from: the token draws it, or with 'upstream' it is the key that "
          "kex-keysource before this element has from a key server, so that other DRM systems open the same content "
          "with the same key. Takes a head-end card, which alone makes licences for keys from outside ('cas-tmc enrol "
          "--kind head-end'), and a 'key-period' of 0: one key for the whole file",
          key_source_type(), static_cast<gint>(KeySource::token), settable_until_ready));
  g_object_class_install_property(
      object_class, property_scramble_stats,
      g_param_spec_boxed("stats", "Statistics",
                         "Counters since PAUSED, and which key is in use when it comes from upstream",
                         GST_TYPE_STRUCTURE, readable));
  gst_type_mark_as_plugin_api(cipher_type(), static_cast<GstPluginAPIFlags>(0));
  gst_type_mark_as_plugin_api(key_source_type(), static_cast<GstPluginAPIFlags>(0));
}

bool set_scramble_property(ScrambleProperties& properties, guint id, const GValue* value) {
  switch (id) {
    case property_content_id: properties.content_id = string_of(value); return true;
    case property_cipher:
      properties.cipher = static_cast<smartpro::ContentCipher>(g_value_get_enum(value));
      return true;
    case property_segment_size: properties.segment_size = g_value_get_uint(value); return true;
    case property_key_period: properties.key_period = g_value_get_uint(value); return true;
    case property_scramble_rights: {
      const GstStructure* rights = gst_value_get_structure(value);
      properties.usage_rights.reset(rights == nullptr ? nullptr : gst_structure_copy(rights));
      return true;
    }
    case property_licence_from: properties.licence_from = string_of(value); return true;
    case property_key_source: properties.key_source = static_cast<KeySource>(g_value_get_enum(value)); return true;
    default: return false;
  }
}

bool get_scramble_property(const ScrambleProperties& properties, guint id, GValue* value) {
  switch (id) {
    case property_content_id: set_string(value, properties.content_id); return true;
    case property_cipher: g_value_set_enum(value, static_cast<gint>(properties.cipher)); return true;
    case property_segment_size: g_value_set_uint(value, properties.segment_size); return true;
    case property_key_period: g_value_set_uint(value, properties.key_period); return true;
    case property_scramble_rights: gst_value_set_structure(value, properties.usage_rights.get()); return true;
    case property_licence_from: set_string(value, properties.licence_from); return true;
    case property_key_source: g_value_set_enum(value, static_cast<gint>(properties.key_source)); return true;
    default: return false;
  }
}

Result<ScrambleSettings> settings_of(const ScrambleProperties& properties) {
  ScrambleSettings settings;
  CAS_TRY_ASSIGN(settings.content_id, parse_content_id(properties.content_id));
  settings.cipher = properties.cipher;
  settings.segment_size = properties.segment_size;
  settings.period_segments = properties.key_period;
  CAS_TRY_ASSIGN(settings.rights, parse_rights(properties.usage_rights.get()));
  if (!properties.licence_from.empty()) CAS_TRY(set_reissue(settings, properties.usage_rights.get()));
  if (properties.key_source == KeySource::upstream) CAS_TRY(set_key_from_upstream(settings));
  smartpro::FileHeader header;
  header.segment_size = settings.segment_size;
  CAS_TRY(header.check());
  return settings;
}

}  // namespace cas::gst
