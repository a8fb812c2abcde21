// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/durable_file.hpp"

namespace cas {

Result<FileLock> FileLock::acquire(const std::filesystem::path& path) {
  // On the file itself the lock would stay with the content that the first rename puts aside.
  const std::filesystem::path lock_path(path.native() + ".lock");
  const int file = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return fail_with_errno(errno, "open", lock_path);
  FileLock lock(file);
  int result = ::flock(file, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR) result = ::flock(file, LOCK_EX | LOCK_NB);
  if (result == 0) return lock;
  if (errno == EWOULDBLOCK)
    return fail(ErrorKind::io,
                path.string() + " is in use by another process: end that one first, or use another file");
  return fail_with_errno(errno, "lock", lock_path);
}

FileLock::~FileLock() {
  if (file_ >= 0) ::close(file_);
}

FileLock::FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  FileLock taken(std::move(other));
  std::swap(file_, taken.file_);  // what was held here goes with `taken`
  return *this;
}

}  // namespace cas
