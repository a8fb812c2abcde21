// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>

namespace cas::gst {

/// What the periods of keys are reckoned by.
enum class TimeBase {
  running_time,  ///< Period 0 begins with the pipeline's running time.
  utc,           ///< Period 0 began in 1970: pipelines of several machines have the same.
};

/// Finds the crypto-period of each buffer of a stream. UTC comes from a GstReferenceTimestampMeta (timestamp/x-unix or
/// timestamp/x-ntp) and goes on with the running time until the next one; or from the UTC of running time 0, where that is
/// given. Streaming thread only.
class PeriodClock {
 public:
  /// `period` in nanoseconds, 0: there is one period, of number 0. `utc_start`: the UTC of running time 0.
  void configure(guint64 period, TimeBase base, std::optional<guint64> utc_start);
  /// Another stream: time starts anew.
  void reset();
  void set_segment(const GstSegment& segment) {
    segment_ = segment;
    jumped_ = true;
  }
  void flushed() { jumped_ = true; }

  enum class Finding {
    known,
    no_time,  ///< Neither this buffer nor one before it has a time.
    no_utc,   ///< UTC is asked for, and no buffer has told it.
  };
  /// The period of this buffer. A time that goes back by less than a period (buffers that are not in the order of their
  /// time stamps, a clock that is corrected) leads to no earlier period, unless the stream has jumped.
  Finding take(GstBuffer* buffer);
  [[nodiscard]] std::uint64_t period() const { return period_; }
  [[nodiscard]] bool is_utc() const { return base_ == TimeBase::utc; }
  [[nodiscard]] std::uint64_t start_of(std::uint64_t period) const { return period * length_; }
  [[nodiscard]] bool rotates() const { return length_ != 0; }

 private:
  [[nodiscard]] std::optional<std::uint64_t> running_time_of(const GstBuffer* buffer) const;
  guint64 length_ = 0;
  TimeBase base_ = TimeBase::running_time;
  std::optional<guint64> utc_start_;
  GstSegment segment_{};
  std::optional<std::int64_t> utc_offset_;  ///< UTC less running time.
  bool jumped_ = true;
  bool any_ = false;
  std::uint64_t period_ = 0;
};

}  // namespace cas::gst
