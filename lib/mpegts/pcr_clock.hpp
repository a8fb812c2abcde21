// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "mpegts/packet.hpp"

namespace cas::mpegts {

/// What a PcrClock saw. The numbers only rise.
struct PcrCounts {
  std::uint64_t pcrs = 0;
  std::uint64_t announced_jumps = 0;    ///< With a discontinuity_indicator.
  std::uint64_t unannounced_jumps = 0;  ///< Backwards, or further than max_pcr_gap.
};

/// Two program clock references of one time base stand closer together: 13818-1 asks for 100 ms (2.7.2); ten seconds
/// allow for what was lost.
inline constexpr std::chrono::seconds max_pcr_gap{10};

/// Ticks of 27 MHz in nanoseconds, rounded down.
[[nodiscard]] std::chrono::nanoseconds duration_of_ticks(std::uint64_t ticks);

/// The time of a stream as it passes, from the program clock references of one PID (13818-1, 2.4.2.2), in ticks of 27
/// MHz since the first of them. Between two, and over a jump of the time base, time is interpolated by the packets of
/// the whole multiplex, so each of them is given to `push`. It never goes back.
class PcrClock {
 public:
  explicit PcrClock(Pid pcr_pid) : pid_(pcr_pid) {}

  /// The next packet of the multiplex, of any PID.
  void push(PacketView packet);
  /// Another PID carries the clock from now on, of a time base of its own; the stream's time goes on.
  void follow(Pid pcr_pid);
  [[nodiscard]] Pid pid() const { return pid_; }

  /// Ticks of 27 MHz from the first reference to the packet pushed last. Nothing: there was no reference yet.
  [[nodiscard]] std::optional<std::uint64_t> ticks() const;
  /// The same where going back does no harm: as the references say it, also where the interpolation before one was too
  /// fast. For those who restamp.
  [[nodiscard]] std::optional<std::uint64_t> exact_ticks() const;
  /// `ticks` in nanoseconds, rounded down.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> time() const;
  /// Bits a second of the multiplex, all PIDs, smoothed over the last few references. Nothing: fewer than two of one
  /// time base.
  [[nodiscard]] std::optional<double> bit_rate() const;
  [[nodiscard]] const PcrCounts& counts() const { return counts_; }

 private:
  void take(std::uint64_t pcr);
  [[nodiscard]] std::uint64_t interpolated() const;

  Pid pid_;
  std::optional<std::uint64_t> pcr_;     ///< The last one of the time base that is followed.
  std::optional<std::uint64_t> anchor_;  ///< Stream time at it.
  std::uint64_t packets_ = 0;            ///< Pushed since the anchor.
  std::optional<double> ticks_per_packet_;
  std::uint64_t shown_ = 0;  ///< The most that ticks() has been.
  PcrCounts counts_;
};

}  // namespace cas::mpegts
