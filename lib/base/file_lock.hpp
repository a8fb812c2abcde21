// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>

#include "base/error.hpp"

namespace cas {

/// Keeps other processes away from a file that is replaced by renaming, as long as the object lives: an flock(2) on
/// PATH.lock, which stays there. The kernel lets go of it when the process ends, however it ends.
class FileLock {
 public:
  /// ErrorKind::io when it is held already, "PATH is in use by another process"; never waits.
  [[nodiscard]] static Result<FileLock> acquire(const std::filesystem::path& path);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;

 private:
  explicit FileLock(int file) : file_(file) {}
  int file_;
};

}  // namespace cas
