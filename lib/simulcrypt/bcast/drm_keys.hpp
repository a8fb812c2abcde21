// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "simulcrypt/bcast/drm_stkm.hpp"
#include "simulcrypt/bcast/service_key.hpp"

namespace cas::simulcrypt::bcast {

// The keys of the DRM Profile's short term key messages. TEKs are enciphered by AES-128-CBC with an IV of zeros and
// padded as RFC 5652, 6.3 says: under the PEK when the message is of a programme, which the SEK enciphers in turn if it
// is of a service too; under the SEK otherwise. A MAC is HMAC-SHA-1-96 under SAK or PAK, which are derived from the
// seeds that came with SEK and PEK.

/// What one message says, in clear.
struct DrmStkmContent {
  std::uint8_t protection_after_reception = 0;
  TrafficProtection protection = TrafficProtection::srtp;
  bool traffic_authentication = true;
  std::uint16_t tek_id = 0;
  ByteView tek;
  std::optional<ByteView> next_tek;  ///< Of tek_id + 1.
  std::uint8_t lifetime_exponent = 0;
  UnixSeconds timestamp = 0;
  ByteView access_criteria;
};

/// The message, enciphered and authenticated. At least one of the keys is given.
[[nodiscard]] Result<Bytes> seal_drm_stkm(const DrmStkmContent& content, const ServiceKey* service,
                                          const ServiceKey* programme);

struct OpenedDrmStkm {
  std::uint16_t tek_id = 0;
  SecretBytes tek;
  std::optional<SecretBytes> next_tek;
};

/// Verifies the message's MAC under `key`, then deciphers what it covers. `message` is what `stkm` was parsed from.
/// ErrorKind::not_found: the message is of another service or programme; authentication_failed; malformed: key indices
/// that are not ours, or material that is not padded.
[[nodiscard]] Result<OpenedDrmStkm> open_drm_stkm(ByteView message, const DrmStkm& stkm, const ServiceKey& key);

/// The index that a message and the traffic name a TEK by: MKI and key indicator are the TEK id, an SPI is spi_of it.
[[nodiscard]] Bytes key_index_of(TrafficProtection protection, std::uint16_t tek_id);
[[nodiscard]] Result<std::uint16_t> tek_id_of(TrafficProtection protection, ByteView key_index);

}  // namespace cas::simulcrypt::bcast
