// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace cas::tools {

/// Keys keep the order in which they are given.
using Json = nlohmann::ordered_json;

/// An indented document with a line end. Bytes that are no UTF-8 (a path may have some) are replaced.
[[nodiscard]] std::string to_text(const Json& json);

}  // namespace cas::tools
