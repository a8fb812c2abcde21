// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include "elements.hpp"

static gboolean plugin_init(GstPlugin* plugin) {
  gboolean registered = GST_ELEMENT_REGISTER(smartpro_scramble, plugin);
  registered |= GST_ELEMENT_REGISTER(smartpro_descramble, plugin);
  registered |= GST_ELEMENT_REGISTER(lecm_bridge, plugin);
  registered |= GST_TYPE_FIND_REGISTER(smartpro, plugin);
  return registered;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, smartpro,
                  "Protects files for a virtual domain of smart cards, and plays them (SmartPRO)", plugin_init,
                  CAS_VERSION, "LGPL", "gst-plugins-cas", CAS_ORIGIN)
