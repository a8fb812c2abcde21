// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>
#include <span>

#include "base/clock.hpp"
#include "simulcrypt/bcast/profile.hpp"
#include "simulcrypt/bcast/smartcard_messages.hpp"
#include "simulcrypt/ecmg_messages.hpp"

namespace cas::simulcrypt::bcast {

/// What one stream of short term key messages is about.
struct StkmStreamOptions {
  Profile profile = Profile::drm;
  std::uint16_t stream = 0;  ///< stkmstream, which is the ECM_id.
  TrafficProtection protection = TrafficProtection::srtp;
  SrtpSuite suite = SrtpSuite::aes_cm_128_hmac_sha1_80;
  std::uint8_t protection_after_reception = 0;  ///< 0 to 3
  KeyDomain key_domain{};                       ///< Smartcard Profile
  /// Smartcard Profile: drawn at random for each generator. Counters of two generators of one stream may be alike, one
  /// that was started anew or works beside another, and a key stream would serve two TEKs.
  std::uint16_t instance = 0;
};

/// Makes the short term key messages of one stream (STKMG of OMA BCAST). Each is newer than the one before, also when
/// the generator is started anew, as long as the clock goes on: the timestamp of the DRM Profile is the time, the
/// counter of the Smartcard Profile is at least the seconds since 2020. One thread at a time.
class StkmGenerator {
 public:
  /// At least one key is given. DRM Profile: a message for both lets in who has either. Smartcard Profile: a message
  /// has one key, the service's if it is there. ErrorKind::invalid_argument: as check_service_key says. `clock`
  /// outlives the generator.
  [[nodiscard]] static Result<StkmGenerator> create(const StkmStreamOptions& options, std::optional<ServiceKey> service,
                                                    std::optional<ServiceKey> programme, Clock& clock);

  /// Keys for the next messages. Errors: as create.
  [[nodiscard]] Status set_keys(std::optional<ServiceKey> service, std::optional<ServiceKey> programme);

  /// The message of crypto-period `words[0].cp_number`, which begins with words[0]; DRM Profile: with the next period's
  /// word too if it is there. Words are TEKs of tek_size(). Gives the message's size in `out`, which has longest_stkm
  /// bytes. ErrorKind::invalid_argument: a word of another size, or periods that do not follow; malformed: access
  /// criteria; expired: the key is not valid now, so bring a new one by set_keys.
  [[nodiscard]] Result<std::size_t> make(std::span<const ecmg::ControlWord> words, std::chrono::milliseconds duration,
                                         ByteView access_criteria, MutableByteView out);

  [[nodiscard]] const StkmStreamOptions& options() const { return options_; }

 private:
  StkmGenerator(const StkmStreamOptions& options, Clock& clock) : options_(options), clock_(&clock) {}
  [[nodiscard]] Result<Bytes> make_drm(std::span<const ecmg::ControlWord> words, std::uint8_t lifetime,
                                       ByteView access_criteria, UnixSeconds now);
  [[nodiscard]] Result<Bytes> make_smartcard(const ecmg::ControlWord& word, std::uint8_t lifetime,
                                             ByteView access_criteria, UnixSeconds now);

  StkmStreamOptions options_;
  Clock* clock_;
  std::optional<ServiceKey> service_, programme_;
  UnixSeconds last_time_ = 0;
  std::uint32_t last_counter_ = 0;
};

/// No message is longer: what access criteria there may be, and some hundred bytes.
inline constexpr std::size_t longest_stkm = 6144;

/// A counter that is later than `last` and, if the clock goes on, than those of an earlier run: the seconds since
/// 2020-01-01, or one more than the last. ErrorKind::exhausted: the 32 bits are at their end.
[[nodiscard]] Result<std::uint32_t> next_counter(std::uint32_t last, UnixSeconds now);
/// When a message of this counter was made, or shortly before, if it counts as next_counter does.
[[nodiscard]] UnixSeconds time_of_counter(std::uint32_t counter);

}  // namespace cas::simulcrypt::bcast
