// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/pointers.hpp>

#include <atomic>
#include <cstdint>

#include "base/error.hpp"
#include "descramble_licence.hpp"

namespace cas::gst {

/// What both ways of streaming (descramble_pull, descramble_push) work with.
struct DescrambleParts {
  GstElement* element;
  GstPad* sink;
  GstPad* src;
  LicenceGate gate;

  /// For other threads.
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
  std::atomic<std::uint64_t> segments{0};
  std::atomic<std::uint64_t> seeks{0};
  std::atomic<std::uint64_t> position{0};  ///< In the content.
  static constexpr std::uint64_t unknown = UINT64_MAX;
  std::atomic<std::uint64_t> plain_size{unknown};

  DescrambleParts(GstElement* the_element, GstPad* the_sink, GstPad* the_src)
      : element(the_element), sink(the_sink), src(the_src), gate(the_element) {}

  void clear_counters() {
    for (auto* counter : {&bytes_in, &bytes_out, &segments, &seeks, &position}) *counter = 0;
    plain_size = unknown;
  }
};

/// A seek in the content as an application or a demuxer asks for it.
struct SeekRequest {
  gdouble rate = 1.0;
  GstFormat format = GST_FORMAT_UNDEFINED;
  GstSeekFlags flags = GST_SEEK_FLAG_NONE;
  GstSeekType start_type = GST_SEEK_TYPE_NONE;
  gint64 start = 0;
  GstSeekType stop_type = GST_SEEK_TYPE_NONE;
  gint64 stop = -1;
  guint32 seqnum = 0;

  explicit SeekRequest(GstEvent* event) {
    gst_event_parse_seek(event, &rate, &format, &flags, &start_type, &start, &stop_type, &stop);
    seqnum = gst_event_get_seqnum(event);
  }
  [[nodiscard]] bool flushes() const { return (flags & GST_SEEK_FLAG_FLUSH) != 0; }
  /// Bytes are sought forwards; the time formats are the demuxers' business.
  [[nodiscard]] bool is_possible() const { return format == GST_FORMAT_BYTES && rate > 0.0; }
  /// Changes `segment` as the seek asks for.
  [[nodiscard]] bool apply(GstSegment& segment, std::uint64_t plain_size) const {
    if (plain_size != DescrambleParts::unknown) segment.duration = plain_size;
    gboolean update = FALSE;
    return gst_segment_do_seek(&segment, rate, format, flags, start_type, static_cast<guint64>(start), stop_type,
                               static_cast<guint64>(stop), &update);
  }
};

}  // namespace cas::gst
