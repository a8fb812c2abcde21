// SPDX-License-Identifier: LGPL-2.1-or-later
#include "input.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace cas::inspect {

namespace {

tl::unexpected<Error> fail_system(const char* what) {
  const int number = errno;
  const ErrorKind kind = number == ENOENT                      ? ErrorKind::not_found
                         : number == EACCES || number == EPERM ? ErrorKind::permission_denied
                                                               : ErrorKind::io;
  return fail(kind, std::string(what) + ": " + std::generic_category().message(number));
}

/// Fills `to` from the current position, or from `offset`; less only at the end.
Result<std::size_t> read_fully(int descriptor, MutableByteView to, std::optional<std::uint64_t> offset) {
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t count =
        offset ? ::pread(descriptor, to.data() + done, to.size() - done, static_cast<off_t>(*offset + done))
               : ::read(descriptor, to.data() + done, to.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_system("it cannot be read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace

Result<Input> Input::open(const std::string& path) {
  const bool standard_input = path == "-";
  const int descriptor = standard_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail_system("it cannot be opened");
  Input input(descriptor, !standard_input, std::nullopt);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return fail_system("it cannot be opened");
  if (S_ISDIR(status.st_mode)) return fail(ErrorKind::io, "it is a directory");
  if (S_ISREG(status.st_mode)) input.size_ = static_cast<std::uint64_t>(status.st_size);
  return input;
}

Input::Input(Input&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      owned_(std::exchange(other.owned_, false)),
      size_(other.size_),
      buffer_(std::move(other.buffer_)) {}

Input::~Input() {
  if (owned_) ::close(descriptor_);
}

Result<ByteView> Input::read_at(std::uint64_t offset, std::size_t size) {
  if (size_) {
    buffer_.resize(offset < *size_ ? static_cast<std::size_t>(std::min<std::uint64_t>(size, *size_ - offset)) : 0);
    CAS_TRY_ASSIGN(const std::size_t count, read_fully(descriptor_, buffer_, offset));
    return ByteView(buffer_).first(count);
  }
  const std::uint64_t end = offset + size;
  if (const std::size_t have = buffer_.size(); end > have) {
    buffer_.resize(static_cast<std::size_t>(end));
    const auto count = read_fully(descriptor_, MutableByteView(buffer_).subspan(have), std::nullopt);
    buffer_.resize(have + count.value_or(0));
    if (!count) return fail(count.error());
  }
  if (offset >= buffer_.size()) return ByteView();
  const ByteView from = ByteView(buffer_).subspan(static_cast<std::size_t>(offset));
  return from.first(std::min(size, from.size()));
}

Result<std::uint64_t> Input::size() {
  if (!size_) return fail(ErrorKind::unsupported, "the size of a pipe is not known before its end");
  return *size_;
}

}  // namespace cas::inspect
