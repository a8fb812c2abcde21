// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/ca_section.hpp"

#include <string>

#include "base/reader.hpp"

namespace cas::casdemo {

Result<CaSection> parse_ca_section(ByteView section, const char* what) {
  const std::string name(what);
  if (section.size() > max_section_size)
    return fail(ErrorKind::malformed,
                name + " of " + std::to_string(section.size()) + " bytes is longer than the 256 bytes of a CA section");
  ByteReader reader(section);
  CaSection parsed;
  CAS_TRY_ASSIGN(parsed.table_id, reader.u8());
  CAS_TRY_ASSIGN(const std::uint16_t flags_and_length, reader.u16());
  // The reserved bits are not looked at (ETSI EN 300 468, 3.1: a decoder ignores them).
  if ((flags_and_length & 0x8000U) != 0)
    return fail(ErrorKind::malformed, name + " has section_syntax_indicator 1, which no CA section has");
  const std::size_t length = flags_and_length & 0x0fffU;
  if (length > reader.remaining())
    return fail(ErrorKind::truncated, name + " says it has " + std::to_string(length) + " bytes behind its head, and " +
                                          std::to_string(reader.remaining()) + " are there");
  CAS_TRY_ASSIGN(parsed.data, reader.bytes(length));
  CAS_TRY(reader.expect_end(what));
  return parsed;
}

}  // namespace cas::casdemo
