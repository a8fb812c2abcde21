// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::casdemo {

/// What is sold together: a channel, a package. Its entitlement keys open its ECMs.
using ProductId = std::uint16_t;
/// Where a receiver stands. 0: it was never told, and no blackout is for it.
using Region = std::uint16_t;

inline constexpr std::size_t max_blackout_regions = 8;
inline constexpr std::size_t max_access_criteria_size = 4 + 2 * max_blackout_regions;

/// What a receiver must meet to see a programme: `access_criteria` (000D) of a CW_provision to the demonstration
/// system's ECMG, and as it stands in ECMs (docs/formats/casdemo.md). A value of fixed size.
///
///   0  2  product id
///   2  1  minimum age in years; 0: everybody
///   3  1  number of regions with a blackout, 0 to 8
///   4  2  each of them, ascending, not 0
class AccessCriteria {
 public:
  /// For everybody who has the product.
  explicit AccessCriteria(ProductId product);
  /// `regions` in any order, each once. ErrorKind::invalid_argument for more than eight, for 0, and for one that stands
  /// there twice.
  [[nodiscard]] static Result<AccessCriteria> create(ProductId product, std::uint8_t minimum_age,
                                                     std::span<const Region> regions);
  /// ErrorKind::truncated, malformed.
  [[nodiscard]] static Result<AccessCriteria> parse(ByteView bytes);
  [[nodiscard]] ByteView encoded() const { return ByteView(bytes_).first(size_); }

  [[nodiscard]] ProductId product() const { return static_cast<ProductId>(bytes_[0] << 8 | bytes_[1]); }
  [[nodiscard]] std::uint8_t minimum_age() const { return bytes_[2]; }
  /// Whether the programme may not be shown there.
  [[nodiscard]] bool blacks_out(Region region) const;

 private:
  AccessCriteria() = default;
  [[nodiscard]] Region region_at(std::size_t index) const;

  std::array<std::uint8_t, max_access_criteria_size> bytes_{};
  std::size_t size_ = 4;
};

}  // namespace cas::casdemo
