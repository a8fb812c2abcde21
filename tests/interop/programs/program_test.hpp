// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "program_run.hpp"
#include "tests/support/temporary_folder.hpp"

namespace cas::test {

/// Runs cas-tmc and cas-card in a folder of the test's own, with $CAS_HOME in it. Every output is searched for every
/// pass phrase.
class ProgramTest : public testing::Test {
 protected:
  using Json = nlohmann::json;
  using Arguments = std::vector<std::string>;

  ProgramTest();

  Outcome tmc(const Arguments& arguments, const Environment& more = {});
  Outcome card(const Arguments& arguments, const Environment& more = {});
  /// The same with --json, and what it printed, parsed; expects that exit code, one document on stdout and silence on
  /// stderr.
  Json tmc_json(Arguments arguments, int exit_code = 0);
  Json card_json(Arguments arguments, int exit_code = 0);

  /// Expects that it fails with this code and one sentence on stderr that holds `sentence`.
  static void expect_failure(const Outcome& outcome, int exit_code, const std::string& program,
                             const std::string& sentence);

  /// $CAS_HOME as cas-tmc init leaves it: domain "home", and cards progenitor, acquisition and renderer in home/cards.
  void use_initialised_home();

  [[nodiscard]] Environment environment(const Environment& more = {}) const;
  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path home() const { return folder() / "home"; }
  [[nodiscard]] std::filesystem::path home_card(const std::string& name) const {
    return home() / "cards" / (name + ".card");
  }
  /// Every file below `folder`, with its content; lock files, which stay, left out.
  [[nodiscard]] static std::map<std::string, std::string> content_of(const std::filesystem::path& folder);
  [[nodiscard]] static std::string read_text(const std::filesystem::path& file);
  static void write_text(const std::filesystem::path& file, const std::string& text);

  static const char* const cas_tmc;
  static const char* const cas_card;

 private:
  Outcome run(const char* program, const Arguments& arguments, const Environment& more);
  Json run_json(const char* program, Arguments arguments, int exit_code);
  void expect_no_secret(const Outcome& outcome) const;

  TemporaryFolder folder_;
};

}  // namespace cas::test
