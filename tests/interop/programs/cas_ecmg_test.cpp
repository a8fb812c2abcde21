// SPDX-License-Identifier: LGPL-2.1-or-later
#include <csignal>

#include "ca_program_test.hpp"
#include "casdemo/access_criteria.hpp"
#include "casdemo/ecm.hpp"

namespace cas::test {
namespace {

constexpr std::uint32_t super_cas_id = casdemo::default_super_cas_id;

class CasEcmg : public CaProgramTest {
 protected:
  CasEcmg() { expect_done(ecmg_program({"init"})); }
  std::string open_channel(Synchroniser& scs, std::uint16_t channel, std::uint32_t id = super_cas_id) {
    return scs.ask(ecmg::ChannelSetup{channel, id});
  }
  std::string open_stream(Synchroniser& scs, std::uint16_t channel, std::uint16_t stream, std::uint16_t ecm_id) {
    return scs.ask(ecmg::StreamSetup{channel, stream, ecm_id, 100});
  }
};

TEST_F(CasEcmg, AnswersWithEcms) {
  start_ecmg();
  Synchroniser scs(port);
  EXPECT_EQ(open_channel(scs, 1), "channel_status");
  EXPECT_EQ(open_stream(scs, 1, 2, 3), "stream_status");
  EXPECT_EQ(scs.ask_for_ecm(1, 2), "ECM_response");
  const Bytes ecm = scs.ecm();
  const auto view = casdemo::EcmView::parse(ecm);
  ASSERT_TRUE(view.has_value()) << view.error().message;
  EXPECT_EQ(view->criteria.product(), 1);
  EXPECT_EQ(view->crypto_period, 6);
  const Bytes test = simulcrypt::test::wire(ecmg::ChannelMessage{1}, 3, ecmg::channel_test);
  EXPECT_EQ(scs.ask(ByteView(test)), "channel_status");
}

TEST_F(CasEcmg, SaysWhatItWasTold) {
  start_ecmg({"--delay-start=-200",
              "--delay-stop",
              "300",
              "--ecm-rep-period",
              "250",
              "--max-streams",
              "9",
              "--min-cp-duration",
              "2000",
              "--lead-cw",
              "0",
              "--cw-per-msg",
              "1",
              "--max-comp-time",
              "77",
              "--mode",
              "packets",
              "--ac-delay-start",
              "-5",
              "--transition-delay-stop",
              "6",
              "--super-cas-id",
              "305397761"});
  Synchroniser scs(port);
  EXPECT_EQ(open_channel(scs, 1), "channel_error 0005");
  EXPECT_EQ(open_channel(scs, 1, 0x12340001), "channel_status");
  const auto checked = simulcrypt::check(simulcrypt::ecmg_grammar(),
                                         {3, ecmg::channel_status, static_cast<std::uint16_t>(scs.last().size() - 5)},
                                         ByteView(scs.last()).subspan(5));
  ASSERT_TRUE(checked.message.has_value());
  ecmg::ChannelParameters wanted;
  wanted.section_tspkt_flag = ecmg::transport_packets;
  wanted.delay_start = -200;
  wanted.delay_stop = 300;
  wanted.ac_delay_start = std::int16_t{-5};
  wanted.transition_delay_stop = std::int16_t{6};
  wanted.ecm_rep_period = 250;
  wanted.max_streams = 9;
  wanted.min_cp_duration = 20;
  wanted.lead_cw = 0;
  wanted.cw_per_msg = 1;
  wanted.max_comp_time = 77;
  EXPECT_EQ(ecmg::ChannelStatus::from(*checked.message).parameters, wanted);
}

TEST_F(CasEcmg, TheCommandLineWinsOverTheFile) {
  EXPECT_TRUE(write_file_durably(folder() / "ecmg.toml",
                                 as_bytes("max_channels = 1\nmax_streams = 1\nlisten = \"127.0.0.1:1\"\n"))
                  .has_value());
  start_ecmg({"--config", "ecmg.toml", "--max-streams", "2"});
  Synchroniser one(port), two(port);
  EXPECT_EQ(open_channel(one, 1), "channel_status");
  EXPECT_EQ(open_channel(two, 2), "channel_error 0008");
  EXPECT_EQ(open_stream(one, 1, 1, 1), "stream_status");
  EXPECT_EQ(open_stream(one, 1, 2, 2), "stream_status");
  EXPECT_EQ(open_stream(one, 1, 3, 3), "stream_error 0009");
}

TEST_F(CasEcmg, LimitsAreAnsweredWithTheirErrors) {
  start_ecmg({"--max-channels", "2", "--max-streams", "2", "--max-total-streams", "3", "--product", "none"});
  Synchroniser one(port), two(port), three(port);
  EXPECT_EQ(open_channel(one, 1), "channel_status");
  EXPECT_EQ(open_channel(two, 1), "channel_error 0013");
  EXPECT_EQ(open_channel(two, 2), "channel_status");
  EXPECT_EQ(open_channel(three, 3), "channel_error 0008");
  EXPECT_EQ(open_stream(one, 1, 1, 1), "stream_status");
  EXPECT_EQ(open_stream(one, 1, 1, 2), "stream_error 0014");
  EXPECT_EQ(open_stream(two, 2, 1, 1), "stream_error 0015");
  EXPECT_EQ(open_stream(one, 1, 2, 2), "stream_status");
  EXPECT_EQ(open_stream(one, 1, 3, 3), "stream_error 0009");
  EXPECT_EQ(open_stream(two, 2, 1, 3), "stream_status");
  EXPECT_EQ(open_stream(two, 2, 2, 4), "stream_error 000a");
  EXPECT_EQ(one.ask_for_ecm(1, 1), "stream_error 0010");
  EXPECT_EQ(one.ask_for_ecm(1, 1, as_bytes("?")), "stream_error 0011");
  EXPECT_EQ(one.ask_for_ecm(1, 1, casdemo::AccessCriteria(9).encoded()), "stream_error 0011");
  EXPECT_EQ(one.ask_for_ecm(1, 1, casdemo::AccessCriteria(1).encoded()), "ECM_response");
  EXPECT_EQ(one.ask_for_ecm(1, 7), "stream_error 0007");
}

TEST_F(CasEcmg, AClientThatTalksNonsenseIsHungUpOnAndOthersGoOn) {
  start_ecmg();
  Synchroniser good(port);
  EXPECT_EQ(open_channel(good, 1), "channel_status");
  EXPECT_EQ(open_stream(good, 1, 1, 1), "stream_status");
  Synchroniser bad(port);
  const Bytes of_no_version{9, 0, 1, 0, 0}, of_no_type{3, 0x77, 0x77, 0, 0}, without_parameters{3, 0, 1, 0, 0};
  EXPECT_EQ(bad.ask(of_no_version), "channel_error 0002");
  EXPECT_EQ(bad.ask(of_no_type), "channel_error 0003");
  EXPECT_EQ(bad.ask(without_parameters), "channel_error 0010");
  EXPECT_EQ(bad.hear(), "end");
  EXPECT_TRUE(ecmg->wait_for_error_text("; it is hung up on"));
  EXPECT_EQ(good.ask_for_ecm(1, 1), "ECM_response");
}

TEST_F(CasEcmg, AClientThatSaysNothingOrNoMessageIsNotWaitedForForEver) {
  start_ecmg({"--set-up-time-out", "100"});
  Synchroniser silent(port), loud(port);
  EXPECT_EQ(loud.ask(as_bytes(std::string(9000, '?'))), "end");
  EXPECT_EQ(silent.hear(), "end");
}

TEST_F(CasEcmg, EndsInPeaceWhenAskedTo) {
  start_ecmg({"--json"});
  Synchroniser scs(port);
  EXPECT_EQ(open_channel(scs, 1), "channel_status");
  EXPECT_EQ(open_stream(scs, 1, 1, 1), "stream_status");
  EXPECT_EQ(scs.ask_for_ecm(1, 1), "ECM_response");
  ecmg->send(SIGTERM);
  EXPECT_EQ(scs.hear(), "end");
  const Outcome outcome = ecmg->wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::size_t line = outcome.out.find('\n');
  EXPECT_EQ(nlohmann::json::parse(outcome.out.substr(0, line))["port"], port);
  EXPECT_EQ(nlohmann::json::parse(outcome.out.substr(line))["ecms"], 1);
  std::size_t lines = 0;
  for (std::size_t at = 0, end = 0; (end = outcome.err.find('\n', at)) != std::string::npos; at = end + 1, ++lines)
    EXPECT_TRUE(nlohmann::json::parse(outcome.err.substr(at, end - at)).contains("event"));
  EXPECT_GE(lines, 3U);
}

TEST_F(CasEcmg, NewProductsAndKeysAreTakenUpWhileItRuns) {
  start_ecmg();
  Synchroniser scs(port);
  EXPECT_EQ(open_channel(scs, 1), "channel_status");
  EXPECT_EQ(open_stream(scs, 1, 1, 1), "stream_status");
  const casdemo::AccessCriteria sport(7);
  EXPECT_EQ(scs.ask_for_ecm(1, 1, sport.encoded()), "stream_error 0011");
  expect_done(ecmg_program({"product", "add", "7", "--name", "sport"}));
  ecmg->send(SIGHUP);
  ASSERT_TRUE(ecmg->wait_for_error_text("the keys were read: 4"));
  EXPECT_EQ(scs.ask_for_ecm(1, 1), "ECM_response");
}

TEST_F(CasEcmg, KeysFollowOneAnotherByThemselves) {
  expect_done(ecmg_program({"product", "add", "7", "--key-period", "10s"}));
  start_ecmg({"--product", "7"});
  ASSERT_TRUE(ecmg->wait_for_error_text("the keys were read", 1));
  // Another process makes the next key begin now.
  expect_done(ecmg_program({"product", "roll", "7", "--in", "1s"}));
  ASSERT_TRUE(ecmg->wait_for_error_text("the keys were read", 2));
  ASSERT_TRUE(ecmg->wait_for_error_text("the keys were read", 3));
  Synchroniser scs(port);
  EXPECT_EQ(open_channel(scs, 1), "channel_status");
  EXPECT_EQ(open_stream(scs, 1, 1, 1), "stream_status");
  EXPECT_EQ(scs.ask_for_ecm(1, 1), "ECM_response");
  const Bytes ecm = scs.ecm();
  EXPECT_EQ(casdemo::EcmView::parse(ecm)->key_id, 4);
}

TEST_F(CasEcmg, IsTheSameSystemAfterAKill) {
  start_ecmg();
  expect_done(emmg_program({"card", "add"}));
  expect_done(emmg_program({"grant", "1", "--card", "1"}));
  casdemo::EntitlementStore card = receiver("1");
  Multiplexer mux;
  start_emmg(mux.port());
  mux.run_until([&] { return !mux.datagrams.empty(); });
  EXPECT_TRUE(card.receive_emm(mux.datagrams[0]).has_value());
  EXPECT_TRUE(opens(card));
  ecmg->send(SIGKILL);
  EXPECT_EQ(ecmg->wait().signal, SIGKILL);
  start_ecmg();
  EXPECT_TRUE(opens(card));
}

TEST_F(CasEcmg, WrongArguments) {
  expect_failure(ecmg_program({"run", "--listen", "nowhere"}), 2, "nowhere");
  expect_failure(ecmg_program({"run", "--mode", "none"}), 2, "--mode takes sections or packets");
  expect_failure(ecmg_program({"run", "--product", "sport"}), 2, "--product takes");
  expect_failure(ecmg_program({"run", "--cw-per-msg", "5"}), 2, "--cw-per-msg takes 1 to 4");
  expect_failure(ecmg_program({"run", "--lead-cw", "2"}), 2, "--cw-per-msg is at least");
  expect_failure(ecmg_program({"run", "--config", "none.toml"}), 1, "none.toml");
  EXPECT_TRUE(write_file_durably(folder() / "wrong.toml", as_bytes("max_chanels = 3\n")).has_value());
  expect_failure(ecmg_program({"run", "--config", "wrong.toml"}), 2, "did you mean 'max_channels'");
  expect_failure(ecmg_program({"run", "--system", "elsewhere"}), 1, "cas-ecmg init makes one");
  expect_failure(ecmg_program({"init"}), 1, "is not overwritten");
  expect_failure(ecmg_program({"product", "add", "1"}), 1, "there is a product 1 already");
  expect_failure(ecmg_program({"product", "add", "2", "--key-period", "soon"}), 2, "--key-period takes a time");
  expect_failure(ecmg_program({"product", "roll", "2"}), 1, "there is no product 2");
}

TEST_F(CasEcmg, TellsItsMetrics) {
  start_ecmg({"--metrics", "127.0.0.1:0"});
  const std::string& said = ecmg->error_text();
  ASSERT_TRUE(ecmg->wait_for_error_text("/metrics"));
  const std::string before = "metrics at http://";
  const std::size_t at = said.find(before) + before.size();
  const std::string place = said.substr(at, said.find('/', at) - at);
  Synchroniser scs(port);
  EXPECT_EQ(open_channel(scs, 1), "channel_status");
  EXPECT_EQ(open_stream(scs, 1, 1, 1), "stream_status");
  EXPECT_EQ(scs.ask_for_ecm(1, 1), "ECM_response");
  EXPECT_EQ(scs.ask_for_ecm(1, 1, as_bytes("?")), "stream_error 0011");
  const std::string text = http_get(place, "/metrics");
  for (const char* line :
       {"\ncas_ecmg_channels 1\n", "\ncas_ecmg_streams 1\n", "\ncas_ecmg_ecms_total 1\n",
        "\ncas_ecmg_refusals_total 1\n", "\ncas_ecmg_misbehaviour_total 1\n", "\ncas_ecmg_answer_seconds_count 1\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  EXPECT_TRUE(http_get(place, "/healthz").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(http_get(place, "/readyz").starts_with("HTTP/1.1 200"));
}

TEST_F(CasEcmg, APortThatIsTakenIsTold) {
  start_ecmg();
  expect_failure(ecmg_program({"run", "--listen", "127.0.0.1:" + std::to_string(port)}), 1, "cannot listen at");
}

}  // namespace
}  // namespace cas::test
