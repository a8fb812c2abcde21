// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cas::kex {

/// Whether a content id is of a pattern: '*' stands for any characters, none among them, '?' for one byte, and all
/// others for themselves. In time proportional to the product of the sizes at most: patterns are not regular expressions.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view content_id);
[[nodiscard]] bool matches_any(const std::vector<std::string>& patterns, std::string_view content_id);

}  // namespace cas::kex
