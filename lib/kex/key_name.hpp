// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kex/utc_time.hpp"

namespace cas::kex {

inline constexpr std::size_t max_content_id_size = 256;
inline constexpr std::size_t max_part_name_size = 128;

/// What a key is asked for by: two requests with one name get one key. Requirement 5.4.2: all of it can be a character
/// string.
struct KeyName {
  std::string content_id;      ///< 1 to max_content_id_size bytes of UTF-8.
  std::string track_type;      ///< Which tracks have it; empty: all. Up to max_part_name_size bytes.
  std::string representation;  ///< Which bit rate or version; empty: all. Up to max_part_name_size bytes.
  /// The crypto-period by its number, or, when it has none, by its time; neither: the whole content has one key.
  std::optional<std::uint64_t> period_index;
  std::optional<UtcTime> period_start, period_end;

  bool operator==(const KeyName&) const = default;

  /// Sizes, and no control characters: names stand in logs. ErrorKind::invalid_argument, with the field's name.
  [[nodiscard]] Status check() const;
  /// The one form of a name in bytes, which keys are derived from and stored under. Each text has its length in front,
  /// so that no two names have one form.
  ///
  ///   4  "CKN1"
  ///   2 + n  content id
  ///   2 + n  track type
  ///   2 + n  representation
  ///   1  period: 0 none, 1 by number, 2 by time
  ///   8  with 1: the number; with 2: the start, in nanoseconds since 1970-01-01T00:00:00Z
  ///   8  with 2: the end, the same; 2^64 - 1 for none
  ///
  /// The time of a period that has a number is not in it: head-ends that reckon it differently get the same key.
  [[nodiscard]] Bytes encode() const;
  /// For people: "channel-1 HD 5M period 42"; and without the content id.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string part_text() const;
};

}  // namespace cas::kex
