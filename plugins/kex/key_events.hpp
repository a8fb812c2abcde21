// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/content_key.hpp>
#include <gst/cas/pointers.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "kex/key_source.hpp"

namespace cas::gst {

/// Where a period lies, for those who read the event.
struct KeyPlace {
  std::uint64_t period = 0;
  bool rotates = false;
  bool utc = false;
  std::uint64_t start = 0, end = 0;  ///< Nanoseconds; when it rotates.
};

/// The key as it travels in events.
[[nodiscard]] ContentKeyPointer content_key_of(const kex::FetchedKey& key, const KeyPlace& place,
                                               const kex::KeySourceSettings& settings);

/// A GST_EVENT_PROTECTION for each DRM system that has a PSSH box (5.4.3, 5.4.5).
[[nodiscard]] std::vector<EventPtr> protection_events(const kex::FetchedKey& key);

}  // namespace cas::gst
