// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>

#include "ca-system/init_command.hpp"
#include "commands.hpp"
#include "common/json_text.hpp"

namespace cas::ecmg_program {

using ca_system::CaSystem;
using tools::Json;

Result<tools::Report> add_product(const ProductArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const std::chrono::seconds period, ca_system::parse_duration(arguments.key_period, "--key-period"));
  CAS_TRY_ASSIGN(CaSystem system, ca_system::open_system(arguments.system));
  const std::string name = arguments.name.empty() ? "product " + std::to_string(arguments.id) : arguments.name;
  CAS_TRY(system.add_product(arguments.id, name, period));
  return tools::Report{"product " + std::to_string(arguments.id) + " is there, with its first keys\n",
                       tools::to_text(Json{{"product", arguments.id}, {"name", name}, {"key_period", period.count()}})};
}

Result<tools::Report> list_products(const ProductArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY(system.renew_keys());
  CAS_TRY_ASSIGN(const std::vector<ca_system::Product> products, system.products());
  CAS_TRY_ASSIGN(const std::vector<ca_system::EntitlementKey> keys, system.keys());
  tools::Report report;
  Json list = Json::array();
  for (const ca_system::Product& product : products) {
    report.text += "product " + std::to_string(product.id) + ": " + product.name + ", a key lasts " +
                   ca_system::duration_text(product.key_period) + "\n";
    Json own = Json::array();
    for (const ca_system::EntitlementKey& key : keys) {
      if (key.product != product.id) continue;
      report.text += "  key " + std::to_string(key.id) + " from " + format_utc_time(key.start) + " to " +
                     format_utc_time(key.expiry) + "\n";
      own.push_back({{"id", key.id}, {"start", format_utc_time(key.start)}, {"expiry", format_utc_time(key.expiry)}});
    }
    list.push_back(
        {{"id", product.id}, {"name", product.name}, {"key_period", product.key_period.count()}, {"keys", own}});
  }
  report.json = tools::to_text(Json{{"products", list}});
  return report;
}

Result<tools::Report> roll_product(const ProductArguments& arguments, const tools::Progress&) {
  CAS_TRY_ASSIGN(const std::chrono::seconds in, ca_system::parse_duration(arguments.in, "--in"));
  CAS_TRY_ASSIGN(CaSystem system, ca_system::open_system(arguments.system));
  CAS_TRY_ASSIGN(const ca_system::EntitlementKey key, system.roll(arguments.id, in));
  return tools::Report{"product " + std::to_string(key.product) + " has key " + std::to_string(key.id) + " from " +
                           format_utc_time(key.start) + " on; cas-emmg run brings it to the cards that are entitled\n",
                       tools::to_text(Json{{"product", key.product},
                                           {"key", key.id},
                                           {"start", format_utc_time(key.start)},
                                           {"expiry", format_utc_time(key.expiry)}})};
}

}  // namespace cas::ecmg_program
