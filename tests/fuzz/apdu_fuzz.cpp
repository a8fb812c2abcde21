// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "card/apdu.hpp"

// A command that parses has one meaning: encoded and parsed again it is the same. A response has one encoding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cas::ByteView input(data, size);
  if (const auto command = cas::card::CommandApdu::parse(input)) {
    const auto again = cas::card::CommandApdu::parse(command->encode());
    if (!again || again->cla != command->cla || again->ins != command->ins || again->p1 != command->p1 ||
        again->p2 != command->p2 || again->data != command->data || again->ne != command->ne)
      std::abort();
  }
  if (const auto response = cas::card::ResponseApdu::parse(input))
    if (!cas::equal(response->encode(), input)) std::abort();
  return 0;
}
