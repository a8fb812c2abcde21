// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "base/bytes.hpp"
#include "simulcrypt/head_end_configuration.hpp"

// Whatever is in the file: settings that a head-end can have, or a sentence.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cas;
  using namespace cas::simulcrypt;
  const std::string text(as_text({data, size}));
  static_cast<void>(parse_host_port(text, default_ecmg_port));
  const auto configuration = parse_head_end_configuration(text, "fuzz.toml");
  if (!configuration) {
    if (configuration.error().message.find("fuzz.toml") == std::string::npos) std::abort();
    return 0;
  }
  HeadEndSettings settings = configuration->settings;
  for (const EcmgConfiguration& ecmg : configuration->ecmgs) {
    if (ecmg.addresses.empty()) std::abort();
    settings.systems.push_back({ecmg.name, static_cast<std::uint16_t>(ecmg.super_cas_id >> 16), nullptr});
  }
  if (!check_head_end_settings(settings) || settings.services.empty()) std::abort();
  return 0;
}
