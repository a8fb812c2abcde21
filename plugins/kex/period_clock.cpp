// SPDX-License-Identifier: LGPL-2.1-or-later
#include "period_clock.hpp"

#include <utility>

namespace cas::gst {

namespace {

constexpr guint64 ntp_to_unix_s = 2'208'988'800;  // RFC 868: from 1900 to 1970

/// In nanoseconds since 1970.
std::optional<std::uint64_t> utc_of(GstBuffer* buffer) {
  static GstStaticCaps unix_caps = GST_STATIC_CAPS("timestamp/x-unix");
  static GstStaticCaps ntp_caps = GST_STATIC_CAPS("timestamp/x-ntp");
  for (const auto& [caps, offset] :
       {std::pair(&unix_caps, guint64{0}), std::pair(&ntp_caps, ntp_to_unix_s * GST_SECOND)}) {
    GstCaps* reference = gst_static_caps_get(caps);
    const GstReferenceTimestampMeta* meta = gst_buffer_get_reference_timestamp_meta(buffer, reference);
    gst_caps_unref(reference);
    if (meta != nullptr && GST_CLOCK_TIME_IS_VALID(meta->timestamp) && meta->timestamp >= offset)
      return meta->timestamp - offset;
  }
  return std::nullopt;
}

}  // namespace

void PeriodClock::configure(guint64 period, TimeBase base, std::optional<guint64> utc_start) {
  length_ = period;
  base_ = base;
  utc_start_ = utc_start;
  reset();
}

void PeriodClock::reset() {
  gst_segment_init(&segment_, GST_FORMAT_UNDEFINED);
  utc_offset_.reset();
  if (utc_start_) utc_offset_ = static_cast<std::int64_t>(*utc_start_);
  jumped_ = true;
  any_ = false;
  period_ = 0;
}

std::optional<std::uint64_t> PeriodClock::running_time_of(const GstBuffer* buffer) const {
  if (segment_.format != GST_FORMAT_TIME) return std::nullopt;
  // Decoding order is the order of the stream, and of its keys.
  for (const GstClockTime stamp : {GST_BUFFER_DTS(buffer), GST_BUFFER_PTS(buffer)}) {
    if (!GST_CLOCK_TIME_IS_VALID(stamp)) continue;
    guint64 time = 0;
    const int sign = gst_segment_to_running_time_full(&segment_, GST_FORMAT_TIME, stamp, &time);
    if (sign != 0) return sign > 0 ? time : 0;
  }
  return std::nullopt;
}

PeriodClock::Finding PeriodClock::take(GstBuffer* buffer) {
  if (length_ == 0) return Finding::known;
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT)) jumped_ = true;
  auto time = running_time_of(buffer);
  if (base_ == TimeBase::utc) {
    const auto utc = utc_of(buffer);
    if (utc && time) utc_offset_ = static_cast<std::int64_t>(*utc) - static_cast<std::int64_t>(*time);
    if (utc) {
      time = utc;
    } else if (time && utc_offset_) {
      time = static_cast<std::uint64_t>(static_cast<std::int64_t>(*time) + *utc_offset_);
    } else if (!any_) {
      return time ? Finding::no_utc : Finding::no_time;
    } else {
      time.reset();
    }
  }
  // A buffer without a time belongs to the one before it.
  if (!time) return any_ ? Finding::known : Finding::no_time;
  const std::uint64_t period = *time / length_;
  const bool goes_back = any_ && period < period_;
  if (!goes_back || jumped_ || *time + length_ < start_of(period_)) period_ = period;
  jumped_ = false;
  any_ = true;
  return Finding::known;
}

}  // namespace cas::gst
