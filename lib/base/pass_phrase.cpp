// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/pass_phrase.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/durable_file.hpp"

namespace cas {

namespace {

constexpr std::string_view file_scheme = "file:";
constexpr std::string_view env_scheme = "env:";

Result<SecretBytes> checked(ByteView phrase, const std::string& source) {
  if (phrase.empty()) return fail(ErrorKind::invalid_argument, "the pass phrase in " + source + " is empty");
  if (phrase.size() > max_pass_phrase_size)
    return fail(ErrorKind::invalid_argument,
                "the pass phrase in " + source + " is longer than " + std::to_string(max_pass_phrase_size) + " bytes");
  return SecretBytes::copy_of(phrase);
}

// Reads until the buffer is full, a line has ended, or the file has.
Result<std::size_t> read_line(int file, MutableByteView buffer, const std::string& path) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t got = ::read(file, buffer.data() + filled, buffer.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_with_errno(errno, "read the pass phrase in", path);
    if (got == 0) break;
    const auto* end = std::find(buffer.data() + filled, buffer.data() + filled + got, std::uint8_t{'\n'});
    if (end != buffer.data() + filled + got) return static_cast<std::size_t>(end - buffer.data());
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

Result<SecretBytes> from_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail_with_errno(errno, "open the pass phrase file", path);
  SecretBytes buffer(max_pass_phrase_size + 2);  // room for a CR, and for one byte that shows that it is too long
  const auto size = read_line(file, buffer.reveal_mutable(), path);
  ::close(file);
  if (!size) return fail(size.error());
  ByteView line = buffer.reveal().first(*size);
  if (!line.empty() && line.back() == '\r') line = line.first(line.size() - 1);
  return checked(line, "file " + path);
}

Result<SecretBytes> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr)
    return fail(ErrorKind::not_found,
                "the environment variable " + name + ", which should hold the pass phrase, is not set");
  return checked(as_bytes(value), "environment variable " + name);
}

}  // namespace

Result<SecretBytes> read_pass_phrase(std::string_view source) {
  // A name with a zero in it would name something else to the operating system.
  const bool has_zero = source.find('\0') != std::string_view::npos;
  if (!has_zero && source.starts_with(file_scheme) && source.size() > file_scheme.size())
    return from_file(std::string(source.substr(file_scheme.size())));
  if (!has_zero && source.starts_with(env_scheme) && source.size() > env_scheme.size())
    return from_environment(std::string(source.substr(env_scheme.size())));
  // The text is not repeated: it may be the pass phrase itself, given in the wrong place.
  return fail(ErrorKind::invalid_argument, "the source of a pass phrase is file:PATH or env:NAME, and this is neither");
}

}  // namespace cas
