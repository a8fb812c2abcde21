// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>

#include "base/file_lock.hpp"
#include "commands.hpp"
#include "common/json_text.hpp"
#include "configuration.hpp"
#include "crypto/random.hpp"
#include "seeds_file.hpp"

namespace cas::kms_program {

namespace {

Result<Configuration> derived_configuration(const SeedArguments& arguments) {
  CAS_TRY_ASSIGN(const auto file, configuration_file(arguments.config));
  CAS_TRY_ASSIGN(auto configuration, read_configuration(file));
  if (configuration.mode != KeyMode::derived)
    return fail(ErrorKind::refused, file.string() + " is of a server with stored keys, which has no seeds");
  return configuration;
}

}  // namespace

Result<tools::Report> add_seed(const SeedArguments& arguments) {
  CAS_TRY_ASSIGN(const auto configuration, derived_configuration(arguments));
  CAS_TRY_ASSIGN(const FileLock lock, FileLock::acquire(configuration.seeds));
  CAS_TRY_ASSIGN(auto seeds, read_seeds(configuration.seeds));
  if (seeds.back().version == 0xffff) return fail(ErrorKind::exhausted, "there are no versions beyond 65535");
  CAS_TRY_ASSIGN(kex::Seed seed,
                 draw_seed(static_cast<std::uint16_t>(seeds.back().version + 1), crypto::system_random()));
  seed.contents = arguments.contents;
  seed.from = seeds.back().from;
  if (!arguments.from.empty()) {
    const auto time = kex::parse_date_time(arguments.from);
    if (!time) return fail(ErrorKind::invalid_argument, "--from: " + time.error().message);
    seed.from = *time;
  } else if (seed.contents.empty()) {
    return fail(ErrorKind::invalid_argument, "--from or --content is missing: say for which content the new seed is");
  }
  const auto now = std::chrono::seconds(system_clock().now());
  if (seed.contents.empty() && seed.from < now)
    return fail(ErrorKind::refused, "--from is past: the new seed would change the keys of content that is on the air");
  const std::string version = std::to_string(seed.version);
  seeds.push_back(std::move(seed));
  std::vector<kex::Seed> check;
  for (const kex::Seed& one : seeds) check.push_back({one.version, one.value.clone(), one.from, one.contents});
  CAS_TRY_ASSIGN(const auto derivation, kex::KeyDerivation::create(std::move(check)));
  static_cast<void>(derivation);
  CAS_TRY(write_seeds(configuration.seeds, seeds));
  return tools::Report{"seed " + version + " was added to " + configuration.seeds.string() +
                           "; copy the file to all servers, and restart them, before it is in force\n",
                       tools::to_text(tools::Json{{"version", seeds.back().version}})};
}

Result<tools::Report> list_seeds(const SeedArguments& arguments) {
  CAS_TRY_ASSIGN(const auto configuration, derived_configuration(arguments));
  CAS_TRY_ASSIGN(const auto seeds, read_seeds(configuration.seeds));
  tools::Report report;
  tools::Json list = tools::Json::array();
  for (const kex::Seed& seed : seeds) {
    const std::string from = seed.from.count() == 0 ? "the first" : kex::format_date_time(seed.from);
    report.text += std::to_string(seed.version) + "  from " + from;
    for (const std::string& content : seed.contents) report.text += "  " + content;
    report.text += '\n';
    list.push_back(
        {{"version", seed.version}, {"from", kex::format_date_time(seed.from)}, {"contents", seed.contents}});
  }
  report.json = tools::to_text(tools::Json{{"seeds", list}});
  return report;
}

}  // namespace cas::kms_program
