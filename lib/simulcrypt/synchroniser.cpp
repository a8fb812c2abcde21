// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/synchroniser.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "simulcrypt/synchroniser_stream.hpp"

namespace cas::simulcrypt {

namespace {

using std::chrono::nanoseconds;

/// A packet may be so late for what is due and still keep the grid: periods do not slide by a packet time each.
constexpr nanoseconds on_the_grid = std::chrono::milliseconds(40);
/// How far beyond the period that is on ECMs are asked for, at most.
constexpr PeriodIndex request_horizon = 8;
/// Words of periods so long past are in no window of words (max_cw_per_msg).
constexpr PeriodIndex word_memory = 2 * max_cw_per_msg;

}  // namespace

Synchroniser::Synchroniser(const Options& options, SynchroniserActions& actions, ControlWordSource& words)
    : options_(options), actions_(actions), words_(&words), current_(options.first_period - 1) {}
Synchroniser::Synchroniser(const Options& options, SynchroniserActions& actions)
    : options_(options), actions_(actions), keys_(options.first_period), current_(options.first_period - 1) {}
Synchroniser::~Synchroniser() = default;

// ------------------------------------------------------------------------------------------------------- What comes in

std::size_t Synchroniser::add_stream(WithoutEcm without) {
  streams_.emplace_back().without = without;
  return streams_.size() - 1;
}

Status Synchroniser::stream_opened(std::size_t stream, const EcmStreamTerms& terms) {
  CAS_TRY(check_ecm_stream_terms(terms));
  Stream& opened = streams_.at(stream);
  opened.open = true;
  opened.terms = terms;
  opened.asked.reset();
  next_event_ = StreamTime::min();
  return {};
}

void Synchroniser::stream_lost(std::size_t stream) {
  Stream& lost = streams_.at(stream);
  lost.open = false;
  lost.asked.reset();
  next_event_ = StreamTime::min();
}

Status Synchroniser::ecm_arrived(std::size_t stream, std::uint16_t cp_number, Bytes ecm) {
  Stream& asking = streams_.at(stream);
  if (!asking.asked || asking.asked->cp_number != cp_number)
    return fail(ErrorKind::malformed, "an ECM came for crypto-period " + std::to_string(cp_number) +
                                          ", which was not asked for: it is left aside");
  const auto [period, number, has_stand_in_ahead, is_void] = *std::exchange(asking.asked, std::nullopt);
  next_event_ = StreamTime::min();
  // It has taken too long: nobody needs it.
  if (is_void || period < current_ || (period == current_ && !scrambling_)) return {};
  Ecm& fresh = asking.ecms.emplace_back();
  fresh.period = period;
  fresh.bytes = std::move(ecm);
  fresh.has_stand_in_ahead = has_stand_in_ahead;
  fresh.criteria_changed = asking.version_of_newest != 0 && asking.version_asked != asking.version_of_newest;
  asking.version_of_newest = asking.version_asked;
  if (Ecm* before = asking.ecm(period - 1)) before->criteria_change_next = fresh.criteria_changed;
  return {};
}

void Synchroniser::ecm_refused(std::size_t stream) {
  streams_.at(stream).asked.reset();
  next_event_ = StreamTime::min();
}

void Synchroniser::set_access_criteria(std::size_t stream, Bytes criteria) {
  Stream& changed = streams_.at(stream);
  changed.criteria = std::move(criteria);
  ++changed.criteria_version;
}

void Synchroniser::set_scrambling(bool on) {
  wanted_ = on;
  next_event_ = StreamTime::min();
}

// ---------------------------------------------------------------------------------------------------------- What is due

nanoseconds Synchroniser::duration() const {
  nanoseconds longest = options_.period;
  for (const Stream& stream : streams_)
    if (stream.open) longest = std::max<nanoseconds>(longest, stream.terms.min_cp_duration);
  return longest;
}

/// While nothing holds it up. While clear, the next period is due when the clear lead is over.
StreamTime Synchroniser::next_due(StreamTime now) const {
  if (keys_) return next_boundary(now);
  return scrambling_ ? started_ + duration() : began_.value_or(now) + options_.clear_lead;
}

/// When the next period can begin: when it is due, and its ECMs were on the air for long enough.
StreamTime Synchroniser::next_start(StreamTime now) const {
  const StreamTime due = std::max(next_due(now), now);
  std::optional<StreamTime> first, last;
  for (const Stream& stream : streams_) {
    const Ecm* ecm = stream.ecm(current_ + 1);
    if (ecm == nullptr && !stream.open) continue;
    const bool changed = ecm != nullptr ? ecm->criteria_changed : stream.criteria_change_is_next();
    const StreamTime on_since = ecm != nullptr ? ecm->on_since.value_or(now) : now;
    const StreamTime ready = on_since - std::min(stream.start_delay(!scrambling_, changed), nanoseconds(0));
    first = std::min(first.value_or(ready), ready);
    last = std::max(last.value_or(ready), ready);
  }
  const std::optional<StreamTime> ready = options_.policy == ServicePolicy::any ? first : last;
  return std::max(due, ready.value_or(due));
}

/// Of a period that has begun, or of one to come.
StreamTime Synchroniser::expected_start(PeriodIndex period, StreamTime now) const {
  if (period <= current_) return started_;
  if (keys_) return announced_start(period, now);
  if (period == current_ + 1) return next_due(now);
  return next_start(now) + (period - current_ - 1) * duration();
}

/// When its ECMG wants it there.
StreamTime Synchroniser::on_air_from(const Stream& stream, const Ecm& ecm, StreamTime now) const {
  const bool after_clear = ecm.start ? ecm.after_clear : !scrambling_ && ecm.period == current_ + 1;
  const nanoseconds delay = stream.start_delay(after_clear, ecm.criteria_changed);
  if (ecm.start) return *ecm.start + delay;
  // After the start of a period that has not begun yet: when it has.
  if (delay >= nanoseconds(0) || (keys_ && !may_go_ahead(ecm.period))) return StreamTime::max();
  const StreamTime from = expected_start(ecm.period, now) + delay;
  return keys_ && scrambling_ ? std::max(from, started_) : from;
}

std::optional<StreamTime> Synchroniser::off_air_from(const Stream& stream, const Ecm& ecm) const {
  const nanoseconds delay = stream.stop_delay(ecm);
  if (keys_ && scrambling_ && !may_linger(ecm)) return ecm.end;
  if (ecm.end) return *ecm.end + delay;
  if (keys_) return {};  // When its end comes is not certain before.
  // Before the end of its period, when that is certain: each ECMG has answered for the next one.
  if (delay >= nanoseconds(0) || !ecm.start || ecm.period != current_) return {};
  const bool answered =
      std::ranges::all_of(streams_, [&](const Stream& other) { return other.ecm(current_ + 1) != nullptr; });
  return answered ? std::optional(started_ + duration() + delay) : std::nullopt;
}

void Synchroniser::wake_at(StreamTime time) { next_event_ = std::min(next_event_, time); }

/// Whether it is time to ask for the ECM of a period; else wakes up when it is.
bool Synchroniser::is_time_to_ask(const Stream& stream, PeriodIndex period, StreamTime now) {
  if (period <= current_ || (!scrambling_ && period == current_ + 1)) return true;
  const StreamTime ask =
      expected_start(period, now) + stream.earliest_start_delay() - stream.terms.max_comp_time - options_.request_ahead;
  if (now < ask) wake_at(ask);
  return now >= ask;
}

Status Synchroniser::request(std::size_t number, StreamTime now) {
  Stream& stream = streams_[number];
  if (!stream.open || stream.asked) return {};
  PeriodIndex period = scrambling_ ? current_ : current_ + 1;
  while (stream.ecm(period) != nullptr) ++period;
  if (period > current_ + request_horizon) return {};
  if (keys_) {
    request_with_keys(number, period, now);
    return {};
  }
  if (!is_time_to_ask(stream, period, now)) return {};
  EcmRequest request;
  request.cp_number = simulcrypt::cp_number(period);
  request.duration = std::chrono::duration_cast<std::chrono::milliseconds>(duration());
  const PeriodIndex first = period + stream.terms.lead_cw - stream.terms.cw_per_msg + 1;
  for (PeriodIndex of = first; of < first + stream.terms.cw_per_msg; ++of) {
    auto word = words_->word(of);
    if (!word && word.error().kind == ErrorKind::not_found) {  // A key from outside that is not there yet.
      wake_at(now + options_.request_ahead);
      return {};
    }
    if (!word) return fail(std::move(word).error());
    request.words.push_back({simulcrypt::cp_number(of), std::move(*word)});
  }
  request.access_criteria = stream.criteria;
  send_request(number, period, request, false);
  return {};
}

void Synchroniser::send_request(std::size_t number, PeriodIndex period, const EcmRequest& request,
                                bool has_stand_in_ahead) {
  Stream& stream = streams_[number];
  stream.version_asked = stream.criteria_version;
  stream.asked = Stream::Request{period, request.cp_number, has_stand_in_ahead, false};
  actions_.request_ecm(number, request);
}

/// Finds which ECMs are on the air from now on.
void Synchroniser::put_on_air(Stream& stream, StreamTime now) {
  for (Ecm& ecm : stream.ecms) {
    if (ecm.on_since) continue;
    const StreamTime wanted = on_air_from(stream, ecm, now);
    const StreamTime from = std::max(ecm.arrived.value_or(now), wanted);
    if (now < from) {
      if (from != StreamTime::max()) wake_at(from);
      continue;
    }
    ecm.on_since = now - from < on_the_grid ? from : now;
    ecm.in_time = *ecm.on_since - wanted < on_the_grid;
    ecm.next_send = *ecm.on_since;
  }
}

void Synchroniser::broadcast(std::size_t number, StreamTime now) {
  Stream& stream = streams_[number];
  std::erase_if(stream.ecms, [&](const Ecm& ecm) {
    const auto off = off_air_from(stream, ecm);
    return (off && ecm.end && now >= *off) || (ecm.period < current_ && !ecm.start);
  });
  for (Ecm& ecm : stream.ecms) {
    const auto off = off_air_from(stream, ecm);
    if (!ecm.on_since || (off && now >= *off)) continue;
    if (now >= ecm.next_send) {
      actions_.send_ecm(number, ecm.bytes);
      ecm.next_send += stream.terms.repetition;
      if (ecm.next_send <= now) ecm.next_send = now + stream.terms.repetition;
    }
    wake_at(off ? std::min(ecm.next_send, *off) : ecm.next_send);
  }
}

/// Whether the stream's ECM of the next period is there, and was on the air for long enough.
bool Synchroniser::ready(const Stream& stream, StreamTime now) {
  const Ecm* next = stream.ecm(current_ + 1);
  if (next == nullptr) return false;
  const nanoseconds delay = stream.start_delay(!scrambling_, next->criteria_changed);
  if (delay >= nanoseconds(0)) return true;
  // Over a jump of the numbers no ECM goes out before its period.
  if (keys_ && scrambling_ && !keys_->is_followed(current_)) return true;
  if (keys_) return was_ahead(*next, -delay, now);
  if (!next->on_since) return false;
  if (now >= *next->on_since - delay) return true;
  wake_at(*next->on_since - delay);
  return false;
}

/// Of those that the next period is to have.
bool Synchroniser::lacks_an_ecm() const {
  const auto has_one = [this](const Stream& stream) { return stream.ecm(current_ + 1) != nullptr; };
  return options_.policy == ServicePolicy::any ? std::ranges::none_of(streams_, has_one)
                                               : !std::ranges::all_of(streams_, has_one);
}

/// How long before the next period the first of the ECMs that it lacks should be on the air.
nanoseconds Synchroniser::lead_of_missing() const {
  nanoseconds lead(0);
  for (const Stream& stream : streams_) {
    if (stream.ecm(current_ + 1) != nullptr) continue;
    lead = std::max(lead, -stream.start_delay(!scrambling_, stream.criteria_change_is_next()));
  }
  return lead;
}

/// When a stream that can wait does so for what is missing.
StreamTime Synchroniser::wait_from(StreamTime now) const {
  if (!keys_) return next_due(now) - lead_of_missing();
  if (keys_->find(current_ + 1) == nullptr) return never;
  const nanoseconds lead = may_go_ahead(current_ + 1) ? lead_of_missing() : nanoseconds(0);
  return lead == nanoseconds(0) ? next_due(now) : std::min(next_due(now), expected_start(current_ + 1, now) - lead);
}

/// The next period is due: whether the policies let it begin. Says which ECMs it lacks: of the first one when it begins
/// without them, of others when they are due.
bool Synchroniser::may_begin(StreamTime now) {
  if (patient_ && lacks_an_ecm()) return false;
  bool one_is_ready = false, on_its_way = false, waited_for = false;
  for (const Stream& stream : streams_) {
    if (ready(stream, now)) {
      one_is_ready = true;
    } else if (stream.ecm(current_ + 1) != nullptr) {  // A matter of its own delay.
      on_its_way = true;
    } else if (stream.without != WithoutEcm::go_on) {
      waited_for = true;
    }
  }
  bool begins = one_is_ready;
  if (options_.policy != ServicePolicy::any)
    begins = !on_its_way && !waited_for && (one_is_ready || (scrambling_ && !streams_.empty()));
  if (scrambling_ || begins) report_missing(begins);
  if (waited_for && !begins && scrambling_ && options_.policy == ServicePolicy::clear) stop_scrambling(now);
  return begins;
}

void Synchroniser::report_missing(bool begins) {
  for (std::size_t number = 0; number < streams_.size(); ++number) {
    Stream& stream = streams_[number];
    if (stream.ecm(current_ + 1) != nullptr || stream.reported_missing == current_ + 1) continue;
    stream.reported_missing = current_ + 1;
    WithoutEcm consequence = stream.without;
    // With `any` nobody is waited for as long as another has answered, nor ends the service before it was there.
    if (options_.policy == ServicePolicy::any && (consequence != WithoutEcm::stop || !scrambling_))
      consequence = begins ? WithoutEcm::go_on : WithoutEcm::hold;
    actions_.ecm_missing(number, number_of(current_ + 1), consequence);
  }
}

Status Synchroniser::change_period(StreamTime now) {
  const PeriodIndex next = current_ + 1;
  SecretBytes drawn;
  if (!keys_) {
    CAS_TRY_ASSIGN(drawn, words_->word(next));
  }
  const StreamTime due = expected_start(next, now);
  const StreamTime start = scrambling_ && now - due < on_the_grid ? due : now;
  for (Stream& stream : streams_) {
    if (Ecm* ending = stream.ecm(current_); ending != nullptr && scrambling_) ending->end = start;
    if (Ecm* starting = stream.ecm(next)) {
      starting->start = start;
      starting->after_clear = !scrambling_;
    }
  }
  current_ = next;
  started_ = start;
  scrambling_ = true;
  if (keys_) {
    keys_->forget_before(current_ - word_memory);
  } else {
    words_->forget_before(current_ - word_memory);
  }
  actions_.begin_period(cp_number(), keys_ ? keys_->find(current_)->key : drawn);
  return {};
}

void Synchroniser::stop_scrambling(StreamTime now) {
  for (Stream& stream : streams_)
    if (Ecm* ending = stream.ecm(current_)) {
      ending->end = now;
      ending->before_clear = true;
    }
  scrambling_ = false;
  // The key that is in force stays so: what is scrambled next begins with it.
  if (keys_ && keys_->in_force() == current_) renumber(keys_->again());
  actions_.go_clear();
}

/// What a first time or a first look at something means.
void Synchroniser::mark_time(StreamTime now, bool patient) {
  patient_ = patient;
  if (!began_) began_ = now;
  if (keys_ && keys_->in_force() && !boundary_) boundary_ = now;
}

Status Synchroniser::advance(StreamTime now, bool patient) {
  mark_time(now, patient);
  // First which period is on: nobody needs the ECM of one that ends now.
  const Status changed = change_what_is_due(now);
  for (std::size_t number = 0; number < streams_.size(); ++number) broadcast(number, now);
  if (!changed) next_event_ = StreamTime::min();
  return changed;
}

Status Synchroniser::advance_without_ecms(StreamTime now, bool patient) {
  mark_time(now, patient);
  const Status changed = change_what_is_due(now);
  next_event_ = StreamTime::min();
  return changed;
}

Status Synchroniser::change_what_is_due(StreamTime now) {
  for (Stream& stream : streams_)
    for (Ecm& ecm : stream.ecms) {
      if (!ecm.arrived) ecm.arrived = now;
      // It has come after its period had begun without it.
      if (!ecm.start && scrambling_ && ecm.period == current_) ecm.start = started_;
    }
  if (!wanted_ && scrambling_) {
    stop_scrambling(now);
    // What was asked for ahead may be out of date when scrambling is wanted again.
    for (Stream& stream : streams_) std::erase_if(stream.ecms, [&](const Ecm& ecm) { return ecm.period > current_; });
  }
  next_event_ = StreamTime::max();
  return wanted_ ? change_periods(now) : Status{};
}

/// Begins the periods that are due and may begin, and asks for ECMs. More than one is due only where the stream's time has
/// jumped.
Status Synchroniser::change_periods(StreamTime now) {
  for (int turn = 0; turn < 4; ++turn) {
    for (std::size_t number = 0; number < streams_.size(); ++number) {
      CAS_TRY(request(number, now));
      put_on_air(streams_[number], now);
    }
    const StreamTime due = next_due(now);
    if (now < due) {
      wake_at(due);
      // Where the stream can wait it does so when the ECM should go out, so that the period begins when it is due.
      const StreamTime wait = wait_from(now);
      if (patient_ && now < wait && lacks_an_ecm()) wake_at(wait);
      return {};
    }
    if (!may_begin(now)) return {};
    CAS_TRY(change_period(now));
  }
  wake_at(now);
  return {};
}

}  // namespace cas::simulcrypt
