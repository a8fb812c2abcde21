// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include "elements.hpp"

static gboolean plugin_init(GstPlugin* plugin) { return GST_ELEMENT_REGISTER(simulcrypt_ecm_inserter, plugin); }

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, simulcrypt,
                  "Makes a stream a DVB SimulCrypt head-end's: scrambles services, and inserts ECMs and EMMs",
                  plugin_init, CAS_VERSION, CAS_SIMULCRYPT_LICENCE, "gst-plugins-cas", CAS_ORIGIN)
