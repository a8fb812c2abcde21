// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/emmg_messages.hpp"

// OMA BCAST's use of SimulCrypt on its interface SP-4 (OMA BCAST Service and Content Protection, 14.1.1): which
// identifiers mean which key management system, and its errors.
namespace cas::simulcrypt::bcast {

/// The two key management systems of OMA BCAST.
enum class Profile : std::uint8_t {
  drm,        ///< DRM Profile: binary key messages, keys for devices.
  smartcard,  ///< Smartcard Profile: MIKEY, keys for USIM or R-UIM cards.
};

/// The profile that the first two bytes of a Super_CAS_id name: 0x0001 and 0x0002 (14.1.1.3.1). The last two are the
/// operator's. Nothing: it is not of OMA BCAST.
[[nodiscard]] constexpr std::optional<Profile> profile_of(std::uint32_t super_cas_id) {
  switch (super_cas_id >> 16) {
    case 1: return Profile::drm;
    case 2: return Profile::smartcard;
    default: return std::nullopt;
  }
}

[[nodiscard]] constexpr std::uint32_t super_cas_id_of(Profile profile, std::uint16_t operator_id) {
  return (profile == Profile::drm ? 0x00010000U : 0x00020000U) | operator_id;
}

/// Whether a client_id may provide long term key messages for broadcast. Those of the Smartcard Profile are not
/// broadcast, so client_id is that of the DRM Profile (14.1.1.3.4).
[[nodiscard]] constexpr bool may_broadcast_ltkms(std::uint32_t client_id) {
  return profile_of(client_id) == Profile::drm;
}

/// Global status codes of OMA BCAST that a generator of key messages has reason to report; the names are those of the
/// appendix on status codes.
enum class GlobalStatus : std::uint16_t {
  server_error = 7,
  malformed_message = 8,
  operation_not_permitted = 11,
  unsupported_version = 12,
  service_unavailable = 15,
  unspecified = 18,
  invalid_request = 22,
};

/// error_status of a global status code: 0x8000 and on (14.1.1.3.2).
inline constexpr std::uint16_t first_error_status = 0x8000;
[[nodiscard]] constexpr std::uint16_t error_status_of(GlobalStatus status) {
  return static_cast<std::uint16_t>(first_error_status + static_cast<std::uint16_t>(status));
}
/// The same as the error types of the two interfaces, which take any code.
[[nodiscard]] constexpr ecmg::Error ecmg_error_of(GlobalStatus status) {
  return static_cast<ecmg::Error>(error_status_of(status));
}
[[nodiscard]] constexpr emmg::Error emmg_error_of(GlobalStatus status) {
  return static_cast<emmg::Error>(error_status_of(status));
}
/// The global status code that an error_status carries; nothing: it is below 0x8000.
[[nodiscard]] constexpr std::optional<std::uint16_t> global_status_of(std::uint16_t error_status) {
  if (error_status < first_error_status) return std::nullopt;
  return static_cast<std::uint16_t>(error_status - first_error_status);
}

}  // namespace cas::simulcrypt::bcast
