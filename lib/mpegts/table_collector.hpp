// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "mpegts/section.hpp"

namespace cas::mpegts {

/// Puts the sections of one table together that come one by one, again and again, in any order. Holds at most 256
/// sections of 1,024 bytes.
class TableCollector {
 public:
  enum class Outcome {
    known,       ///< Nothing new.
    incomplete,  ///< New, and other sections are missing.
    complete,    ///< New, and `sections` is a table that was not there before.
  };

  /// `parsed` is what `section` says, a section of the table, with its CRC right. One of another version, or with other
  /// content than it had, starts a new table.
  [[nodiscard]] Outcome add(const LongSection& parsed, ByteView section);
  /// All sections in order, after `complete`.
  [[nodiscard]] std::vector<ByteView> sections() const { return {sections_.begin(), sections_.end()}; }

 private:
  std::vector<Bytes> sections_;  ///< By section_number; those that are missing are empty.
  std::size_t missing_ = 0;
  std::uint16_t extension_ = 0;
  std::uint8_t version_ = 0;
};

}  // namespace cas::mpegts
