// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "kex/key_derivation.hpp"

namespace cas::kms_program {

/// seeds.toml, mode 0600: what derived keys come from. All servers that are to answer alike have the same.
///
///   [[seed]]
///   version = 1
///   value = "64 hexadecimal digits"
///   from = "2027-01-01T00:00:00Z"      for content from this time on; left out: of the first
///   contents = ["2027-*"]              and for these contents alone, whatever their time
[[nodiscard]] Result<std::vector<kex::Seed>> read_seeds(const std::filesystem::path& file);
/// Durably, as a whole.
[[nodiscard]] Status write_seeds(const std::filesystem::path& file, const std::vector<kex::Seed>& seeds);
/// A random one.
[[nodiscard]] Result<kex::Seed> draw_seed(std::uint16_t version, Random& random);

}  // namespace cas::kms_program
