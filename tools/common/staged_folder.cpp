// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/staged_folder.hpp"

#include <string>
#include <system_error>
#include <utility>

#include "base/durable_file.hpp"

namespace cas::tools {

namespace {

namespace fs = std::filesystem;

// Within the folder, so that nothing stays beside it.
constexpr const char* lock_name = "making";

fs::path without_trailing_slash(const fs::path& folder) {
  const fs::path normal = folder.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

Status clear_all_but_lock(const fs::path& path) {
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().filename() != std::string(lock_name) + ".lock") fs::remove_all(entry->path(), error);
  if (error) return fail(ErrorKind::io, "cannot clear " + path.string() + ": " + error.message());
  return {};
}

tl::unexpected<Error> taken(const fs::path& folder) {
  return fail(ErrorKind::refused,
              folder.string() + " is there already and is not overwritten: remove it first, or name another folder");
}

}  // namespace

StagedFolder::StagedFolder(fs::path folder, fs::path path, FileLock lock)
    : folder_(std::move(folder)), path_(std::move(path)), lock_(std::move(lock)) {}

StagedFolder::StagedFolder(StagedFolder&& other) noexcept
    : folder_(std::move(other.folder_)),
      path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, std::nullopt)) {}

StagedFolder::~StagedFolder() {
  if (!lock_) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Result<StagedFolder> StagedFolder::begin(const fs::path& wanted) {
  const fs::path folder = without_trailing_slash(wanted);
  std::error_code error;
  if (fs::exists(fs::symlink_status(folder, error)) &&
      !(fs::is_directory(folder, error) && fs::is_empty(folder, error)))
    return taken(folder);
  const fs::path path(folder.native() + ".unfinished");
  fs::create_directories(path, error);
  if (error) return fail(ErrorKind::io, "cannot make the folder " + path.string() + ": " + error.message());
  CAS_TRY_ASSIGN(FileLock lock, FileLock::acquire(path / lock_name));
  StagedFolder staged(folder, path, std::move(lock));
  CAS_TRY(clear_all_but_lock(path));
  return staged;
}

Status StagedFolder::commit() {
  std::error_code error;
  fs::rename(path_, folder_, error);  // takes the place of an empty folder, and of nothing else
  if (error == std::errc::directory_not_empty || error == std::errc::file_exists) return taken(folder_);
  if (error) return fail(ErrorKind::io, "cannot make " + folder_.string() + ": " + error.message());
  // Not before: another process would take the folder for one that was left, and clear it.
  fs::remove(folder_ / (std::string(lock_name) + ".lock"), error);
  lock_.reset();
  const fs::path parent = folder_.has_parent_path() ? folder_.parent_path() : fs::path(".");
  return system_file_operations().sync_folder(parent);
}

}  // namespace cas::tools
