// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace cas::dcas {

/// What a certificate's extendedKeyUsage says of its holder. The arc 2.25 needs no registration (ITU-T X.667): the
/// number is the UUID 21468c96-1820-4386-a3d3-07195fb3bd97.
#define CAS_DCAS_ARC "2.25.44230836070035194857495554159193341335"

inline constexpr std::string_view role_secure_micro = CAS_DCAS_ARC ".1";
inline constexpr std::string_view role_transport_processor = CAS_DCAS_ARC ".2";
inline constexpr std::string_view role_authentication_proxy = CAS_DCAS_ARC ".3";
/// Beside a role, and in the root: its holder has the extended suite (suite.hpp). The trusted authority says so, and
/// not a message that somebody between could change.
inline constexpr std::string_view capability_extended_suite = CAS_DCAS_ARC ".4";

#undef CAS_DCAS_ARC

}  // namespace cas::dcas
