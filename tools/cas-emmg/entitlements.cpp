// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>

#include "ca-system/init_command.hpp"
#include "commands.hpp"
#include "common/json_text.hpp"

namespace cas::emmg_program {

using ca_system::CaSystem;
using ca_system::EmmAddress;
using tools::Json;

namespace {

Result<EmmAddress> address_of(const EntitlementArguments& arguments) {
  const int named = (arguments.card ? 1 : 0) + (arguments.group ? 1 : 0) + (arguments.all ? 1 : 0);
  if (named != 1) return fail(ErrorKind::invalid_argument, "say whom it is for: one of --card, --group and --all");
  if (arguments.card) {
    if (*arguments.card > ca_system::largest_card_number)
      return fail(ErrorKind::invalid_argument, "cards have numbers from 1 to 9223372036854775807");
    return EmmAddress::to_card(*arguments.card);
  }
  return arguments.group ? EmmAddress::to_group(*arguments.group) : EmmAddress::to_all();
}

std::string text_of(const EmmAddress& address) {
  switch (address.addressing) {
    case casdemo::EmmAddressing::unique: return "card " + std::to_string(address.number);
    case casdemo::EmmAddressing::shared: return "group " + std::to_string(address.number);
    case casdemo::EmmAddressing::global: break;
  }
  return "all cards";
}

std::string text_of(UnixSeconds until) {
  return until == ca_system::for_ever ? "for ever" : "until " + format_utc_time(until);
}

Result<UnixSeconds> end_of(const EntitlementArguments& arguments) {
  if (!arguments.until.empty() && !arguments.duration.empty())
    return fail(ErrorKind::invalid_argument, "--until and --for say the same thing: give one");
  if (!arguments.until.empty()) return parse_utc_time(arguments.until);
  if (arguments.duration.empty()) return ca_system::for_ever;
  CAS_TRY_ASSIGN(const std::chrono::seconds duration, ca_system::parse_duration(arguments.duration, "--for"));
  return system_clock().now() + duration.count();
}

}  // namespace

Result<tools::Report> grant(const EntitlementArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const EmmAddress address, address_of(arguments));
  CAS_TRY_ASSIGN(const UnixSeconds until, end_of(arguments));
  CAS_TRY_ASSIGN(CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY(system.grant(address, arguments.product, until));
  return tools::Report{
      "product " + std::to_string(arguments.product) + " is for " + text_of(address) + " " + text_of(until) + "\n",
      tools::to_text(
          Json{{"product", arguments.product}, {"to", text_of(address)}, {"until", format_utc_time(until)}})};
}

Result<tools::Report> withdraw(const EntitlementArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const EmmAddress address, address_of(arguments));
  CAS_TRY_ASSIGN(CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY(system.withdraw(address, arguments.product));
  std::string text = "product " + std::to_string(arguments.product) + " is withdrawn from " + text_of(address) + "\n";
  if (address == EmmAddress::to_all())
    text = "product " + std::to_string(arguments.product) +
           " is not granted to all cards any more; what they have ends with the keys that they have\n";
  return tools::Report{text, tools::to_text(Json{{"product", arguments.product}, {"from", text_of(address)}})};
}

Result<tools::Report> list_entitlements(const EntitlementArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY_ASSIGN(const std::vector<ca_system::Subscription> all, system.subscriptions(arguments.limit));
  CAS_TRY_ASSIGN(const std::uint64_t emms, system.emm_count());
  tools::Report report;
  Json list = Json::array();
  for (const ca_system::Subscription& each : all) {
    report.text +=
        text_of(each.address) + ": product " + std::to_string(each.product) + " " + text_of(each.until) + "\n";
    list.push_back({{"to", text_of(each.address)}, {"product", each.product}, {"until", format_utc_time(each.until)}});
  }
  report.text += std::to_string(emms) + " EMMs in the carousel\n";
  report.json = tools::to_text(Json{{"entitlements", list}, {"emms", emms}});
  return report;
}

}  // namespace cas::emmg_program
