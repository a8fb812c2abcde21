// SPDX-License-Identifier: LGPL-2.1-or-later
// with-pcscd [READERS] -- COMMAND [ARGUMENT...]
//
// Runs a command beside a private pcscd with that many virtual readers (2 without a number), and ends with its exit
// code. The command's environment has PCSCLITE_CSOCK_NAME, by which every PC/SC program finds this pcscd, and
// VPCD_PORTS, the ports into whose readers a card can be put. Ends with 77, the code of a skipped test, where pcscd or
// vpcd is missing.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "support/private_pcscd.hpp"

namespace {

constexpr int exit_skipped = 77;
constexpr int exit_usage = 64;
constexpr int exit_not_started = 127;

volatile std::sig_atomic_t command_process = 0;

void pass_on(int signal) {
  if (command_process > 0) ::kill(static_cast<pid_t>(command_process), signal);
}

int run(char** command) {
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(exit_not_started);
    ::execvp(command[0], command);
    std::cerr << "with-pcscd: cannot run " << command[0] << ": " << std::strerror(errno) << '\n';
    ::_exit(exit_not_started);
  }
  if (process < 0) return exit_not_started;
  command_process = process;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, pass_on);
  int status = 0;
  while (::waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return exit_not_started;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t readers = 2;
  int next = 1;
  if (next < argc && std::strcmp(argv[next], "--") != 0) readers = std::strtoul(argv[next++], nullptr, 10);
  if (next + 1 >= argc || std::strcmp(argv[next], "--") != 0 || readers == 0 || readers > 16) {
    std::cerr << "usage: with-pcscd [READERS] -- COMMAND [ARGUMENT...]    (1 to 16 readers)\n";
    return exit_usage;
  }
  if (const std::string what = cas::test::PrivatePcscd::missing(); !what.empty()) {
    std::cerr << "with-pcscd: " << what << '\n';
    return exit_skipped;
  }
  const auto daemon = cas::test::PrivatePcscd::start(readers);
  if (!daemon) {
    std::cerr << "with-pcscd: " << daemon.error().message << '\n';
    return exit_not_started;
  }
  return run(argv + next + 1);
}
