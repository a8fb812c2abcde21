// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <openssl/ssl.h>
#include <pthread.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace cas::bench {

/// A thread whose processor time can be read from outside.
class TimedThread {
 public:
  void start(std::function<void()> run) { thread_ = std::thread(std::move(run)); }
  void join() { thread_.join(); }
  [[nodiscard]] double cpu_seconds() const;

 private:
  mutable std::thread thread_;
};

/// Clients with one connection each that stay connected: all ask, then all wait, and so on. Ends the program when an
/// answer is not what the first one was.
class HttpLoad {
 public:
  HttpLoad(std::uint16_t port, bool secure, std::size_t connections);
  ~HttpLoad();
  HttpLoad(const HttpLoad&) = delete;
  HttpLoad& operator=(const HttpLoad&) = delete;

  /// That many requests on each connection.
  void run(std::size_t requests);

 private:
  struct Connection;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::size_t answer_size_ = 0;
};

}  // namespace cas::bench
