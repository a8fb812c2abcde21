// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "dcas/pairing_state.hpp"

namespace cas::dcas {

/// Values stand in databases.
enum class DeviceKind : std::uint8_t {
  secure_micro = 1,
  transport_processor = 2,
};

/// K1, K2 and K3 of a secure micro, one behind the other, 128 bits each (IV.1.B).
inline constexpr std::size_t sm_key_size = 16;
inline constexpr std::size_t sm_keys_size = 3 * sm_key_size;

/// A device that the trusted authority issues; ids as in identity.hpp.
struct NewDevice {
  DeviceKind kind = DeviceKind::secure_micro;
  std::string id;
  SecretBytes keys;  ///< sm_keys_size bytes; empty for a transport processor.
};

/// Names a request among all, so that one that comes again is known again: drawn at random by who received it, or by
/// the secure micro.
using RequestId = std::array<std::uint8_t, 16>;

/// How long a pair is in a network without a word from it. The longest that a receiver which has forgotten how to leave
/// stays dark after a power cut.
inline constexpr std::chrono::seconds default_lease{120};
inline constexpr std::chrono::seconds longest_lease{31 * 86'400};

/// One stay of a pair in a network: from its pairing to its leave, or to the end that it has at most.
struct Lease {
  std::uint64_t number = 0;  ///< Counts the pair's stays from 1.
  std::string ap;            ///< The authentication proxy through which they came.
  RequestId request{};       ///< What they came by.
  UnixSeconds since = 0;
  UnixSeconds until = 0;
};

/// What the trusted authority knows of a device, without its keys.
struct DeviceRecord {
  DeviceKind kind = DeviceKind::secure_micro;
  std::string id;
  PairingState state = PairingState::virgin;
  std::string partner;         ///< Empty when it is virgin; for good otherwise.
  std::optional<Lease> lease;  ///< Of a secure micro that has a partner: the last one.
};

}  // namespace cas::dcas
