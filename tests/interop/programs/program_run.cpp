// SPDX-License-Identifier: LGPL-2.1-or-later
#include "program_run.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace cas::test {

namespace {

/// Appends what is there to read; false at the end.
bool read_some(int file, std::string& to) {
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  do {
    got = ::read(file, buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  to.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

std::size_t count_of(const std::string& in, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + what.size())) ++count;
  return count;
}

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  return ends;
}

}  // namespace

RunningProgram::RunningProgram(const std::vector<std::string>& command, const Environment& environment,
                               const std::filesystem::path& folder) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const auto out = make_pipe();
  const auto err = make_pipe();
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("cannot fork");
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    ::close_range(3, ~0U, 0);  // the test's own sockets: they would stay open with the program
    if (::chdir(folder.c_str()) != 0) ::_exit(126);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
  out_reader_ = std::thread([this] {
    while (read_some(out_, outcome_.out)) {
    }
  });
}

RunningProgram::~RunningProgram() {
  if (process_ > 0) {
    send(SIGKILL);
    wait();
  }
}

void RunningProgram::send(int signal) const { ::kill(process_, signal); }

bool RunningProgram::wait_for_error_text(const std::string& text, std::size_t times) {
  while (count_of(outcome_.err, text) < times)
    if (!read_some(err_, outcome_.err)) return false;
  return true;
}

Outcome RunningProgram::wait() {
  while (read_some(err_, outcome_.err)) {
  }
  out_reader_.join();
  ::close(out_);
  ::close(err_);
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  if (WIFEXITED(status)) outcome_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome_.signal = WTERMSIG(status);
  return outcome_;
}

Outcome run_program(const std::vector<std::string>& command, const Environment& environment,
                    const std::filesystem::path& folder) {
  return RunningProgram(command, environment, folder).wait();
}

}  // namespace cas::test
