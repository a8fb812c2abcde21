// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <vector>

#include "base/error.hpp"
#include "simulcrypt/bcast/service_key.hpp"

namespace cas::simulcrypt::bcast {

// The long term key message of the DRM Profile, in a form of ours: what a broadcast rights object says (whose binary
// form belongs to OMA DRM's extensions for broadcast), with no rights expression but a validity window.
//
//   1  version, 1
//   1  addressing: 0 all devices that hold the broadcast domain's key, 1 one device
//   4  BSM: the Super_CAS_id or client_id that the keys belong to
//   8  device id, if addressing is 1
//   8  issue: counts up for each key of a receiver
//   1  number of keys, 1 to 16, each:
//        1  kind: 0 service, 1 programme
//        4  service_CID_extension or programme_CID_extension
//        8  valid from, 8 valid until: seconds since 1970
//        40 SEK and SAS, or PEK and PAS: AES key wrap (RFC 3394)
//   16 HMAC-SHA-256, cut, of all before it

inline constexpr std::size_t max_ltkm_keys = 16;
inline constexpr std::size_t drm_ltkm_mac_size = 16;
inline constexpr std::size_t max_drm_ltkm_size = 23 + max_ltkm_keys * 61 + drm_ltkm_mac_size;

/// Who can open a message: a device by its own key, or all that share a broadcast domain's key. `key` has 16 bytes.
struct DrmRecipient {
  std::optional<std::uint64_t> device_id;
  SecretBytes key;
};

struct DrmLtkm {
  std::uint32_t bsm = 0;
  std::optional<std::uint64_t> device_id;
  std::uint64_t issue = 0;
  std::vector<ServiceKey> keys;
};

/// ErrorKind::invalid_argument: no key, more than 16, or one that check_service_key refuses.
[[nodiscard]] Result<Bytes> seal_drm_ltkm(std::uint32_t bsm, std::uint64_t issue, const DrmRecipient& recipient,
                                          const std::vector<ServiceKey>& keys);

/// Verifies the MAC before anything behind the address is looked at. ErrorKind::not_found: for another device, BSM or
/// addressing; authentication_failed; malformed, truncated, unsupported.
[[nodiscard]] Result<DrmLtkm> open_drm_ltkm(ByteView message, std::uint32_t bsm, const DrmRecipient& recipient);

}  // namespace cas::simulcrypt::bcast
