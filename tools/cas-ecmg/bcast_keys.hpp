// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/random.hpp"
#include "simulcrypt/bcast/service_key.hpp"
#include "simulcrypt/bcast/tek.hpp"

namespace cas::ecmg_program {

// The services of OMA BCAST that an ECMG makes key messages of (DRM Profile), with their keys. They are in one file,
// which is for its owner alone and is replaced as a whole:
//
//   8  "casbcast"     1  version, 1
//   4  Super_CAS_id   4  number of the last key   4  issue of the last long term key message
//   2  number of services, each:
//        2  its number   1  SRTP suite: 0 AES_CM_128_HMAC_SHA1_80, 1 AEAD_AES_128_GCM   8  seconds that a key lasts
//        1  number of key streams, each:  2  stkmstream
//        1  number of keys, by time, each:
//             4  number: service_CID_extension   8  valid from   8  valid until   16  SEK   16  SAS

inline constexpr std::size_t max_bcast_services = 1000;
inline constexpr std::size_t max_bcast_streams = 16;  ///< Of a service.
inline constexpr std::size_t max_bcast_keys = 16;     ///< Of a service: as many as a long term key message has.
inline constexpr std::uint32_t default_bcast_super_cas_id = 0x00010001;

struct BcastService {
  std::uint16_t id = 0;
  simulcrypt::bcast::SrtpSuite suite = simulcrypt::bcast::SrtpSuite::aes_cm_128_hmac_sha1_80;
  std::chrono::seconds key_period{};
  std::vector<std::uint16_t> streams;               ///< stkmstreams, which are ECM_ids. Each of one service alone.
  std::vector<simulcrypt::bcast::ServiceKey> keys;  ///< By time, without a gap: each has a number of its own.

  /// Nothing: none is valid at `time`.
  [[nodiscard]] const simulcrypt::bcast::ServiceKey* key_at(UnixSeconds time) const;
};

class BcastKeys {
 public:
  /// Without services. ErrorKind::invalid_argument: the Super_CAS_id is none of the DRM Profile.
  [[nodiscard]] static Result<BcastKeys> create(std::uint32_t super_cas_id);
  /// Errors of the file; malformed, truncated, unsupported: it is no such file.
  [[nodiscard]] static Result<BcastKeys> read(const std::filesystem::path& file);
  [[nodiscard]] static Result<BcastKeys> parse(ByteView bytes);
  /// Durably; the file is its owner's alone.
  [[nodiscard]] Status write(const std::filesystem::path& file) const;
  /// What `parse` takes. The caller cleanses it.
  [[nodiscard]] Bytes serialise() const;

  [[nodiscard]] std::uint32_t super_cas_id() const { return super_cas_id_; }
  [[nodiscard]] const std::vector<BcastService>& services() const { return services_; }
  /// ErrorKind::not_found.
  [[nodiscard]] Result<const BcastService*> service(std::uint16_t id) const;

  /// A service, whose `keys` are made: the one of now and the next. ErrorKind::invalid_argument: a service or key
  /// stream that is there already, is 0, or a period that cannot be; exhausted.
  [[nodiscard]] Status add_service(BcastService service, UnixSeconds now, Random& random);
  /// The key that follows the last one, or begins now if that is over. Those that are over go. ErrorKind::not_found;
  /// exhausted: there are as many as can be.
  [[nodiscard]] Status renew(std::uint16_t service, UnixSeconds now, Random& random);
  /// The issue of the next long term key message: later than all that were made of this file.
  [[nodiscard]] Result<std::uint32_t> next_issue(UnixSeconds now);

 private:
  [[nodiscard]] Status add_key(BcastService& service, UnixSeconds from, Random& random);
  [[nodiscard]] Status check() const;

  std::uint32_t super_cas_id_ = 0;
  std::uint32_t last_key_ = 0;
  std::uint32_t last_issue_ = 0;
  std::vector<BcastService> services_;
};

/// The suite's name as SDP has it.
[[nodiscard]] const char* suite_name(simulcrypt::bcast::SrtpSuite suite);

}  // namespace cas::ecmg_program
