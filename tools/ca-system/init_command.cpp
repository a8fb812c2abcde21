// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ca-system/init_command.hpp"

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/json_text.hpp"
#include "crypto/random.hpp"

namespace cas::ca_system {

namespace {

constexpr const char* init_examples = R"(
  cas-ecmg init                                   in $CAS_HOME/ca
  cas-ecmg init --system /srv/ca --super-cas-id 0x12340001

Makes the keys of a CA system, and product 1. cas-ecmg and cas-emmg share it. One that is there is never overwritten.)";

struct Unit {
  std::string_view name;
  std::int64_t seconds;
};
constexpr std::array<Unit, 4> units{{{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}}};

Result<tools::Report> init(const InitArguments& arguments) {
  CAS_TRY_ASSIGN(const std::filesystem::path folder, system_folder(arguments.system));
  CAS_TRY_ASSIGN(const CaSystem system,
                 CaSystem::create(folder, arguments.super_cas_id, crypto::system_random(), system_clock()));
  tools::Json json{{"system", folder.string()}, {"super_cas_id", system.super_cas_id()}, {"product", 1}};
  return tools::Report{"a CA system is in " + folder.string() + ", with product 1\n", tools::to_text(json)};
}

}  // namespace

Result<CaSystem> open_system(const std::string& named) {
  CAS_TRY_ASSIGN(const std::filesystem::path folder, system_folder(named));
  return CaSystem::open(folder, crypto::system_random(), system_clock());
}

void add_init(tools::Program& program, InitArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "init", "make a CA system", init_examples,
                                          [&](const tools::Progress&) { return init(arguments); });
  command.add_option("--system", arguments.system, system_help)->type_name("FOLDER");
  command
      .add_option("--super-cas-id", arguments.super_cas_id,
                  "CA_system_id and CA_subsystem_id, 16 bits each (0xFFCA0001)")
      ->type_name("N");
}

Result<std::chrono::seconds> parse_duration(const std::string& text, const char* option) {
  std::int64_t count = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(text.data() + text.size() - parsed.ptr));
  for (const Unit& each : units)
    if (parsed.ec == std::errc() && unit == each.name && count > 0 &&
        count <= longest_key_period.count() / each.seconds)
      return std::chrono::seconds(count * each.seconds);
  return fail(ErrorKind::invalid_argument,
              std::string(option) + " takes a time such as 90s, 5min, 12h or 30d, of ten years at most");
}

std::string duration_text(std::chrono::seconds duration) {
  for (const Unit& each : units)
    if (duration.count() % each.seconds == 0)
      return std::to_string(duration.count() / each.seconds) + std::string(each.name);
  return {};
}

}  // namespace cas::ca_system
