// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <string>

#include "base/bytes.hpp"
#include "gst/cas/pointers.hpp"

/// The media type in a protected file's header, and GStreamer's caps.
namespace cas::gst {

/// How much of the content the search for its type wants to see, where that much is there.
inline constexpr std::size_t typefind_size = 64 * 1024;

/// What goes into the header for content with these caps; empty when they tell nothing. Caps fields that hold content
/// (stream headers) are left out: the header is not scrambled.
[[nodiscard]] std::string media_type_of(const GstCaps* caps);
/// The same, found in the content's first bytes; empty unless the finding is at least likely.
[[nodiscard]] std::string find_media_type(GstElement* element, ByteView start);

/// Fixed caps of a header's media type; nothing when it is empty or no caps.
[[nodiscard]] CapsPtr caps_of_media_type(const std::string& media_type);
/// Caps found in the content's first bytes, "application/octet-stream" when nothing is found.
[[nodiscard]] CapsPtr find_caps(GstElement* element, ByteView start);

}  // namespace cas::gst
