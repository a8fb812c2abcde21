// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "common/program.hpp"
#include "settings.hpp"

namespace cas::ecmg_program {

/// Serves synchronisers until SIGTERM or SIGINT.
[[nodiscard]] Result<tools::Report> run(const RunArguments& arguments, tools::NumberOptions& numbers,
                                        const tools::Progress& progress);

struct ProductArguments {
  std::string system;
  casdemo::ProductId id = 0;
  std::string name;
  std::string key_period = "30d";
  std::string in = "1h";
};
[[nodiscard]] Result<tools::Report> add_product(const ProductArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> list_products(const ProductArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> roll_product(const ProductArguments& arguments, const tools::Progress& progress);

}  // namespace cas::ecmg_program
