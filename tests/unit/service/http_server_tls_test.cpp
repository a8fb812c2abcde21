// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>

#include <fstream>

#include "service/http_authentication.hpp"
#include "service/http_client.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tls_certificates.hpp"
#include "tests/unit/service/http_fixture.hpp"
#include "tests/unit/service/tls_peer.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;
using crypto::TlsClients;
using test::TlsClient;

class HttpTlsTest : public test::HttpFixture {
 protected:
  HttpTlsTest() {
    authority_.issue("server", {"DNS:test,IP:127.0.0.1", "serverAuth"});
    authority_.issue("packager", {"DNS:packager.example", "clientAuth"});
    get("/who", [](const HttpRequest& request) {
      if (!request.secure()) return HttpResponse::text(500, "not secure");
      return HttpResponse::text(200, request.client() ? request.client()->common_name : "nobody");
    });
    get("/large", [](const HttpRequest&) { return HttpResponse::with_body(200, "", Bytes(large, 'x')); });
    EXPECT_OK(router_.add("POST", "/echo", [](const HttpRequest& request) {
      return HttpResponse::with_secret(200, "", SecretBytes::copy_of(request.body()));
    }));
  }
  static constexpr std::size_t large = 4 << 20;

  void listen(TlsClients clients) {
    HttpTls tls;
    tls.credentials.certificate_file = authority_.certificate_file("server");
    tls.credentials.key_file = authority_.key_file("server");
    if (clients != TlsClients::anonymous) tls.credentials.authority_file = authority_.authority_file();
    tls.clients = clients;
    listening_.tls = tls;
    HttpFixture::listen();
  }
  TlsClient::Options as(const std::string& name) const { return as(name, authority_); }
  static TlsClient::Options as(const std::string& name, const test::TlsAuthority& issuer) {
    return {issuer.certificate_file(name), issuer.key_file(name)};
  }
  std::unique_ptr<TlsClient> connect(const TlsClient::Options& options) {
    auto client = std::make_unique<TlsClient>(server_->port(), options);
    while (!client->is_connected() && !client->peer.at_end && !client->peer.was_reset) {
      (void)client->receive();
      run_ready();
    }
    return client;
  }
  std::string receive_all(TlsClient& client) {
    std::string all;
    while (!client.peer.at_end && !client.peer.was_reset) {
      all += client.receive();
      run_ready();
    }
    return all;
  }
  /// The answer, empty when the server does not talk to such a client.
  std::string who(const TlsClient::Options& options) {
    const auto client = connect(options);
    if (!client->is_connected()) return {};
    client->send(request("GET /who", "Connection: close\r\n"));
    const auto answers = test::parse_answers(receive_all(*client));
    return answers.empty() ? std::string() : answers[0].body;
  }

  test::TemporaryFolder folder_;
  test::TlsAuthority authority_{folder_.path(), "authority"};
  test::TlsAuthority stranger_{folder_.path(), "stranger"};
};

TEST_F(HttpTlsTest, AnswersOverTls13And12) {
  listen(TlsClients::anonymous);
  EXPECT_EQ(who({}), "nobody\n");
  EXPECT_EQ(who({{}, {}, TLS1_2_VERSION}), "nobody\n");
  EXPECT_EQ(who({{}, {}, TLS1_1_VERSION}), "");
  EXPECT_EQ(server_->counts().tls_failures, 1U);
  const auto client = connect(TlsClient::Options{});
  const std::string body(300'000, 'b');
  client->send(request("POST /echo", "", body) + request("GET /large") + request("GET /who", "Connection: close\r\n"));
  const auto answers = test::parse_answers(receive_all(*client));
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].body, body);
  EXPECT_EQ(answers[1].body, std::string(large, 'x'));
  EXPECT_EQ(answers[2].body, "nobody\n");
  EXPECT_TRUE(client->was_told_the_end());
}

TEST_F(HttpTlsTest, ClientsMustShowACertificate) {
  listen(TlsClients::certified);
  EXPECT_EQ(who(as("packager")), "packager\n");
  EXPECT_EQ(who({}), "");
  EXPECT_EQ(server_->counts().tls_failures, 1U);
  EXPECT_EQ(server_->counts().requests, 1U);
}

TEST_F(HttpTlsTest, CertificatesThatAreNotAcceptedAreRefused) {
  stranger_.issue("packager-of-stranger", {"DNS:packager.example", "clientAuth"});
  authority_.issue("late", {{}, "clientAuth", -3600, -10});
  authority_.issue("early", {{}, "clientAuth", 600, 3600});
  for (const TlsClients clients : {TlsClients::certified, TlsClients::optional}) {
    if (clients == TlsClients::optional) {  // the router went into the first server
      router_ = {};
      get("/who", [](const HttpRequest&) { return HttpResponse::text(200, "taken"); });
      server_.reset();
    }
    listen(clients);
    EXPECT_EQ(who(as("packager-of-stranger", stranger_)), "");
    EXPECT_EQ(who(as("late")), "");
    EXPECT_EQ(who(as("early")), "");
    EXPECT_EQ(who(as("server")), "") << "a server's certificate is none for a client";
    EXPECT_EQ(server_->counts().tls_failures, 4U);
    EXPECT_EQ(server_->counts().requests, 0U);
  }
}

TEST_F(HttpTlsTest, ClientsMayShowACertificate) {
  listen(TlsClients::optional);
  EXPECT_EQ(who(as("packager")), "packager\n");
  EXPECT_EQ(who({}), "nobody\n");
}

/// The certificate, the token and nothing, as an authenticator sees them.
TEST_F(HttpTlsTest, AnAuthenticatorKnowsWhoAsks) {
  test::SeededRandom random(1);
  HttpAccount account;
  account.name = "the packager";
  account.certificate_names = {"packager.example"};
  account.tokens = {test::value_or_throw(bearer_token_digest(as_bytes("0123456789abcdefghijkl")))};
  std::vector<HttpAccount> accounts;
  accounts.push_back(std::move(account));
  HttpAuthenticationSettings settings;
  settings.certificates = settings.bearer = true;
  auto authenticator = test::value_or_throw(HttpAuthenticator::create(
      settings, test::value_or_throw(HttpAccounts::create(std::move(accounts))), random, clock_));
  router_ = {};
  get("/who", [&](const HttpRequest& request) {
    auto who = authenticator.authenticate(request);
    if (!who) return std::move(who.error().response);
    return HttpResponse::text(200, who->client + " by " + std::string(http_scheme_name(who->scheme)));
  });
  authority_.issue("stray", {"DNS:stray.example", "clientAuth"});
  listen(TlsClients::optional);
  EXPECT_EQ(who(as("packager")), "the packager by certificate\n");
  EXPECT_THAT(who(as("stray")), testing::HasSubstr("belongs to no client"));
  const auto client = connect(TlsClient::Options{});
  client->send(request("GET /who") +
               request("GET /who", "Authorization: Bearer 0123456789abcdefghijkl\r\nConnection: close\r\n"));
  const auto answers = test::parse_answers(receive_all(*client));
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].status, 401);
  EXPECT_TRUE(answers[0].has("WWW-Authenticate: Bearer realm=\"cas\""));
  EXPECT_EQ(answers[1].body, "the packager by bearer\n");
}

TEST_F(HttpTlsTest, PlainBytesAreNoTls) {
  listen(TlsClients::anonymous);
  const auto peer = HttpFixture::connect();
  peer->send(request("GET /who"));
  const std::string said = HttpFixture::receive_all(*peer);
  EXPECT_EQ(said.find("HTTP"), std::string::npos);
  EXPECT_EQ(server_->counts().tls_failures, 1U);
  EXPECT_EQ(server_->counts().requests, 0U);
}

TEST_F(HttpTlsTest, DamagedRecordsEndTheConnection) {
  listen(TlsClients::anonymous);
  const auto client = connect(TlsClient::Options{});
  ASSERT_TRUE(client->is_connected());
  client->peer.send(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  EXPECT_EQ(receive_all(*client), "");
  EXPECT_TRUE(client->peer.at_end);
  EXPECT_EQ(server_->counts().requests, 0U);
}

TEST_F(HttpTlsTest, AHandshakeThatTakesTooLong) {
  listen(TlsClients::anonymous);
  const auto silent = HttpFixture::connect(), slow = HttpFixture::connect();
  slow->send("\x16\x03\x01");
  advance(9s);
  EXPECT_EQ(server_->counts().open, 2U);
  slow->send("\x02");
  advance(1s);
  EXPECT_EQ(server_->counts().open, 0U);
  EXPECT_EQ(server_->counts().tls_failures, 2U);
}

TEST_F(HttpTlsTest, CertificatesAreReadAgainForNewConnections) {
  listen(TlsClients::anonymous);
  const auto old = connect(TlsClient::Options{});
  EXPECT_EQ(old->server_name(), "server");
  authority_.issue("renewed", {"DNS:test", "serverAuth"});
  std::filesystem::copy_file(authority_.key_file("renewed"), authority_.key_file("server"),
                             std::filesystem::copy_options::overwrite_existing);
  // The key is new, the certificate is not yet: nothing changes.
  EXPECT_FAILS(server_->reload_tls(), ErrorKind::invalid_argument);
  EXPECT_EQ(connect(TlsClient::Options{})->server_name(), "server");
  std::filesystem::copy_file(authority_.certificate_file("renewed"), authority_.certificate_file("server"),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_OK(server_->reload_tls());
  EXPECT_EQ(connect(TlsClient::Options{})->server_name(), "renewed");
  old->send(request("GET /who", "Connection: close\r\n"));
  EXPECT_EQ(test::parse_answers(receive_all(*old)).size(), 1U);
}

TEST_F(HttpTlsTest, StoppingTellsTheEnd) {
  listen(TlsClients::anonymous);
  const auto idle = connect(TlsClient::Options{});
  bool stopped = false;
  server_->stop([&] { stopped = true; });
  EXPECT_EQ(receive_all(*idle), "");
  EXPECT_TRUE(idle->was_told_the_end());
  idle->peer.close();
  while (!stopped) run_ready();
}

TEST_F(HttpTlsTest, FilesThatCannotBeUsedAreNamed) {
  listening_.tls = HttpTls{{"/no/such/file", "/no/such/key", {}, {}}, TlsClients::anonymous};
  EXPECT_FAILS(HttpServer::listen(*loop_, listening_, {}), ErrorKind::not_found);
  listening_.tls =
      HttpTls{{authority_.certificate_file("server"), authority_.key_file("server"), {}, {}}, TlsClients::certified};
  EXPECT_FAILS(HttpServer::listen(*loop_, listening_, {}), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::service
