// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seeds_file.hpp"

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "service/configuration.hpp"
#include "toml_text.hpp"

namespace cas::kms_program {

Result<std::vector<kex::Seed>> read_seeds(const std::filesystem::path& file) {
  CAS_TRY_ASSIGN(const auto read, service::Configuration::read(file));
  CAS_TRY_ASSIGN(const auto tables, read.root().tables("seed"));
  std::vector<kex::Seed> seeds;
  for (const auto& table : tables) {
    kex::Seed seed;
    CAS_TRY_ASSIGN(const auto version, table.number("version", 1, 0xffff));
    seed.version = static_cast<std::uint16_t>(version);
    CAS_TRY_ASSIGN(std::string value, table.text("value"));
    auto bytes = from_hex(value, kex::seed_size);
    cleanse({reinterpret_cast<std::uint8_t*>(value.data()), value.size()});
    if (!bytes || bytes->size() != kex::seed_size) return fail(table.error_at("value", "is 64 hexadecimal digits"));
    const ScopedCleanse cleansed(*bytes);
    seed.value = SecretBytes::copy_of(*bytes);
    CAS_TRY_ASSIGN(const std::string from, table.text_or("from", ""));
    if (!from.empty()) {
      const auto time = kex::parse_date_time(from);
      if (!time) return fail(table.error_at("from", time.error().message));
      seed.from = *time;
    }
    CAS_TRY_ASSIGN(seed.contents, table.texts("contents"));
    seeds.push_back(std::move(seed));
  }
  CAS_TRY(read.check());
  if (seeds.empty()) return fail(ErrorKind::invalid_argument, file.string() + " has no [[seed]]");
  return seeds;
}

Status write_seeds(const std::filesystem::path& file, const std::vector<kex::Seed>& seeds) {
  std::string text = "# What derived keys come from. Keep it as you keep keys: who has it has all of them.\n";
  text.reserve(1'024 + seeds.size() * 512);  // so that nothing of it is left behind
  for (const kex::Seed& seed : seeds) {
    text += "\n[[seed]]\nversion = " + std::to_string(seed.version) + "\nvalue = \"";
    std::string digits = to_hex(seed.value.reveal());
    text += digits + "\"\n";
    cleanse({reinterpret_cast<std::uint8_t*>(digits.data()), digits.size()});
    if (seed.from.count() > 0) text += "from = " + toml_string(kex::format_date_time(seed.from)) + "\n";
    if (!seed.contents.empty()) text += "contents = " + toml_strings(seed.contents) + "\n";
  }
  const Status written = write_file_durably(file, as_bytes(text));
  cleanse({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return written;
}

Result<kex::Seed> draw_seed(std::uint16_t version, Random& random) {
  kex::Seed seed;
  seed.version = version;
  CAS_TRY_ASSIGN(seed.value, random_secret(random, kex::seed_size));
  return seed;
}

}  // namespace cas::kms_program
