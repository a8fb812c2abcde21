// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "input.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/protected_file.hpp"
#include "smartpro/transfer_package.hpp"

namespace cas::inspect {

/// How far to look.
struct Depth {
  bool list_licences = false;     ///< Every period's licence, not the first alone.
  bool verify_structure = false;  ///< Read and check every licence slot.
};

/// A licence as it stands in the file. Its terms are what it claims: a token alone can verify them.
struct InspectedLicence {
  std::uint32_t period = 0;
  std::uint64_t offset = 0;  ///< Of its slot.
  std::size_t size = 0;
  std::optional<smartpro::LicenceView> terms;  ///< Nothing: it cannot be read. The views in it are not valid.
  std::vector<smartpro::Cdi> destinations;     ///< Of a transfer package; the other side of the way back.
};

/// All that can be said of a protected file without a token.
struct Inspection {
  smartpro::ReadHeader start;
  std::optional<std::uint64_t> file_size;  ///< Nothing: a pipe.
  std::optional<smartpro::FileLayout::Extent> extent;
  std::optional<std::uint64_t> key_periods;  ///< With a licence slot of their own, as far as the size tells.
  std::uint64_t slots_checked = 0;
  std::vector<InspectedLicence> licences;
  std::uint64_t licences_left_out = 0;
  std::vector<std::string> problems;
  std::uint64_t problems_left_out = 0;

  [[nodiscard]] bool is_sound() const { return problems.empty(); }
};

/// Reads header and licence slots, never content. Fails when it is not a protected file, when nothing can be told of
/// it, or when it cannot be read; damage behind the header is told in Inspection::problems.
[[nodiscard]] Result<Inspection> inspect(Input& input, const Depth& depth);

}  // namespace cas::inspect
