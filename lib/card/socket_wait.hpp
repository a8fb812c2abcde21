// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Internal to card/, not installed: descriptors, and waiting for them until a time, or until somebody asks to stop.

#include <unistd.h>

#include <chrono>
#include <stop_token>
#include <string>
#include <utility>

namespace cas::card {

/// "Connection refused", for a value of errno.
[[nodiscard]] std::string system_error_text(int number);

/// Owns a descriptor, or none (-1).
class FileDescriptor {
 public:
  explicit FileDescriptor(int number = -1) : number_(number) {}
  ~FileDescriptor() {
    if (number_ >= 0) ::close(number_);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] bool valid() const { return number_ >= 0; }

 private:
  int number_;
};

enum class Waited { ready, timed_out, stopped };

/// Waits on a socket, and for the stop, which arrives through an eventfd from whichever thread requests it. One thread
/// waits at a time.
class Waiter {
 public:
  explicit Waiter(const std::stop_token& stop);
  /// False when the system gave no eventfd: errno says why, and nothing can be waited for.
  [[nodiscard]] bool valid() const { return wake_.valid(); }

  /// `socket` may be -1: only the time and the stop count. `events` as in poll(2). A negative time has no end.
  [[nodiscard]] Waited wait(int socket, short events, std::chrono::milliseconds time) const;

 private:
  struct Wake {
    int descriptor;
    void operator()() const;
  };
  FileDescriptor wake_;
  std::stop_callback<Wake> on_stop_;
};

}  // namespace cas::card
