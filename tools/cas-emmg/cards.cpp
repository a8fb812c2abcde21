// SPDX-License-Identifier: LGPL-2.1-or-later
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "ca-system/init_command.hpp"
#include "commands.hpp"
#include "common/json_text.hpp"

namespace cas::emmg_program {

using ca_system::CaSystem;
using tools::Json;

namespace {

// A number of 63 bits does not survive a reader that takes numbers for floating point: text, as serial numbers of cas-card.
std::string text_of(ca_system::CardNumber number) { return std::to_string(number); }

}  // namespace

Result<tools::Report> add_cards(const CardArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY_ASSIGN(const ca_system::CardNumber first,
                 system.add_cards(arguments.number, arguments.count, arguments.name));
  const ca_system::CardNumber last = first + arguments.count - 1;
  const std::string what = first == last ? "card " + text_of(first) + " is there"
                                         : "cards " + text_of(first) + " to " + text_of(last) + " are there";
  return tools::Report{what + "\n", tools::to_text(Json{{"first", text_of(first)}, {"last", text_of(last)}})};
}

Result<tools::Report> list_cards(const CardArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY_ASSIGN(const std::uint64_t count, system.card_count());
  CAS_TRY_ASSIGN(const std::vector<ca_system::Card> cards, system.cards(arguments.after, arguments.limit));
  tools::Report report;
  Json list = Json::array();
  for (const ca_system::Card& card : cards) {
    report.text += "card " + text_of(card.number) + (card.name.empty() ? "" : ": " + card.name);
    if (card.region != 0) report.text += ", region " + std::to_string(card.region);
    for (const ca_system::GroupNumber group : card.groups) report.text += ", group " + std::to_string(group);
    report.text += "\n";
    list.push_back(
        {{"number", text_of(card.number)}, {"name", card.name}, {"region", card.region}, {"groups", card.groups}});
  }
  report.text += std::to_string(cards.size()) + " of " + std::to_string(count) + " cards\n";
  report.json = tools::to_text(Json{{"count", count}, {"cards", list}});
  return report;
}

Result<tools::Report> export_card(const CardArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY_ASSIGN(const SecretBytes identity, system.identity_of(*arguments.number));
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(arguments.file, ignored)))
    return fail(ErrorKind::refused, arguments.file + " is there already and is not overwritten: name another file");
  CAS_TRY(write_file_durably(arguments.file, identity.reveal(), 0600));
  return tools::Report{"card " + text_of(*arguments.number) + " is in " + arguments.file + "\n",
                       tools::to_text(Json{{"number", text_of(*arguments.number)}, {"file", arguments.file}})};
}

Result<tools::Report> remove_card(const CardArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY(system.remove_card(*arguments.number));
  return tools::Report{"card " + text_of(*arguments.number) + " is forgotten; what it was granted ends with its keys\n",
                       tools::to_text(Json{{"number", text_of(*arguments.number)}})};
}

Result<tools::Report> personalise(const CardArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY(system.personalise(*arguments.number, arguments.region, arguments.groups));
  return tools::Report{
      "card " + text_of(*arguments.number) + " is told where it stands: region " + std::to_string(arguments.region) +
          ", " + std::to_string(arguments.groups.size()) + " groups\n",
      tools::to_text(
          Json{{"number", text_of(*arguments.number)}, {"region", arguments.region}, {"groups", arguments.groups}})};
}

Result<tools::Report> add_group(const GroupArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(CaSystem system, ca_system::open_system(arguments.system));
  const std::string name = arguments.name.empty() ? "group " + std::to_string(arguments.number) : arguments.name;
  CAS_TRY(system.add_group(arguments.number, name));
  return tools::Report{"group " + std::to_string(arguments.number) + " is there\n",
                       tools::to_text(Json{{"group", arguments.number}, {"name", name}})};
}

Result<tools::Report> list_groups(const GroupArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY_ASSIGN(const std::vector<ca_system::Group> groups, system.groups());
  tools::Report report;
  Json list = Json::array();
  for (const ca_system::Group& group : groups) {
    report.text +=
        "group " + std::to_string(group.number) + ": " + group.name + ", " + std::to_string(group.cards) + " cards\n";
    list.push_back({{"number", group.number}, {"name", group.name}, {"cards", group.cards}});
  }
  report.json = tools::to_text(Json{{"groups", list}});
  return report;
}

}  // namespace cas::emmg_program
