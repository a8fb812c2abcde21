// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "simulcrypt/bcast/profile.hpp"
#include "simulcrypt/bcast/smartcard_messages.hpp"

namespace cas::ecmg_program {

// The services of OMA BCAST that an ECMG makes key messages of, with their keys. They are in one file, which is for its
// owner alone and is replaced as a whole. Its version is that of the profile:
//
//   8  "casbcast"     1  version: 1 DRM Profile, 2 Smartcard Profile
//   4  Super_CAS_id
//   1: 4  number of the last key
//   2: 3  key domain   1  length of the BSM's identity, which follows
//   4  issue or counter of the last long term key message
//   2  number of services, each:
//        2  its number
//        2: 1  what its keys are: 0 SEK, 1 PEK
//        1  SRTP suite: 0 AES_CM_128_HMAC_SHA1_80, 1 AEAD_AES_128_GCM   8  seconds that a key lasts
//        1  number of key streams, each:  2  stkmstream
//        1  number of keys, by time, each:
//             4  number   8  valid from   8  valid until   16  SEK or PEK   16  SAS, or RAND
//   2: 4  number of subscribers, in the order of their identities, each:
//        1  length of the identity, which follows   1  number of services, ascending, each:  2  its number
//
// The number of a key is its service_CID_extension, or its SEK/PEK ID: the service is the key group, the first two
// bytes, and key numbers count from 1. An SMK is never in the file.

inline constexpr std::size_t max_bcast_services = 1000;
inline constexpr std::size_t max_bcast_streams = 16;  ///< Of a service.
inline constexpr std::size_t max_bcast_keys = 16;     ///< Of a service: as many as a long term key message has.
inline constexpr std::int64_t longest_bcast_key_period = std::int64_t{3660} * 86400;  ///< In seconds.
inline constexpr UnixSeconds latest_bcast_time = (UnixSeconds{1} << 62) - 1;
inline constexpr std::size_t max_bcast_subscribers = 10'000;
inline constexpr std::size_t max_bcast_subscriptions = 32;  ///< Of a subscriber: receivers hold 64 keys, two of each.
inline constexpr std::uint32_t default_bcast_super_cas_id = 0x00010001;

struct BcastService {
  std::uint16_t id = 0;
  simulcrypt::bcast::ServiceKey::Kind kind = simulcrypt::bcast::ServiceKey::Kind::service;  ///< Of all its keys.
  simulcrypt::bcast::SrtpSuite suite = simulcrypt::bcast::SrtpSuite::aes_cm_128_hmac_sha1_80;
  std::chrono::seconds key_period{};
  std::vector<std::uint16_t> streams;               ///< stkmstreams, which are ECM_ids. Each of one service alone.
  std::vector<simulcrypt::bcast::ServiceKey> keys;  ///< By time, without a gap: each has a number of its own.

  /// Nothing: none is valid at `time`.
  [[nodiscard]] const simulcrypt::bcast::ServiceKey* key_at(UnixSeconds time) const;
};

/// What key messages of the Smartcard Profile say beside.
struct BcastIssuer {
  simulcrypt::bcast::KeyDomain key_domain{};
  std::string bsm;  ///< Its identity, IDi of long term key messages.
};

/// Who may have the keys of which services (Smartcard Profile).
struct BcastSubscriber {
  std::string identity;                 ///< IDr of long term key messages.
  std::vector<std::uint16_t> services;  ///< Ascending.
};

class BcastKeys {
 public:
  /// Without services, and without subscribers. ErrorKind::invalid_argument: the Super_CAS_id is none of OMA BCAST, the
  /// Smartcard Profile has no issuer, or the DRM Profile has one.
  [[nodiscard]] static Result<BcastKeys> create(std::uint32_t super_cas_id,
                                                std::optional<BcastIssuer> issuer = std::nullopt);
  /// Errors of the file; malformed, truncated, unsupported: it is no such file.
  [[nodiscard]] static Result<BcastKeys> read(const std::filesystem::path& file);
  [[nodiscard]] static Result<BcastKeys> parse(ByteView bytes);
  /// Durably; the file is its owner's alone.
  [[nodiscard]] Status write(const std::filesystem::path& file) const;
  /// What `parse` takes. The caller cleanses it.
  [[nodiscard]] Bytes serialise() const;

  [[nodiscard]] simulcrypt::bcast::Profile profile() const {
    return issuer_ ? simulcrypt::bcast::Profile::smartcard : simulcrypt::bcast::Profile::drm;
  }
  [[nodiscard]] std::uint32_t super_cas_id() const { return super_cas_id_; }
  [[nodiscard]] const std::optional<BcastIssuer>& issuer() const { return issuer_; }
  [[nodiscard]] const std::vector<BcastService>& services() const { return services_; }
  /// ErrorKind::not_found.
  [[nodiscard]] Result<const BcastService*> service(std::uint16_t id) const;

  /// A service, whose `keys` are made: the one of now and the next. ErrorKind::invalid_argument: a service or key
  /// stream that is there already, is 0, a period that cannot be, or PEKs in the DRM Profile; exhausted.
  [[nodiscard]] Status add_service(BcastService service, UnixSeconds now, Random& random);
  /// The key that follows the last one, or begins now if that is over. Those that are over go. ErrorKind::not_found;
  /// exhausted: there are as many as can be, or the service has no key number left.
  [[nodiscard]] Status renew(std::uint16_t service, UnixSeconds now, Random& random);
  /// The issue or counter of the next long term key message: later than all that were made of this file.
  [[nodiscard]] Result<std::uint32_t> next_issue(UnixSeconds now);

  [[nodiscard]] const std::vector<BcastSubscriber>& subscribers() const { return subscribers_; }
  /// ErrorKind::not_found.
  [[nodiscard]] Result<const BcastSubscriber*> subscriber(std::string_view identity) const;
  /// ErrorKind::invalid_argument: the file is of the DRM Profile, or this is no identity; not_found: no such service;
  /// exhausted.
  [[nodiscard]] Status subscribe(const std::string& identity, const std::vector<std::uint16_t>& services);
  /// No services: all. ErrorKind::not_found: there is no such subscriber, or he has not subscribed to one of them.
  [[nodiscard]] Status unsubscribe(std::string_view identity, const std::vector<std::uint16_t>& services);

 private:
  [[nodiscard]] Status add_key(BcastService& service, UnixSeconds from, Random& random);
  [[nodiscard]] Status check() const;
  [[nodiscard]] Status check_subscribers(const std::set<std::uint16_t>& services) const;

  std::uint32_t super_cas_id_ = 0;
  std::uint32_t last_key_ = 0;  ///< DRM Profile.
  std::uint32_t last_issue_ = 0;
  std::optional<BcastIssuer> issuer_;  ///< Smartcard Profile.
  std::vector<BcastService> services_;
  std::vector<BcastSubscriber> subscribers_;  ///< By identity.
};

/// Changes the file, alone. ErrorKind::io: another process is changing it; errors of `how`, which leaves it as it was.
[[nodiscard]] Result<BcastKeys> change_bcast_keys(const std::filesystem::path& file,
                                                  const std::function<Status(BcastKeys&)>& how);

/// The suite's name as SDP has it.
[[nodiscard]] const char* suite_name(simulcrypt::bcast::SrtpSuite suite);

}  // namespace cas::ecmg_program
