// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace cas::test {

/// A pcscd of our own with virtual readers (vsmartcard's vpcd), beside any that the system runs: it is started by
/// socket activation on a socket in a fresh directory, reads a configuration of its own, and ends with this object or
/// process.
///
/// The client library reads the socket's name (PCSCLITE_CSOCK_NAME) once in the life of a process. So all daemons that
/// one process starts, one after another, have the same socket name, and only one can run at a time.
///
/// Needs the right to write /run/pcscd, which in practice is root.
class PrivatePcscd {
 public:
  /// Why this machine cannot run one: what is missing, and how to get it. Empty when it can.
  [[nodiscard]] static std::string missing();

  /// Starts pcscd with `readers` readers (1 to 16) and returns when it serves all of them. PCSCLITE_CSOCK_NAME and
  /// VPCD_PORTS (the ports in the order of the readers, separated by spaces) are in this process's environment then.
  /// Call it from the main thread: the daemon ends with the thread that started it.
  [[nodiscard]] static Result<std::unique_ptr<PrivatePcscd>> start(std::size_t readers = 2);
  ~PrivatePcscd();
  PrivatePcscd(const PrivatePcscd&) = delete;
  PrivatePcscd& operator=(const PrivatePcscd&) = delete;

  /// Where to put a card into the reader of that index.
  [[nodiscard]] std::uint16_t port(std::size_t reader) const { return ports_.at(reader); }
  [[nodiscard]] const std::vector<std::uint16_t>& ports() const { return ports_; }
  [[nodiscard]] const std::string& reader_name(std::size_t reader) const { return names_.at(reader); }
  [[nodiscard]] pid_t process() const { return process_; }

  /// Ends the daemon as a crash would, without a word to its clients.
  void kill();
  /// Starts the daemon again, with the same socket and the same ports.
  [[nodiscard]] Status restart();

 private:
  PrivatePcscd() = default;
  [[nodiscard]] Status configure(std::size_t readers);
  [[nodiscard]] Status launch();
  [[nodiscard]] Status await_readers();
  [[nodiscard]] bool running();

  std::vector<std::uint16_t> ports_;
  std::vector<std::string> names_;
  pid_t process_ = -1;
};

}  // namespace cas::test
