// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace cas::test {

/// Environment variables of a program that is run, beside this process's own.
using Environment = std::map<std::string, std::string>;

/// How a program ended, and what it said.
struct Outcome {
  int exit_code = -1;  ///< -1 when a signal ended it.
  int signal = 0;
  std::string out;
  std::string err;
};

/// A program that runs beside the test. Killed at the end if it is still there.
class RunningProgram {
 public:
  RunningProgram(const std::vector<std::string>& command, const Environment& environment,
                 const std::filesystem::path& folder);
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  [[nodiscard]] pid_t process() const { return process_; }
  void send(int signal) const;
  /// Reads its stderr until `text` was in it `times` times; false when it ended first.
  bool wait_for_error_text(const std::string& text, std::size_t times = 1);
  /// What was read of its stderr so far.
  [[nodiscard]] const std::string& error_text() const { return outcome_.err; }
  /// Waits for its end.
  Outcome wait();

 private:
  pid_t process_ = -1;
  int err_ = -1;
  int out_ = -1;
  Outcome outcome_;
  std::thread out_reader_;
};

/// Runs a program to its end, with nothing on its stdin.
Outcome run_program(const std::vector<std::string>& command, const Environment& environment,
                    const std::filesystem::path& folder);

}  // namespace cas::test
