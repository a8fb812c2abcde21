// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/pointers.hpp>
#include <gst/cas/properties.hpp>

#include <string>

#include "bridge_converter.hpp"
#include "card_wait.hpp"

namespace cas::gst {

/// What the properties of lecm-bridge say, beside the card.
struct BridgeProperties {
  BridgeMode mode = BridgeMode::master;
  BridgeDirection direction = BridgeDirection::forward;
  std::string destinations;
  std::string mask;
  StructurePtr usage_rights;
  guint licence_slot_size = 0;
  CardRemovalPolicy removal_policy = CardRemovalPolicy::wait;
};

enum BridgeProperty : guint {
  property_mode = first_own_property,
  property_direction,
  property_destinations,
  property_mask,
  property_usage_rights,
  property_licence_slot_size,
  property_card_removal_policy,
  property_bridge_stats,  ///< The element's own business.
};

/// Installs all of them.
void install_bridge_properties(GObjectClass* object_class);

/// Reads or writes one of them. False when `id` is none of them. Call under the object's lock.
bool set_bridge_property(BridgeProperties& properties, guint id, const GValue* value);
bool get_bridge_property(const BridgeProperties& properties, guint id, GValue* value);

/// The properties as a converter needs them. ErrorKind::invalid_argument on the first that cannot be. Call under the
/// object's lock.
[[nodiscard]] Result<BridgeSettings> settings_of(const BridgeProperties& properties);

}  // namespace cas::gst
