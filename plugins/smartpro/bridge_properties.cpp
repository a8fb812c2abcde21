// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bridge_properties.hpp"

#include <algorithm>
#include <memory>
#include <string_view>

#include "rights_structure.hpp"
#include "smartpro/file_header.hpp"

namespace cas::gst {

namespace {

GType mode_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<gint>(BridgeMode::master),
         "In the source domain: licences of the domain from and to licences for the way", "master"},
        {static_cast<gint>(BridgeMode::simple),
         "In a destination domain: licences for the way to and from licences of the domain", "simple"},
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

}  // namespace

void install_bridge_properties(GObjectClass* object_class) {
  const auto install = [&](guint id, GParamSpec* pspec) { g_object_class_install_property(object_class, id, pspec); };
  install(property_mode,
          g_param_spec_enum("mode", "Mode", "Which of the two bridges on the way between domains this is", mode_type(),
                            static_cast<gint>(BridgeMode::master), settable_until_ready));
  install(property_direction,
          g_param_spec_enum("direction", "Direction", "Which way the content goes", direction_type(),
                            static_cast<gint>(BridgeDirection::forward), settable_until_ready));
  install(property_destinations, g_param_spec_string("destinations", "Destinations",
                                                     "Master bridge: files with the records of the simple bridges to "
                                                     "send to or take back from, with ',' between them",
                                                     nullptr, settable_until_ready));
  install(property_mask, g_param_spec_string("mask", "Authorisation mask",
                                             "Master bridge: file with the mask of the bridges that still may be sent "
                                             "to (default: bridging/mask-VDID in $CAS_HOME)",
                                             nullptr, settable_until_ready));
  install(property_usage_rights, g_param_spec_boxed("usage-rights", "Usage rights",
                                                    "Limits to put on the new licences, with the fields of "
                                                    "smartpro-scramble; what is not named stays, nothing is widened",
                                                    GST_TYPE_STRUCTURE, settable_until_ready));
  install(property_licence_slot_size, g_param_spec_uint("licence-slot-size", "Licence slot size",
                                                        "Bytes that the new file has for each licence, at least (0: as "
                                                        "many as the old one, or as the first licence needs)",
                                                        0, smartpro::max_licence_slot_size, 0, settable_until_ready));
  install(property_card_removal_policy,
          g_param_spec_enum("card-removal-policy", "Card removal policy",
                            "What to do when a licence has to be converted and the card is gone", removal_policy_type(),
                            static_cast<gint>(CardRemovalPolicy::wait), settable_until_ready));
  install(property_bridge_stats,
          g_param_spec_boxed("stats", "Statistics", "Counters since PAUSED", GST_TYPE_STRUCTURE, readable));
  for (const GType type : {mode_type(), direction_type(), removal_policy_type()})
    gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
}

bool set_bridge_property(BridgeProperties& properties, guint id, const GValue* value) {
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
    case property_card_removal_policy:
      properties.removal_policy = static_cast<CardRemovalPolicy>(g_value_get_enum(value));
      break;
    default: return false;
  }
  return true;
}

bool get_bridge_property(const BridgeProperties& properties, guint id, GValue* value) {
  switch (id) {
    case property_mode: g_value_set_enum(value, static_cast<gint>(properties.mode)); break;
    case property_direction: g_value_set_enum(value, static_cast<gint>(properties.direction)); break;
    case property_destinations: set_string(value, properties.destinations); break;
    case property_mask: set_string(value, properties.mask); break;
    case property_usage_rights: gst_value_set_structure(value, properties.usage_rights.get()); break;
    case property_licence_slot_size: g_value_set_uint(value, properties.licence_slot_size); break;
    case property_card_removal_policy: g_value_set_enum(value, static_cast<gint>(properties.removal_policy)); break;
    default: return false;
  }
  return true;
}

Result<BridgeSettings> settings_of(const BridgeProperties& properties) {
  BridgeSettings settings;
  settings.mode = properties.mode;
  settings.direction = properties.direction;
  settings.destinations = parse_paths(properties.destinations);
  settings.mask = properties.mask;
  const bool master = settings.mode == BridgeMode::master;
  if (master && settings.destinations.empty())
    return fail(ErrorKind::invalid_argument,
                "the property 'destinations' has to name the files with the records of the simple bridges, as "
                "'destinations=b.bridge,c.bridge'");
  if (!master && !(settings.destinations.empty() && settings.mask.empty()))
    return fail(ErrorKind::invalid_argument,
                "the properties 'destinations' and 'mask' are for a master bridge: a simple bridge takes what is "
                "addressed to it");
  if (properties.usage_rights) {
    CAS_TRY(change_rights(properties.usage_rights.get(),
                          {}));  // What cannot be is found here, and not at the first licence.
    const std::shared_ptr<GstStructure> changes(gst_structure_copy(properties.usage_rights.get()), gst_structure_free);
    settings.change_rights = [changes](const smartpro::UsageRights& granted) {
      return change_rights(changes.get(), granted);
    };
  }
  return settings;
}

}  // namespace cas::gst
