// SPDX-License-Identifier: LGPL-2.1-or-later
#include "toml_text.hpp"

#include <cstdio>

namespace cas::kms_program {

std::string toml_string(const std::string& text) {
  std::string written = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      written += '\\';
      written += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      written += escaped;
    } else {
      written += c;
    }
  }
  return written + '"';
}

std::string toml_strings(const std::vector<std::string>& texts) {
  std::string written = "[";
  for (const std::string& text : texts) written += (written.size() > 1 ? ", " : "") + toml_string(text);
  return written + "]";
}

}  // namespace cas::kms_program
