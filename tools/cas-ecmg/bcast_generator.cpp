// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bcast_generator.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace cas::ecmg_program {

namespace bcast = simulcrypt::bcast;

namespace {

/// The key of now; where none is, the last one, which the generator refuses to use.
const bcast::ServiceKey& key_for(const BcastService& service, UnixSeconds now) {
  const bcast::ServiceKey* const valid = service.key_at(now);
  return valid != nullptr ? *valid : service.keys.back();
}

}  // namespace

Status BcastGenerator::check_streams(const BcastKeys& keys) {
  if (keys_ && keys.super_cas_id() != keys_->super_cas_id())
    return fail(ErrorKind::invalid_argument, "the keys are of another Super_CAS_id now: start the program anew");
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
    const bcast::ServiceKey& key = key_for(service, now);
    for (const std::uint16_t stream : service.streams) {
      if (bcast::StkmGenerator* known = inner_.find(super_cas_id, stream); known != nullptr) {
        CAS_TRY(known->set_keys(key.clone(), std::nullopt));
        continue;
      }
      bcast::StkmStreamOptions options;
      options.stream = stream;
      options.suite = service.suite;
      CAS_TRY_ASSIGN(bcast::StkmGenerator made,
                     bcast::StkmGenerator::create(options, key.clone(), std::nullopt, *clock_));
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
