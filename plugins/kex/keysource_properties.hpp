// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <string>

#include "base/error.hpp"
#include "kex/key_source.hpp"
#include "keysource_stream.hpp"
#include "period_clock.hpp"

namespace cas::gst {

enum class KeyMode {
  pull,  ///< Keys are the server's.
  push,  ///< Keys are made here, and brought to the server.
};

/// What the properties of kex-keysource say.
struct KeySourceProperties {
  std::string kms_uris, content_id, track_type, representation, scheme, systems;
  guint timeout = 1'000, request_limit = 10'000;  ///< Milliseconds.
  guint64 period = 0;                             ///< Nanoseconds.
  guint prefetch = 2;
  OnFailure on_failure = OnFailure::hold;
  SwitchAt switch_at = SwitchAt::buffer;
  KeyMode mode = KeyMode::pull;
  guint key_size = 16;
  TimeBase time_base = TimeBase::running_time;
  gint64 utc_start = -1;
  std::string tls_authority, tls_certificate, tls_key, tls_key_pin_source;
  std::string user, password_source, token_source;
  std::string delivery_certificate, delivery_key, delivery_key_pin_source;
};

enum KeySourceProperty : guint {
  property_kms_uris = 1,
  property_content_id,
  property_track_type,
  property_representation,
  property_scheme,
  property_systems,
  property_timeout,
  property_request_limit,
  property_period,
  property_prefetch,
  property_on_failure,
  property_switch_at,
  property_mode,
  property_key_size,
  property_time_base,
  property_utc_start,
  property_tls_authority,
  property_tls_certificate,
  property_tls_key,
  property_tls_key_pin_source,
  property_user,
  property_password_source,
  property_token_source,
  property_delivery_certificate,
  property_delivery_key,
  property_delivery_key_pin_source,
  property_stats,  ///< The element's own business.
};

void install_keysource_properties(GObjectClass* object_class);

/// Reads or writes one of them. False when `id` is none of them. Call under the object's lock.
bool set_keysource_property(KeySourceProperties& properties, guint id, const GValue* value);
bool get_keysource_property(const KeySourceProperties& properties, guint id, GValue* value);

/// The properties as a source needs them, with the files of credentials read. ErrorKind::invalid_argument on the first
/// that cannot be; errors of the files. Without locks.
[[nodiscard]] Result<kex::KeySourceSettings> settings_of(const KeySourceProperties& properties);
/// The same without the client's, for those who need no secret.
[[nodiscard]] kex::KeySourceSettings public_part(const kex::KeySourceSettings& settings);

}  // namespace cas::gst
