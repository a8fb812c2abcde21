// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/pointers.hpp>
#include <gst/cas/properties.hpp>

#include <string>

#include "base/error.hpp"
#include "scramble_stream.hpp"

namespace cas::gst {

/// Where the control word of a file comes from.
enum class KeySource : gint {
  token,     ///< It draws it.
  upstream,  ///< A key source sends it in events.
};
/// Its nick.
[[nodiscard]] const char* key_source_name(KeySource source);

/// What the properties of smartpro-scramble say, beside the card.
struct ScrambleProperties {
  std::string content_id;
  smartpro::ContentCipher cipher = smartpro::ContentCipher::aes_128_gcm;
  guint segment_size = smartpro::default_segment_size;
  guint key_period = 0;
  StructurePtr usage_rights;
  std::string licence_from;
  KeySource key_source = KeySource::token;
};

enum ScrambleProperty : guint {
  property_content_id = first_own_property,
  property_cipher,
  property_segment_size,
  property_key_period,
  property_scramble_rights,
  property_licence_from,
  property_key_source,
  property_scramble_stats,  ///< The element's own business.
};

/// Installs all of them.
void install_scramble_properties(GObjectClass* object_class);

/// Reads or writes one of them. False when `id` is none of them. Call under the object's lock.
bool set_scramble_property(ScrambleProperties& properties, guint id, const GValue* value);
bool get_scramble_property(const ScrambleProperties& properties, guint id, GValue* value);

/// The properties as the stream needs them, but for the licence of a file that `licence_from` names.
/// ErrorKind::invalid_argument on the first that cannot be. Call under the object's lock.
[[nodiscard]] Result<ScrambleSettings> settings_of(const ScrambleProperties& properties);

}  // namespace cas::gst
