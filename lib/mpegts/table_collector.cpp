// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/table_collector.hpp"

namespace cas::mpegts {

TableCollector::Outcome TableCollector::add(const LongSection& parsed, ByteView section) {
  const std::size_t count = std::size_t{parsed.last_section_number} + 1;
  const bool same_table =
      sections_.size() == count && parsed.table_id_extension == extension_ && parsed.version == version_;
  if (same_table && equal(sections_[parsed.section_number], section)) return Outcome::known;
  if (!same_table || !sections_[parsed.section_number].empty()) {
    sections_.assign(count, Bytes());
    missing_ = count;
    extension_ = parsed.table_id_extension;
    version_ = parsed.version;
  }
  sections_[parsed.section_number] = copy_of(section);
  return --missing_ == 0 ? Outcome::complete : Outcome::incomplete;
}

}  // namespace cas::mpegts
