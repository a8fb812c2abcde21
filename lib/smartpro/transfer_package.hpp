// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/cdi.hpp"
#include "smartpro/licence.hpp"

namespace cas::smartpro {

/// What stands in a licence slot between two domains (paper, 4.2: "The scrambled content, the transfer license and the
/// list of CDIs are transmitted to each SB device"). The slot of a domain's file starts with 80, a licence's first
/// field, and this one with 90.
///
///   90  transfer licence (LECMt); the first field        critical
///   91  CDI, one for each destination, 1 to 32           critical; stands as often as there are destinations
struct TransferPackage {
  Bytes lecm;
  std::vector<Cdi> cdis;

  /// Whether it starts as a package does: the rest is not looked at.
  [[nodiscard]] static bool is_one(ByteView slot_content);

  /// ErrorKind::malformed, truncated or unsupported; malformed also when the licence is not a transfer licence. Nothing
  /// is verified.
  [[nodiscard]] static Result<TransferPackage> parse(ByteView bytes);
  [[nodiscard]] Bytes encode() const;

  /// The CDI for that simple bridge; nothing when it has none.
  [[nodiscard]] const Cdi* cdi_for(SerialNumber simple_bridge) const;
};

inline constexpr std::size_t max_package_destinations = 32;
inline constexpr std::size_t max_package_size = max_lecm_size + 8 + max_package_destinations * (max_cdi_size + 4);

}  // namespace cas::smartpro
