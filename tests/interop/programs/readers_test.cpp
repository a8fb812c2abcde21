// SPDX-License-Identifier: LGPL-2.1-or-later
#include <csignal>
#include <memory>

#include "base/durable_file.hpp"
#include "card/soft_card.hpp"
#include "card/uri.hpp"
#include "program_test.hpp"
#include "smartpro/token_session.hpp"
#include "tests/support/private_pcscd.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::test {
namespace {

namespace fs = std::filesystem;

/// Soft cards put into the readers of a pcscd of our own.
class Readers : public ProgramTest {
 protected:
  void SetUp() override {
    if (const std::string missing = PrivatePcscd::missing(); !missing.empty()) GTEST_SKIP() << missing;
    auto started = PrivatePcscd::start(4);
    ASSERT_OK(started);
    daemon = std::move(*started);
  }
  void TearDown() override {
    serving.clear();
    daemon.reset();
  }

  [[nodiscard]] std::string reader_uri(std::size_t reader) const {
    return card::format_card_uri({card::CardUri::Kind::pcsc, daemon->reader_name(reader), {}, {}});
  }

  /// Serves a card and waits until pcscd has seen it.
  RunningProgram& insert(const fs::path& file, std::size_t reader) {
    const std::string address = "127.0.0.1:" + std::to_string(daemon->port(reader));
    serving.push_back(std::make_unique<RunningProgram>(
        std::vector<std::string>{cas_card, "serve", file, "--vpcd", address}, environment(), folder()));
    EXPECT_TRUE(serving.back()->wait_for_error_text(" is in the reader at "));
    EXPECT_EQ(card({"info", reader_uri(reader), "--wait"}).exit_code, 0);
    return *serving.back();
  }

  std::unique_ptr<PrivatePcscd> daemon;
  std::vector<std::unique_ptr<RunningProgram>> serving;
};

TEST_F(Readers, ADomainOnCardsInReadersAndInFiles) {
  ASSERT_EQ(tmc({"root"}).exit_code, 0);
  ASSERT_EQ(tmc({"host", "--capabilities", "all"}).exit_code, 0);
  ASSERT_EQ(card({"create", "p.card", "--progenitor"}).exit_code, 0);
  ASSERT_EQ(card({"create", "a.card"}).exit_code, 0);
  ASSERT_EQ(card({"create", "r.card"}).exit_code, 0);
  insert("p.card", 0);
  insert("a.card", 1);

  EXPECT_EQ(card_json({"info", reader_uri(0)})["token"]["name"], "p");
  const Json founded = tmc_json({"domain", "create", "studio", "--progenitor", reader_uri(0)});
  EXPECT_EQ(founded["domain"]["progenitor"]["uri"], reader_uri(0));
  EXPECT_EQ(tmc_json({"enrol", "--token", reader_uri(1), "--kind", "acquisition", "--default"})["token"]["kind"],
            "acquisition");
  EXPECT_EQ(read_text(home() / "default-cards" / "acquisition"), reader_uri(1) + "\n");
  EXPECT_EQ(tmc_json({"enrol", "--token", "r.card", "--kind", "renderer"})["token"]["kind"], "renderer");
  EXPECT_EQ(tmc_json({"list"})["tokens"].size(), 2U);

  const Json listed = card_json({"list"});
  ASSERT_EQ(listed["readers"].size(), 4U);
  EXPECT_EQ(listed["readers"][0]["token"]["kind"], "progenitor");
  EXPECT_EQ(listed["readers"][1]["token"]["kind"], "acquisition");
  EXPECT_EQ(listed["readers"][2]["card_present"], false);
  EXPECT_EQ(listed["readers"][2]["token"], nullptr);
  EXPECT_NE(card({"list"}).out.find("empty"), std::string::npos);

  // Out of the reader, the file has it all.
  serving[1]->send(SIGTERM);
  EXPECT_EQ(serving[1]->wait().exit_code, 0);
  EXPECT_EQ(card_json({"info", "a.card"})["token"]["kind"], "acquisition");
}

TEST_F(Readers, ABlankCardGetsItsCertificate) {
  ASSERT_EQ(tmc({"root"}).exit_code, 0);
  write_text(folder() / "blank.card.pin", "phrase of the blank card\n");
  ASSERT_OK(card::create_soft_card(folder() / "blank.card", SecretBytes::copy_of(as_bytes("phrase of the blank card")),
                                   {smartpro::token_applet_factory()}));
  EXPECT_EQ(card_json({"info", "blank.card"})["token"]["personalised"], false);
  expect_failure(card({"info", "blank.card", "--certificate"}), 1, "cas-card", "no certificate yet");
  insert("blank.card", 0);
  const Json made = card_json({"create", reader_uri(0), "--name", "in a reader"});
  EXPECT_EQ(made["pass_phrase_file_made"], nullptr);
  EXPECT_EQ(card_json({"info", "pcsc:"})["token"]["name"], "in a reader");
  expect_failure(card({"create", reader_uri(0)}), 1, "cas-card", "certificate already");
}

TEST_F(Readers, ServingKeepsOthersFromTheFileAndGoesInAgain) {
  ASSERT_EQ(tmc({"root"}).exit_code, 0);
  ASSERT_EQ(card({"create", "a.card"}).exit_code, 0);
  RunningProgram& in = insert("a.card", 0);
  expect_failure(card({"info", "a.card"}), 1, "cas-card", "in use by another process");
  daemon->kill();
  ASSERT_OK(daemon->restart());
  ASSERT_TRUE(in.wait_for_error_text(" is in the reader at ", 2));
  EXPECT_EQ(card({"info", reader_uri(0), "--wait"}).exit_code, 0);
  in.send(SIGINT);
  EXPECT_EQ(in.wait().exit_code, 0);
}

TEST_F(Readers, WithoutPcscd) {
  daemon->kill();
  expect_failure(card({"list"}), 1, "cas-card", "pcscd");
  EXPECT_EQ(card_json({"list"}, 1)["error"]["kind"], "card-absent");
  expect_failure(card({"info", "pcsc:"}), 1, "cas-card", "pcscd");
}

TEST_F(Readers, EmptyReaders) {
  EXPECT_EQ(card_json({"list"})["readers"].size(), 4U);
  EXPECT_EQ(card_json({"info", "pcsc:"}, 1)["error"]["kind"], "card-absent");
  EXPECT_EQ(card_json({"info", "pcsc:?reader=no-such"}, 1)["error"]["kind"], "card-absent");
}

TEST_F(Readers, WaitingForACardCanBeGivenUp) {
  RunningProgram waiting({cas_card, "info", "pcsc:", "--wait", "--json"}, environment(), folder());
  EXPECT_TRUE(waiting.wait_for_error_text("waiting for "));
  waiting.send(SIGTERM);
  const Outcome outcome = waiting.wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(Json::parse(outcome.out)["error"]["kind"], "cancelled");
}

}  // namespace
}  // namespace cas::test
