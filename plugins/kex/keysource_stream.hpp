// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/pointers.hpp>
#include <gst/cas/stop_switch.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "kex/key_source.hpp"
#include "keysource_relay.hpp"
#include "period_clock.hpp"

namespace cas::gst {

/// What happens at the beginning of a period whose key is not there.
enum class OnFailure {
  hold,   ///< The key of the period before stays, until the new one comes.
  block,  ///< The stream waits for it.
  error,  ///< The stream waits as long as a request may take, and ends with an error.
};
/// Where in the stream the key changes.
enum class SwitchAt {
  buffer,     ///< Before the first buffer of the period.
  key_frame,  ///< Before the first buffer of the period or after it that is no delta unit.
};

/// The stream through kex-keysource: each buffer goes on as it is, and before the first one of each period goes the event
/// with its key. Element messages besides those of the relay:
///
///   kex-period     period (guint64), key-id (string): from the next buffer on
///   kex-late-key   period (guint64), consequence (string: held, blocked): the key is not there in time
///   kex-late-key   period, consequence "arrived", late (guint64, ns): it has come
class KeySourceStream {
 public:
  struct Settings {
    OnFailure on_failure = OnFailure::hold;
    SwitchAt switch_at = SwitchAt::buffer;
    std::chrono::milliseconds limit{10'000};  ///< Of OnFailure::error.
  };
  KeySourceStream(GstElement* element, GstPad* src) : element_(element), src_(src) {}

  /// READY->PAUSED, before anything flows. `keys` are the settings of `source`, without its client's.
  void start(std::shared_ptr<kex::KeySource> source, kex::KeySourceSettings keys, const Settings& settings,
             TimeBase base, std::optional<guint64> utc_start);
  /// PAUSED->READY, when nothing flows any more.
  void stop();

  // Streaming thread.
  GstFlowReturn push(BufferPtr buffer);
  GstFlowReturn push_list(BufferListPtr list);
  void set_segment(const GstSegment& segment) { clock_.set_segment(segment); }
  void new_stream();
  void flushed();

  // Any thread.
  void stop_waits() { stop_.stop(); }
  void allow_waits() { stop_.rearm(); }
  [[nodiscard]] std::optional<kex::KeySourceStatistics> statistics() const;
  struct Counters {
    std::atomic<std::uint64_t> periods{0};       ///< Keys that were put into force.
    std::atomic<std::uint64_t> late{0};          ///< Of these, that were not there in time.
    std::atomic<std::uint64_t> longest_late{0};  ///< In nanoseconds.
    std::atomic<std::uint64_t> waited{0};        ///< Nanoseconds that the stream has waited, for the first key aside.
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  /// Before this buffer: the key of its period, if that begins here.
  GstFlowReturn prepare(GstBuffer* buffer);
  GstFlowReturn change_to(std::uint64_t period);
  GstFlowReturn wait_for(std::uint64_t period, std::shared_ptr<const kex::FetchedKey>& key);
  void put_in_force(std::uint64_t period, const kex::FetchedKey& key);
  void announce();
  void tell_late(std::uint64_t period, const char* consequence, std::optional<std::uint64_t> late = {});
  void post(GstStructure* structure);
  void send(const kex::FetchedKey& key, std::uint64_t period, bool ahead);

  GstElement* const element_;
  GstPad* const src_;

  // Streaming thread, and state changes when it does not run.
  Settings settings_;
  kex::KeySourceSettings keys_;
  PeriodClock clock_;
  std::shared_ptr<KeySourceRelay> relay_;
  std::unique_ptr<kex::KeySource::User> user_;
  std::optional<std::uint64_t> in_force_;   ///< Whose key is.
  std::optional<std::uint64_t> wanted_;     ///< That the source was told of.
  std::optional<std::uint64_t> announced_;  ///< The last one that was told ahead.
  std::optional<std::uint64_t> late_;       ///< Whose key is held up,
  Time late_since_{};                       ///< since then.
  std::uint64_t generation_ = 0;            ///< Of the source, when it was looked at.

  StopSwitch stop_;
  Counters counters_;
  mutable std::mutex source_mutex_;
  std::shared_ptr<kex::KeySource> source_;  ///< Written at state changes, under the mutex.
};

}  // namespace cas::gst
