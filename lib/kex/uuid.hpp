// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/random.hpp"

namespace cas::kex {

/// A universally unique identifier (RFC 9562), as key ids and DRM system ids are.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  /// 36 characters, with hyphens, in either case. ErrorKind::malformed.
  [[nodiscard]] static Result<Uuid> parse(std::string_view text);
  /// Version 4: 122 random bits.
  [[nodiscard]] static Result<Uuid> draw(Random& random);
  /// In lower case.
  [[nodiscard]] std::string text() const;
  /// All 0, which names nothing.
  [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }

  auto operator<=>(const Uuid&) const = default;
};

/// The common PSSH of the W3C ("cenc" Initialization Data Format, 4): it tells key ids alone.
inline constexpr Uuid common_system{
    {0x10, 0x77, 0xef, 0xec, 0xc0, 0xb2, 0x4d, 0x02, 0xac, 0xe3, 0x3c, 0x1e, 0x52, 0xe2, 0xfb, 0x4b}};
/// Clear Key of the W3C, as the DASH Industry Forum registered it.
inline constexpr Uuid clear_key_system{
    {0xe2, 0x71, 0x9d, 0x58, 0xa9, 0x85, 0xb3, 0xc9, 0x78, 0x1a, 0xb0, 0x30, 0xaf, 0x78, 0xd3, 0x0e}};

}  // namespace cas::kex
