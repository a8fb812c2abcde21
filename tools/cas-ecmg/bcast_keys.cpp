// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bcast_keys.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include "simulcrypt/bcast/stkm_generator.hpp"

namespace cas::ecmg_program {

namespace bcast = simulcrypt::bcast;
using bcast::Profile;
using bcast::ServiceKey;

namespace {

constexpr unsigned key_group_shift = 16;
constexpr std::uint32_t last_key_number = 0xffff;

/// Whether a key has a number that its service can have given it.
bool is_of(const ServiceKey& key, const BcastService& service, Profile profile, std::uint32_t last_key) {
  if (profile == Profile::drm) return key.id != 0 && key.id <= last_key;
  return key.id >> key_group_shift == service.id && (key.id & last_key_number) != 0;
}

Status check_service(const BcastService& service, Profile profile, std::uint32_t last_key) {
  if (service.id == 0 || service.streams.empty() || service.streams.size() > max_bcast_streams)
    return fail(ErrorKind::invalid_argument, "a service has a number above 0, and 1 to 16 key streams");
  if (service.key_period.count() <= 0 || service.key_period.count() > longest_bcast_key_period)
    return fail(ErrorKind::invalid_argument, "a service key lasts up to ten years");
  if (service.keys.empty() || service.keys.size() > max_bcast_keys)
    return fail(ErrorKind::invalid_argument, "a service has 1 to 16 keys");
  for (std::size_t i = 0; i < service.keys.size(); ++i) {
    const ServiceKey& key = service.keys[i];
    // Numbers go up: a receiver has one key of a number.
    const bool follows =
        i == 0 || (service.keys[i - 1].id < key.id && service.keys[i - 1].valid_until <= key.valid_from);
    if (!follows || !is_of(key, service, profile, last_key) || key.kind != service.kind)
      return fail(ErrorKind::invalid_argument, "the keys of a service do not follow one another");
  }
  return {};
}

/// A network access identifier, as far as it is to be shown and typed.
bool is_identity(std::string_view text) {
  return !text.empty() && text.size() <= bcast::mikey::max_identity_size &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

const char* suite_name(bcast::SrtpSuite suite) {
  return suite == bcast::SrtpSuite::aead_aes_128_gcm ? "AEAD_AES_128_GCM" : "AES_CM_128_HMAC_SHA1_80";
}

const ServiceKey* BcastService::key_at(UnixSeconds time) const {
  const auto found = std::ranges::find_if(keys, [time](const ServiceKey& key) { return key.is_valid_at(time); });
  return found == keys.end() ? nullptr : &*found;
}

Result<BcastKeys> BcastKeys::create(std::uint32_t super_cas_id, std::optional<BcastIssuer> issuer) {
  // 14.1.1.3.1: it says which profile the key messages are of.
  const auto profile = bcast::profile_of(super_cas_id);
  if (!profile)
    return fail(ErrorKind::invalid_argument,
                "a Super_CAS_id of OMA BCAST begins with 0x0001 (DRM Profile) or 0x0002 (Smartcard Profile), such as "
                "0x00010001");
  if (issuer.has_value() != (*profile == Profile::smartcard))
    return fail(ErrorKind::invalid_argument,
                "a key domain and the identity of a BSM belong to the Smartcard Profile, whose Super_CAS_id begins "
                "with 0x0002: there both are needed, and nowhere else");
  if (issuer && !is_identity(issuer->bsm))
    return fail(ErrorKind::invalid_argument,
                "the identity of a BSM has 1 to 255 characters of ASCII without spaces, such as bsm@example.org");
  BcastKeys keys;
  keys.super_cas_id_ = super_cas_id;
  keys.issuer_ = std::move(issuer);
  return keys;
}

Status BcastKeys::check() const {
  std::set<std::uint16_t> services, streams;
  std::set<std::uint32_t> keys;
  for (const BcastService& service : services_) {
    if (service.kind == ServiceKey::Kind::programme && profile() == Profile::drm)
      return fail(ErrorKind::invalid_argument, "keys of programmes are made for the Smartcard Profile alone");
    CAS_TRY(check_service(service, profile(), last_key_));
    if (!services.insert(service.id).second)
      return fail(ErrorKind::invalid_argument, "service " + std::to_string(service.id) + " is there already");
    for (const std::uint16_t stream : service.streams)
      if (stream == 0 || !streams.insert(stream).second)
        return fail(ErrorKind::invalid_argument,
                    "key stream " + std::to_string(stream) + " is there already, or is 0, which none can be");
    for (const ServiceKey& key : service.keys)
      if (!keys.insert(key.id).second)
        return fail(ErrorKind::invalid_argument, "two service keys have the same number");
  }
  return check_subscribers(services);
}

Status BcastKeys::check_subscribers(const std::set<std::uint16_t>& services) const {
  for (std::size_t i = 0; i < subscribers_.size(); ++i) {
    const BcastSubscriber& subscriber = subscribers_[i];
    if (!is_identity(subscriber.identity) || (i > 0 && subscribers_[i - 1].identity >= subscriber.identity))
      return fail(ErrorKind::invalid_argument, "a subscriber has no identity, or stands in the wrong place");
    const std::vector<std::uint16_t>& its = subscriber.services;
    const bool ascend = std::ranges::adjacent_find(its, std::greater_equal()) == its.end();
    const bool there = std::ranges::all_of(its, [&services](std::uint16_t id) { return services.contains(id); });
    if (its.empty() || its.size() > max_bcast_subscriptions || !ascend || !there)
      return fail(ErrorKind::invalid_argument, "a subscriber has 1 to 32 services that are there, each once");
  }
  return {};
}

Result<const BcastService*> BcastKeys::service(std::uint16_t id) const {
  const auto found = std::ranges::find(services_, id, &BcastService::id);
  if (found == services_.end())
    return fail(ErrorKind::not_found, "there is no service " + std::to_string(id) + ": see 'cas-ecmg bcast list'");
  return &*found;
}

Status BcastKeys::add_key(BcastService& service, UnixSeconds from, Random& random) {
  if (service.keys.size() >= max_bcast_keys)
    return fail(ErrorKind::exhausted,
                "service " + std::to_string(service.id) + " has 16 keys already: wait until one of them is over");
  if (from > latest_bcast_time - service.key_period.count())
    return fail(ErrorKind::exhausted, "service " + std::to_string(service.id) + " has a key until the end of time");
  ServiceKey key;
  key.kind = service.kind;
  if (profile() == Profile::drm) {
    if (last_key_ == std::numeric_limits<std::uint32_t>::max())
      return fail(ErrorKind::exhausted, "the file has had all numbers that keys can have: make another one");
    key.id = last_key_ + 1;
  } else {
    // 3GPP TS 33.246: by key number 0, terminals ask for the present key of a group, whichever it is.
    const std::uint32_t last = service.keys.empty() ? 0 : service.keys.back().id & last_key_number;
    if (last == last_key_number)
      return fail(ErrorKind::exhausted,
                  "service " + std::to_string(service.id) + " has had 65,535 keys, which is all that a key group has");
    key.id = std::uint32_t{service.id} << key_group_shift | (last + 1);
  }
  CAS_TRY_ASSIGN(key.key, random_secret(random, bcast::service_key_size));
  CAS_TRY_ASSIGN(key.seed, random_secret(random, bcast::service_seed_size));
  key.valid_from = from;
  key.valid_until = from + service.key_period.count();
  if (profile() == Profile::drm) last_key_ = key.id;
  service.keys.push_back(std::move(key));
  return {};
}

Status BcastKeys::add_service(BcastService service, UnixSeconds now, Random& random) {
  if (services_.size() >= max_bcast_services) return fail(ErrorKind::exhausted, "there are 1,000 services already");
  service.keys.clear();
  CAS_TRY(add_key(service, now, random));
  CAS_TRY(add_key(service, service.keys.front().valid_until, random));
  services_.push_back(std::move(service));
  const Status checked = check();
  if (!checked) services_.pop_back();
  return checked;
}

Status BcastKeys::renew(std::uint16_t id, UnixSeconds now, Random& random) {
  CAS_TRY(service(id));
  BcastService& service = *std::ranges::find(services_, id, &BcastService::id);
  const auto over = std::ranges::find_if(service.keys, [now](const ServiceKey& key) { return now < key.valid_until; });
  // The last key stays until the new one has its number behind it.
  service.keys.erase(service.keys.begin(), std::min(over, service.keys.end() - 1));
  const bool last_is_over = service.keys.back().valid_until <= now;
  CAS_TRY(add_key(service, std::max(service.keys.back().valid_until, now), random));
  if (last_is_over) service.keys.erase(service.keys.begin());
  return {};
}

Result<std::uint32_t> BcastKeys::next_issue(UnixSeconds now) {
  CAS_TRY_ASSIGN(last_issue_, bcast::next_counter(last_issue_, now));
  return last_issue_;
}

// --------------------------------------------------------------------------------------------------------- Subscribers

Result<const BcastSubscriber*> BcastKeys::subscriber(std::string_view identity) const {
  const auto found = std::ranges::lower_bound(subscribers_, identity, {}, &BcastSubscriber::identity);
  if (found == subscribers_.end() || found->identity != identity)
    return fail(ErrorKind::not_found,
                "there is no subscriber " + std::string(identity) + ": 'cas-ecmg bcast subscribe' makes one");
  return &*found;
}

Status BcastKeys::subscribe(const std::string& identity, const std::vector<std::uint16_t>& services) {
  if (profile() == Profile::drm)
    return fail(ErrorKind::invalid_argument,
                "the file is of the DRM Profile: subscribers are of the Smartcard Profile, and devices are named when "
                "'cas-ecmg bcast ltkm' makes their message");
  if (!is_identity(identity))
    return fail(
        ErrorKind::invalid_argument,
        "the identity of a subscriber has 1 to 255 characters of ASCII without spaces, such as 001@example.org");
  for (const std::uint16_t id : services) CAS_TRY(service(id));
  auto at = std::ranges::lower_bound(subscribers_, identity, {}, &BcastSubscriber::identity);
  BcastSubscriber changed = at != subscribers_.end() && at->identity == identity ? *at : BcastSubscriber{identity, {}};
  std::set<std::uint16_t> all(changed.services.begin(), changed.services.end());
  all.insert(services.begin(), services.end());
  changed.services.assign(all.begin(), all.end());
  if (all.empty()) return fail(ErrorKind::invalid_argument, "say by --service to what is subscribed");
  if (all.size() > max_bcast_subscriptions)
    return fail(ErrorKind::exhausted, "a subscriber has at most 32 services, as many as receivers hold two keys of");
  if (at != subscribers_.end() && at->identity == identity) {
    *at = std::move(changed);
    return {};
  }
  if (subscribers_.size() >= max_bcast_subscribers)
    return fail(ErrorKind::exhausted, "there are 10,000 subscribers already");
  subscribers_.insert(at, std::move(changed));
  return {};
}

Status BcastKeys::unsubscribe(std::string_view identity, const std::vector<std::uint16_t>& services) {
  CAS_TRY(subscriber(identity));
  const auto at = std::ranges::lower_bound(subscribers_, identity, {}, &BcastSubscriber::identity);
  for (const std::uint16_t id : services)
    if (!std::ranges::binary_search(at->services, id))
      return fail(ErrorKind::not_found, std::string(identity) + " has not subscribed to service " + std::to_string(id));
  if (services.empty()) at->services.clear();
  for (const std::uint16_t id : services) std::erase(at->services, id);
  if (at->services.empty()) subscribers_.erase(at);
  return {};
}

}  // namespace cas::ecmg_program
