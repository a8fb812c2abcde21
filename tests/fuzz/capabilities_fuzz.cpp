// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "kex/capabilities.hpp"

namespace {

using namespace cas;
using namespace cas::kex;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// What is taken, written anew, is the same again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = read_capabilities({data, size});
  if (!read) return 0;
  static_cast<void>(read->can("ask"));
  const auto text = write_capabilities(*read);
  require(text.has_value());
  const auto again = read_capabilities(*text);
  // What is written in full may be longer than what is taken.
  if (!again) {
    require(again.error().kind == ErrorKind::exhausted);
    return 0;
  }
  require(*again == *read);
  return 0;
}
