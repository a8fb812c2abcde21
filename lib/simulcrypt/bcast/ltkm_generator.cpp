// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/ltkm_generator.hpp"

#include "simulcrypt/bcast/stkm_generator.hpp"

namespace cas::simulcrypt::bcast {

Result<DrmLtkmGenerator> DrmLtkmGenerator::create(std::uint32_t bsm, Clock& clock) {
  if (!may_broadcast_ltkms(bsm)) {
    return fail(ErrorKind::invalid_argument,
                "The client_id of long term key messages begins with 0x0001 (DRM Profile)");
  }
  return DrmLtkmGenerator(bsm, clock);
}

Result<Bytes> DrmLtkmGenerator::make(const DrmRecipient& recipient, const std::vector<ServiceKey>& keys) {
  CAS_TRY_ASSIGN(last_issue_, next_counter(last_issue_, clock_->now()));
  return seal_drm_ltkm(bsm_, last_issue_, recipient, keys);
}

Result<Bytes> SmartcardLtkmGenerator::make(const SmartcardSubscription& to, const ServiceKey& key) {
  CAS_TRY_ASSIGN(last_counter_, next_counter(last_counter_, clock_->now()));
  return seal_smartcard_ltkm(to, last_counter_, key);
}

}  // namespace cas::simulcrypt::bcast
