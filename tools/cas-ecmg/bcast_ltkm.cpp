// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bcast_ltkm.hpp"

#include <algorithm>
#include <charconv>

namespace cas::ecmg_program {

namespace bcast = simulcrypt::bcast;
using bcast::Profile;
using bcast::ServiceKey;

namespace {

constexpr std::size_t min_smk_size = 16;
constexpr std::size_t max_smk_size = 32;
constexpr std::uint32_t key_number_mask = 0xffff;

Result<std::vector<ServiceKey>> keys_for(const BcastKeys& keys, std::vector<std::uint16_t> services, UnixSeconds now) {
  if (services.empty())
    for (const BcastService& service : keys.services()) services.push_back(service.id);
  std::vector<ServiceKey> chosen;
  for (const std::uint16_t id : services) {
    CAS_TRY_ASSIGN(const BcastService* const service, keys.service(id));
    for (const ServiceKey& key : service->keys)
      if (now < key.valid_until) chosen.push_back(key.clone());
  }
  if (chosen.empty())
    return fail(ErrorKind::expired, "no service key is valid any more: make one with 'cas-ecmg bcast renew'");
  if (chosen.size() > bcast::max_ltkm_keys)
    return fail(ErrorKind::exhausted, "a long term key message has at most 16 keys: choose services by --service");
  return chosen;
}

Result<const ServiceKey*> numbered_key(const BcastService& service, const std::string& text, UnixSeconds now) {
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return fail(ErrorKind::invalid_argument, "--key takes now, next, or a key number, 1 to 65535");
  const auto found = std::ranges::find_if(
      service.keys, [number](const ServiceKey& key) { return (key.id & key_number_mask) == number; });
  if (found == service.keys.end())
    return fail(ErrorKind::not_found,
                "service " + std::to_string(service.id) + " has no key " + text + ": see 'cas-ecmg bcast list'");
  if (found->valid_until <= now)
    return fail(ErrorKind::expired, "key " + text + " of service " + std::to_string(service.id) + " is over");
  return &*found;
}

Result<const ServiceKey*> chosen_key(const BcastService& service, const std::string& which, UnixSeconds now) {
  if (which != "now" && which != "next") return numbered_key(service, which, now);
  const std::string name = "service " + std::to_string(service.id);
  if (which == "now") {
    const ServiceKey* const valid = service.key_at(now);
    if (valid == nullptr)
      return fail(ErrorKind::expired, name + " has no key that is valid now: make one with 'cas-ecmg bcast renew'");
    return valid;
  }
  const auto next = std::ranges::find_if(service.keys, [now](const ServiceKey& key) { return now < key.valid_from; });
  if (next == service.keys.end())
    return fail(ErrorKind::not_found, name + " has no next key: make one with 'cas-ecmg bcast renew'");
  return &*next;
}

Result<const BcastService*> subscribed_service(const BcastKeys& keys, const SmartcardLtkmOrder& order) {
  CAS_TRY_ASSIGN(const BcastSubscriber* const subscriber, keys.subscriber(order.subscriber));
  if (!order.service && subscriber->services.size() > 1)
    return fail(ErrorKind::invalid_argument,
                order.subscriber +
                    " has subscribed to several services, and a long term key message of the Smartcard "
                    "Profile has one key: choose the service by --service");
  const std::uint16_t id = order.service.value_or(subscriber->services.front());
  CAS_TRY_ASSIGN(const BcastService* const service, keys.service(id));
  if (!std::ranges::binary_search(subscriber->services, id))
    return fail(ErrorKind::permission_denied, order.subscriber + " has not subscribed to service " +
                                                  std::to_string(id) + ": 'cas-ecmg bcast subscribe' says so");
  return service;
}

}  // namespace

Result<BcastLtkm> make_drm_ltkm(BcastKeys& keys, const bcast::DrmRecipient& recipient,
                                std::vector<std::uint16_t> services, UnixSeconds now) {
  if (keys.profile() != Profile::drm)
    return fail(ErrorKind::invalid_argument,
                "the keys are of the Smartcard Profile, whose long term key messages are for one subscriber: give "
                "--subscriber and --smk");
  CAS_TRY_ASSIGN(const std::vector<ServiceKey> chosen, keys_for(keys, std::move(services), now));
  BcastLtkm made;
  CAS_TRY_ASSIGN(made.issue, keys.next_issue(now));
  CAS_TRY_ASSIGN(made.message, bcast::seal_drm_ltkm(keys.super_cas_id(), made.issue, recipient, chosen));
  for (const ServiceKey& key : chosen) made.keys.push_back(key.id);
  return made;
}

Result<BcastLtkm> make_smartcard_ltkm(BcastKeys& keys, const SmartcardLtkmOrder& order, UnixSeconds now) {
  if (keys.profile() != Profile::smartcard)
    return fail(ErrorKind::invalid_argument,
                "the keys are of the DRM Profile, whose long term key messages are for a domain or a device: give "
                "--domain-key, or --device-id and --device-key");
  if (order.smk.size() < min_smk_size || order.smk.size() > max_smk_size)
    return fail(ErrorKind::invalid_argument, "the key of a subscription (SMK) has 16 to 32 bytes");
  CAS_TRY_ASSIGN(const BcastService* const service, subscribed_service(keys, order));
  CAS_TRY_ASSIGN(const ServiceKey* const key, chosen_key(*service, order.key, now));
  BcastLtkm made;
  CAS_TRY_ASSIGN(made.issue, keys.next_issue(now));
  const bcast::SmartcardSubscription to{keys.issuer()->key_domain, keys.issuer()->bsm, order.subscriber,
                                        order.smk.clone()};
  CAS_TRY_ASSIGN(made.message, bcast::seal_smartcard_ltkm(to, made.issue, *key));
  made.keys = {key->id};
  return made;
}

}  // namespace cas::ecmg_program
