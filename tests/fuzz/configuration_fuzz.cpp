// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "base/bytes.hpp"
#include "service/configuration.hpp"

// Whatever is in the file, reading it ends with values or with a sentence; and what all is asked for is known.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cas;
  using namespace cas::service;
  const auto configuration = Configuration::parse(as_text({data, size}), "fuzz.toml");
  if (!configuration) {
    if (configuration.error().message.empty()) std::abort();
    return 0;
  }
  const ConfigurationTable root = configuration->root();
  const bool empty_before = configuration->check().has_value();
  static_cast<void>(root.text("text"));
  static_cast<void>(root.number("number", -5, 5));
  static_cast<void>(root.flag_or("flag", true));
  static_cast<void>(root.duration_or("time", std::chrono::seconds(1), std::chrono::seconds(0), std::chrono::hours(1)));
  static_cast<void>(root.texts("texts"));
  if (const auto table = root.table("table"); table && *table) static_cast<void>((*table)->text("text"));
  if (const auto tables = root.tables("tables"))
    for (const ConfigurationTable& table : *tables) static_cast<void>(table.number("number", 0, 5));
  // A file with nothing in it has nothing that is unknown, before and after.
  if (empty_before && !configuration->check()) std::abort();
  return 0;
}
