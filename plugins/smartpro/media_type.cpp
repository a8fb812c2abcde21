// SPDX-License-Identifier: LGPL-2.1-or-later
#include "media_type.hpp"

#include <gst/base/gsttypefindhelper.h>

#include "smartpro/protected_file.hpp"

namespace cas::gst {

namespace {

constexpr char unknown_type[] = "application/octet-stream";

CapsPtr typefind(GstElement* element, ByteView start, GstTypeFindProbability least) {
  if (start.empty()) return nullptr;
  GstTypeFindProbability probability = GST_TYPE_FIND_NONE;
  CapsPtr caps(gst_type_find_helper_for_data(GST_OBJECT(element), start.data(), start.size(), &probability));
  if (caps && (probability < least || !gst_caps_is_fixed(caps.get()))) caps.reset();
  return caps;
}

}  // namespace

std::string media_type_of(const GstCaps* caps) {
  if (caps == nullptr || !gst_caps_is_fixed(caps)) return {};
  const CapsPtr shown(gst_caps_copy(caps));
  GstStructure* structure = gst_caps_get_structure(shown.get(), 0);
  if (gst_structure_has_name(structure, unknown_type)) return {};
  gst_structure_remove_field(structure, "streamheader");
  const TextPtr text(gst_caps_to_string(shown.get()));
  std::string media_type(text.get());
  return media_type.size() <= smartpro::max_media_type_size ? media_type : gst_structure_get_name(structure);
}

std::string find_media_type(GstElement* element, ByteView start) {
  const CapsPtr caps = typefind(element, start, GST_TYPE_FIND_LIKELY);
  return media_type_of(caps.get());
}

CapsPtr caps_of_media_type(const std::string& media_type) {
  if (media_type.empty()) return nullptr;
  CapsPtr caps(gst_caps_from_string(media_type.c_str()));
  if (caps && !gst_caps_is_fixed(caps.get())) caps.reset();
  return caps;
}

CapsPtr find_caps(GstElement* element, ByteView start) {
  CapsPtr caps = typefind(element, start, GST_TYPE_FIND_MINIMUM);
  return caps ? std::move(caps) : CapsPtr(gst_caps_new_empty_simple(unknown_type));
}

}  // namespace cas::gst
