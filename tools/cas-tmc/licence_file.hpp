// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::tmc {

/// Replaces the licences of a protected file in place, and gives how many were replaced: those that `reissue` gives
/// another licence for.
///
/// The new slots are written beside the file first (FILE.licences), whole and durably, and then into it: whatever stops
/// this, the file has its old licences, or the next call completes the new ones. Errors of `reissue` leave the file as
/// it was. ErrorKind::malformed where the file is no protected one, and where what a stopped call has left beside it is
/// of another file.
[[nodiscard]] Result<std::size_t> replace_licences(const std::filesystem::path& file,
                                                   const std::function<Result<Bytes>(ByteView lecm)>& reissue);

/// A slot that waits beside its file.
struct JournalSlot {
  std::uint64_t offset = 0;
  ByteView content;  ///< Of the journal.
};
/// What FILE.licences holds: a slot of that file each. ErrorKind::malformed when it is of another file, or would change
/// anything else than licences; truncated.
[[nodiscard]] Result<std::vector<JournalSlot>> parse_licence_journal(ByteView journal,
                                                                     const smartpro::ReadHeader& header,
                                                                     const smartpro::FileLayout& layout,
                                                                     std::uint64_t file_size);

}  // namespace cas::tmc
