// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace cas {

/// What a durable write asks of the operating system. Tests put a disk behind it that fails, or loses power, at any
/// step. Errors are not_found, permission_denied, exhausted (no room) and io, and name the file. Any thread.
class FileOperations {
 public:
  virtual ~FileOperations() = default;
  /// Creates a file that must not exist yet, for writing; follows no symbolic link. Gives a descriptor.
  [[nodiscard]] virtual Result<int> create(const std::filesystem::path& path, mode_t mode) = 0;
  /// Writes all of `bytes`.
  [[nodiscard]] virtual Status write(int file, ByteView bytes) = 0;
  /// Returns when what was written is on the medium.
  [[nodiscard]] virtual Status sync(int file) = 0;
  /// The descriptor is gone even when this fails.
  [[nodiscard]] virtual Status close(int file) = 0;
  [[nodiscard]] virtual Status rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  /// Returns when the names in the folder are on the medium.
  [[nodiscard]] virtual Status sync_folder(const std::filesystem::path& folder) = 0;
  [[nodiscard]] virtual Status remove(const std::filesystem::path& path) = 0;
};

/// The operating system's. Lives as long as the process.
[[nodiscard]] FileOperations& system_file_operations();

/// Replaces the file at `path`, or makes it, so that whatever happens it holds its old content or `bytes`, whole:
/// writes a file beside it, syncs, renames, syncs the folder. On success the new content survives a power cut; after an
/// error either may be there. A symbolic link at `path` is replaced, not followed. Two writers at once: the later
/// rename wins.
[[nodiscard]] Status write_file_durably(const std::filesystem::path& path, ByteView bytes, mode_t mode = 0600,
                                        FileOperations& files = system_file_operations());

/// Removes what writes of `path` left beside it when they were cut off. The caller knows that no write is under way.
void remove_unfinished_writes(const std::filesystem::path& path, FileOperations& files = system_file_operations());

/// The content of a regular file of at most `max_size` bytes; a larger one fails with ErrorKind::exhausted before
/// memory is taken for it.
[[nodiscard]] Result<Bytes> read_file(const std::filesystem::path& path, std::size_t max_size);

/// The failure of an operation of the operating system: its kind after `error_number`, "cannot WHAT PATH: reason".
[[nodiscard]] tl::unexpected<Error> fail_with_errno(int error_number, const char* what,
                                                    const std::filesystem::path& path);

}  // namespace cas
