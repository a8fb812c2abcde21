// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/key_periods.hpp"

#include <string>
#include <utility>

#include "crypto/constant_time.hpp"

namespace cas::simulcrypt {

namespace {

using std::chrono::nanoseconds;

bool is_same(const ContentKey& a, const ContentKey& b) {
  return a.period == b.period && a.key_id == b.key_id && a.content_id == b.content_id &&
         crypto::constant_time_equal(a.key.reveal(), b.key.reveal());
}

std::uint16_t number_of(const ContentKey& key) { return static_cast<std::uint16_t>(key.period); }

/// Times may be told better later on.
void take_times(ContentKey& known, const ContentKey& key) {
  if (!key.period_start) return;
  known.period_start = key.period_start;
  known.period_end = key.period_end;
  known.is_utc = key.is_utc;
}

/// In the arithmetic of serial numbers (RFC 1982), so that numbers may wrap wherever the key server has them do so.
bool is_later(const ContentKey& key, const ContentKey& than) {
  const auto distance = static_cast<std::uint16_t>(number_of(key) - number_of(than));
  return distance != 0 && distance < 0x8000;
}

}  // namespace

// ------------------------------------------------------------------------------------------------------ What comes in

/// Those behind keep their numbers: older ones move up or down. Where none is behind nobody has to move.
KeyPeriods::Change KeyPeriods::splice(PeriodIndex first, PeriodIndex removed,
                                      std::optional<ContentKey> in_their_place) {
  const PeriodIndex added = in_their_place ? 1 : 0;
  const PeriodIndex shift = first + removed == end() ? 0 : removed - added;
  const auto at = keys_.begin() + (first - base_);
  const auto behind = keys_.erase(at, at + removed);
  if (in_their_place) keys_.insert(behind, std::move(*in_their_place));
  base_ += shift;
  const Change change{first, removed, shift};
  if (in_force_) in_force_ = change.moved(*in_force_);
  return change;
}

Result<KeyPeriods::Change> KeyPeriods::announce(ContentKey key) {
  if (in_force_ && is_same(*find(*in_force_), key)) return Change{};
  for (PeriodIndex period = first_announced(); period < end(); ++period) {
    ContentKey& known = keys_[static_cast<std::size_t>(period - base_)];
    if (is_same(known, key)) {
      take_times(known, key);
      return Change{};
    }
    if (known.period != key.period || known.content_id != key.content_id) continue;
    return splice(period, end() - period, std::move(key));
  }
  if (end() - first_announced() >= static_cast<PeriodIndex>(max_announced))
    return fail(ErrorKind::exhausted, "more than " + std::to_string(max_announced) +
                                          " keys of crypto-periods to come are announced: the others are left aside "
                                          "until their periods begin");
  PeriodIndex at = end();
  while (at > first_announced() && is_later(*find(at - 1), key)) --at;
  return splice(at, 0, std::move(key));
}

std::optional<KeyPeriods::Change> KeyPeriods::begin(ContentKey key, PeriodIndex on) {
  if (in_force_ && is_same(*find(*in_force_), key)) return std::nullopt;
  // One that was in force and whose word has not come into use is over.
  const PeriodIndex first = in_force_ && *in_force_ > on ? *in_force_ : first_announced();
  for (PeriodIndex period = first; period < end(); ++period) {
    if (!is_same(*find(period), key)) continue;
    take_times(keys_[static_cast<std::size_t>(period - base_)], key);
    in_force_ = period;
    return splice(first, period - first, std::nullopt);
  }
  PeriodIndex behind = first;
  while (behind < end() && !is_later(*find(behind), key)) ++behind;
  in_force_.reset();
  const Change change = splice(first, behind - first, std::move(key));
  in_force_ = first + change.shift;
  return change;
}

KeyPeriods::Change KeyPeriods::again() {
  const Change change = splice(*in_force_ + 1, 0, find(*in_force_)->clone());
  ++*in_force_;
  return change;
}

void KeyPeriods::forget_before(PeriodIndex period) {
  for (; base_ < period && !keys_.empty(); ++base_) keys_.pop_front();
}

// ------------------------------------------------------------------------------------------------------ What is known

const ContentKey* KeyPeriods::find(PeriodIndex period) const {
  return period < base_ || period >= end() ? nullptr : &keys_[static_cast<std::size_t>(period - base_)];
}

std::uint16_t KeyPeriods::cp_number(PeriodIndex period) const {
  const ContentKey* key = find(period);
  return key == nullptr ? std::uint16_t{0} : number_of(*key);
}

bool KeyPeriods::is_followed(PeriodIndex period) const {
  return find(period) != nullptr && find(period + 1) != nullptr &&
         cp_number(period + 1) == static_cast<std::uint16_t>(cp_number(period) + 1);
}

nanoseconds KeyPeriods::duration(PeriodIndex period, nanoseconds usual) const {
  const ContentKey* key = find(period);
  if (key == nullptr || !key->period_start || !key->period_end || *key->period_end <= *key->period_start) return usual;
  return *key->period_end - *key->period_start;
}

nanoseconds KeyPeriods::distance(PeriodIndex from, PeriodIndex to, nanoseconds usual) const {
  const ContentKey *first = find(from), *last = find(to);
  if (first != nullptr && last != nullptr && first->period_start && last->period_start &&
      first->is_utc == last->is_utc && *last->period_start >= *first->period_start)
    return *last->period_start - *first->period_start;
  nanoseconds sum(0);
  for (; from < to; ++from) sum += duration(from, usual);
  return sum;
}

const SecretBytes* KeyPeriods::stand_in(PeriodIndex period, std::uint16_t cp_number) const {
  for (PeriodIndex before = period; before >= base_; --before)
    if (((this->cp_number(before) ^ cp_number) & 1) == 0) return &find(before)->key;
  return &find(period)->key;
}

KeyPeriods::Window KeyPeriods::window(PeriodIndex period, const EcmStreamTerms& terms) const {
  const std::uint16_t own = cp_number(period);
  Window window;
  for (int offset = terms.lead_cw - terms.cw_per_msg + 1; offset <= terms.lead_cw; ++offset) {
    const auto number = static_cast<std::uint16_t>(own + offset);
    const int step = offset < 0 ? -1 : 1;
    PeriodIndex at = period;
    while (at != period + offset && cp_number(at + step) == static_cast<std::uint16_t>(cp_number(at) + step) &&
           find(at + step) != nullptr)
      at += step;
    const bool found = at == period + offset;
    window.words.push_back({number, found ? &find(at)->key : stand_in(period, number)});
    if (found || offset < 0) continue;
    window.has_stand_in_ahead = true;
    if (find(at + 1) == nullptr) window.is_final = false;
  }
  return window;
}

}  // namespace cas::simulcrypt
