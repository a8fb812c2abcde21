// SPDX-License-Identifier: LGPL-2.1-or-later
#include "program_test.hpp"

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

namespace cas::test {

namespace fs = std::filesystem;

const char* const ProgramTest::cas_tmc = CAS_TMC;
const char* const ProgramTest::cas_card = CAS_CARD_PROGRAM;

namespace {

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

}  // namespace

ProgramTest::ProgramTest() {
  ::unsetenv("CAS_CARD");
  ::unsetenv("XDG_DATA_HOME");
}

Environment ProgramTest::environment(const Environment& more) const {
  Environment environment = more;
  environment.insert({{"CAS_HOME", home().string()}, {"HOME", folder().string()}});
  return environment;
}

Outcome ProgramTest::run(const char* program, const Arguments& arguments, const Environment& more) {
  Arguments command{program};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Outcome outcome = run_program(command, environment(more), folder());
  expect_no_secret(outcome);
  return outcome;
}

Outcome ProgramTest::tmc(const Arguments& arguments, const Environment& more) { return run(cas_tmc, arguments, more); }
Outcome ProgramTest::card(const Arguments& arguments, const Environment& more) {
  return run(cas_card, arguments, more);
}

ProgramTest::Json ProgramTest::run_json(const char* program, Arguments arguments, int exit_code) {
  arguments.emplace_back("--json");
  const Outcome outcome = run(program, arguments, {});
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.err, "");
  Json json = Json::parse(outcome.out, nullptr, false);
  EXPECT_TRUE(json.is_object()) << outcome.out;
  EXPECT_EQ(json.contains("error"), exit_code != 0) << outcome.out;
  return json;
}

ProgramTest::Json ProgramTest::tmc_json(Arguments arguments, int exit_code) {
  return run_json(cas_tmc, std::move(arguments), exit_code);
}
ProgramTest::Json ProgramTest::card_json(Arguments arguments, int exit_code) {
  return run_json(cas_card, std::move(arguments), exit_code);
}

void ProgramTest::expect_failure(const Outcome& outcome, int exit_code, const std::string& program,
                                 const std::string& sentence) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(outcome.err.starts_with(program + ": ")) << outcome.err;
  EXPECT_NE(outcome.err.find(sentence), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
}

void ProgramTest::expect_no_secret(const Outcome& outcome) const {
  for (const auto& entry : fs::recursive_directory_iterator(folder())) {
    if (entry.path().extension() != ".pin" || !entry.is_regular_file()) continue;
    std::string phrase = read_text(entry.path());
    phrase = phrase.substr(0, phrase.find('\n'));
    ASSERT_FALSE(phrase.empty()) << entry.path();
    EXPECT_EQ((outcome.out + outcome.err).find(phrase), std::string::npos)
        << "the pass phrase in " << entry.path() << " was printed";
  }
}

void ProgramTest::use_initialised_home() {
  // Made once: most of its time goes into pass phrase derivation. The places in it are text, and are set right in each
  // copy.
  static const std::unique_ptr<TemporaryFolder> made = [] {
    auto folder_made = std::make_unique<TemporaryFolder>();
    const Outcome outcome =
        run_program({cas_tmc, "init"}, {{"CAS_HOME", folder_made->path() / "home"}}, folder_made->path());
    if (outcome.exit_code != 0) throw std::runtime_error("cas-tmc init: " + outcome.err);
    return folder_made;
  }();
  fs::copy(made->path() / "home", home(), fs::copy_options::recursive);
  for (const char* file : {"domains/home/domain.json", "default-cards/acquisition", "default-cards/renderer"}) {
    std::string text = read_text(home() / file);
    replace_all(text, made->path().string(), folder().string());
    write_text(home() / file, text);
  }
}

std::map<std::string, std::string> ProgramTest::content_of(const fs::path& folder) {
  std::map<std::string, std::string> content;
  if (!fs::exists(folder)) return content;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().extension() != ".lock")
      content[entry.path().string()] = read_text(entry.path());
  return content;
}

std::string ProgramTest::read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

void ProgramTest::write_text(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace cas::test
