// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace cas::kms_program {

/// A basic string of TOML 1.0, with its quotes.
[[nodiscard]] std::string toml_string(const std::string& text);
/// An array of such.
[[nodiscard]] std::string toml_strings(const std::vector<std::string>& texts);

}  // namespace cas::kms_program
