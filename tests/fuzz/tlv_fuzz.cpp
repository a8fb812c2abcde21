// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "base/tlv.hpp"

// Whatever parses has one encoding: written again it gives the same bytes. Every accessor is tried on it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cas::ByteView input(data, size);
  const auto fields = cas::TlvFields::parse(input, "input");
  if (!fields) return 0;
  cas::TlvWriter writer;
  for (const cas::TlvField& field : fields->all()) {
    writer.field(field.tag, field.value);
    const auto first = fields->required(field.tag);
    if (!first) std::abort();
    const auto number = fields->required_number(field.tag, first->size());
    if (first->size() <= 8 && !number) std::abort();
  }
  if (!cas::equal(writer.view(), input)) std::abort();
  static_cast<void>(fields->check_known({0x80, 0x9f21}));
  return 0;
}
