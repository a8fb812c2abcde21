// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "card/store_format.hpp"

// A store has one form: header and image written again give the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cas::ByteView input(data, size);
  if (const auto parts = cas::card::parse_store(input)) {
    const auto header = cas::card::write_store_header(parts->header, parts->cipher_text.size());
    if (!header || !cas::equal(*header, parts->associated)) std::abort();
  }
  if (const auto image = cas::card::parse_card_image(input, {"smartpro-token"}))
    if (!cas::equal(cas::card::write_card_image(*image).reveal(), input)) std::abort();
  return 0;
}
