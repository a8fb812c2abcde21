// SPDX-License-Identifier: LGPL-2.1-or-later
#include "crypto/tls.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <fstream>

#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"
#include "support/tls_certificates.hpp"

namespace cas::crypto {
namespace {

using test::TlsAuthority;

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    authority.issue("server", {"DNS:vault.example,IP:127.0.0.1,IP:::1", "serverAuth"});
    authority.issue("client", {{}, "clientAuth"});
  }
  TlsCredentials credentials(const std::string& name, const TlsAuthority& issuer, const TlsAuthority& believed) const {
    return {issuer.certificate_file(name), issuer.key_file(name), {}, believed.authority_file()};
  }
  TlsCredentials credentials(const std::string& name) const { return credentials(name, authority, authority); }

  struct Ends {
    Result<bool> client = false;
    Result<bool> server = false;
  };
  // Carries bytes to and fro until neither end has more to say, or one has failed; the one that failed has its last
  // word.
  static Ends shake_hands(TlsSession& client, TlsSession& server) {
    Ends ends;
    for (int round = 0; round < 8; ++round) {
      if (ends.client) ends.client = client.handshake();
      server.receive(client.take_output());
      if (ends.server) ends.server = server.handshake();
      client.receive(server.take_output());
    }
    return ends;
  }
  struct Connection {
    TlsSession client;
    TlsSession server;
  };
  static Connection connection(const TlsCredentials& client, const TlsCredentials& server,
                               const std::string& name = "vault.example") {
    auto client_context = TlsContext::create(TlsRole::client, client);
    auto server_context = TlsContext::create(TlsRole::server, server);
    EXPECT_OK(client_context);
    EXPECT_OK(server_context);
    auto client_session = TlsSession::client(*client_context, name);
    auto server_session = TlsSession::server(*server_context);
    EXPECT_OK(client_session);
    EXPECT_OK(server_session);
    return {std::move(*client_session), std::move(*server_session)};
  }

  test::TemporaryFolder folder;
  TlsAuthority authority{folder.path(), "authority"};
  TlsAuthority stranger{folder.path(), "stranger"};
};

TEST_F(TlsTest, CarriesBytesBothWaysAndTellsTheEnd) {
  auto [client, server] = connection(credentials("client"), credentials("server"));
  EXPECT_EQ(client.peer_subject(), "");
  const Ends ends = shake_hands(client, server);
  ASSERT_OK(ends.client);
  ASSERT_OK(ends.server);
  EXPECT_TRUE(*ends.client && *ends.server);
  EXPECT_EQ(client.peer_subject(), "CN=server");
  EXPECT_EQ(server.peer_subject(), "CN=client");

  const Bytes sent(100'000, 0x5a);
  ASSERT_OK(client.write(sent));
  const Bytes wire = client.take_output();
  EXPECT_GT(wire.size(), sent.size());
  Bytes received;
  Bytes buffer(1'000);
  for (std::size_t at = 0; at < wire.size(); at += 7'001) {
    server.receive(ByteView(wire).subspan(at, std::min<std::size_t>(7'001, wire.size() - at)));
    for (;;) {
      const auto got = server.read(buffer);
      ASSERT_OK(got);
      if (!*got) break;
      append(received, ByteView(buffer).first(**got));
    }
  }
  EXPECT_EQ(received, sent);
  ASSERT_OK(server.write(as_bytes("answer")));
  server.close();
  client.receive(server.take_output());
  const auto answer = client.read(buffer);
  ASSERT_OK(answer);
  ASSERT_TRUE(*answer);
  EXPECT_EQ(as_text(ByteView(buffer).first(**answer)), "answer");
  const auto end = client.read(buffer);
  ASSERT_OK(end);
  EXPECT_EQ(*end, std::optional<std::size_t>(0));
}

TEST_F(TlsTest, AClientThatShowsNoCertificateIsRefused) {
  const auto context = TlsContext::create(TlsRole::server, credentials("server"));
  ASSERT_OK(context);
  auto server = TlsSession::server(*context);
  ASSERT_OK(server);
  // By OpenSSL itself, since ours always shows one.
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> bare(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> client(SSL_new(bare.get()), &SSL_free);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), in, out);
  SSL_set_connect_state(client.get());
  Result<bool> served = false;
  for (int round = 0; round < 4 && served; ++round) {
    (void)SSL_do_handshake(client.get());
    Bytes wire(BIO_ctrl_pending(out));
    if (!wire.empty()) {
      ASSERT_GT(BIO_read(out, wire.data(), static_cast<int>(wire.size())), 0);
    }
    server->receive(wire);
    served = server->handshake();
    const Bytes answer = server->take_output();
    if (!answer.empty()) {
      ASSERT_GT(BIO_write(in, answer.data(), static_cast<int>(answer.size())), 0);
    }
  }
  EXPECT_FAILS(served, ErrorKind::authentication_failed);
  EXPECT_NE(served.error().message.find("shows no certificate"), std::string::npos) << served.error().message;
}

TEST_F(TlsTest, NothingOlderThanTls13) {
  const auto context = TlsContext::create(TlsRole::server, credentials("server"));
  ASSERT_OK(context);
  auto server = TlsSession::server(*context);
  ASSERT_OK(server);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> old(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  ASSERT_EQ(SSL_CTX_set_max_proto_version(old.get(), TLS1_2_VERSION), 1);
  const std::unique_ptr<SSL, decltype(&SSL_free)> client(SSL_new(old.get()), &SSL_free);
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(client.get());
  (void)SSL_do_handshake(client.get());
  Bytes wire(BIO_ctrl_pending(out));
  ASSERT_GT(BIO_read(out, wire.data(), static_cast<int>(wire.size())), 0);
  server->receive(wire);
  const auto served = server->handshake();
  EXPECT_FAILS(served, ErrorKind::malformed);
  const Bytes alert = server->take_output();
  ASSERT_EQ(alert.size(), 7U);
  EXPECT_EQ(alert.back(), 70) << "protocol_version (RFC 8446, 6.2)";
}

/// OpenSSL's own client, which can do what ours does not.
class BareClient {
 public:
  explicit BareClient(int version = TLS1_3_VERSION)
      : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), session_(nullptr, &SSL_free) {
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    session_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(session_.get(), in_, out_);
    SSL_set_connect_state(session_.get());
  }
  SSL* session() { return session_.get(); }
  /// What the server says of the handshake in the end.
  Result<bool> shake_hands(TlsSession& server) {
    Result<bool> served = false;
    for (int round = 0; round < 4 && served; ++round) {
      (void)SSL_do_handshake(session_.get());
      Bytes wire(BIO_ctrl_pending(out_));
      if (!wire.empty()) (void)BIO_read(out_, wire.data(), static_cast<int>(wire.size()));
      server.receive(wire);
      served = server.handshake();
      const Bytes answer = server.take_output();
      if (!answer.empty()) (void)BIO_write(in_, answer.data(), static_cast<int>(answer.size()));
    }
    return served;
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> session_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

TEST_F(TlsTest, AServerMayLetInThoseWithoutACertificate) {
  TlsServerPolicy policy;
  policy.clients = TlsClients::optional;
  const auto optional = TlsContext::create_server(credentials("server"), policy);
  ASSERT_OK(optional);
  {
    auto server = TlsSession::server(*optional);
    ASSERT_OK(server);
    const auto served = BareClient().shake_hands(*server);
    ASSERT_OK(served);
    EXPECT_TRUE(*served);
    EXPECT_FALSE(server->peer());
  }
  // Who shows one shows one that is accepted.
  stranger.issue("client-of-stranger", {{}, "clientAuth"});
  const auto client_context =
      TlsContext::create(TlsRole::client, credentials("client-of-stranger", stranger, authority));
  ASSERT_OK(client_context);
  auto client = TlsSession::client(*client_context, "vault.example");
  auto server = TlsSession::server(*optional);
  ASSERT_OK(client);
  ASSERT_OK(server);
  EXPECT_FAILS(shake_hands(*client, *server).server, ErrorKind::authentication_failed);
  // Nobody to believe: that is only for those who ask for nothing.
  TlsCredentials alone = credentials("server");
  alone.authority_file.clear();
  EXPECT_FAILS(TlsContext::create_server(alone, policy), ErrorKind::invalid_argument);
  policy.clients = TlsClients::anonymous;
  EXPECT_OK(TlsContext::create_server(alone, policy));
}

TEST_F(TlsTest, AServerTellsWhatTheClientsCertificateSays) {
  authority.issue("named", {"DNS:packager.example,DNS:spare.example,IP:192.0.2.1", "clientAuth"});
  auto [client, server] = connection(credentials("named"), credentials("server"));
  EXPECT_FALSE(server.peer());
  ASSERT_OK(shake_hands(client, server).server);
  const auto peer = server.peer();
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->subject, "CN=named");
  EXPECT_EQ(peer->common_name, "named");
  EXPECT_EQ(peer->dns_names, (std::vector<std::string>{"packager.example", "spare.example"}));
  EXPECT_GT(peer->der.size(), 100U);
}

TEST_F(TlsTest, ACommonNameWithControlCharactersIsNone) {
  authority.issue("admin\nevil", {{}, "clientAuth"});
  auto [client, server] = connection(credentials("admin\nevil"), credentials("server"));
  ASSERT_OK(shake_hands(client, server).server);
  const auto peer = server.peer();
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->common_name, "");
  EXPECT_EQ(peer->subject, "CN=admin\\0Aevil");
}

TEST_F(TlsTest, Tls12IsForServersThatAskForIt) {
  TlsServerPolicy policy;
  policy.clients = TlsClients::anonymous;
  policy.tls_1_2 = true;
  const auto context = TlsContext::create_server(credentials("server"), policy);
  ASSERT_OK(context);
  {
    auto server = TlsSession::server(*context);
    ASSERT_OK(server);
    BareClient client(TLS1_2_VERSION);
    const auto served = client.shake_hands(*server);
    ASSERT_OK(served);
    EXPECT_TRUE(*served);
  }
  {
    auto server = TlsSession::server(*context);
    ASSERT_OK(server);
    BareClient client(TLS1_2_VERSION);  // CBC with a MAC in front (RFC 9325, 4.1)
    ASSERT_EQ(SSL_set_cipher_list(client.session(), "ECDHE-ECDSA-AES128-SHA"), 1);
    EXPECT_FAILS(client.shake_hands(*server), ErrorKind::malformed);
  }
  auto server = TlsSession::server(*context);
  ASSERT_OK(server);
  EXPECT_FAILS(BareClient(TLS1_1_VERSION).shake_hands(*server), ErrorKind::malformed);
}

TEST_F(TlsTest, AClientOfAnotherProtocolIsRefused) {
  TlsServerPolicy policy;
  policy.clients = TlsClients::anonymous;
  policy.application_protocol = "http/1.1";
  const auto context = TlsContext::create_server(credentials("server"), policy);
  ASSERT_OK(context);
  const auto offer = [&](const std::string& wire) {
    auto server = TlsSession::server(*context);
    EXPECT_OK(server);
    BareClient client;
    const ByteView protocols = as_bytes(wire);
    EXPECT_EQ(SSL_set_alpn_protos(client.session(), protocols.data(), static_cast<unsigned int>(protocols.size())), 0);
    return client.shake_hands(*server);
  };
  EXPECT_OK(offer(""));
  EXPECT_OK(offer("\x02h2\x08http/1.1"));
  EXPECT_FAILS(offer("\x03"
                     "ftp"),
               ErrorKind::malformed);
}

TEST_F(TlsTest, CertificatesOfAnotherAuthorityAreRefused) {
  stranger.issue("server-of-stranger", {"DNS:vault.example", "serverAuth"});
  stranger.issue("client-of-stranger", {{}, "clientAuth"});
  {
    auto [client, server] = connection(credentials("client"), credentials("server-of-stranger", stranger, authority));
    const Ends ends = shake_hands(client, server);
    EXPECT_FAILS(ends.client, ErrorKind::authentication_failed);
    EXPECT_FAILS(ends.server, ErrorKind::authentication_failed);
    EXPECT_NE(ends.server.error().message.find("the other side refuses"), std::string::npos)
        << ends.server.error().message;
  }
  auto [client, server] = connection(credentials("client-of-stranger", stranger, authority), credentials("server"));
  const Ends ends = shake_hands(client, server);
  EXPECT_FAILS(ends.server, ErrorKind::authentication_failed);
  Bytes buffer(16);
  const auto told = client.read(buffer);
  EXPECT_FAILS(told, ErrorKind::authentication_failed);
  EXPECT_NE(told.error().message.find("the other side refuses"), std::string::npos) << told.error().message;
}

TEST_F(TlsTest, TheServerHasTheNameThatWasAskedFor) {
  authority.issue("nameless", {{}, "serverAuth"});
  authority.issue("wild", {"DNS:*.studio.example,DNS:v*.other.example", "serverAuth"});
  struct Case {
    const char* server;
    const char* name;
    bool right;
  };
  const Case cases[] = {{"server", "vault.example", true},      {"server", "VAULT.example", true},
                        {"server", "127.0.0.1", true},          {"server", "::1", true},
                        {"server", "vault.example.org", false}, {"server", "example", false},
                        {"server", "127.0.0.2", false},         {"server", "server", false},
                        {"nameless", "nameless", false},        {"wild", "vault.studio.example", true},
                        {"wild", "vault.other.example", false}, {"wild", "a.vault.studio.example", false}};
  for (const Case& each : cases) {
    SCOPED_TRACE(std::string(each.server) + " as " + each.name);
    auto [client, server] = connection(credentials("client"), credentials(each.server), each.name);
    const Ends ends = shake_hands(client, server);
    EXPECT_EQ(ends.client.has_value(), each.right);
    if (!each.right) EXPECT_FAILS(ends.client, ErrorKind::authentication_failed);
  }
}

TEST_F(TlsTest, CertificatesForTheOtherEndAndOutOfTimeAreRefused) {
  authority.issue("late", {"DNS:vault.example", "serverAuth", -3600, -10});
  authority.issue("early", {"DNS:vault.example", "serverAuth", 600, 3600});
  // A client of the same authority, with a name in its certificate even, is no server; nor the other way round.
  authority.issue("named-client", {"DNS:vault.example", "clientAuth"});
  for (const char* server_name : {"late", "early", "named-client"}) {
    SCOPED_TRACE(server_name);
    auto [client, server] = connection(credentials("client"), credentials(server_name));
    EXPECT_FAILS(shake_hands(client, server).client, ErrorKind::authentication_failed);
  }
  auto [client, server] = connection(credentials("server"), credentials("server"));
  EXPECT_FAILS(shake_hands(client, server).server, ErrorKind::authentication_failed);
}

TEST_F(TlsTest, GarbageIsNoTls) {
  for (const char* garbage : {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff garbage garbage"}) {
    auto [client, server] = connection(credentials("client"), credentials("server"));
    server.receive(as_bytes(garbage));
    EXPECT_FAILS(server.handshake(), ErrorKind::malformed);
  }
  auto [client, server] = connection(credentials("client"), credentials("server"));
  shake_hands(client, server);
  ASSERT_OK(client.write(as_bytes("a command")));
  Bytes wire = client.take_output();
  wire.back() ^= 1;
  server.receive(wire);
  Bytes buffer(16);
  EXPECT_FAILS(server.read(buffer), ErrorKind::malformed);
}

TEST_F(TlsTest, FilesThatCannotBeUsedAreNamed) {
  const TlsCredentials good = credentials("client");
  const auto with = [&](auto member, const std::string& file) {
    TlsCredentials changed = good;
    changed.*member = file;
    return TlsContext::create(TlsRole::client, changed);
  };
  const std::string text = (folder.path() / "text").string();
  std::ofstream(text) << "no PEM";
  for (const auto member :
       {&TlsCredentials::certificate_file, &TlsCredentials::key_file, &TlsCredentials::authority_file}) {
    const auto absent = with(member, "/no/such/file");
    EXPECT_FAILS(absent, ErrorKind::not_found);
    EXPECT_NE(absent.error().message.find("/no/such/file"), std::string::npos) << absent.error().message;
    const auto damaged = with(member, text);
    EXPECT_FAILS(damaged, ErrorKind::malformed);
    EXPECT_NE(damaged.error().message.find(text), std::string::npos) << damaged.error().message;
  }
  EXPECT_FAILS(with(&TlsCredentials::key_file, authority.key_file("server")), ErrorKind::invalid_argument);
  // A certificate cut off behind a whole one is not overlooked.
  const std::string cut = (folder.path() / "cut").string();
  std::ifstream whole(authority.authority_file());
  const std::string pem{std::istreambuf_iterator<char>(whole), {}};
  std::ofstream(cut) << pem << pem.substr(0, pem.size() / 2);
  EXPECT_FAILS(with(&TlsCredentials::authority_file, cut), ErrorKind::malformed);
  const auto context = TlsContext::create(TlsRole::client, good);
  ASSERT_OK(context);
  EXPECT_FAILS(TlsSession::client(*context, ""), ErrorKind::invalid_argument);
}

TEST_F(TlsTest, AKeyUnderAPassPhrase) {
  authority.issue("locked", {{}, "clientAuth", -3600, 3600, "open sesame"});
  TlsCredentials locked = credentials("locked");
  EXPECT_FAILS(TlsContext::create(TlsRole::client, locked), ErrorKind::permission_denied);
  const std::string pin = (folder.path() / "pin").string();
  std::ofstream(pin) << "open sesame\n";
  locked.key_pin_source = "file:" + pin;
  EXPECT_OK(TlsContext::create(TlsRole::client, locked));
  std::ofstream(pin) << "wrong\n";
  const auto wrong = TlsContext::create(TlsRole::client, locked);
  EXPECT_FAILS(wrong, ErrorKind::permission_denied);
}

}  // namespace
}  // namespace cas::crypto
