// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "simulcrypt/bcast/drm_keys.hpp"
#include "simulcrypt/bcast/drm_ltkm.hpp"
#include "simulcrypt/bcast/profile.hpp"
#include "simulcrypt/bcast/smartcard_messages.hpp"

namespace cas::simulcrypt::bcast {

/// A TEK that a key stream has brought.
struct ReceivedTek {
  Tek tek;
  TrafficProtection protection = TrafficProtection::srtp;
  std::chrono::seconds lifetime{};  ///< At most so long it is in use: 2^traffic_key_lifetime.
};

/// The terminal's side of the key hierarchy: long term key messages bring service and programme keys, short term key
/// messages bring TEKs. What is not authentic, not for this receiver or older than what was seen is refused. State is
/// in memory: long term key messages are given again after a restart. One thread at a time.
class BcastReceiver {
 public:
  enum class Outcome {
    taken,
    repeated,  ///< The message that was taken last, again, as broadcasts repeat it.
  };

  /// DRM Profile. `recipients`: the device's own key, and those of domains that it is in; 1 to 8 of them. `clock`
  /// outlives the receiver. ErrorKind::invalid_argument.
  [[nodiscard]] static Result<BcastReceiver> create_drm(std::uint32_t bsm, std::vector<DrmRecipient> recipients,
                                                        Clock& clock);
  /// Smartcard Profile.
  [[nodiscard]] static Result<BcastReceiver> create_smartcard(SmartcardSubscription subscription, Clock& clock);

  [[nodiscard]] Profile profile() const {
    return std::holds_alternative<SmartcardSubscription>(secrets_) ? Profile::smartcard : Profile::drm;
  }

  /// ErrorKind::not_found: for others, which is no fault in a broadcast; outdated: older than one that was taken;
  /// exhausted: more than 64 keys are valid; authentication_failed, malformed, truncated, unsupported.
  [[nodiscard]] Result<Outcome> take_ltkm(ByteView message);

  /// A message of key stream `stream` (the stkmstream of the SDP). Its TEKs are found by teks() then.
  /// ErrorKind::not_found: no key for it came yet; expired: the key is not valid at the message's time, or now where a
  /// counter (Smartcard Profile) tells no time within the TEK's lifetime; outdated: older than one that was taken, which happens when the messages of two periods overlap; exhausted:
  /// more than 64 streams; authentication_failed, malformed, truncated, unsupported.
  [[nodiscard]] Result<Outcome> take_stkm(std::uint16_t stream, ByteView message);

  /// The TEKs of a stream, oldest first: at most 8, of which the earlier ones are forgotten.
  [[nodiscard]] const std::vector<ReceivedTek>& teks(std::uint16_t stream) const;
  [[nodiscard]] const ReceivedTek* find_tek(std::uint16_t stream, std::uint16_t tek_id) const;
  [[nodiscard]] std::size_t key_count() const { return keys_.size(); }

 private:
  struct Last {
    std::uint64_t order = 0;   ///< Timestamp, counter or issue.
    std::uint16_t tek_id = 0;  ///< Of messages of one second.
    Bytes message;
  };
  struct Stream {
    std::optional<Last> last;
    std::vector<ReceivedTek> teks;
  };
  using Secrets = std::variant<std::vector<DrmRecipient>, SmartcardSubscription>;

  BcastReceiver(std::uint32_t bsm, Secrets secrets, Clock& clock)
      : bsm_(bsm), secrets_(std::move(secrets)), clock_(&clock) {}
  [[nodiscard]] Result<Outcome> take_drm_ltkm(ByteView message, const std::vector<DrmRecipient>& recipients);
  [[nodiscard]] Result<Outcome> take_smartcard_ltkm(ByteView message, const SmartcardSubscription& subscription);
  [[nodiscard]] Result<Outcome> take_drm_stkm(Stream& stream, ByteView message);
  [[nodiscard]] Result<Outcome> take_smartcard_stkm(Stream& stream, ByteView message);
  [[nodiscard]] Status keep(std::vector<ServiceKey> keys);
  [[nodiscard]] const ServiceKey* find_key(ServiceKey::Kind kind, std::uint32_t id) const;
  [[nodiscard]] UnixSeconds time_of(std::uint32_t counter, std::chrono::seconds lifetime) const;
  static void keep_tek(Stream& stream, ReceivedTek tek);

  std::uint32_t bsm_;
  Secrets secrets_;
  Clock* clock_;
  std::vector<ServiceKey> keys_;
  std::vector<Last> last_ltkms_;  // one for each recipient
  std::map<std::uint16_t, Stream> streams_;
};

}  // namespace cas::simulcrypt::bcast
