// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SmartPRO as a CA system: cas-ecmg asks a head-end token, and renderer tokens open what is on the air.
#include <csignal>

#include "crypto/random.hpp"
#include "program_test.hpp"
#include "simulcrypt/head_end.hpp"
#include "simulcrypt/head_end_network.hpp"
#include "smartpro/broadcast_ecm.hpp"
#include "smartpro/default_places.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/token_session.hpp"
#include "synchroniser_by_hand.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_multiplex.hpp"
#include "tests/support/test_receiver.hpp"

namespace cas::test {
namespace {

constexpr std::uint32_t super_cas_id = 0xFF530001;
constexpr std::uint16_t ca_system_id = super_cas_id >> 16;

/// Nobody needs to hear of it.
class Silent final : public simulcrypt::HeadEndListener {
  void period_began(const simulcrypt::GroupName&, std::uint16_t, const simulcrypt::ContentKey*, std::uint64_t,
                    simulcrypt::StreamTime) override {}
  void went_clear(const simulcrypt::GroupName&, std::uint64_t, simulcrypt::StreamTime) override {}
  void ecm_missing(const simulcrypt::GroupName&, const std::string&, std::uint16_t, simulcrypt::WithoutEcm) override {}
  void service_found(std::uint16_t, const std::string&, const std::vector<simulcrypt::GroupStream>&) override {}
  void service_gone(std::uint16_t) override {}
  void problem(const std::string& what) override { ADD_FAILURE() << what; }
};

class SmartproOnAir : public ProgramTest {
 protected:
  SmartproOnAir() {
    use_initialised_home();
    EXPECT_EQ(card({"create", "head-end.card"}).exit_code, 0);
    EXPECT_EQ(tmc({"enrol", "--token", "head-end.card", "--kind", "head-end", "--default"}).exit_code, 0);
  }
  [[nodiscard]] static Arguments run_command(const Arguments& more, const std::string& listen = "127.0.0.1:0") {
    Arguments arguments{CAS_ECMG, "run", "--cas", "smartpro", "--listen", listen, "--port-file", "port"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  void start(const Arguments& more = {}) {
    ecmg_.emplace(run_command(more), environment(), folder());
    ASSERT_TRUE(ecmg_->wait_for_error_text("listening at ")) << ecmg_->error_text();
    port = static_cast<std::uint16_t>(std::stoi(read_text(folder() / "port")));
  }
  std::unique_ptr<smartpro::TokenSession> renderer() {
    auto host = value_or_throw(smartpro::load_host_credentials((home() / "host").string(), ""));
    const std::string file = home_card("renderer").string();
    return std::make_unique<smartpro::TokenSession>(
        value_or_throw(smartpro::open_token_card("soft:" + file + "?pin-source=file:" + file + ".pin")),
        std::make_shared<const smartpro::HostCredentials>(std::move(host)), smartpro::TokenSession::Options{});
  }
  /// Three seconds of a service in crypto-periods of a second, as the head-end sends them.
  Bytes scramble(ByteView stream, const Bytes& access_criteria = {}) {
    auto network = value_or_throw(simulcrypt::HeadEndNetwork::create(system_clock(), crypto::system_random()));
    simulcrypt::EcmgConnectorSettings to;
    to.addresses = {{"127.0.0.1", port}};
    to.client.super_cas_id = super_cas_id;
    simulcrypt::HeadEndSettings settings;
    settings.wait_for_ecms = std::chrono::minutes(1);
    settings.systems.push_back({"smartpro", ca_system_id, value_or_throw(network->add_ecmg(to))});
    simulcrypt::ServiceSettings service;
    service.period = std::chrono::seconds(1);
    simulcrypt::CaUse use;
    use.system = "smartpro";
    use.access_criteria = access_criteria;
    service.systems.push_back(use);
    settings.services.push_back(service);
    Silent listener;
    auto head_end = value_or_throw(simulcrypt::HeadEnd::create(settings, listener, crypto::system_random()));
    Bytes out, work = copy_of(stream);
    for (MutableByteView rest = work; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), 70 * mpegts::packet_size);
      append(out, value_or_throw(head_end->process(rest.first(size))));
      rest = rest.subspan(size);
    }
    append(out, head_end->finish());
    return out;
  }

  std::optional<RunningProgram> ecmg_;
  std::uint16_t port = 0;
};

TEST_F(SmartproOnAir, ARendererOfTheDomainReceivesTheService) {
  start();
  TestMultiplex multiplex{{.bit_rate = 1'000'000, .null_per_mille = 120}};
  const Bytes sent = multiplex.seconds(3.5);
  const Bytes on_air = scramble(sent);

  const auto viewer = renderer();
  TestReceiver receiver(mpegts::TsCipher::cissa, ca_system_id);
  std::map<std::uint16_t, Bytes> opened;
  receiver.open_ecm = [&](ByteView section) {
    const auto ecm = value_or_throw(smartpro::BroadcastEcm::parse(section));
    TestReceiver::OpenedEcm result{ecm.cp_number, ecm.cp_number, {}};
    auto word = opened.find(ecm.cp_number);
    if (word == opened.end()) {
      auto licence = value_or_throw(viewer->open_licence(ecm.lecm, ecm.open_request({})));
      word = opened.emplace(ecm.cp_number, copy_of(licence.control_word.reveal())).first;
    }
    result.words.push_back(SecretBytes::copy_of(word->second));
    return result;
  };
  receiver.push(on_air);
  EXPECT_EQ(receiver.undecodable, 0U);
  EXPECT_EQ(receiver.continuity_errors, 0U);
  // Its ECM is on the air a second before a period begins, and the periods keep their length.
  EXPECT_EQ(opened.size(), 4U);
  EXPECT_GT(receiver.scrambled[TestMultiplex::video_pid(0)], 1000U);
  Bytes expected;
  for (ByteView rest = sent; !rest.empty(); rest = rest.subspan(mpegts::packet_size)) {
    const mpegts::PacketView packet(rest.data(), mpegts::packet_size);
    if (mpegts::pid_of(packet) == TestMultiplex::video_pid(0)) append(expected, mpegts::payload_of(packet));
  }
  EXPECT_TRUE(expected == receiver.payloads[TestMultiplex::video_pid(0)]);
  ecmg_->send(SIGTERM);
  const Outcome outcome = ecmg_->wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find(" ECMs were made"), std::string::npos) << outcome.out;
}

TEST_F(SmartproOnAir, TheRightsThatTheHeadEndNamesBindTheRenderer) {
  start();
  smartpro::BroadcastCriteria criteria;
  criteria.rights.not_after = 1'000'000'000;  // 2001
  TestMultiplex multiplex{{.bit_rate = 1'000'000, .null_per_mille = 120}};
  const Bytes on_air = scramble(multiplex.seconds(1.5), criteria.encode());
  const auto viewer = renderer();
  TestReceiver receiver(mpegts::TsCipher::cissa, ca_system_id);
  std::size_t refused = 0;
  receiver.open_ecm = [&](ByteView section) {
    const auto ecm = value_or_throw(smartpro::BroadcastEcm::parse(section));
    const auto opened = viewer->open_licence(ecm.lecm, ecm.open_request({}));
    EXPECT_TRUE(!opened && opened.error().kind == ErrorKind::expired);
    ++refused;
    return TestReceiver::OpenedEcm{ecm.cp_number, ecm.cp_number, {}};
  };
  receiver.push(on_air);
  EXPECT_GT(refused, 0U);
  EXPECT_GT(receiver.undecodable, 0U);
}

TEST_F(SmartproOnAir, ARevokedTokenMakesNoMoreLicences) {
  start();
  TestMultiplex multiplex{{.bit_rate = 1'000'000, .null_per_mille = 120}};
  EXPECT_FALSE(scramble(multiplex.seconds(1.5)).empty());
  const Json listed = tmc_json({"list"});
  Json token;
  for (const Json& each : listed.at("tokens"))
    if (each.at("kind") == "head-end") token = each;
  ASSERT_FALSE(token.is_null());
  ASSERT_EQ(tmc({"revoke", token.at("serial_number").get<std::string>()}).exit_code, 0);
  Synchroniser scs(port);
  EXPECT_EQ(scs.ask(ecmg::ChannelSetup{9, super_cas_id}), "channel_status");
  EXPECT_EQ(scs.ask(ecmg::StreamSetup{9, 1, 900, 100}), "stream_status");
  EXPECT_EQ(scs.ask_for_ecm_of_one_word(9, 1), "stream_error 8002");
  EXPECT_TRUE(ecmg_->wait_for_error_text("makes no licence: "));
}

TEST_F(SmartproOnAir, WhatIsMissingOrWrongIsSaidAtTheStart) {
  const auto expect_refusal = [&](const Arguments& more, int exit_code, const std::string& sentence) {
    // An address that is not this machine's (RFC 5737): what is not refused ends there.
    const Outcome outcome = run_program(run_command(more, "192.0.2.1:0"), environment(), folder());
    expect_failure(outcome, exit_code, "cas-ecmg", sentence);
  };
  const std::string camera = home_card("acquisition").string();
  expect_refusal({"--card", camera}, 2,
                 "is a token of the kind 'acquisition', which takes no control words from outside");
  expect_refusal({"--card", "nowhere.card"}, 1, "nowhere.card");
  expect_refusal({"--host", "nowhere"}, 1, "nowhere");
  expect_refusal({"--product", "1"}, 2, "--product says nothing to --cas smartpro");
  expect_refusal({"--cw-per-msg", "2"}, 2, "--cw-per-msg says nothing to --cas smartpro");
  expect_refusal({"--keys", "k"}, 2, "--keys says nothing to --cas smartpro");
}

}  // namespace
}  // namespace cas::test
