// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <glib-object.h>

#include "inserter_settings.hpp"

namespace cas::gst {

// What GObject knows of simulcrypt-ecm-inserter's properties.

/// The id of 'stats', which is not among InserterProperties.
inline constexpr guint stats_property = 100;

void install_inserter_properties(GObjectClass* object_class);
/// False: `id` is not known. Under the object's lock.
bool set_inserter_property(InserterProperties& properties, guint id, const GValue* value);
bool get_inserter_property(const InserterProperties& properties, guint id, GValue* value);

}  // namespace cas::gst
