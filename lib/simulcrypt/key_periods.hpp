// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "simulcrypt/content_key.hpp"
#include "simulcrypt/control_words.hpp"
#include "simulcrypt/ecm_stream_terms.hpp"

namespace cas::simulcrypt {

/// Crypto-periods in the order in which a stream has them, when their keys come from outside. Their server's numbers may
/// jump, wrap and come again; a PeriodIndex here only counts: the period after this one has the next.
///
/// A period is announced, or not; then it is in force, from the moment that the stream has come to it; then past. What
/// was announced and left out, no PeriodIndex stands for: the numbers of those before move up to close the gap.
class KeyPeriods {
 public:
  /// How numbers have moved: the periods from `first` on are gone, `removed` of them, and those before it have numbers
  /// that are higher by `shift`.
  struct Change {
    PeriodIndex first = 0, removed = 0, shift = 0;
    [[nodiscard]] bool removes(PeriodIndex period) const { return period >= first && period < first + removed; }
    [[nodiscard]] PeriodIndex moved(PeriodIndex period) const { return period < first ? period + shift : period; }
  };
  /// Those announced that wait for the stream, at most.
  static constexpr std::size_t max_announced = 64;

  explicit KeyPeriods(PeriodIndex first) : base_(first) {}

  /// A period to come, which is put where its number belongs. Of one that is known nothing changes but its
  /// times. One with another key than it was announced with
  /// takes the place of that and of all behind it. ErrorKind::exhausted beyond max_announced.
  [[nodiscard]] Result<Change> announce(ContentKey key);
  /// The stream has come to this period, and packets of `on`, the one whose word is in use, may still be waiting for its
  /// ECMs. Those announced before it were left out. Nothing: it is in force already.
  [[nodiscard]] std::optional<Change> begin(ContentKey key, PeriodIndex on);
  /// What is in force is to begin once more, behind itself: scrambling has stopped within.
  [[nodiscard]] Change again();
  /// Those before are not asked for any more.
  void forget_before(PeriodIndex period);

  [[nodiscard]] std::optional<PeriodIndex> in_force() const { return in_force_; }
  /// nullptr: not known.
  [[nodiscard]] const ContentKey* find(PeriodIndex period) const;
  [[nodiscard]] std::uint16_t cp_number(PeriodIndex period) const;
  /// Whether the CP_number of the next one is the next one, so that the word has the other parity.
  [[nodiscard]] bool is_followed(PeriodIndex period) const;
  /// What was announced for it, or else `usual`.
  [[nodiscard]] std::chrono::nanoseconds duration(PeriodIndex period, std::chrono::nanoseconds usual) const;
  /// From the start of one to that of a later one, likewise.
  [[nodiscard]] std::chrono::nanoseconds distance(PeriodIndex from, PeriodIndex to,
                                                  std::chrono::nanoseconds usual) const;

  /// The words of an ECM (TS 103 197, 5.3: lead_CW - CW_per_msg + 1 to lead_CW). For numbers that no period has, the last
  /// word before of the same parity stands in, or the period's own: nothing is scrambled with it, and it takes the place
  /// of no word that is in use.
  struct Window {
    struct Word {
      std::uint16_t cp_number = 0;
      const SecretBytes* word = nullptr;
    };
    std::vector<Word> words;
    bool has_stand_in_ahead = false;  ///< For a period that comes later.
    bool is_final = true;             ///< No announcement would change it.
  };
  /// Of a period that is known.
  [[nodiscard]] Window window(PeriodIndex period, const EcmStreamTerms& terms) const;

 private:
  [[nodiscard]] PeriodIndex end() const { return base_ + static_cast<PeriodIndex>(keys_.size()); }
  [[nodiscard]] PeriodIndex first_announced() const { return in_force_ ? *in_force_ + 1 : base_; }
  Change splice(PeriodIndex first, PeriodIndex removed, std::optional<ContentKey> in_their_place);
  [[nodiscard]] const SecretBytes* stand_in(PeriodIndex period, std::uint16_t cp_number) const;

  std::deque<ContentKey> keys_;
  PeriodIndex base_;  ///< Of the first of them.
  std::optional<PeriodIndex> in_force_;
};

}  // namespace cas::simulcrypt
