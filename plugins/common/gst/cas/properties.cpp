// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/cas/properties.hpp"

#include "gst/cas/pointers.hpp"

namespace cas::gst {

void install_card_properties(GObjectClass* object_class, const char* card_description) {
  g_object_class_install_property(object_class, property_card,
                                  g_param_spec_string("card", "Card", card_description, nullptr, settable_until_ready));
  g_object_class_install_property(
      object_class, property_host,
      g_param_spec_string("host", "Host",
                          "Folder with this host's credentials (default: where 'cas-tmc host' puts them)", nullptr,
                          settable_until_ready));
  g_object_class_install_property(
      object_class, property_host_pin_source,
      g_param_spec_string("host-pin-source", "Host PIN source",
                          "Where the pass phrase of the host's key is: file:PATH or env:NAME (default: it has none)",
                          nullptr, settable_until_ready));
  g_object_class_install_property(object_class, property_suite,
                                  g_param_spec_enum("suite", "Suite", "Key agreement of the secure channel to the card",
                                                    GST_TYPE_CAS_SUITE, GST_CAS_SUITE_P256, settable_until_ready));
  g_object_class_install_property(object_class, property_lists,
                                  g_param_spec_string("lists", "Lists",
                                                      "Where newer revocation lists come from: a file, a folder, or a "
                                                      "URL of http: or https: (default: the sources named with "
                                                      "'cas-tmc lists source add')",
                                                      nullptr, settable_until_ready));
  gst_type_mark_as_plugin_api(GST_TYPE_CAS_SUITE, static_cast<GstPluginAPIFlags>(0));
}

bool may_set_property(GstElement* element, const GParamSpec* pspec) {
  const ObjectLock lock(element);
  // A state change that is under way counts as done: its READY->PAUSED step reads the settings.
  const GstState state = std::max(GST_STATE(element), GST_STATE_NEXT(element));
  if (state <= GST_STATE_READY || (pspec->flags & GST_PARAM_MUTABLE_PLAYING) != 0) return true;
  g_warning("%s: the property '%s' can be set in the states NULL and READY alone; it stays as it was",
            GST_OBJECT_NAME(element), pspec->name);
  return false;
}

bool set_card_property(CardRequest& request, guint id, const GValue* value) {
  switch (id) {
    case property_card: request.card_uri = string_of(value); return true;
    case property_host: request.host_folder = string_of(value); return true;
    case property_host_pin_source: request.host_pin_source = string_of(value); return true;
    case property_lists: request.lists_source = string_of(value); return true;
    case property_suite: request.suite = static_cast<crypto::DhGroup>(g_value_get_enum(value)); return true;
    default: return false;
  }
}

bool get_card_property(const CardRequest& request, guint id, GValue* value) {
  switch (id) {
    case property_card: set_string(value, request.card_uri); return true;
    case property_host: set_string(value, request.host_folder); return true;
    case property_host_pin_source: set_string(value, request.host_pin_source); return true;
    case property_lists: set_string(value, request.lists_source); return true;
    case property_suite: g_value_set_enum(value, static_cast<gint>(request.suite)); return true;
    default: return false;
  }
}

std::string string_of(const GValue* value) {
  const gchar* text = g_value_get_string(value);
  return text == nullptr ? std::string() : std::string(text);
}

void set_string(GValue* value, const std::string& text) {
  g_value_set_string(value, text.empty() ? nullptr : text.c_str());
}

}  // namespace cas::gst
