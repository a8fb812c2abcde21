// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to bcast/, not installed: names that an SDP is written and read with.

#include <optional>
#include <string_view>

#include "simulcrypt/bcast/profile.hpp"

namespace cas::simulcrypt::bcast::sdp {

inline constexpr std::string_view stkm_format = "vnd.oma.bcast.stkm";

/// kmstype of a key stream. Both of the Smartcard Profile's: whether the card or the terminal keeps the keys is the
/// same message.
[[nodiscard]] constexpr std::optional<Profile> profile_of_kms(std::string_view name) {
  if (name == "oma-bcast-drm-pki") return Profile::drm;
  if (name == "oma-bcast-gba_u-mbms" || name == "oma-bcast-gba_me-mbms") return Profile::smartcard;
  return std::nullopt;
}
[[nodiscard]] constexpr std::string_view kms_of(Profile profile) {
  return profile == Profile::drm ? "oma-bcast-drm-pki" : "oma-bcast-gba_u-mbms";
}

/// What a line may hold: a control character would begin another line, or end the text for some reader. UTF-8 passes.
[[nodiscard]] constexpr bool is_printable(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; }

}  // namespace cas::simulcrypt::bcast::sdp
