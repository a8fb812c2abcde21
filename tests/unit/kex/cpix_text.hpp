// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "base/bytes.hpp"

namespace cas::kex {

/// A document out of tests/vectors/kex.
inline std::string vector_text(const std::string& name) {
  std::ifstream file(std::string(CAS_VECTORS) + "/kex/" + name, std::ios::binary);
  if (!file) throw std::runtime_error("no vector " + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// `text` with the first `from` in it made `to`.
inline std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("the text has no " + from);
  return text.replace(at, from.size(), to);
}

/// ASCII as UTF-16, little-endian with a byte order mark.
inline Bytes as_utf16(const std::string& text) {
  Bytes bytes{0xff, 0xfe};
  for (const char c : text) {
    bytes.push_back(static_cast<std::uint8_t>(c));
    bytes.push_back(0);
  }
  return bytes;
}

}  // namespace cas::kex
