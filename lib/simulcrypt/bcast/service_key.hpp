// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "base/secret.hpp"

namespace cas::simulcrypt::bcast {

/// What a subscriber buys: a service for a while (SEK), or one programme (PEK). A long term key message brings it,
/// short term key messages bring TEKs under it.
struct ServiceKey {
  enum class Kind : std::uint8_t { service = 0, programme = 1 };

  Kind kind = Kind::service;
  /// DRM Profile: service_CID_extension or programme_CID_extension. Smartcard Profile: SEK/PEK ID, of which the first
  /// two bytes are the key group and the last two count.
  std::uint32_t id = 0;
  SecretBytes key;  ///< SEK or PEK: 16 bytes.
  /// 16 bytes. DRM Profile: SAS or PAS, the seed of the key that authenticates. Smartcard Profile: RAND of the MIKEY
  /// message, which enters all keys that are derived from this one.
  SecretBytes seed;
  UnixSeconds valid_from = 0;
  UnixSeconds valid_until = 0;  ///< Not valid at this second any more.

  [[nodiscard]] ServiceKey clone() const { return {kind, id, key.clone(), seed.clone(), valid_from, valid_until}; }
  [[nodiscard]] bool is_valid_at(UnixSeconds time) const { return valid_from <= time && time < valid_until; }
};

inline constexpr std::size_t service_key_size = 16;
inline constexpr std::size_t service_seed_size = 16;

/// ErrorKind::invalid_argument unless key and seed have 16 bytes and the window is not empty.
[[nodiscard]] Status check_service_key(const ServiceKey& key);

}  // namespace cas::simulcrypt::bcast
