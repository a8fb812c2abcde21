// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "base/clock.hpp"
#include "simulcrypt/bcast/drm_ltkm.hpp"
#include "simulcrypt/bcast/profile.hpp"
#include "simulcrypt/bcast/smartcard_messages.hpp"

namespace cas::simulcrypt::bcast {

/// Makes long term key messages of the DRM Profile: datagrams for an EmmgClient with section_TSpkt_flag 2
/// (emmg::binary_messages), client_id `bsm` and data_type 0, or for any other way to the receiver. Issue numbers are
/// later than those of an earlier run as long as the clock goes on. One thread at a time; `clock` outlives it.
class DrmLtkmGenerator {
 public:
  /// ErrorKind::invalid_argument: `bsm` is no client_id of the DRM Profile (14.1.1.3.4).
  [[nodiscard]] static Result<DrmLtkmGenerator> create(std::uint32_t bsm, Clock& clock);
  /// Errors: as seal_drm_ltkm.
  [[nodiscard]] Result<Bytes> make(const DrmRecipient& recipient, const std::vector<ServiceKey>& keys);

 private:
  DrmLtkmGenerator(std::uint32_t bsm, Clock& clock) : bsm_(bsm), clock_(&clock) {}
  std::uint32_t bsm_;
  Clock* clock_;
  std::uint32_t last_issue_ = 0;
};

/// Makes long term key messages of the Smartcard Profile. They go over the unicast link to the device and are never
/// broadcast (14.1.1.3.4), so nothing here makes a datagram for a multiplexer. One thread at a time.
class SmartcardLtkmGenerator {
 public:
  /// `clock` outlives the generator.
  explicit SmartcardLtkmGenerator(Clock& clock) : clock_(&clock) {}
  /// Errors: as seal_smartcard_ltkm.
  [[nodiscard]] Result<Bytes> make(const SmartcardSubscription& to, const ServiceKey& key);

 private:
  Clock* clock_;
  std::uint32_t last_counter_ = 0;
};

}  // namespace cas::simulcrypt::bcast
