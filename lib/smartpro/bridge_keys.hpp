// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

// The keys of bridging (paper, 4.2). A source domain's progenitor draws MKMB and MKSB. A master bridge holds MKSB and
// its own DKMB, a simple bridge MKMB and its own DKSB: both can compute the bridge key BK of their pair, and no other
// bridge can.

inline constexpr std::size_t bridge_master_key_size = 32;                   ///< MKMB, MKSB: AES-256 keys.
inline constexpr std::size_t bridge_device_key_size = 16;                   ///< DKMB, DKSB: one AES block.
inline constexpr std::size_t bridge_key_size = 2 * bridge_device_key_size;  ///< BK.
inline constexpr std::size_t transfer_key_size = 32;  ///< TKLECM, drawn anew for each transfer licence.
inline constexpr std::size_t wrapped_transfer_key_size = transfer_key_size + 8;

/// DKMB = E{MKMB}(MB SN (8) || zeros (8)). ErrorKind::invalid_argument when MKMB has another size.
[[nodiscard]] Result<SecretBytes> master_bridge_key(const SecretBytes& mkmb, SerialNumber master_bridge);

/// DKSB = E{MKSB}(SB SN (8) || SB index (4) || zeros (4)). ErrorKind::invalid_argument when MKSB has another size.
[[nodiscard]] Result<SecretBytes> simple_bridge_key(const SecretBytes& mksb, SerialNumber simple_bridge,
                                                    std::uint32_t index);

/// BK = DKMB || DKSB. ErrorKind::invalid_argument when one of them has another size.
[[nodiscard]] Result<SecretBytes> bridge_key(const SecretBytes& dkmb, const SecretBytes& dksb);

/// What a wrapped transfer key is bound to: with any of it changed, it does not come out.
struct BridgeContext {
  LicenceId licence_id{};  ///< Of the transfer licence (LECMt).
  Vdid source{};           ///< The domain in which the simple bridge is registered, in both directions.
  SerialNumber master_bridge = 0;
  SerialNumber simple_bridge = 0;
  std::uint32_t index = 0;  ///< The simple bridge's, in the source domain.
  Vdid destination{};       ///< The domain in which the simple bridge is activated, in both directions.
};

using WrappedTransferKey = std::array<std::uint8_t, wrapped_transfer_key_size>;

/// Wraps TKLECM for the one pair of bridges: AES-256 key wrap (RFC 3394) under
///
///   KEK = KBKDF-CMAC(BK, "SmartPRO CDI" or, back, "SmartPRO return CDI",
///                    licence id (16) || source VDID (8) || MB SN (8) || SB SN (8) || SB index (4) || destination VDID (8)), 32 bytes
///
/// ErrorKind::invalid_argument when a key has another size.
[[nodiscard]] Result<WrappedTransferKey> wrap_transfer_key(const SecretBytes& bridge_key, const BridgeContext& context,
                                                           TransferDirection direction,
                                                           const SecretBytes& transfer_key);

/// The reverse. ErrorKind::authentication_failed when it was wrapped under another key, for another context or in the
/// other direction.
[[nodiscard]] Result<SecretBytes> unwrap_transfer_key(const SecretBytes& bridge_key, const BridgeContext& context,
                                                      TransferDirection direction, const WrappedTransferKey& wrapped);

}  // namespace cas::smartpro
