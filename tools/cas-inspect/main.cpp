// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-inspect: tells what a protected file is, with no token.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <string>

#include "inspection.hpp"
#include "report.hpp"

namespace {

using namespace cas;

constexpr int exit_sound = 0;
constexpr int exit_damaged = 1;
constexpr int exit_cannot_tell = 2;

constexpr const char* explanation =
    R"(Reads the header and the licences of the file, never its content, and needs neither a card nor a key. What it
prints is what the file claims: that nothing of it was changed is for a token to verify when the file is opened.

  cas-inspect rushes.spro                     header, first licence, and whether the size is that of a whole file
  cas-inspect --licences rushes.spro          the licence of every key period
  cas-inspect --verify-structure rushes.spro  checks every licence slot, and says what does not fit
  cas-inspect --json rushes.spro | jq '.licences[0].rights.text'
  curl -s http://server/rushes.spro | cas-inspect -

A cut is found by the size where the header states the content size, or where the file ends outside a segment.
Of a file whose last segment is incomplete only a player with a token can tell (with aes-128-gcm).

Exit status: 0 nothing wrong was found; 1 the file is damaged, or is no protected file;
2 wrong arguments, or the file cannot be read.)";

struct Arguments {
  std::string path;
  bool json = false;
  inspect::Depth depth;
};

bool is_verdict_about_the_file(ErrorKind kind) {
  return kind == ErrorKind::malformed || kind == ErrorKind::truncated || kind == ErrorKind::unsupported;
}

int report_error(const Arguments& arguments, const Error& error) {
  if (arguments.json)
    std::cout << inspect::json_report(arguments.path, error);
  else
    std::cerr << "cas-inspect: " << arguments.path << ": " << error.message << '\n';
  return is_verdict_about_the_file(error.kind) ? exit_damaged : exit_cannot_tell;
}

int run(const Arguments& arguments) {
  auto input = inspect::Input::open(arguments.path);
  if (!input) return report_error(arguments, input.error());
  if (!input->is_seekable() && (arguments.depth.list_licences || arguments.depth.verify_structure)) {
    std::cerr << "cas-inspect: --licences and --verify-structure look at places all over the file, which a pipe does "
                 "not have: give the "
                 "file's name\n";
    return exit_cannot_tell;
  }
  const auto inspection = inspect::inspect(*input, arguments.depth);
  if (!inspection) return report_error(arguments, inspection.error());
  std::cout << (arguments.json ? json_report(arguments.path, *inspection) : text_report(arguments.path, *inspection));
  return inspection->is_sound() ? exit_sound : exit_damaged;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Tells what a SmartPRO protected file is.", "cas-inspect");
  app.footer(explanation);
  app.set_version_flag("--version", "cas-inspect " CAS_VERSION);
  app.add_option("FILE", arguments.path, "the protected file; - reads the start of one from standard input")
      ->required();
  app.add_flag("--json", arguments.json, "print one JSON object, for programs");
  app.add_flag("--licences", arguments.depth.list_licences,
               "print the licence of every key period, not the first alone");
  app.add_flag("--verify-structure", arguments.depth.verify_structure,
               "read and check the licence slot of every key period");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_sound : exit_cannot_tell;
  }
  const int status = run(arguments);
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "cas-inspect: the report cannot be written\n";
    return exit_cannot_tell;
  }
  return status;
}
