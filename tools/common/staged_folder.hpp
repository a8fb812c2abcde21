// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <optional>

#include "base/error.hpp"
#include "base/file_lock.hpp"

namespace cas::tools {

/// A folder that appears whole or not at all: it is filled as FOLDER.unfinished and then renamed. What a process left
/// there that was killed is cleared away by the next one. One process at a time.
class StagedFolder {
 public:
  /// ErrorKind::refused when `folder` is there already and not empty; io when another process is filling it.
  [[nodiscard]] static Result<StagedFolder> begin(const std::filesystem::path& folder);
  ~StagedFolder();
  StagedFolder(StagedFolder&& other) noexcept;
  StagedFolder& operator=(StagedFolder&&) = delete;

  /// Where to put what the folder shall hold, durably.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Gives the folder its name.
  [[nodiscard]] Status commit();

 private:
  StagedFolder(std::filesystem::path folder, std::filesystem::path path, FileLock lock);

  std::filesystem::path folder_;
  std::filesystem::path path_;
  std::optional<FileLock> lock_;  ///< Nothing after commit and in an object that was moved from.
};

}  // namespace cas::tools
