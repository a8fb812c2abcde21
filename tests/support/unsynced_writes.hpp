// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/error.hpp"

namespace cas::test {

struct UnsyncedJournal;

/// A power cut for programs, whatever they keep their data with: they run with unsynced_writes_preload.cpp, which notes
/// what each of their writes replaces, and once they have been killed, what they had not synced is taken back.
class UnsyncedWrites {
 public:
  /// What a power cut leaves of that which was not synced.
  enum class Left {
    nothing,
    first_half,  ///< Of all writes, in their order.
    scattered,   ///< Each sector of 512 bytes as it was before any of its writes, or after any of them.
  };

  /// With `preload`, the library, and its journal in `folder`, whose path has no blank (LD_PRELOAD takes none), and which
  /// the programs' user can write to. The folder stays there for as long as this.
  [[nodiscard]] static Result<UnsyncedWrites> watch(const std::filesystem::path& preload,
                                                    const std::filesystem::path& folder);
  ~UnsyncedWrites();
  UnsyncedWrites(UnsyncedWrites&& other) noexcept;
  UnsyncedWrites& operator=(UnsyncedWrites&&) = delete;

  /// What the programs are to have in their environment.
  [[nodiscard]] std::map<std::string, std::string> environment() const;

  /// When none of the programs runs any more: brings the files in `data` and below into a state in which they may be
  /// found when the power is back. `seed` decides what is scattered. How many writes there were to lose.
  [[nodiscard]] Result<std::size_t> lose(const std::filesystem::path& data, Left left, std::uint32_t seed = 1);

  /// Of the programs so far: none has run as it should while these are 0.
  [[nodiscard]] std::uint64_t writes() const;
  [[nodiscard]] std::uint64_t syncs() const;

 private:
  UnsyncedWrites() = default;

  std::filesystem::path library_, journal_file_;
  UnsyncedJournal* journal_ = nullptr;
};

}  // namespace cas::test
