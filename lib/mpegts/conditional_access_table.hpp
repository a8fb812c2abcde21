// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::mpegts {

/// The conditional access table (ISO/IEC 13818-1, 2.4.4.6): descriptors and nothing else, CA descriptors that tell
/// where the EMMs are (ca_descriptor.hpp) among them.
struct ConditionalAccessTable {
  std::uint16_t reserved_extension = 0xffff;  ///< The 16 bits where other tables have an identifier; kept as they came.
  std::uint8_t version = 0;                   ///< 0 to 31.
  bool current = true;
  std::uint8_t reserved = 0b1111;  ///< Of the sections' headers: two bits before the length, two before the version.
  Bytes descriptors;               ///< Those of all sections, kept bit for bit.
  bool operator==(const ConditionalAccessTable&) const = default;

  /// All sections of one version, in order. ErrorKind as parse_table_sections; malformed for descriptors that overrun a
  /// section of several, since what follows could not be told from them.
  [[nodiscard]] static Result<ConditionalAccessTable> parse(std::span<const ByteView> sections);
  /// As many sections as the descriptors need, at least one; a descriptor stays in one piece. ErrorKind::exhausted.
  [[nodiscard]] Result<std::vector<Bytes>> encode() const;
};

}  // namespace cas::mpegts
