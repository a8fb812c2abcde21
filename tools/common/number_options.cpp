// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/number_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "service/configuration.hpp"

namespace cas::tools {

std::string option_of(std::string_view key) {
  std::string option = "--" + std::string(key);
  std::ranges::replace(option, '_', '-');
  return option;
}

void NumberOptions::add_to(CLI::App& command) {
  for (const NumberOption& each : options_)
    command
        .add_option(option_of(each.name), given_[each.name], each.help + (" (" + std::to_string(each.fallback) + ")"))
        ->type_name("N");
}

Status NumberOptions::resolve(const service::ConfigurationTable* file) {
  for (const NumberOption& each : options_) {
    values_[each.name] = each.fallback;
    said_.erase(each.name);
    if (file != nullptr && file->has(each.name)) said_.insert(each.name);
    if (file != nullptr) {
      CAS_TRY_ASSIGN(values_[each.name], file->number_or(each.name, each.fallback, each.least, each.most));
    }
    const auto given = given_.find(each.name);
    if (given == given_.end() || !given->second) continue;
    if (*given->second < each.least || *given->second > each.most)
      return fail(ErrorKind::invalid_argument,
                  option_of(each.name) + " takes " + std::to_string(each.least) + " to " + std::to_string(each.most));
    values_[each.name] = *given->second;
    said_.insert(each.name);
  }
  return {};
}

}  // namespace cas::tools
