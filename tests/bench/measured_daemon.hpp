// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace cas::bench {

/// One of our daemons beside the measurement, whose processor time is measured. Ends with this object or process.
class MeasuredDaemon {
 public:
  using Command = std::vector<std::string>;

  MeasuredDaemon() = default;
  ~MeasuredDaemon() {
    if (process_ < 0) return;
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }
  MeasuredDaemon(const MeasuredDaemon&) = delete;
  MeasuredDaemon& operator=(const MeasuredDaemon&) = delete;

  /// Runs a command to its end. The measurement ends when it fails.
  static void run(const Command& command) {
    int status = 0;
    if (::waitpid(launch(command), &status, 0) < 0 || status != 0) give_up(command[0] + " " + command[1] + " failed");
  }

  /// Starts the daemon and waits until it has written its port to the file of that name.
  void start(Command command, const std::filesystem::path& port_file) {
    command.insert(command.end(), {"--port-file", port_file.string(), "--quiet"});
    process_ = launch(command);
    for (int i = 0; i < 2000 && port_ == 0; ++i) {
      ::usleep(10'000);
      std::ifstream(port_file) >> port_;
    }
    if (port_ == 0) give_up(command[0] + " does not listen");
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// User and system time of all its threads so far.
  [[nodiscard]] double cpu_seconds() const {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(process_, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
      give_up("a program's processor time cannot be read");
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }

 private:
  [[noreturn]] static void give_up(const std::string& why) {
    std::cerr << "bench: " << why << '\n';
    std::exit(1);
  }
  static pid_t launch(const Command& command) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int nothing = ::open("/dev/null", O_WRONLY);
      ::dup2(nothing, STDOUT_FILENO);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    return child;
  }

  pid_t process_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace cas::bench
