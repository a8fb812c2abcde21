// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/bcast_receiver.hpp"

#include <algorithm>
#include <cstdlib>

#include "simulcrypt/bcast/stkm_generator.hpp"

namespace cas::simulcrypt::bcast {

namespace {

constexpr std::size_t max_recipients = 8;
constexpr std::size_t max_keys = 64;
constexpr std::size_t max_streams = 64;
constexpr std::size_t max_teks = 8;

tl::unexpected<Error> outdated(const char* what) {
  return fail(ErrorKind::outdated, std::string("The ") + what + " is older than one that was taken");
}

std::chrono::seconds lifetime_of(std::uint8_t exponent) { return std::chrono::seconds(std::int64_t{1} << exponent); }

}  // namespace

Result<BcastReceiver> BcastReceiver::create_drm(std::uint32_t bsm, std::vector<DrmRecipient> recipients, Clock& clock) {
  const bool keys_fit = std::ranges::all_of(recipients, [](const DrmRecipient& it) { return it.key.size() == 16; });
  if (recipients.empty() || recipients.size() > max_recipients || !keys_fit) {
    return fail(ErrorKind::invalid_argument, "A receiver of the DRM Profile has 1 to 8 keys of 16 bytes");
  }
  const std::size_t count = recipients.size();
  BcastReceiver receiver(bsm, std::move(recipients), clock);
  receiver.last_ltkms_.resize(count);
  return receiver;
}

Result<BcastReceiver> BcastReceiver::create_smartcard(SmartcardSubscription subscription, Clock& clock) {
  if (subscription.smk.size() < 16 || subscription.smk.size() > 32) {
    return fail(ErrorKind::invalid_argument, "The key of a subscription (SMK) has 16 to 32 bytes");
  }
  BcastReceiver receiver(0, std::move(subscription), clock);
  receiver.last_ltkms_.resize(1);
  return receiver;
}

Result<BcastReceiver::Outcome> BcastReceiver::take_ltkm(ByteView message) {
  if (const auto* recipients = std::get_if<std::vector<DrmRecipient>>(&secrets_)) {
    return take_drm_ltkm(message, *recipients);
  }
  return take_smartcard_ltkm(message, std::get<SmartcardSubscription>(secrets_));
}

Result<BcastReceiver::Outcome> BcastReceiver::take_drm_ltkm(ByteView message,
                                                            const std::vector<DrmRecipient>& recipients) {
  auto failure = Error{ErrorKind::not_found, "The long term key message is for others"};
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    Last& last = last_ltkms_[i];
    if (equal(last.message, message)) return Outcome::repeated;
    auto ltkm = open_drm_ltkm(message, bsm_, recipients[i]);
    if (!ltkm) {
      // Two domains have the same address: another of the keys may open it.
      if (failure.kind == ErrorKind::not_found) failure = std::move(ltkm).error();
      continue;
    }
    if (ltkm->issue <= last.order) return outdated("long term key message");
    CAS_TRY(keep(std::move(ltkm->keys)));
    last = {ltkm->issue, 0, copy_of(message)};
    return Outcome::taken;
  }
  return fail(std::move(failure));
}

Result<BcastReceiver::Outcome> BcastReceiver::take_smartcard_ltkm(ByteView message,
                                                                  const SmartcardSubscription& subscription) {
  Last& last = last_ltkms_.front();
  if (equal(last.message, message)) return Outcome::repeated;
  CAS_TRY_ASSIGN(SmartcardLtkm ltkm, open_smartcard_ltkm(message, subscription));
  if (ltkm.counter <= last.order) return outdated("long term key message");
  std::vector<ServiceKey> keys;
  keys.push_back(std::move(ltkm.key));
  CAS_TRY(keep(std::move(keys)));
  last = {ltkm.counter, 0, copy_of(message)};
  return Outcome::taken;
}

Status BcastReceiver::keep(std::vector<ServiceKey> keys) {
  std::erase_if(keys_, [now = clock_->now()](const ServiceKey& key) { return key.valid_until <= now; });
  const auto is_replaced = [&keys](const ServiceKey& old) {
    return std::ranges::any_of(keys,
                               [&old](const ServiceKey& key) { return key.kind == old.kind && key.id == old.id; });
  };
  const auto replaced = static_cast<std::size_t>(std::ranges::count_if(keys_, is_replaced));
  if (keys_.size() - replaced + keys.size() > max_keys) {
    return fail(ErrorKind::exhausted, "There is no room for another service or programme key");
  }
  for (ServiceKey& key : keys) {
    std::erase_if(keys_, [&key](const ServiceKey& old) { return old.kind == key.kind && old.id == key.id; });
    keys_.push_back(std::move(key));
  }
  return {};
}

const ServiceKey* BcastReceiver::find_key(ServiceKey::Kind kind, std::uint32_t id) const {
  const auto found =
      std::ranges::find_if(keys_, [&](const ServiceKey& key) { return key.kind == kind && key.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

Result<BcastReceiver::Outcome> BcastReceiver::take_stkm(std::uint16_t number, ByteView message) {
  const auto known = streams_.find(number);
  if (known == streams_.end() && streams_.size() >= max_streams) {
    return fail(ErrorKind::exhausted, "A receiver follows at most 64 key streams");
  }
  Stream& stream = known == streams_.end() ? streams_[number] : known->second;
  if (stream.last && equal(stream.last->message, message)) return Outcome::repeated;
  return std::holds_alternative<SmartcardSubscription>(secrets_) ? take_smartcard_stkm(stream, message)
                                                                 : take_drm_stkm(stream, message);
}

Result<BcastReceiver::Outcome> BcastReceiver::take_drm_stkm(Stream& stream, ByteView message) {
  CAS_TRY_ASSIGN(const DrmStkm stkm, DrmStkm::parse(message));
  if (!stkm.timestamp) return fail(ErrorKind::malformed, "The short term key message has no timestamp");
  const ServiceKey* key = stkm.service ? find_key(ServiceKey::Kind::service, stkm.service->cid_extension) : nullptr;
  if (key == nullptr && stkm.programme) {
    key = find_key(ServiceKey::Kind::programme, stkm.programme->cid_extension);
  }
  if (key == nullptr) return fail(ErrorKind::not_found, "No key for the short term key message has come yet");
  CAS_TRY_ASSIGN(OpenedDrmStkm opened, open_drm_stkm(message, stkm, *key));
  // The head-end's time, which the MAC covers: a receiver whose clock is put back gains nothing.
  if (!key->is_valid_at(*stkm.timestamp)) {
    return fail(ErrorKind::expired, "The key of the short term key message is not valid at its time");
  }
  const auto order = static_cast<std::uint64_t>(*stkm.timestamp);
  if (stream.last && (order < stream.last->order ||
                      (order == stream.last->order && !is_later_tek(opened.tek_id, stream.last->tek_id)))) {
    return outdated("short term key message");
  }
  stream.last = Last{order, opened.tek_id, copy_of(message)};
  const auto lifetime = lifetime_of(stkm.lifetime_exponent);
  const auto next_id = static_cast<std::uint16_t>(opened.tek_id + 1);
  keep_tek(stream, {{opened.tek_id, std::move(opened.tek)}, stkm.protection, lifetime});
  if (opened.next_tek) keep_tek(stream, {{next_id, std::move(*opened.next_tek)}, stkm.protection, lifetime});
  return Outcome::taken;
}

Result<BcastReceiver::Outcome> BcastReceiver::take_smartcard_stkm(Stream& stream, ByteView message) {
  CAS_TRY_ASSIGN(const SmartcardStkm stkm, SmartcardStkm::parse(message));
  if (stkm.head.key_domain != std::get<SmartcardSubscription>(secrets_).key_domain) {
    return fail(ErrorKind::not_found, "The short term key message is of another key domain");
  }
  const ServiceKey* key = find_key(ServiceKey::Kind::service, stkm.head.service_key_id);
  if (key == nullptr) key = find_key(ServiceKey::Kind::programme, stkm.head.service_key_id);
  if (key == nullptr) return fail(ErrorKind::not_found, "No key for the short term key message has come yet");
  CAS_TRY_ASSIGN(SecretBytes tek, open_smartcard_stkm(stkm, *key));
  const auto lifetime = lifetime_of(stkm.head.lifetime_exponent);
  if (!key->is_valid_at(time_of(stkm.mikey.counter, lifetime))) {
    return fail(ErrorKind::expired, "The key of the short term key message is not valid now");
  }
  // RFC 3830, 5.4: a counter that is not later than the last one is a replay.
  if (stream.last && stkm.mikey.counter <= stream.last->order) return outdated("short term key message");
  stream.last = Last{stkm.mikey.counter, stkm.head.tek_id, copy_of(message)};
  keep_tek(stream, {{stkm.head.tek_id, std::move(tek)}, stkm.head.protection, lifetime});
  return Outcome::taken;
}

// A message is repeated while its TEK is in use, and the clocks of head-end and receiver differ: where the counter, which
// the MAC covers, tells a time that is near, it is the head-end's, and a change of keys finds both at one time.
UnixSeconds BcastReceiver::time_of(std::uint32_t counter, std::chrono::seconds lifetime) const {
  const UnixSeconds now = clock_->now();
  const UnixSeconds made = time_of_counter(counter);
  return std::abs(now - made) <= lifetime.count() ? made : now;
}

void BcastReceiver::keep_tek(Stream& stream, ReceivedTek tek) {
  std::erase_if(stream.teks, [&tek](const ReceivedTek& old) { return old.tek.id == tek.tek.id; });
  if (stream.teks.size() >= max_teks) stream.teks.erase(stream.teks.begin());
  stream.teks.push_back(std::move(tek));
}

const std::vector<ReceivedTek>& BcastReceiver::teks(std::uint16_t stream) const {
  static const std::vector<ReceivedTek> none;
  const auto found = streams_.find(stream);
  return found == streams_.end() ? none : found->second.teks;
}

const ReceivedTek* BcastReceiver::find_tek(std::uint16_t stream, std::uint16_t tek_id) const {
  const std::vector<ReceivedTek>& all = teks(stream);
  const auto found = std::ranges::find_if(all, [tek_id](const ReceivedTek& it) { return it.tek.id == tek_id; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace cas::simulcrypt::bcast
