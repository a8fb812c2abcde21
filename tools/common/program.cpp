// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/program.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/json_text.hpp"
#include "common/process_hardening.hpp"

namespace cas::tools {

namespace {

constexpr const char* usage_kind = "usage";

std::string error_document(const char* kind, const std::string& message) {
  return to_text(Json{{"error", {{"kind", kind}, {"message", message}}}});
}

/// Asked of the arguments themselves: they may be wrong in a way that leaves nothing parsed.
bool asks_for_json(int argc, char** argv) {
  const auto end = std::find(argv, argv + argc, std::string_view("--"));
  return std::find(argv, end, std::string_view("--json")) != end;
}

/// A raw string literal starts behind a line end; CLI11 adds one of its own.
std::string footer_of(const std::string& text) { return text.starts_with('\n') ? text.substr(1) : text; }

std::string without_line_ends(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

/// The innermost subcommand that was named.
const CLI::App& chosen(const CLI::App& app) {
  const auto named = app.get_subcommands();
  return named.empty() ? app : chosen(*named.front());
}

}  // namespace

Progress::Progress(std::string program) : program_(std::move(program)), terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::step(std::string_view what) const {
  if (terminal_) note(what);
}

void Progress::note(std::string_view what) const { std::cerr << program_ << ": " << what << '\n' << std::flush; }

struct Program::State {
  State(std::string name_, const std::string& description) : name(std::move(name_)), app(description, name) {}

  int fail(const char* kind, const std::string& message, int exit_code) const {
    if (json)
      std::cout << error_document(kind, message) << std::flush;
    else
      std::cerr << name << ": " << message << '\n';
    return exit_code;
  }

  int fail(const Error& error) const {
    return fail(error_kind_name(error.kind), without_line_ends(error.message),
                error.kind == ErrorKind::invalid_argument ? exit_usage : exit_failed);
  }

  int parse(int argc, char** argv) {
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
      const CLI::App& command = chosen(app);
      const std::string full_name = &command == &app ? name : name + " " + command.get_name();
      fail(usage_kind, without_line_ends(error.what()) + "; " + full_name + " --help explains", exit_usage);
      return exit_usage;
    }
    return -1;
  }

  int execute() const {
    const auto found = commands.find(&chosen(app));
    if (found == commands.end()) return fail(usage_kind, "name a command; --help lists them", exit_usage);
    auto report = found->second(Progress(name));
    if (!report) return fail(report.error());
    std::cout << (json ? report->json : report->text) << std::flush;
    if (!std::cout) {
      std::cerr << name << ": the command is done, but its report cannot be written\n";
      return exit_failed;
    }
    return exit_done;
  }

  std::string name;
  CLI::App app;
  bool json = false;
  std::map<const CLI::App*, Command> commands;
};

Program::Program(std::string name, const std::string& description, const std::string& footer)
    : state_(std::make_unique<State>(std::move(name), description)) {
  CLI::App& app = state_->app;
  app.footer(footer_of(footer));
  app.set_version_flag("--version", state_->name + " " CAS_VERSION, "print the version");
  app.set_help_flag("-h,--help", "print this");
  app.add_flag("--json", state_->json, "print one JSON document instead of text, errors too");
  app.require_subcommand(1);
  app.fallthrough();  // --json behind the command as well as before it
}

Program::~Program() = default;

CLI::App& Program::app() { return state_->app; }

CLI::App& Program::add_command(CLI::App& parent, const std::string& name, const std::string& description,
                               const std::string& footer, Command command) {
  CLI::App& added = *parent.add_subcommand(name, description);
  added.footer(footer_of(footer));
  added.fallthrough();
  state_->commands[&added] = std::move(command);
  return added;
}

CLI::App& Program::add_group(const std::string& name, const std::string& description) {
  CLI::App& added = *state_->app.add_subcommand(name, description);
  added.require_subcommand(1);
  added.fallthrough();
  added.footer("");
  return added;
}

bool Program::json() const { return state_->json; }

int Program::run(int argc, char** argv) {
  try {
    state_->json = asks_for_json(argc, argv);
    if (const Status hardened = harden_process(); !hardened) return state_->fail(hardened.error());
    if (const int exit_code = state_->parse(argc, argv); exit_code >= 0) return exit_code;
    return state_->execute();
  } catch (const std::exception& error) {
    return state_->fail(Error{ErrorKind::internal, std::string("unexpected failure: ") + error.what()});
  }
}

}  // namespace cas::tools
