// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ca-system/ca_system.hpp"
#include "common/program.hpp"
#include "settings.hpp"

namespace cas::emmg_program {

/// Sends EMMs to a MUX until SIGTERM or SIGINT.
[[nodiscard]] Result<tools::Report> run(const RunArguments& arguments, tools::NumberOptions& numbers,
                                        const tools::Progress& progress);

struct CardArguments {
  std::string system;
  std::optional<ca_system::CardNumber> number;
  std::uint64_t count = 1;
  std::string name;
  std::uint64_t after = 0;
  std::uint64_t limit = 1000;
  std::string file;
  ca_system::Region region = 0;
  std::vector<ca_system::GroupNumber> groups;
};
[[nodiscard]] Result<tools::Report> add_cards(const CardArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> list_cards(const CardArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> export_card(const CardArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> remove_card(const CardArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> personalise(const CardArguments& arguments, const tools::Progress& progress);

struct GroupArguments {
  std::string system;
  ca_system::GroupNumber number = 0;
  std::string name;
};
[[nodiscard]] Result<tools::Report> add_group(const GroupArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> list_groups(const GroupArguments& arguments, const tools::Progress& progress);

struct EntitlementArguments {
  std::string system;
  ca_system::ProductId product = 0;
  std::optional<ca_system::CardNumber> card;
  std::optional<ca_system::GroupNumber> group;
  bool all = false;
  std::string until;     ///< A time; empty: for ever.
  std::string duration;  ///< From now on.
  std::uint64_t limit = 1000;
};
[[nodiscard]] Result<tools::Report> grant(const EntitlementArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> withdraw(const EntitlementArguments& arguments, const tools::Progress& progress);
[[nodiscard]] Result<tools::Report> list_entitlements(const EntitlementArguments& arguments,
                                                      const tools::Progress& progress);

}  // namespace cas::emmg_program
