// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/card_session.hpp>

#include <string>

namespace cas::gst {

/// The ids of the card properties, in every element that has them; an element's own ids begin at `first_own`.
enum CardProperty : guint {
  property_card = 1,
  property_host,
  property_host_pin_source,
  property_suite,
  property_lists,
  first_own_property,
};

/// Flags of a property that can be set in the states NULL and READY alone.
inline constexpr GParamFlags settable_until_ready =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
inline constexpr GParamFlags readable = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

/// Installs "card", "host", "host-pin-source", "suite" and "lists". `card_default` says which card an unset property
/// means.
void install_card_properties(GObjectClass* object_class, const char* card_description);

/// Whether a property may be set now; warns when not. Takes the object's lock.
[[nodiscard]] bool may_set_property(GstElement* element, const GParamSpec* pspec);

/// Reads or writes one of the card properties. False when `id` is none of them. Call under the object's lock.
bool set_card_property(CardRequest& request, guint id, const GValue* value);
bool get_card_property(const CardRequest& request, guint id, GValue* value);

/// The string in a GValue; empty for NULL.
[[nodiscard]] std::string string_of(const GValue* value);
/// NULL for an empty text, so that an unset property reads as it was.
void set_string(GValue* value, const std::string& text);

}  // namespace cas::gst
