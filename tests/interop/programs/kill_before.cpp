// SPDX-License-Identifier: LGPL-2.1-or-later
// Loaded into a program (LD_PRELOAD), kills it before its Nth change to a folder: CAS_TEST_KILL_BEFORE=N. What a file
// holds changes by rename or, where licences are replaced in place, by pwrite: the latter is killed in its middle. So
// the states between two such changes are all the states in which a program can leave its files.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

bool is_change_to_kill_at() {
  static std::atomic<long> changes{0};
  static const char* const wanted = std::getenv("CAS_TEST_KILL_BEFORE");
  return wanted != nullptr && ++changes == std::strtol(wanted, nullptr, 10);
}

void count_change() {
  if (is_change_to_kill_at()) ::raise(SIGKILL);
}

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int rename(const char* from, const char* to) noexcept {
  count_change();
  return next<int (*)(const char*, const char*)>("rename")(from, to);
}

int link(const char* from, const char* to) noexcept {
  count_change();
  return next<int (*)(const char*, const char*)>("link")(from, to);
}

int unlink(const char* path) noexcept {
  count_change();
  return next<int (*)(const char*)>("unlink")(path);
}

int remove(const char* path) noexcept {
  count_change();
  return next<int (*)(const char*)>("remove")(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  count_change();
  return next<int (*)(const char*, mode_t)>("mkdir")(path, mode);
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t offset) {
  const auto write = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  if (!is_change_to_kill_at()) return write(file, bytes, size, offset);
  [[maybe_unused]] const ssize_t half = write(file, bytes, size / 2, offset);
  ::raise(SIGKILL);
  return -1;
}

}  // extern "C"
