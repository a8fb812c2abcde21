// SPDX-License-Identifier: LGPL-2.1-or-later
// Loaded into a program (LD_PRELOAD) that is to lose nothing that it has synced: puts into $CAS_TEST_UNSYNCED_JOURNAL
// what each write to a file replaces, until the file is synced, so that a test can take back what a power cut may take.
// Syncs cost nothing here. What names files (create, rename, unlink) counts as done at once, as file systems do that
// keep a journal of it in order; stdio and memory that is mapped from files are not watched.
// Both names of each function are defined here: the one must not stand for the other.
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "unsynced_writes_journal.hpp"

namespace {

using cas::test::padded;
using cas::test::UnsyncedJournal;
using cas::test::UnsyncedKind;
using cas::test::UnsyncedRecord;

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

[[noreturn]] void die(const char* why) {
  ::dprintf(STDERR_FILENO, "unsynced_writes: %s\n", why);
  ::abort();
}

/// A journal that a program was started with and cannot have would show nothing lost.
UnsyncedJournal* open_journal() {
  const char* const path = std::getenv("CAS_TEST_UNSYNCED_JOURNAL");
  if (path == nullptr) return nullptr;
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) die("cannot open the journal");
  void* const memory = ::mmap(nullptr, UnsyncedJournal::file_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) die("cannot map the journal");
  auto* const journal = static_cast<UnsyncedJournal*>(memory);
  if (journal->magic != UnsyncedJournal::magic_number) die("this is no journal");
  return journal;
}

UnsyncedJournal* journal() {
  static UnsyncedJournal* const opened = open_journal();
  return opened;
}

class Lock {
 public:
  explicit Lock(UnsyncedJournal& journal) : journal_(journal) {
    if (::pthread_mutex_lock(&journal_.lock) == EOWNERDEAD) ::pthread_mutex_consistent(&journal_.lock);
  }
  ~Lock() { ::pthread_mutex_unlock(&journal_.lock); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  UnsyncedJournal& journal_;
};

/// A file whose writes are watched: a regular one, and not the program's log.
bool is_watched(int file, struct stat& about) {
  return file > STDERR_FILENO && journal() != nullptr && ::fstat(file, &about) == 0 && S_ISREG(about.st_mode);
}

/// Behind the lock: `record`, with `record.kept` bytes of the file from `record.offset` on.
void append(UnsyncedRecord record, int file) {
  UnsyncedJournal& to = *journal();
  const std::uint64_t used = to.used.load();
  if (sizeof to + used + sizeof record + padded(record.kept) > UnsyncedJournal::file_size) die("the journal is full");
  std::uint8_t* const at = reinterpret_cast<std::uint8_t*>(&to + 1) + used;
  std::uint64_t kept = 0;
  while (kept < record.kept) {
    const ssize_t got =
        ::pread64(file, at + sizeof record + kept, record.kept - kept, static_cast<off64_t>(record.offset + kept));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    kept += static_cast<std::uint64_t>(got);
  }
  if (kept < record.kept) {
    // A file that was opened for writing alone.
    const int readable = ::open(("/proc/self/fd/" + std::to_string(file)).c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t got =
        readable < 0 ? -1 : ::pread64(readable, at + sizeof record, record.kept, static_cast<off64_t>(record.offset));
    if (readable >= 0) ::close(readable);
    if (got != static_cast<ssize_t>(record.kept)) die("cannot read what a write replaces");
  }
  std::memcpy(at, &record, sizeof record);
  to.used = used + sizeof record + padded(record.kept);
}

/// Behind the lock, and before the write.
void note_write(int file, const struct stat& about, std::uint64_t offset, std::uint64_t size) {
  const auto old_size = static_cast<std::uint64_t>(about.st_size);
  const std::uint64_t kept = offset < old_size ? std::min(size, old_size - offset) : 0;
  append({UnsyncedKind::write, static_cast<std::uint32_t>(kept), about.st_ino, offset, size, old_size}, file);
  ++journal()->writes;
}

void note_settled(const struct stat& about) { append({UnsyncedKind::settle, 0, about.st_ino, 0, 0, 0}, -1); }

template <typename Write>
ssize_t write_noted(int file, const Write& write, std::uint64_t size, const off64_t* at) {
  struct stat about;
  if (!is_watched(file, about)) return write();
  const Lock lock(*journal());
  ::fstat(file, &about);
  off64_t offset = 0;
  const int flags = ::fcntl(file, F_GETFL);
  if (at != nullptr)
    offset = *at;
  else if ((flags & O_APPEND) != 0)
    offset = about.st_size;
  else
    offset = ::lseek64(file, 0, SEEK_CUR);
  note_write(file, about, static_cast<std::uint64_t>(offset), size);
  const ssize_t written = write();
  const int error = errno;
  if ((flags & O_DSYNC) != 0) note_settled(about);
  errno = error;
  return written;
}

template <typename Cut>
int cut_noted(int file, const Cut& cut, off64_t size) {
  struct stat about;
  if (!is_watched(file, about)) return cut();
  const Lock lock(*journal());
  ::fstat(file, &about);
  const std::uint64_t kept = size < about.st_size ? static_cast<std::uint64_t>(about.st_size - size) : 0;
  append({UnsyncedKind::resize, static_cast<std::uint32_t>(kept), about.st_ino, static_cast<std::uint64_t>(size), 0,
          static_cast<std::uint64_t>(about.st_size)},
         file);
  return cut();
}

int sync_noted(int file) {
  struct stat about;
  if (!is_watched(file, about)) return ::fcntl(file, F_GETFD) < 0 ? -1 : 0;
  const Lock lock(*journal());
  note_settled(about);
  ++journal()->syncs;
  return 0;
}

/// What is about to lose its name, or to be emptied, by an action that counts as done at once.
template <typename Action>
int settle_and(const char* path, const Action& action) {
  struct stat about;
  if (journal() == nullptr || ::stat(path, &about) != 0 || !S_ISREG(about.st_mode)) return action();
  const Lock lock(*journal());
  const int result = action();
  const int error = errno;
  if (result >= 0 && about.st_nlink <= 1) note_settled(about);
  errno = error;
  return result;
}

std::uint64_t total(const iovec* parts, int count) {
  std::uint64_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  return size;
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* bytes, size_t size) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return write_noted(
      file, [&] { return real(file, bytes, size); }, size, nullptr);
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return write_noted(
      file, [&] { return real(file, bytes, size, offset); }, size, &offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t offset) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return write_noted(
      file, [&] { return real(file, bytes, size, offset); }, size, &offset);
}

ssize_t writev(int file, const iovec* parts, int count) {
  static const auto real = next<ssize_t (*)(int, const iovec*, int)>("writev");
  return write_noted(
      file, [&] { return real(file, parts, count); }, total(parts, count), nullptr);
}

ssize_t pwritev(int file, const iovec* parts, int count, off_t offset) {
  static const auto real = next<ssize_t (*)(int, const iovec*, int, off_t)>("pwritev");
  return write_noted(
      file, [&] { return real(file, parts, count, offset); }, total(parts, count), &offset);
}

ssize_t pwritev64(int file, const iovec* parts, int count, off64_t offset) {
  static const auto real = next<ssize_t (*)(int, const iovec*, int, off64_t)>("pwritev64");
  return write_noted(
      file, [&] { return real(file, parts, count, offset); }, total(parts, count), &offset);
}

int ftruncate(int file, off_t size) noexcept {
  static const auto real = next<int (*)(int, off_t)>("ftruncate");
  return cut_noted(
      file, [&] { return real(file, size); }, size);
}

int ftruncate64(int file, off64_t size) noexcept {
  static const auto real = next<int (*)(int, off64_t)>("ftruncate64");
  return cut_noted(
      file, [&] { return real(file, size); }, size);
}

int fsync(int file) { return sync_noted(file); }
int fdatasync(int file) { return sync_noted(file); }

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return settle_and(to, [&] { return real(from, to); });
}

int unlink(const char* path) noexcept {
  static const auto real = next<int (*)(const char*)>("unlink");
  return settle_and(path, [&] { return real(path); });
}

int truncate(const char* path, off_t size) noexcept {
  static const auto real = next<int (*)(const char*, off_t)>("truncate");
  return settle_and(path, [&] { return real(path, size); });
}

#define CAS_OPEN(name)                                                    \
  int name(const char* path, int flags, ...) {                            \
    static const auto real = next<int (*)(const char*, int, ...)>(#name); \
    mode_t mode = 0;                                                      \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                           \
      va_list more;                                                       \
      va_start(more, flags);                                              \
      mode = va_arg(more, mode_t);                                        \
      va_end(more);                                                       \
    }                                                                     \
    if ((flags & O_TRUNC) == 0) return real(path, flags, mode);           \
    return settle_and(path, [&] { return real(path, flags, mode); });     \
  }
CAS_OPEN(open)
CAS_OPEN(open64)
#undef CAS_OPEN

}  // extern "C"
