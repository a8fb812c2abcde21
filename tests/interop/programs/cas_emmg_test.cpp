// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/stat.h>

#include <csignal>

#include "ca-system/ca_system.hpp"
#include "ca_program_test.hpp"
#include "casdemo/emm.hpp"
#include "crypto/random.hpp"

namespace cas::test {
namespace {

class CasEmmg : public CaProgramTest {
 protected:
  CasEmmg() {
    expect_done(emmg_program({"init"}));
    expect_done(emmg_program({"card", "add", "--count", "3"}));
  }
  static casdemo::IssueNumber issue_of(const Bytes& section) { return casdemo::EmmView::parse(section)->issue; }

  Multiplexer mux;
};

TEST_F(CasEmmg, ItsEmmsOpenTheEcmsOfCasEcmg) {
  expect_done(emmg_program({"group", "add", "5", "--name", "hotels"}));
  expect_done(emmg_program({"personalise", "2", "--region", "49", "--group", "5"}));
  expect_done(emmg_program({"grant", "1", "--card", "1", "--for", "30d"}));
  expect_done(emmg_program({"grant", "1", "--group", "5"}));
  start_ecmg();
  start_emmg(mux.port());
  mux.run_until([&] { return mux.datagrams.size() >= 6; });  // twice
  for (const char* number : {"1", "2"}) {
    casdemo::EntitlementStore card = receiver(number);
    EXPECT_FALSE(opens(card));
    for (const Bytes& emm : mux.datagrams) EXPECT_TRUE(card.receive_emm(emm).has_value());
    EXPECT_TRUE(opens(card)) << number;
  }
  casdemo::EntitlementStore stranger = receiver("3");
  for (const Bytes& emm : mux.datagrams) EXPECT_TRUE(stranger.receive_emm(emm).has_value());
  EXPECT_FALSE(opens(stranger));
}

TEST_F(CasEmmg, TakesUpWhatChangesWhileItRuns) {
  expect_done(emmg_program({"grant", "1", "--card", "1"}));
  start_ecmg();
  start_emmg(mux.port());
  casdemo::EntitlementStore one = receiver("1");
  casdemo::EntitlementStore two = receiver("2");
  const auto until = [&](casdemo::EntitlementStore& card, casdemo::EmmOutcome outcome) {
    std::size_t next = 0;
    mux.run_until([&] {
      for (; next < mux.datagrams.size(); ++next)
        if (card.receive_emm(mux.datagrams[next]).value() == outcome) return true;
      return false;
    });
  };
  until(one, casdemo::EmmOutcome::applied);
  EXPECT_TRUE(opens(one));
  expect_done(emmg_program({"grant", "1", "--card", "2"}));
  until(two, casdemo::EmmOutcome::applied);
  EXPECT_TRUE(opens(two));
  expect_done(emmg_program({"withdraw", "1", "--card", "1"}));
  mux.datagrams.clear();
  until(one, casdemo::EmmOutcome::applied);
  EXPECT_FALSE(opens(one));
}

TEST_F(CasEmmg, SaysWhoItIs) {
  expect_done(emmg_program({"grant", "1", "--all"}));
  start_emmg(mux.port(), {"--channel-id", "3", "--stream-id", "4", "--data-id", "5", "--bandwidth", "77"});
  mux.run_until([&] { return !mux.datagrams.empty(); });
  EXPECT_EQ(mux.channel->client_id >> 16, casdemo::default_ca_system_id);
  EXPECT_EQ(mux.channel->channel_id, 3);
  EXPECT_EQ(mux.order->stream_id, 4);
  EXPECT_EQ(mux.order->data_id, 5);
  EXPECT_EQ(mux.order->data_type, emmg::emm);
  EXPECT_EQ(mux.wanted, std::vector<std::uint16_t>{77});
}

TEST_F(CasEmmg, KeepsToTheBandwidthThatItGets) {
  expect_done(emmg_program({"card", "add", "--count", "500"}));
  for (const char* number : {"1", "2", "3"}) expect_done(emmg_program({"grant", "1", "--card", number}));
  mux.allocated = 40;  // 5,000 bytes a second
  start_emmg(mux.port(), {"--bandwidth", "2000", "--least-cycle", "0"});
  mux.run_until([&] { return !mux.datagrams.empty(); });
  mux.run_for(std::chrono::milliseconds(2000));
  EXPECT_EQ(mux.wanted, std::vector<std::uint16_t>{2000});
  EXPECT_GT(mux.bytes, 6'000U);
  EXPECT_LT(mux.bytes, 14'000U);
  for (const auto& problem : mux.problems) ADD_FAILURE() << problem.message;
}

TEST_F(CasEmmg, AMuxThatGivesNothingGetsNothing) {
  expect_done(emmg_program({"grant", "1", "--all"}));
  mux.allocated = 0;
  start_emmg(mux.port());
  mux.run_until([&] { return !mux.wanted.empty(); });
  mux.run_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(mux.datagrams.empty());
}

TEST_F(CasEmmg, ComesBackToAMuxThatWasAway) {
  expect_done(emmg_program({"grant", "1", "--all"}));
  std::optional<Multiplexer> first;
  first.emplace();
  const std::uint16_t mux_port = first->port();
  start_emmg(mux_port);
  first->run_until([&] { return !first->datagrams.empty(); });
  first.reset();
  ASSERT_TRUE(emmg->wait_for_error_text("again in"));
  Multiplexer second(mux_port);
  second.run_until([&] { return !second.datagrams.empty(); });
  EXPECT_EQ(second.channels_opened, 1U);
}

TEST_F(CasEmmg, SpeaksUdp) {
  expect_done(emmg_program({"grant", "1", "--all"}));
  mux.take_udp();
  start_emmg(mux.port(), {"--udp", "--least-cycle", "50"});
  mux.run_until([&] { return mux.datagrams.size() >= 3; });
  EXPECT_EQ(mux.refused, 0U);
  EXPECT_EQ(mux.order->client_id, casdemo::default_super_cas_id);
  EXPECT_TRUE(casdemo::EmmView::parse(mux.datagrams[0]).has_value());
}

TEST_F(CasEmmg, EndsInPeaceWhenAskedTo) {
  expect_done(emmg_program({"grant", "1", "--all"}));
  start_emmg(mux.port(), {"--json"});
  mux.run_until([&] { return !mux.datagrams.empty(); });
  emmg->send(SIGTERM);
  ASSERT_TRUE(emmg->wait_for_error_text("\"stopping\""));
  mux.run_for(std::chrono::milliseconds(100));
  const Outcome outcome = emmg->wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GE(nlohmann::json::parse(outcome.out)["emms"], 1);
}

// Killed before each write to the store in turn, and in its middle: what was acknowledged is there, the store is whole,
// and no issue number comes twice.
TEST_F(CasEmmg, WhatWasAcknowledgedSurvivesAKill) {
  const std::filesystem::path library = CAS_KILL_BEFORE;
  expect_done(emmg_program({"grant", "1", "--card", "1"}));
  casdemo::IssueNumber before = 0;
  int kills = 0;
  for (int write = 1;; ++write) {
    SCOPED_TRACE("killed before write " + std::to_string(write));
    Environment killing = environment();
    const char* sanitizer = std::getenv("ASAN_OPTIONS");
    killing["LD_PRELOAD"] = library.filename();
    killing["LD_LIBRARY_PATH"] = library.parent_path();
    killing["CAS_TEST_KILL_BEFORE"] = std::to_string(write);
    killing["ASAN_OPTIONS"] = std::string(sanitizer != nullptr ? sanitizer : "") + ":verify_asan_link_order=0";
    const Outcome outcome = run_program(command_of(CAS_EMMG, {"grant", "1", "--card", "2"}), killing, folder());
    auto system = ca_system::CaSystem::open(folder() / "home" / "ca", crypto::system_random(), system_clock());
    ASSERT_TRUE(system.has_value()) << system.error().message;
    ASSERT_TRUE(system->check().has_value());
    const auto emms = system->emms_after(0, 100).value();
    ASSERT_GE(emms.size(), 1U);
    EXPECT_EQ(casdemo::EmmView::parse(emms.front().section)->address, casdemo::EmmAddress::to_card(1));
    EXPECT_GE(emms.back().issue, before);
    before = emms.back().issue;
    if (outcome.signal == 0) {
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
      EXPECT_EQ(emms.size(), 2U);
      break;
    }
    ++kills;
  }
  EXPECT_GE(kills, 3);
}

TEST_F(CasEmmg, ACardIsExportedForItsOwnerAlone) {
  expect_done(emmg_program({"card", "export", "1", "one.identity"}));
  struct stat found {};
  ASSERT_EQ(::stat((folder() / "one.identity").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
  expect_failure(emmg_program({"card", "export", "1", "one.identity"}), 1, "is not overwritten");
  expect_failure(emmg_program({"card", "export", "9", "nine.identity"}), 1, "there is no card 9");
  EXPECT_FALSE(std::filesystem::exists(folder() / "nine.identity"));
}

TEST_F(CasEmmg, NothingThatIsPrintedHoldsAKey) {
  expect_done(emmg_program({"grant", "1", "--card", "1"}));
  const casdemo::EntitlementStore card = receiver("1");
  const SecretBytes kept = card.encode();
  const std::string keys = to_hex(kept.reveal().subspan(13, 32));  // of the card and of all cards
  for (const Arguments& arguments : {Arguments{"card", "list", "--json"}, Arguments{"list", "--json"},
                                     Arguments{"group", "list"}, Arguments{"card", "list"}}) {
    const Outcome outcome = emmg_program(arguments);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ((outcome.out + outcome.err).find(keys.substr(0, 16)), std::string::npos);
    EXPECT_EQ((outcome.out + outcome.err).find(keys.substr(32, 16)), std::string::npos);
  }
}

TEST_F(CasEmmg, WrongArguments) {
  expect_failure(emmg_program({"grant", "1"}), 2, "one of --card, --group and --all");
  expect_failure(emmg_program({"grant", "1", "--all", "--card", "1"}), 2, "one of --card, --group and --all");
  expect_failure(emmg_program({"grant", "1", "--all", "--for", "1d", "--until", "2100-01-01"}), 2, "give one");
  expect_failure(emmg_program({"grant", "1", "--all", "--until", "2001-01-01"}), 2, "ends in the future");
  expect_failure(emmg_program({"grant", "9", "--all"}), 1, "there is no product 9");
  expect_failure(emmg_program({"grant", "1", "--card", "9"}), 1, "there is no card 9");
  expect_failure(emmg_program({"card", "add", "1"}), 1, "there is a card 1 already");
  expect_failure(emmg_program({"group", "add", "0"}), 2, "groups have numbers");
  expect_failure(emmg_program({"personalise", "1", "--group", "5"}), 1, "there is no group 5");
  expect_failure(emmg_program({"run", "--mux", "nowhere"}), 2, "--mux takes HOST:PORT");
  expect_failure(emmg_program({"run", "--udp", "--mux", "mux.example:1"}), 2, "mux.example");
  expect_failure(emmg_program({"run", "--bandwidth", "0"}), 2, "--bandwidth takes 1 to 65534");
}

}  // namespace
}  // namespace cas::test
