// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/hex.hpp"

namespace cas {

namespace {

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<Bytes> from_hex(std::string_view text, std::size_t max_size) {
  if (text.size() % 2 != 0) return fail(ErrorKind::malformed, "hexadecimal text has an odd number of digits");
  if (text.size() / 2 > max_size)
    return fail(ErrorKind::malformed, "hexadecimal text is longer than " + std::to_string(max_size) + " bytes");
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit_value(text[i]);
    const int low = digit_value(text[i + 1]);
    if (high < 0 || low < 0)
      return fail(ErrorKind::malformed, "hexadecimal text has a character that is no digit at position " +
                                            std::to_string(high < 0 ? i : i + 1));
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

}  // namespace cas
