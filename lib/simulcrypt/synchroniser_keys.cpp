// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <utility>

#include "simulcrypt/key_announcement.hpp"
#include "simulcrypt/synchroniser.hpp"
#include "simulcrypt/synchroniser_stream.hpp"

// What is different where keys come from outside, and with them the line between crypto-periods.
namespace cas::simulcrypt {

using std::chrono::nanoseconds;

// ------------------------------------------------------------------------------------------------------ What comes in

Status Synchroniser::announce(ContentKey key) {
  CAS_TRY_ASSIGN(const KeyPeriods::Change change, keys_->announce(std::move(key)));
  renumber(change);
  return {};
}

void Synchroniser::begin(ContentKey key) {
  const auto before = keys_->in_force();
  const auto following = static_cast<std::uint16_t>(before ? keys_->cp_number(*before) + 1 : 0);
  const auto change = keys_->begin(std::move(key), current_);
  if (!change) return;
  renumber(*change);
  boundary_.reset();
  // One that follows another begins here; of one that the stream was thrown into nobody knows how much is over.
  boundary_is_start_ = before && keys_->cp_number(*keys_->in_force()) == following;
}

void Synchroniser::announce_keys(std::size_t stream) { streams_.at(stream).announces_keys = true; }

/// What is kept by the number of a period goes with it.
void Synchroniser::renumber(const KeyPeriods::Change& change) {
  next_event_ = StreamTime::min();
  if (change.removed == 0 && change.shift == 0) return;
  current_ = change.moved(current_);
  for (Stream& stream : streams_) {
    std::erase_if(stream.ecms, [&](const Ecm& ecm) { return change.removes(ecm.period); });
    for (Ecm& ecm : stream.ecms) ecm.period = change.moved(ecm.period);
    if (stream.asked) {
      stream.asked->is_void = stream.asked->is_void || change.removes(stream.asked->period);
      stream.asked->period = change.moved(stream.asked->period);
    }
    if (!stream.reported_missing) continue;
    if (change.removes(*stream.reported_missing)) {
      stream.reported_missing.reset();
    } else {
      stream.reported_missing = change.moved(*stream.reported_missing);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------- What is due

/// The next period is due since the stream came to it; or nobody knows yet when it will.
StreamTime Synchroniser::next_boundary(StreamTime now) const {
  if (!keys_->in_force() || *keys_->in_force() <= current_) return never;
  const StreamTime came = boundary_.value_or(now);
  return scrambling_ ? came : std::max(came, began_.value_or(now) + options_.clear_lead);
}

/// Of a period to come, against the one that is in force: as the announcements say. Where that one's beginning was missed
/// the next may come at any moment.
StreamTime Synchroniser::announced_start(PeriodIndex period, StreamTime now) const {
  if (!keys_->in_force()) return never;
  const PeriodIndex in_force = *keys_->in_force();
  const StreamTime came = boundary_.value_or(now);
  if (period <= in_force || (period == in_force + 1 && !boundary_is_start_)) return came;
  return came + std::min<nanoseconds>(keys_->distance(in_force, period, options_.period), never / 2);
}

/// Whether the ECM of a period that has not begun may be on the air: of the next one, when its word leaves the one that is
/// in use where it is.
bool Synchroniser::may_go_ahead(PeriodIndex period) const {
  return period == current_ + 1 && (!scrambling_ || keys_->is_followed(current_));
}

/// Whether the ECM of a period that is over may still be on the air: within the next one, whose word is the one that it
/// says, or none.
bool Synchroniser::may_linger(const Ecm& ecm) const {
  return !ecm.end || (ecm.period == current_ - 1 && !ecm.has_stand_in_ahead && keys_->is_followed(ecm.period));
}

/// Whether the ECM of the next period was on the air for long enough.
bool Synchroniser::was_ahead(const Ecm& ecm, nanoseconds lead, StreamTime now) {
  if (!ecm.on_since) return false;
  // The stream comes to a period sooner than was announced: that is not the ECMG's fault.
  if (scrambling_ && ecm.in_time) return true;
  // Out of the clear: with a lead of more than a period the next period would be there before it is over.
  if (!scrambling_) lead = std::min(lead, keys_->duration(ecm.period, options_.period) / 2);
  if (now >= *ecm.on_since + lead) return true;
  wake_at(*ecm.on_since + lead);
  return false;
}

void Synchroniser::request_with_keys(std::size_t number, PeriodIndex period, StreamTime now) {
  if (keys_->find(period) == nullptr) return;  // Not announced yet.
  const Stream& stream = streams_[number];
  const KeyPeriods::Window window = keys_->window(period, stream.terms);
  // As soon as it can be made; when it has to be, with stand-ins for words that are not known.
  const bool stream_is_there = keys_->in_force() && period <= *keys_->in_force();
  if (!window.is_final && !stream_is_there && (!scrambling_ || !is_time_to_ask(stream, period, now))) return;
  EcmRequest request;
  request.cp_number = keys_->cp_number(period);
  const nanoseconds nominal =
      std::max<nanoseconds>(keys_->duration(period, options_.period), stream.terms.min_cp_duration);
  request.duration = std::chrono::duration_cast<std::chrono::milliseconds>(nominal);
  for (const KeyPeriods::Window::Word& each : window.words)
    request.words.push_back({each.cp_number, each.word->clone()});
  Bytes criteria = stream.criteria;
  // A key whose id cannot be told has its ECMs all the same.
  if (stream.announces_keys)
    if (const auto announced = key_announcement(*keys_->find(period))) append(criteria, *announced);
  request.access_criteria = criteria;
  send_request(number, period, request, window.has_stand_in_ahead);
}

}  // namespace cas::simulcrypt
