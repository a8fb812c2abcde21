// SPDX-License-Identifier: LGPL-2.1-or-later
#include <csignal>
#include <filesystem>
#include <optional>

#include "program_test.hpp"
#include "tests/support/tls_certificates.hpp"

namespace cas::test {
namespace {

namespace fs = std::filesystem;

class Relay : public ProgramTest {
 protected:
  Relay() {
    authority.issue("vault", {"IP:127.0.0.1", "serverAuth"});
    authority.issue("desk", {{}, "clientAuth"});
  }
  /// Lends a card at a free port, and gives the URI for it.
  std::string lend(const std::string& file, bool json = false) {
    Arguments command{cas_card, "relay",     "--card", file,        "--listen", "127.0.0.1:0",
                      "--cert", "vault.pem", "--key",  "vault.key", "--ca",     "ca.pem"};
    if (json) command.emplace_back("--json");
    relay.emplace(command, environment(), folder());
    EXPECT_TRUE(relay->wait_for_error_text("; Ctrl-C ends it"));
    const std::string before_port = " at 127.0.0.1:";
    const std::string& text = relay->error_text();
    const std::size_t at = text.find(before_port) + before_port.size();
    port = text.substr(at, text.find(';', at) - at);
    return "relay:127.0.0.1:" + port + "?cert=desk.pem&key=desk.key&ca=ca.pem";
  }
  Outcome stop_lending() {
    relay->send(SIGTERM);
    Outcome outcome = relay->wait();
    relay.reset();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome;
  }
  void make_system() {
    ASSERT_EQ(tmc({"root"}).exit_code, 0);
    ASSERT_EQ(tmc({"host", "--capabilities", "all"}).exit_code, 0);
    ASSERT_EQ(card({"create", "p.card", "--progenitor"}).exit_code, 0);
    ASSERT_EQ(card({"create", "r.card"}).exit_code, 0);
  }

  TlsAuthority authority{folder(), "ca"};
  std::optional<RunningProgram> relay;
  std::string port;
};

TEST_F(Relay, TellsWhereItListensAndWhoWasThere) {
  make_system();
  const Json here = card_json({"info", "r.card"})["token"];
  const std::string uri = lend("r.card", true);
  const Json there = card_json({"info", uri});
  EXPECT_EQ(there["token"], here);
  EXPECT_EQ(there["card"],
            "soft card " + fs::canonical(folder() / "r.card").string() + " relayed from 127.0.0.1:" + port);
  EXPECT_EQ(card({"info", uri}).exit_code, 0);  // one after the other
  ASSERT_TRUE(relay->wait_for_error_text(" has left: ", 2));
  expect_failure(card({"info", "r.card"}), 1, "cas-card", "in use by another process");

  const Outcome outcome = stop_lending();
  EXPECT_NE(outcome.err.find("CN=desk at 127.0.0.1:"), std::string::npos) << outcome.err;
  const std::size_t line_end = outcome.out.find('\n');
  const Json listening = Json::parse(outcome.out.substr(0, line_end));
  EXPECT_EQ(listening, Json({{"listening", "127.0.0.1:" + port}, {"port", std::stoi(port)}}));
  const Json ended = Json::parse(outcome.out.substr(line_end));
  EXPECT_EQ(ended["clients"], 2);
  EXPECT_EQ(ended["port"], std::stoi(port));
  EXPECT_EQ(card_json({"info", uri}, 1)["error"]["kind"], "card-absent");
}

TEST_F(Relay, TheProgenitorIsElsewhere) {
  make_system();
  const std::string uri = lend("p.card");
  ASSERT_EQ(tmc_json({"domain", "create", "studio", "--progenitor", uri})["already"], false);
  const Json enrolled = tmc_json({"enrol", "--domain", "studio", "--token", "r.card", "--kind", "renderer"});
  EXPECT_EQ(enrolled["token"]["kind"], "renderer");
  stop_lending();
  EXPECT_EQ(card_json({"info", "p.card"})["token"]["kind"], "progenitor");
  EXPECT_EQ(card_json({"info", "r.card"})["token"]["vdid"], card_json({"info", "p.card"})["token"]["vdid"]);
}

TEST_F(Relay, TheNewTokenIsElsewhereAndKeptByItsName) {
  make_system();
  ASSERT_EQ(tmc({"domain", "create", "studio", "--progenitor", "p.card"}).exit_code, 0);
  const std::string uri = lend("r.card");
  EXPECT_EQ(
      tmc_json({"enrol", "--domain", "studio", "--token", uri, "--kind", "renderer", "--default"})["token"]["kind"],
      "renderer");
  // The files are found from every working folder.
  const std::string kept = read_text(home() / "default-cards" / "renderer");
  EXPECT_EQ(kept, "relay:127.0.0.1:" + port + "?cert=" + (folder() / "desk.pem").string() +
                      "&key=" + (folder() / "desk.key").string() + "&ca=" + (folder() / "ca.pem").string() + "\n");
  stop_lending();
  EXPECT_EQ(card_json({"info", "r.card"})["token"]["kind"], "renderer");
}

TEST_F(Relay, ACardIsPersonalisedElsewhereOnceAndStrangersAreShutOut) {
  make_system();
  const std::string uri = lend("r.card");
  expect_failure(card({"create", uri}), 1, "cas-card", "certificate already");
  const TlsAuthority stranger(folder(), "stranger-ca");
  stranger.issue("stranger", {{}, "clientAuth"});
  const std::string place = "relay:127.0.0.1:" + port;
  expect_failure(card({"info", place + "?cert=stranger.pem&key=stranger.key&ca=ca.pem"}), 1, "cas-card",
                 "refuses the connection");
  expect_failure(card({"info", place + "?cert=desk.pem&key=desk.key&ca=stranger-ca.pem"}), 1, "cas-card",
                 "not accepted");
  expect_failure(card({"info", uri + "&name=localhost"}), 1, "cas-card", "not accepted");
  ASSERT_TRUE(relay->wait_for_error_text(" was rejected: "));
  stop_lending();
}

TEST_F(Relay, WrongArguments) {
  make_system();
  expect_failure(card({"relay", "r.card"}), 2, "cas-card", "--cert");
  const auto with = [](const std::string& listen, const std::string& key = "vault.key") {
    return Arguments{"relay", "r.card", "--listen", listen, "--cert", "vault.pem", "--key", key, "--ca", "ca.pem"};
  };
  for (const char* listen : {"nowhere", ":1", "127.0.0.1:", "127.0.0.1:65536", "::1:0", "[127.0.0.1]:0", "[::1]"})
    expect_failure(card(with(listen)), 2, "cas-card", "--listen takes ADDRESS:PORT");
  expect_failure(card(with("127.0.0.1:0", "none.key")), 1, "cas-card", "none.key");
  expect_failure(card(with("127.0.0.1:0", "desk.key")), 2, "cas-card", "does not belong");
  expect_failure(card({"info", "relay:127.0.0.1:1?cert=desk.pem&key=desk.key"}), 2, "cas-card", "three files");
  expect_failure(card({"info", "relay:127.0.0.1:1?cert=none.pem&key=desk.key&ca=ca.pem"}), 1, "cas-card", "none.pem");
}

}  // namespace
}  // namespace cas::test
