// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "mpegts/packet.hpp"

namespace cas::mpegts {

inline constexpr std::uint8_t ca_descriptor_tag = 0x09;

/// CA_descriptor (ISO/IEC 13818-1, 2.6.16): in a PMT, where a system's ECMs are; in the CAT, where its EMMs are.
///
///   16  CA_system_id
///    3  reserved
///   13  CA_PID
///       private data of the system
struct CaDescriptor {
  std::uint16_t ca_system_id = 0;  ///< As registered at DVB Services.
  std::uint8_t reserved = 0b111;   ///< Kept as it came.
  Pid ca_pid = 0;
  ByteView private_data;  ///< Somebody else's bytes: the loop's that it was found in.

  /// What is behind tag and length. ErrorKind::truncated.
  [[nodiscard]] static Result<CaDescriptor> parse(ByteView payload);
  /// Appends it to a loop. ErrorKind::exhausted for more than 251 bytes of private data; invalid_argument for a PID of
  /// more than 13 bits.
  [[nodiscard]] Status append_to(Bytes& loop) const;
};

/// The CA descriptors of a loop, in order, up to its end or its damage; those that are too short are left out.
[[nodiscard]] std::vector<CaDescriptor> find_ca_descriptors(ByteView loop);

/// The loop without the CA descriptors of a system, all else as it was: what a head-end does before it adds its own.
[[nodiscard]] Bytes without_ca_descriptors(ByteView loop, std::uint16_t ca_system_id);

}  // namespace cas::mpegts
