// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/content_pattern.hpp"

#include <algorithm>

namespace cas::kex {

bool matches(std::string_view pattern, std::string_view content_id) {
  std::size_t at = 0, in = 0;
  // Behind the last '*', and how much it stands for: going back to it alone is enough, since an earlier one that stood
  // for more would leave no other rest.
  std::size_t star = std::string_view::npos, from = 0;
  while (in < content_id.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = ++at;
      from = in;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == content_id[in])) {
      ++at;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star;
      in = ++from;
    } else {
      return false;
    }
  }
  return std::ranges::all_of(pattern.substr(at), [](char c) { return c == '*'; });
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view content_id) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return matches(pattern, content_id); });
}

}  // namespace cas::kex
