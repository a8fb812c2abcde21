// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "simulcrypt/bcast/tek.hpp"

namespace cas::simulcrypt::bcast {

// The short term key message of the DRM Profile (OMA BCAST Service and Content Protection, 5.5). Bits from the highest.
//
//   4  protocol_version, 0                1  traffic_authentication_flag
//   2  protection_after_reception         1  next_traffic_key_flag
//   1  reserved                           1  timestamp_flag
//   1  access_criteria_flag               1  programme_flag
//   3  traffic_protection_protocol        1  service_flag
//   IPsec:             security_parameter_index (32 bits), the next one's
//   SRTP, ISMACryp:    length of an index (8), master_key_index or key_indicator, the next one's
//   8  length of encrypted_traffic_key_material, which follows, and the next one's
//   4  reserved, 4  traffic_key_lifetime: 2^n seconds
//   40 timestamp (MJD and UTC, EN 300 468 annex C), if timestamp_flag
//   8  reserved, 8  number of access criteria descriptors, descriptors, if access_criteria_flag
//   128 encrypted_PEK, if programme_flag and service_flag
//   32 programme_CID_extension, 96 programme_MAC, if programme_flag
//   32 service_CID_extension, 96 service_MAC, if service_flag
//
// "The next one's" are there if next_traffic_key_flag. A MAC covers all that stands before it.

inline constexpr std::size_t stkm_mac_size = 12;
inline constexpr std::size_t max_key_index_size = 16;
inline constexpr std::size_t max_drm_stkm_size = 8192;

/// The message with its parts as views of it.
struct DrmStkm {
  std::uint8_t protection_after_reception = 0;  ///< 0 to 3: what may be done with the received content.
  TrafficProtection protection = TrafficProtection::srtp;
  bool traffic_authentication = true;  ///< The traffic is authenticated, not only enciphered.
  ByteView key_index;                  ///< SPI (4 bytes), MKI, or key indicator (1 to 16 bytes).
  ByteView encrypted_tek;              ///< Whole blocks: 16 to 240 bytes.
  struct Next {
    ByteView key_index;      ///< Of the same size.
    ByteView encrypted_tek;  ///< Of the same size.
  };
  std::optional<Next> next;
  std::uint8_t lifetime_exponent = 0;  ///< 0 to 15: the TEK is in use for at most 2^n seconds.
  std::optional<UnixSeconds> timestamp;
  ByteView access_criteria;  ///< Descriptors (access_criteria.hpp); empty: none.
  ByteView encrypted_pek;    ///< 16 bytes, with both of the next two; empty otherwise.
  struct Protection {
    std::uint32_t cid_extension = 0;
    ByteView mac;
    std::size_t covered = 0;  ///< How many bytes of the message the MAC covers.
  };
  std::optional<Protection> programme, service;

  /// ErrorKind::malformed, truncated; unsupported: another protocol_version or traffic_protection_protocol. The message
  /// ends where its last field does, and says at least one of programme and service. Nothing in it is authentic yet.
  [[nodiscard]] static Result<DrmStkm> parse(ByteView message);
  /// The message with MACs of zeros where they will stand, and `covered` said for each. ErrorKind::invalid_argument:
  /// a field has not the size that it must have.
  [[nodiscard]] Result<Bytes> write();
};

/// Seconds in the 40 bits of MJD and UTC, until 2038-04-22; ErrorKind::invalid_argument beyond.
[[nodiscard]] Result<std::uint64_t> to_mjd_utc(UnixSeconds time);
/// ErrorKind::malformed: not decimal digits, no time of day, or before 1970.
[[nodiscard]] Result<UnixSeconds> from_mjd_utc(std::uint64_t field);

/// The smallest n for which 2^n seconds are at least `duration`; 15 when none is.
[[nodiscard]] std::uint8_t lifetime_exponent_for(std::chrono::milliseconds duration);

}  // namespace cas::simulcrypt::bcast
