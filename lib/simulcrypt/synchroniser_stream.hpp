// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to simulcrypt/, not installed.

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "simulcrypt/synchroniser.hpp"

namespace cas::simulcrypt {

/// An ECM that has come in, until it is off the air.
struct Synchroniser::Ecm {
  PeriodIndex period = 0;
  Bytes bytes;
  std::optional<StreamTime> arrived;     ///< Known at the first advance after.
  bool criteria_changed = false;         ///< Against those of the ECM before.
  bool after_clear = false;              ///< Its period was the first after clear.
  bool before_clear = false;             ///< Its period was the last before clear.
  bool criteria_change_next = false;     ///< The period after it has other criteria.
  std::optional<StreamTime> start, end;  ///< Of its period, once they have come.
  std::optional<StreamTime> on_since;    ///< On the air.
  bool in_time = false;                  ///< It went there when its ECMG wants it, or as early as that can be.
  bool has_stand_in_ahead = false;       ///< For the word of a later period.
  StreamTime next_send{};
};

struct Synchroniser::Stream {
  WithoutEcm without = WithoutEcm::hold;
  bool open = false;
  EcmStreamTerms terms;
  struct Request {
    PeriodIndex period = 0;
    std::uint16_t cp_number = 0;
    bool has_stand_in_ahead = false;
    bool is_void = false;  ///< The period will never be: its ECM is not wanted any more.
  };
  std::optional<Request> asked;  ///< For which no answer has come.
  std::vector<Ecm> ecms;         ///< By period.
  Bytes criteria;
  bool announces_keys = false;
  std::uint64_t criteria_version = 1;   ///< Counts changes.
  std::uint64_t version_of_newest = 0;  ///< That the newest ECM was made with; 0: there was none.
  std::uint64_t version_asked = 0;
  std::optional<PeriodIndex> reported_missing;

  [[nodiscard]] Ecm* ecm(PeriodIndex period) {
    const auto found = std::ranges::find(ecms, period, &Ecm::period);
    return found == ecms.end() ? nullptr : &*found;
  }
  [[nodiscard]] const Ecm* ecm(PeriodIndex period) const { return const_cast<Stream*>(this)->ecm(period); }
  [[nodiscard]] std::chrono::nanoseconds start_delay(bool after_clear, bool criteria_changed) const {
    if (after_clear && terms.transition_delay_start) return *terms.transition_delay_start;
    if (criteria_changed && terms.ac_delay_start) return *terms.ac_delay_start;
    return terms.delay_start;
  }
  [[nodiscard]] std::chrono::nanoseconds stop_delay(const Ecm& ecm) const {
    if (ecm.before_clear && terms.transition_delay_stop) return *terms.transition_delay_stop;
    if (ecm.criteria_change_next && terms.ac_delay_stop) return *terms.ac_delay_stop;
    return terms.delay_stop;
  }
  /// The ECM that is made next has other criteria than the newest one.
  [[nodiscard]] bool criteria_change_is_next() const {
    return version_of_newest != 0 && criteria_version != version_of_newest;
  }
  /// The earliest that an ECM which is yet to be made could be wanted on the air, against the start of its period.
  [[nodiscard]] std::chrono::nanoseconds earliest_start_delay() const {
    return std::min({std::chrono::nanoseconds(0), std::chrono::nanoseconds(terms.delay_start),
                     std::chrono::nanoseconds(terms.transition_delay_start.value_or(terms.delay_start)),
                     std::chrono::nanoseconds(terms.ac_delay_start.value_or(terms.delay_start))});
  }
};

}  // namespace cas::simulcrypt
