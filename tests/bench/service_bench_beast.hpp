// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace cas::bench {

/// The peer of lib/service: Boost.Beast's own streams on Boost.Asio, as its examples use them, with limits of size and
/// time. Answers each GET with the same body, on a thread of its own.
class BeastServer {
 public:
  /// Files of TLS, or empty names. Throws when it cannot listen.
  BeastServer(const std::string& body, const std::string& certificate_file, const std::string& key_file);
  ~BeastServer();
  BeastServer(const BeastServer&) = delete;
  BeastServer& operator=(const BeastServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// Of the server's thread so far.
  [[nodiscard]] double cpu_seconds() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cas::bench
