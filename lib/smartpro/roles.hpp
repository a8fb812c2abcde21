// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace cas::smartpro {

/// What a certificate's extendedKeyUsage says of its holder. The arc 2.25 needs no registration (ITU-T X.667): the
/// number is the UUID 9958d43b-6939-4c25-b599-15a950036a18.
#define CAS_SMARTPRO_ARC "2.25.203833110056505950279745967644817451544"

inline constexpr std::string_view role_token = CAS_SMARTPRO_ARC ".1";
/// A token that can found a domain; it has role_token as well.
inline constexpr std::string_view role_progenitor = CAS_SMARTPRO_ARC ".2";
inline constexpr std::string_view role_host = CAS_SMARTPRO_ARC ".3";
/// Capabilities of a host, beside role_host: what a token will do for it.
inline constexpr std::string_view role_host_acquisition = CAS_SMARTPRO_ARC ".3.1";
inline constexpr std::string_view role_host_renderer = CAS_SMARTPRO_ARC ".3.2";
inline constexpr std::string_view role_host_processing = CAS_SMARTPRO_ARC ".3.3";
inline constexpr std::string_view role_host_bridge = CAS_SMARTPRO_ARC ".3.4";
/// A Token Management Center (paper, 3.2).
inline constexpr std::string_view role_host_management = CAS_SMARTPRO_ARC ".3.5";

#undef CAS_SMARTPRO_ARC

}  // namespace cas::smartpro
