// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "crypto/signature.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// Which simple bridge is registered in a source domain, under which index, and for which destination domain (paper,
/// 4.2: "information on the Simple Bridge is sent to the Master Bridge token (SB SN, SB index and VD ID)"). It is
/// signed, since the right to bridge names domains: a host cannot pass one simple bridge off as another domain's.
/// Whether the bridge is still authorised says the mask alone.
///
///   80  8   VDID of the source domain                   critical
///   81  8   serial number of the simple bridge          critical
///   82  4   its index in the source domain, from 1      critical
///   83  8   VDID of the destination domain              critical
///   86      signature with the source progenitor's revocation key over "SmartPRO bridge record" || all bytes before this field; the last field   critical
struct BridgeRecord {
  Vdid source{};
  SerialNumber simple_bridge = 0;
  std::uint32_t index = 0;
  Vdid destination{};

  [[nodiscard]] Result<Bytes> encode_signed(const crypto::SigningKey& key) const;
  /// What it says, without a look at the signature. ErrorKind::malformed, truncated.
  [[nodiscard]] static Result<BridgeRecord> parse(ByteView bytes);
  /// Parses and verifies; ErrorKind::authentication_failed when the signature is not right.
  [[nodiscard]] static Result<BridgeRecord> parse_signed(ByteView bytes, ByteView public_key);

  bool operator==(const BridgeRecord&) const = default;
};

inline constexpr std::size_t max_bridge_record_size = 128;

}  // namespace cas::smartpro
