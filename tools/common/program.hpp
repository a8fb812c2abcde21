// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace CLI {
class App;
}

namespace cas::tools {

/// What every program here ends with.
enum ExitCode : int {
  exit_done = 0,
  exit_failed = 1,
  exit_usage = 2,  ///< The arguments are wrong (ErrorKind::invalid_argument).
};

/// What a command has to say when it is done, in both forms; one of them is printed.
struct Report {
  std::string text;  ///< Lines, each with its end. May be empty.
  std::string json;  ///< One document (to_text of json_text.hpp).
};

/// How a command talks while it works, on stderr.
class Progress {
 public:
  explicit Progress(std::string program);
  /// A line about a step that takes a while, for somebody who looks at a terminal; scripts do not get it.
  void step(std::string_view what) const;
  /// A line that a log should have too.
  void note(std::string_view what) const;

 private:
  std::string program_;
  bool terminal_;
};

using Command = std::function<Result<Report>(const Progress&)>;

/// A program as all programs here are: subcommands, `--help` that teaches, `--version`, `--json`, errors as one
/// sentence on stderr (as {"error": {"kind", "message"}} on stdout with --json), and the exit codes above. Hardens the
/// process before it does anything.
class Program {
 public:
  /// `name` is the program's, `description` a sentence, `footer` what --help ends with: examples.
  Program(std::string name, const std::string& description, const std::string& footer);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] CLI::App& app();
  /// A subcommand of `parent` that runs `command`.
  CLI::App& add_command(CLI::App& parent, const std::string& name, const std::string& description,
                        const std::string& footer, Command command);
  /// A subcommand that only groups others.
  CLI::App& add_group(const std::string& name, const std::string& description);

  /// Whether --json was given; good in a command.
  [[nodiscard]] bool json() const;

  /// For main().
  [[nodiscard]] int run(int argc, char** argv);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cas::tools
