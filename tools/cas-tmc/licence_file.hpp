// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas::tmc {

/// Replaces the licences of a protected file in place, and gives how many were replaced: those that `reissue` gives another licence for.
///
/// The new slots are written beside the file first (FILE.licences), whole and durably, and then into it: whatever stops this, the file has its old licences, or
/// the next call completes the new ones. Errors of `reissue` leave the file as it was.
[[nodiscard]] Result<std::size_t> replace_licences(const std::filesystem::path& file, const std::function<Result<Bytes>(ByteView lecm)>& reissue);

}  // namespace cas::tmc
