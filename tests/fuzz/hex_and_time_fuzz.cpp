// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>

#include "base/clock.hpp"
#include "base/hex.hpp"

// Texts that people write. Hexadecimal comes back in lower case; a full UTC time comes back as it was written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = cas::as_text({data, size});
  if (const auto bytes = cas::from_hex(text, 256)) {
    std::string lower = text;
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
    if (cas::to_hex(*bytes) != lower) std::abort();
  }
  if (const auto time = cas::parse_utc_time(text)) {
    const std::string written = cas::format_utc_time(*time);
    if (written.substr(0, text.size() == 10 ? 10 : written.size()) != text) std::abort();
  }
  return 0;
}
