// SPDX-License-Identifier: LGPL-2.1-or-later
#include "keysource_properties.hpp"

#include <gst/cas/properties.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "base/durable_file.hpp"
#include "base/pass_phrase.hpp"
#include "crypto/tls_authority.hpp"

namespace cas::gst {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t max_file = 65'536;
constexpr guint64 max_period = guint64{366} * 24 * 3600 * GST_SECOND;

template <typename Enum>
GEnumValue value_of(Enum value, const char* what, const char* nick) {
  return {static_cast<gint>(value), what, nick};
}

GType on_failure_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        value_of(OnFailure::hold, "Go on under the key of the period before until the new one comes", "hold"),
        value_of(OnFailure::block, "Wait for the key", "block"),
        value_of(OnFailure::error, "Wait for the key as long as request-limit says, then end with an error", "error"),
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstKexOnFailure", values);
  }();
  return type;
}
GType switch_at_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        value_of(SwitchAt::buffer, "Before the first buffer of a period", "buffer"),
        value_of(SwitchAt::key_frame, "Before the first key frame of a period or after it", "key-frame"),
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstKexSwitchAt", values);
  }();
  return type;
}
GType mode_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        value_of(KeyMode::pull, "Keys are the key server's", "pull"),
        value_of(KeyMode::push, "Keys are drawn here and brought to the key server", "push"),
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstKexMode", values);
  }();
  return type;
}
GType time_base_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        value_of(TimeBase::running_time, "Running time: period 0 begins with the pipeline", "running-time"),
        value_of(TimeBase::utc, "UTC: pipelines on several machines have the same periods", "utc"),
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstKexTimeBase", values);
  }();
  return type;
}

/// Texts with ',' between them.
std::vector<std::string> parse_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, end);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

struct TextProperty {
  guint id;
  std::string KeySourceProperties::*field;
  const char *name, *nick, *what;
};
constexpr std::array<TextProperty, 16> texts{{
    {property_kms_uris, &KeySourceProperties::kms_uris, "kms-uris", "Key servers",
     "URIs of key servers in the order of preference, with ',' between them: "
     "https://kms-a.example:8443/cpix,https://kms-b.example:8443/cpix"},
    {property_content_id, &KeySourceProperties::content_id, "content-id", "Content id",
     "What the key server knows the content by"},
    {property_track_type, &KeySourceProperties::track_type, "track-type", "Track type",
     "Which tracks the keys are for (CPIX's intendedTrackType: AUDIO, SD, HD, ...); unset: all"},
    {property_representation, &KeySourceProperties::representation, "representation", "Representation",
     "Which of the content's bit rates the keys are for; unset: all"},
    {property_scheme, &KeySourceProperties::scheme, "scheme", "Encryption scheme",
     "What the keys are asked for: cenc, cens, cbc1 or cbcs (ISO/IEC 23001-7); unset: not named"},
    {property_systems, &KeySourceProperties::systems, "systems", "DRM systems",
     "UUIDs of DRM systems whose data is asked for and goes downstream in protection events, with ',' between them"},
    {property_tls_authority, &KeySourceProperties::tls_authority, "tls-authority", "TLS authority",
     "PEM file with the roots that https: servers are believed by; unset: the system's"},
    {property_tls_certificate, &KeySourceProperties::tls_certificate, "tls-certificate", "TLS certificate",
     "PEM file with this client's certificate, for mutual TLS"},
    {property_tls_key, &KeySourceProperties::tls_key, "tls-key", "TLS key", "PEM file with the key to tls-certificate"},
    {property_tls_key_pin_source, &KeySourceProperties::tls_key_pin_source, "tls-key-pin-source", "TLS key pass phrase",
     "Where the pass phrase of tls-key is: file:PATH or env:NAME"},
    {property_user, &KeySourceProperties::user, "user", "User", "User name for HTTP Digest"},
    {property_password_source, &KeySourceProperties::password_source, "password-source", "Password",
     "Where the user's password is: file:PATH or env:NAME"},
    {property_token_source, &KeySourceProperties::token_source, "token-source", "Bearer token",
     "Where the bearer token is: file:PATH or env:NAME. It is sent over TLS and to this machine alone"},
    {property_delivery_certificate, &KeySourceProperties::delivery_certificate, "delivery-certificate",
     "Delivery certificate", "PEM file with an RSA certificate that keys are encrypted for, beside TLS"},
    {property_delivery_key, &KeySourceProperties::delivery_key, "delivery-key", "Delivery key",
     "PEM file with the private key to delivery-certificate"},
    {property_delivery_key_pin_source, &KeySourceProperties::delivery_key_pin_source, "delivery-key-pin-source",
     "Delivery key pass phrase", "Where the pass phrase of delivery-key is: file:PATH or env:NAME"},
}};

Result<SecretBytes> optional_pass_phrase(const std::string& source) {
  if (source.empty()) return SecretBytes();
  return read_pass_phrase(source);
}

Status read_credentials(const KeySourceProperties& properties, kex::KmsClientSettings& client) {
  if (properties.tls_certificate.empty() != properties.tls_key.empty())
    return fail(ErrorKind::invalid_argument, "tls-certificate and tls-key are set together");
  if (properties.user.empty() != properties.password_source.empty())
    return fail(ErrorKind::invalid_argument, "user and password-source are set together");
  // Found here, and not when the first key is asked for.
  for (const std::string* file : {&properties.tls_authority, &properties.tls_certificate, &properties.tls_key}) {
    if (file->empty()) continue;
    auto content = read_file(*file, max_file);
    if (!content) return fail(content.error());
    cleanse(*content);
  }
  client.credentials.authority_file = properties.tls_authority;
  client.credentials.certificate_file = properties.tls_certificate;
  client.credentials.key_file = properties.tls_key;
  CAS_TRY_ASSIGN(client.credentials.key_pass_phrase, optional_pass_phrase(properties.tls_key_pin_source));
  client.credentials.user = properties.user;
  CAS_TRY_ASSIGN(client.credentials.password, optional_pass_phrase(properties.password_source));
  CAS_TRY_ASSIGN(client.credentials.bearer_token, optional_pass_phrase(properties.token_source));
  return {};
}

Status read_delivery(const KeySourceProperties& properties, kex::KmsClientSettings& client) {
  if (properties.delivery_certificate.empty() != properties.delivery_key.empty())
    return fail(ErrorKind::invalid_argument, "delivery-certificate and delivery-key are set together");
  if (properties.delivery_certificate.empty()) return {};
  CAS_TRY_ASSIGN(const Bytes certificate, read_file(properties.delivery_certificate, max_file));
  CAS_TRY_ASSIGN(client.certificate, crypto::certificate_pem_to_der(certificate));
  CAS_TRY_ASSIGN(Bytes pem, read_file(properties.delivery_key, max_file));
  const ScopedCleanse cleansed(pem);
  CAS_TRY_ASSIGN(const SecretBytes pass_phrase, optional_pass_phrase(properties.delivery_key_pin_source));
  CAS_TRY_ASSIGN(client.private_key, crypto::RsaPrivateKey::from_pem(SecretBytes::copy_of(pem), pass_phrase));
  return {};
}

}  // namespace

void install_keysource_properties(GObjectClass* object_class) {
  const auto install = [&](guint id, GParamSpec* pspec) { g_object_class_install_property(object_class, id, pspec); };
  for (const TextProperty& text : texts)
    install(text.id, g_param_spec_string(text.name, text.nick, text.what, nullptr, settable_until_ready));
  install(property_timeout,
          g_param_spec_uint("timeout", "Time-out", "Milliseconds after which the next key server is asked, too", 1,
                            600'000, 1'000, settable_until_ready));
  install(property_request_limit,
          g_param_spec_uint("request-limit", "Request limit",
                            "Milliseconds after which a request has failed at all key servers, and is made anew", 1,
                            600'000, 10'000, settable_until_ready));
  install(property_period, g_param_spec_uint64("period", "Crypto-period",
                                               "Nanoseconds of a crypto-period (0: one key for the whole content)", 0,
                                               max_period, 0, settable_until_ready));
  install(property_prefetch,
          g_param_spec_uint("prefetch", "Prefetch",
                            "Periods whose keys are fetched ahead: what a scrambler and its ECM generators can know of "
                            "the future, and how long all key servers may fail without being noticed",
                            0, 100, 2, settable_until_ready));
  install(property_on_failure,
          g_param_spec_enum("on-failure", "On failure",
                            "What to do when a period begins and its key is not there. Before the "
                            "first key nothing goes through, whatever this says",
                            on_failure_type(), static_cast<gint>(OnFailure::hold), settable_until_ready));
  install(property_switch_at,
          g_param_spec_enum("switch-at", "Switch at", "Where in the stream the key changes", switch_at_type(),
                            static_cast<gint>(SwitchAt::buffer), settable_until_ready));
  install(property_mode, g_param_spec_enum("mode", "Mode", "Who makes the keys", mode_type(),
                                           static_cast<gint>(KeyMode::pull), settable_until_ready));
  install(property_key_size, g_param_spec_uint("key-size", "Key size", "Bytes of the keys that are made in mode=push",
                                               8, 32, 16, settable_until_ready));
  install(property_time_base,
          g_param_spec_enum("time-base", "Time base", "What periods are reckoned by", time_base_type(),
                            static_cast<gint>(TimeBase::running_time), settable_until_ready));
  install(property_utc_start,
          g_param_spec_int64("utc-start", "UTC of running time 0",
                             "Nanoseconds since 1970 in UTC at running time 0, for streams whose buffers have no "
                             "GstReferenceTimestampMeta (-1: not known; with time-base=utc)",
                             -1, G_MAXINT64, -1, settable_until_ready));
  install(property_stats,
          g_param_spec_boxed("stats", "Statistics", "Counters since PAUSED", GST_TYPE_STRUCTURE, readable));
  for (const GType type : {on_failure_type(), switch_at_type(), mode_type(), time_base_type()})
    gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
}

bool set_keysource_property(KeySourceProperties& properties, guint id, const GValue* value) {
  if (const auto* text = std::ranges::find(texts, id, &TextProperty::id); text != texts.end()) {
    properties.*(text->field) = string_of(value);
    return true;
  }
  switch (id) {
    case property_timeout: properties.timeout = g_value_get_uint(value); break;
    case property_request_limit: properties.request_limit = g_value_get_uint(value); break;
    case property_period: properties.period = g_value_get_uint64(value); break;
    case property_prefetch: properties.prefetch = g_value_get_uint(value); break;
    case property_on_failure: properties.on_failure = static_cast<OnFailure>(g_value_get_enum(value)); break;
    case property_switch_at: properties.switch_at = static_cast<SwitchAt>(g_value_get_enum(value)); break;
    case property_mode: properties.mode = static_cast<KeyMode>(g_value_get_enum(value)); break;
    case property_key_size: properties.key_size = g_value_get_uint(value); break;
    case property_time_base: properties.time_base = static_cast<TimeBase>(g_value_get_enum(value)); break;
    case property_utc_start: properties.utc_start = g_value_get_int64(value); break;
    default: return false;
  }
  return true;
}

bool get_keysource_property(const KeySourceProperties& properties, guint id, GValue* value) {
  if (const auto* text = std::ranges::find(texts, id, &TextProperty::id); text != texts.end()) {
    set_string(value, properties.*(text->field));
    return true;
  }
  switch (id) {
    case property_timeout: g_value_set_uint(value, properties.timeout); break;
    case property_request_limit: g_value_set_uint(value, properties.request_limit); break;
    case property_period: g_value_set_uint64(value, properties.period); break;
    case property_prefetch: g_value_set_uint(value, properties.prefetch); break;
    case property_on_failure: g_value_set_enum(value, static_cast<gint>(properties.on_failure)); break;
    case property_switch_at: g_value_set_enum(value, static_cast<gint>(properties.switch_at)); break;
    case property_mode: g_value_set_enum(value, static_cast<gint>(properties.mode)); break;
    case property_key_size: g_value_set_uint(value, properties.key_size); break;
    case property_time_base: g_value_set_enum(value, static_cast<gint>(properties.time_base)); break;
    case property_utc_start: g_value_set_int64(value, properties.utc_start); break;
    default: return false;
  }
  return true;
}

Result<kex::KeySourceSettings> settings_of(const KeySourceProperties& properties) {
  kex::KeySourceSettings settings;
  settings.client.urls = parse_list(properties.kms_uris);
  if (settings.client.urls.empty())
    return fail(ErrorKind::invalid_argument,
                "the property 'kms-uris' has to name a key server, as 'kms-uris=http://127.0.0.1:8080/cpix'");
  if (properties.content_id.empty())
    return fail(ErrorKind::invalid_argument,
                "the property 'content-id' has to say what the key server knows the content by");
  settings.client.timeout = milliseconds(properties.timeout);
  settings.client.give_up = milliseconds(std::max(properties.request_limit, properties.timeout));
  CAS_TRY(read_credentials(properties, settings.client));
  CAS_TRY(read_delivery(properties, settings.client));
  settings.content_id = properties.content_id;
  settings.track_type = properties.track_type;
  settings.representation = properties.representation;
  settings.scheme = properties.scheme;
  constexpr std::array<std::string_view, 5> schemes{"", "cenc", "cens", "cbc1", "cbcs"};
  if (std::ranges::find(schemes, settings.scheme) == schemes.end())
    return fail(ErrorKind::invalid_argument, "the property 'scheme' is cenc, cens, cbc1, cbcs or unset");
  for (const std::string& system : parse_list(properties.systems)) {
    const auto uuid = kex::Uuid::parse(system);
    if (!uuid) return fail_in("the property 'systems'", uuid.error());
    settings.systems.push_back(*uuid);
  }
  if (properties.utc_start >= 0 && properties.time_base != TimeBase::utc)
    return fail(ErrorKind::invalid_argument, "the property 'utc-start' is for time-base=utc");
  settings.period = nanoseconds(static_cast<std::int64_t>(properties.period));
  settings.utc = properties.time_base == TimeBase::utc;
  settings.prefetch = properties.prefetch;
  settings.push = properties.mode == KeyMode::push;
  settings.key_size = properties.key_size;
  return settings;
}

kex::KeySourceSettings public_part(const kex::KeySourceSettings& settings) {
  kex::KeySourceSettings part;
  part.content_id = settings.content_id;
  part.track_type = settings.track_type;
  part.representation = settings.representation;
  part.scheme = settings.scheme;
  part.systems = settings.systems;
  part.period = settings.period;
  part.utc = settings.utc;
  part.prefetch = settings.prefetch;
  part.push = settings.push;
  part.key_size = settings.key_size;
  return part;
}

}  // namespace cas::gst
