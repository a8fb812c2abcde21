// SPDX-License-Identifier: LGPL-2.1-or-later
#include <csignal>
#include <fstream>

#include "base/file_lock.hpp"
#include "crypto/certificate.hpp"
#include "program_test.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::test {
namespace {

namespace fs = std::filesystem;

class CasCard : public ProgramTest {
 protected:
  void make_root() { ASSERT_EQ(tmc({"root"}).exit_code, 0); }
};

TEST_F(CasCard, MakesATokenWithAPassPhraseOfItsOwn) {
  make_root();
  const Json made = card_json({"create", "a b.card", "--name", "suite 3"});
  EXPECT_EQ(made["uri"], "soft:" + folder().string() + "/a%20b.card");
  EXPECT_EQ(made["pass_phrase_file_made"], (folder() / "a b.card.pin").string());
  EXPECT_EQ(made["token"]["kind"], "blank");
  EXPECT_EQ(made["token"]["name"], "suite 3");
  for (const char* file : {"a b.card", "a b.card.pin"})
    EXPECT_EQ(fs::status(folder() / file).permissions(), fs::perms::owner_read | fs::perms::owner_write) << file;

  const Json info = card_json({"info", made["uri"]});
  EXPECT_EQ(info["token"], made["token"]);
  EXPECT_EQ(std::stoull(info["token"]["serial_number"].get<std::string>(), nullptr, 16),
            std::stoull(info["token"]["serial_number_decimal"].get<std::string>()));
}

TEST_F(CasCard, SaysWhatItMadeInText) {
  make_root();
  const Outcome made = card({"create", "p.card", "--progenitor"});
  EXPECT_EQ(made.exit_code, 0);
  EXPECT_NE(made.out.find("made a progenitor token: soft:"), std::string::npos) << made.out;
  EXPECT_NE(made.out.find("p.card.pin"), std::string::npos) << made.out;
}

TEST_F(CasCard, PrintsTheCertificateAlone) {
  make_root();
  ASSERT_EQ(card({"create", "a.card"}).exit_code, 0);
  const Outcome pem = card({"info", "a.card", "--certificate"});
  ASSERT_TRUE(pem.out.starts_with("-----BEGIN CERTIFICATE-----\n")) << pem.out;
  const auto certificate = crypto::Certificate::from_pem(as_bytes(pem.out));
  ASSERT_OK(certificate);
  EXPECT_EQ(certificate->common_name(), "a");
  EXPECT_EQ(card_json({"info", "a.card", "--certificate"})["certificate_pem"], pem.out);
}

TEST_F(CasCard, TakesPassPhrasesFromWhereTheUriSays) {
  make_root();
  const Environment pin{{"CARD_PIN", "correct horse"}};
  ASSERT_EQ(card({"create", "soft:e.card?pin-source=env:CARD_PIN"}, pin).exit_code, 0);
  EXPECT_FALSE(fs::exists(folder() / "e.card.pin"));
  EXPECT_EQ(card({"info", "soft:e.card?pin-source=env:CARD_PIN"}, pin).exit_code, 0);
  expect_failure(card({"info", "soft:e.card?pin-source=env:CARD_PIN"}, {{"CARD_PIN", "wrong"}}), 1, "cas-card",
                 "pass phrase is wrong");
  expect_failure(card({"info", "soft:e.card?pin-source=env:CARD_PIN"}), 1, "cas-card", "CARD_PIN");
  expect_failure(card({"create", "soft:f.card?pin-source=env:NO_SUCH_PIN"}), 1, "cas-card", "NO_SUCH_PIN");
  EXPECT_FALSE(fs::exists(folder() / "f.card"));
}

TEST_F(CasCard, RefusesAPassPhraseInTheUriAndDoesNotRepeatIt) {
  make_root();
  for (const char* command : {"create", "info", "serve"}) {
    const Outcome outcome = card({command, "soft:a.card?pin-value=hunter2"});
    expect_failure(outcome, 2, "cas-card", "pin-source=file:PATH");
    EXPECT_EQ(outcome.err.find("hunter2"), std::string::npos);
  }
  EXPECT_EQ(card_json({"info", "soft:a.card?pin-value=hunter2"}, 2)["error"]["kind"], "invalid-argument");
}

TEST_F(CasCard, OverwritesNothing) {
  make_root();
  ASSERT_EQ(card({"create", "a.card"}).exit_code, 0);
  const auto before = content_of(folder());
  expect_failure(card({"create", "a.card"}), 1, "cas-card", "not overwritten");
  EXPECT_EQ(card_json({"create", "a.card"}, 1)["error"]["kind"], "refused");
  EXPECT_EQ(content_of(folder()), before);
}

TEST_F(CasCard, WithoutARootNothingIsMade) {
  expect_failure(card({"create", "a.card"}), 1, "cas-card", "cas-tmc root");
  EXPECT_TRUE(content_of(folder()).empty());
}

TEST_F(CasCard, AFailureLeavesNoHalfMadeCard) {
  make_root();
  expect_failure(card({"create", "a.card", "--name", std::string(65, 'n')}), 2, "cas-card", "name");
  EXPECT_FALSE(fs::exists(folder() / "a.card"));
  EXPECT_FALSE(fs::exists(folder() / "a.card.unfinished"));
  EXPECT_EQ(card({"create", "a.card"}).exit_code, 0);
}

TEST_F(CasCard, TellsWhatIsMissing) {
  expect_failure(card({"info", "none.card"}), 1, "cas-card", "there is no card store");
  expect_failure(card({"serve", "none.card"}), 1, "cas-card", "none.card");
  expect_failure(card({"info", "nonsense:a"}), 2, "cas-card", "pcsc:, soft: or relay:");
  std::ofstream(folder() / "text.card") << "no card";
  std::ofstream(folder() / "text.card.pin") << "phrase\n";
  expect_failure(card({"info", "text.card"}), 1, "cas-card", "text.card");
}

TEST_F(CasCard, WrongArgumentsAreUsageErrors) {
  for (const Arguments& arguments :
       std::vector<Arguments>{{}, {"bake"}, {"create"}, {"info", "a.card", "--colour"}, {"info", "a", "b"}})
    expect_failure(card(arguments), 2, "cas-card", "--help");
  EXPECT_EQ(card_json({"info"}, 2)["error"]["kind"], "usage");
  expect_failure(card({"serve", "a.card", "--vpcd", "nowhere"}), 2, "cas-card", "HOST:PORT");
  expect_failure(card({"serve", "a.card", "--vpcd", "localhost:70000"}), 2, "cas-card", "HOST:PORT");
  expect_failure(card({"serve", "pcsc:"}), 2, "cas-card", "soft:PATH");
}

TEST_F(CasCard, HelpTeachesWithExamples) {
  for (const Arguments& arguments : std::vector<Arguments>{{"--help"},
                                                           {"create", "--help"},
                                                           {"info", "--help"},
                                                           {"list", "--help"},
                                                           {"relay", "--help"},
                                                           {"serve", "--help"}}) {
    const Outcome help = card(arguments);
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_NE(help.out.find("\n  cas-card "), std::string::npos) << help.out;
  }
  EXPECT_TRUE(card({"--version"}).out.starts_with("cas-card "));
}

TEST_F(CasCard, ACardInUseIsToldFromOneThatIsBroken) {
  make_root();
  ASSERT_EQ(card({"create", "a.card"}).exit_code, 0);
  const auto held = FileLock::acquire(folder() / "a.card");
  ASSERT_OK(held);
  expect_failure(card({"info", "a.card"}), 1, "cas-card", "in use by another process");
  expect_failure(card({"serve", "a.card"}), 1, "cas-card", "in use by another process");
}

TEST_F(CasCard, ServingEndsAtOnceWhenAskedTo) {
  make_root();
  ASSERT_EQ(card({"create", "a.card"}).exit_code, 0);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // Nothing listens on port 1: it waits for pcscd.
    RunningProgram serving({cas_card, "serve", "a.card", "--vpcd", "127.0.0.1:1"}, environment(), folder());
    ASSERT_TRUE(serving.wait_for_error_text("putting soft:"));
    serving.send(signal);
    const Outcome outcome = serving.wait();
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_NE(outcome.out.find("out of the reader"), std::string::npos) << outcome.out;
  }
}

TEST_F(CasCard, AProcessThatHoldsSecretsIsShielded) {
  make_root();
  ASSERT_EQ(card({"create", "a.card"}).exit_code, 0);
  RunningProgram serving({cas_card, "serve", "a.card", "--vpcd", "127.0.0.1:1"}, environment(), folder());
  ASSERT_TRUE(serving.wait_for_error_text("putting soft:"));
  const fs::path about = "/proc/" + std::to_string(serving.process());
  const std::string limits = read_text(about / "limits");
  const std::size_t line = limits.find("Max core file size");
  ASSERT_NE(line, std::string::npos);
  std::istringstream words(limits.substr(line + std::string("Max core file size").size()));
  std::string soft;
  std::string hard;
  words >> soft >> hard;
  EXPECT_EQ(soft, "0");
  EXPECT_EQ(hard, "0");
  EXPECT_NE(read_text(about / "status").find("Umask:\t0077"), std::string::npos);
}

}  // namespace
}  // namespace cas::test
