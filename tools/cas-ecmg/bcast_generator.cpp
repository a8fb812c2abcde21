// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bcast_generator.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

namespace cas::ecmg_program {

namespace bcast = simulcrypt::bcast;

namespace {

/// The key of now; where none is, the last one, which the generator refuses to use. As SEK and PEK, one of them nothing.
std::pair<std::optional<bcast::ServiceKey>, std::optional<bcast::ServiceKey>> keys_for(const BcastService& service,
                                                                                       UnixSeconds now) {
  const bcast::ServiceKey* const valid = service.key_at(now);
  bcast::ServiceKey key = (valid != nullptr ? *valid : service.keys.back()).clone();
  if (service.kind == bcast::ServiceKey::Kind::programme) return {std::nullopt, std::move(key)};
  return {std::move(key), std::nullopt};
}

Result<std::uint16_t> draw_instance(Random& random) {
  std::array<std::uint8_t, 2> bytes{};
  CAS_TRY(random.fill(bytes));
  return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

}  // namespace

Status BcastGenerator::check_streams(const BcastKeys& keys) {
  if (keys_ && keys.super_cas_id() != keys_->super_cas_id())
    return fail(ErrorKind::invalid_argument, "the keys are of another Super_CAS_id now: start the program anew");
  if (keys_ && keys.issuer() && keys.issuer()->key_domain != keys_->issuer()->key_domain)
    return fail(ErrorKind::invalid_argument, "the keys are of another key domain now: start the program anew");
  for (const BcastService& service : keys.services())
    for (const std::uint16_t stream : service.streams)
      if (const bcast::StkmGenerator* known = inner_.find(keys.super_cas_id(), stream);
          known != nullptr && known->options().suite != service.suite)
        return fail(ErrorKind::invalid_argument,
                    "key stream " + std::to_string(stream) + " is of another SRTP suite now: start the program anew");
  return {};
}

Status BcastGenerator::set_keys(BcastKeys keys) {
  CAS_TRY(check_streams(keys));
  keys_ = std::move(keys);
  return take_keys(clock_->now());
}

Status BcastGenerator::take_keys(UnixSeconds now) {
  next_change_ = std::numeric_limits<UnixSeconds>::max();
  const std::uint32_t super_cas_id = keys_->super_cas_id();
  for (const BcastService& service : keys_->services()) {
    for (const bcast::ServiceKey& key : service.keys)
      for (const UnixSeconds change : {key.valid_from, key.valid_until})
        if (change > now) next_change_ = std::min(next_change_, change);
    for (const std::uint16_t stream : service.streams) {
      auto [sek, pek] = keys_for(service, now);
      if (bcast::StkmGenerator* known = inner_.find(super_cas_id, stream); known != nullptr) {
        CAS_TRY(known->set_keys(std::move(sek), std::move(pek)));
        continue;
      }
      bcast::StkmStreamOptions options;
      options.profile = keys_->profile();
      CAS_TRY_ASSIGN(options.instance, draw_instance(*random_));
      options.stream = stream;
      options.suite = service.suite;
      if (keys_->issuer()) options.key_domain = keys_->issuer()->key_domain;
      CAS_TRY_ASSIGN(bcast::StkmGenerator made,
                     bcast::StkmGenerator::create(options, std::move(sek), std::move(pek), *clock_));
      CAS_TRY(inner_.add_stream(super_cas_id, std::move(made)));
    }
  }
  return {};
}

simulcrypt::EcmAnswer BcastGenerator::make_ecm(const simulcrypt::EcmOrder& order, MutableByteView out) {
  if (const UnixSeconds now = clock_->now(); keys_ && now >= next_change_ && !take_keys(now))
    return simulcrypt::EcmAnswer::refused(bcast::ecmg_error_of(bcast::GlobalStatus::server_error));
  return inner_.make_ecm(order, out);
}

}  // namespace cas::ecmg_program
