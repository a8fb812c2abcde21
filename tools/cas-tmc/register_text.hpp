// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "smartpro/domain_register.hpp"

namespace cas::tmc {

/// What happened, for people: "activated", "deactivation sent, unconfirmed", "bridge 3 registered".
[[nodiscard]] std::string event_text(const smartpro::RegisterEntry& entry);
/// The same for programs, as JSON has it: "activated", "deactivation-sent".
[[nodiscard]] const char* event_name(smartpro::RegisterEvent event);

}  // namespace cas::tmc
