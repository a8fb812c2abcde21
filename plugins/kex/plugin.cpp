// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include "elements.hpp"

static gboolean plugin_init(GstPlugin* plugin) { return GST_ELEMENT_REGISTER(kex_keysource, plugin); }

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, kex, "Keys from key management servers for scramblers",
                  plugin_init, CAS_VERSION, "LGPL", "gst-plugins-cas", CAS_ORIGIN)
