// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/json_text.hpp"

#include <cstdint>

namespace cas::service {

namespace {

struct Sequence {
  std::size_t size = 0;  ///< 0: no UTF-8.
  std::uint32_t code_point = 0;
};

/// What `text`, which is not empty, begins with (RFC 3629, 3): no overlong forms, no surrogates, nothing beyond
/// U+10FFFF.
Sequence first_of(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text[0]);
  if (lead < 0x80) return {1, lead};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t code_point = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if ((byte & 0xc0) != 0x80) return {};
    code_point = code_point << 6 | (byte & 0x3fU);
  }
  const bool overlong = (size == 3 && code_point < 0x800) || (size == 4 && code_point < 0x10000);
  if (overlong || (code_point >= 0xd800 && code_point < 0xe000) || code_point > 0x10ffff) return {};
  return {size, code_point};
}

void append_escaped(std::string& out, std::uint32_t code_point) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += "\\u00";
  out += digits[code_point >> 4];
  out += digits[code_point & 15];
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto [size, code_point] = first_of(text);
    if (size == 0) {
      out += "\\ufffd";
      text.remove_prefix(1);
      continue;
    }
    if (code_point == '"' || code_point == '\\') {
      out += '\\';
      out += text[0];
    } else if (code_point < ' ' || (code_point >= 0x7f && code_point < 0xa0)) {
      append_escaped(out, code_point);  // C0, DEL and C1
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  out += '"';
}

}  // namespace cas::service
