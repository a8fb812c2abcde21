// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace cas {

namespace {

namespace fs = std::filesystem;

ErrorKind kind_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR: return ErrorKind::not_found;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorKind::permission_denied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return ErrorKind::exhausted;
    default: return ErrorKind::io;
  }
}

// A signal may interrupt a call before it has done anything.
template <typename Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// Closes a descriptor when the scope ends.
class Descriptor {
 public:
  explicit Descriptor(int file) : file_(file) {}
  ~Descriptor() {
    if (file_ >= 0) ::close(file_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return file_; }

 private:
  int file_;
};

class SystemFileOperations final : public FileOperations {
 public:
  Result<int> create(const fs::path& path, mode_t mode) override {
    const int file = retry_interrupted(
        [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode); });
    if (file < 0) return fail_with_errno(errno, "create", path);
    return file;
  }

  Status write(int file, ByteView bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = retry_interrupted([&] { return ::write(file, bytes.data(), bytes.size()); });
      if (written < 0) return fail_with_errno(errno, "write", "a file");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

  Status sync(int file) override {
    if (retry_interrupted([&] { return ::fsync(file); }) != 0) return fail_with_errno(errno, "sync", "a file");
    return {};
  }

  Status close(int file) override {
    // Linux has released the descriptor even when it reports EINTR.
    if (::close(file) != 0 && errno != EINTR) return fail_with_errno(errno, "close", "a file");
    return {};
  }

  Status rename(const fs::path& from, const fs::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_with_errno(errno, "replace", to);
    return {};
  }

  Status sync_folder(const fs::path& folder) override {
    const Descriptor opened(
        retry_interrupted([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (opened.get() < 0) return fail_with_errno(errno, "open folder", folder);
    // Some network file systems keep names durable by themselves and answer EINVAL.
    if (retry_interrupted([&] { return ::fsync(opened.get()); }) != 0 && errno != EINVAL)
      return fail_with_errno(errno, "sync folder", folder);
    return {};
  }

  Status remove(const fs::path& path) override {
    if (::unlink(path.c_str()) != 0) return fail_with_errno(errno, "remove", path);
    return {};
  }
};

constexpr char unfinished_mark[] = ".unfinished-";

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// A name that no other write of this process has, and no file of another process may have (creation is exclusive).
fs::path unfinished_name(const fs::path& path) {
  static std::atomic<unsigned> count{0};
  return fs::path(path.native() + unfinished_mark + std::to_string(::getpid()) + "-" + std::to_string(count++));
}

struct UnfinishedFile {
  fs::path path;
  int descriptor = -1;
};

Result<UnfinishedFile> create_unfinished(const fs::path& path, mode_t mode, FileOperations& files) {
  constexpr int attempts = 100;  // leftovers of a process that had our number
  for (int attempt = 1;; ++attempt) {
    fs::path name = unfinished_name(path);
    auto file = files.create(name, mode);
    if (file) return UnfinishedFile{std::move(name), *file};
    std::error_code ignored;
    if (attempt == attempts || !fs::exists(fs::symlink_status(name, ignored))) return fail(std::move(file).error());
  }
}

Status fill_and_close(const UnfinishedFile& unfinished, ByteView bytes, FileOperations& files) {
  Status status = files.write(unfinished.descriptor, bytes);
  // The data must be down before the name points at it, or a power cut leaves an empty file under the old name.
  if (status) status = files.sync(unfinished.descriptor);
  const Status closed = files.close(unfinished.descriptor);
  return status ? closed : status;
}

}  // namespace

FileOperations& system_file_operations() {
  static SystemFileOperations operations;
  return operations;
}

Status write_file_durably(const fs::path& path, ByteView bytes, mode_t mode, FileOperations& files) {
  CAS_TRY_ASSIGN(const UnfinishedFile unfinished, create_unfinished(path, mode, files));
  Status status = fill_and_close(unfinished, bytes, files);
  if (status) status = files.rename(unfinished.path, path);
  if (!status) {
    (void)files.remove(unfinished.path);  // the first failure is the one to tell
    return fail_in("cannot write " + path.string(), std::move(status).error());
  }
  return files.sync_folder(folder_of(path));
}

void remove_unfinished_writes(const fs::path& path, FileOperations& files) {
  const std::string start = path.filename().string() + unfinished_mark;
  std::error_code error;
  for (fs::directory_iterator entry(folder_of(path), error), end; !error && entry != end; entry.increment(error))
    if (entry->path().filename().string().starts_with(start)) (void)files.remove(entry->path());
}

Result<Bytes> read_file(const fs::path& path, std::size_t max_size) {
  const Descriptor opened(retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (opened.get() < 0) return fail_with_errno(errno, "open", path);
  struct stat about {};
  if (::fstat(opened.get(), &about) != 0) return fail_with_errno(errno, "examine", path);
  if (!S_ISREG(about.st_mode)) return fail(ErrorKind::invalid_argument, path.string() + " is no regular file");
  if (static_cast<std::uintmax_t>(about.st_size) > max_size)
    return fail(ErrorKind::exhausted, path.string() + " is larger than the " + std::to_string(max_size) +
                                          " bytes that are read of such a file");
  Bytes content(static_cast<std::size_t>(about.st_size));
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t got =
        retry_interrupted([&] { return ::read(opened.get(), content.data() + filled, content.size() - filled); });
    if (got < 0) return fail_with_errno(errno, "read", path);
    if (got == 0) break;  // somebody has cut the file meanwhile: its reader will say what is missing
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

tl::unexpected<Error> fail_with_errno(int error_number, const char* what, const fs::path& path) {
  return fail(kind_of_errno(error_number), std::string("cannot ") + what + " " + path.string() + ": " +
                                               std::generic_category().message(error_number));
}

}  // namespace cas
