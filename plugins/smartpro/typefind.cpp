// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/base/gsttypefindhelper.h>
#include <gst/gst.h>

#include "elements.hpp"
#include "smartpro/protected_file.hpp"

static void find_protected_file(GstTypeFind* find, gpointer) {
  using namespace cas::smartpro;
  const guint8* magic = gst_type_find_peek(find, 0, protected_file_magic.size());
  if (magic == nullptr || !cas::equal({magic, protected_file_magic.size()}, protected_file_magic)) return;
  // The magic alone is enough for an element to say what is wrong with the rest.
  const guint8* preamble = gst_type_find_peek(find, 0, preamble_size);
  const bool whole = preamble != nullptr && Preamble::parse({preamble, preamble_size}).has_value();
  gst_type_find_suggest_empty_simple(find, whole ? GST_TYPE_FIND_MAXIMUM : GST_TYPE_FIND_LIKELY, smartpro_media_type);
}

static gboolean register_typefind(GstPlugin* plugin) {
  GstCaps* caps = gst_caps_new_empty_simple(smartpro_media_type);
  const gboolean registered = gst_type_find_register(plugin, smartpro_media_type, GST_RANK_PRIMARY, find_protected_file,
                                                     "spro", caps, nullptr, nullptr);
  gst_caps_unref(caps);
  return registered;
}

GST_TYPE_FIND_REGISTER_DEFINE_CUSTOM(smartpro, register_typefind)
