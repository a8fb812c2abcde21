// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/pcr_clock.hpp"

#include <algorithm>

namespace cas::mpegts {

namespace {

constexpr std::uint64_t max_gap_ticks = clock_hz * static_cast<std::uint64_t>(max_pcr_gap.count());
// Each new interval counts for a quarter: the rate follows a change within a few references, and one odd value does
// little.
constexpr double share_of_the_new = 0.25;

}  // namespace

void PcrClock::push(PacketView packet) {
  if (anchor_) ++packets_;
  if (pid_of(packet) == pid_ && !has_transport_error(packet)) {
    // 2.4.3.5: the jump may be announced in a packet before the one that has the new time base's first reference.
    if (discontinuity_indicator(packet) && pcr_) {
      ++counts_.announced_jumps;
      pcr_.reset();
    }
    if (const auto pcr = pcr_of(packet)) take(*pcr);
  }
  if (anchor_) shown_ = std::max(shown_, interpolated());
}

void PcrClock::take(std::uint64_t pcr) {
  ++counts_.pcrs;
  if (!anchor_) {
    anchor_ = 0;
  } else if (!pcr_) {
    anchor_ = interpolated();
  } else {
    const std::uint64_t passed = (pcr + pcr_modulus - *pcr_) % pcr_modulus;
    // The same once more is a packet that was sent twice: nothing is to be learnt from it.
    if (passed == 0) return;
    if (passed > max_gap_ticks) {
      ++counts_.unannounced_jumps;
      anchor_ = interpolated();
    } else {
      const double measured = static_cast<double>(passed) / static_cast<double>(packets_);
      ticks_per_packet_ =
          ticks_per_packet_ ? *ticks_per_packet_ + (measured - *ticks_per_packet_) * share_of_the_new : measured;
      *anchor_ += passed;
    }
  }
  pcr_ = pcr;
  packets_ = 0;
}

std::uint64_t PcrClock::interpolated() const {
  if (!ticks_per_packet_) return *anchor_;
  // A clock that has stopped does not run on for ever.
  const double passed =
      std::min(*ticks_per_packet_ * static_cast<double>(packets_), static_cast<double>(max_gap_ticks));
  return *anchor_ + static_cast<std::uint64_t>(passed);
}

void PcrClock::follow(Pid pcr_pid) {
  if (pcr_pid == pid_) return;
  pid_ = pcr_pid;
  pcr_.reset();
}

std::optional<std::uint64_t> PcrClock::ticks() const {
  if (!anchor_) return std::nullopt;
  return shown_;
}

std::optional<std::uint64_t> PcrClock::exact_ticks() const {
  if (!anchor_) return std::nullopt;
  return interpolated();
}

std::optional<std::chrono::nanoseconds> PcrClock::time() const {
  if (!anchor_) return std::nullopt;
  return duration_of_ticks(shown_);
}

std::chrono::nanoseconds duration_of_ticks(std::uint64_t ticks) {
  // In two parts, so that nothing overflows within centuries.
  constexpr std::uint64_t ns_per_s = 1'000'000'000;
  const std::uint64_t whole = ticks / clock_hz * ns_per_s;
  const std::uint64_t part = ticks % clock_hz * ns_per_s / clock_hz;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(whole + part));
}

std::optional<double> PcrClock::bit_rate() const {
  if (!ticks_per_packet_) return std::nullopt;
  return static_cast<double>(packet_size * 8) * static_cast<double>(clock_hz) / *ticks_per_packet_;
}

}  // namespace cas::mpegts
