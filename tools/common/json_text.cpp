// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/json_text.hpp"

#include <nlohmann/json.hpp>

namespace cas::tools {

std::string to_text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace cas::tools
