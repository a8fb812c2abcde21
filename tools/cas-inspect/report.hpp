// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "inspection.hpp"

namespace cas::inspect {

/// For people; ends with a line feed.
[[nodiscard]] std::string text_report(const std::string& path, const Inspection& inspection);
/// For programs: one JSON object, as docs/cas-inspect.md lists its members.
[[nodiscard]] std::string json_report(const std::string& path, const Inspection& inspection);
/// The same object for a file of which nothing can be told: its path and the error.
[[nodiscard]] std::string json_report(const std::string& path, const Error& error);

}  // namespace cas::inspect
