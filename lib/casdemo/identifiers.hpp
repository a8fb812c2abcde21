// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

namespace cas::casdemo {

/// What the programs here say when they are not told another: the demonstration system has no CA_system_id of its own
/// (they are registered with DVB, ETSI TS 101 162), and this one has been given to nobody.
inline constexpr std::uint16_t default_ca_system_id = 0xffca;

/// Super_CAS_id of SimulCrypt (TS 103 197, 5.3): CA_system_id, then CA_subsystem_id. The client_id of an EMMG is put
/// together in the same way (TS 103 197, 6.2.3).
inline constexpr std::uint32_t default_super_cas_id = std::uint32_t{default_ca_system_id} << 16 | 1;

/// The product that a new system has.
inline constexpr std::uint16_t default_product = 1;

}  // namespace cas::casdemo
