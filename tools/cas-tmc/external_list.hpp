// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <optional>

#include "base/error.hpp"
#include "smartpro/revocation_list.hpp"

namespace cas::tmc {

/// ErrorKind::not_found when there is no root in that folder, so that a wrong name is not taken for a root that has
/// revoked nothing.
[[nodiscard]] Status check_is_root(const std::filesystem::path& root_folder);

/// The newest external revocation list of the root in that folder (its file "erl"), verified with the root's revocation
/// key; nothing when there is none yet, or no root.
[[nodiscard]] Result<std::optional<smartpro::RevocationList>> load_external_list(
    const std::filesystem::path& root_folder);
/// Keeps it there.
[[nodiscard]] Status save_external_list(const std::filesystem::path& root_folder, const smartpro::RevocationList& list);

}  // namespace cas::tmc
