// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/service/http_authentication_fixture.hpp"

namespace cas::service {
namespace {

const std::string token = "0123456789abcdefghijkl-._~+/==";

class HttpAuthenticationTest : public test::HttpAuthenticationFixture {
 protected:
  HttpAuthenticationTest() {
    HttpAccount encoder;
    encoder.name = "encoder";
    encoder.tokens.push_back(value_or_throw(bearer_token_digest(as_bytes(token))));
    encoder.certificate_names = {"encoder-7", "Encoder.Example"};
    accounts_.push_back(std::move(encoder));
  }
  static Result<HttpAccounts> accounts_of(std::vector<HttpAccount> accounts) {
    return HttpAccounts::create(std::move(accounts));
  }
  template <typename T>
  static T value_or_throw(Result<T> result) {
    return test::value_or_throw(std::move(result));
  }
  std::string who(const crypto::TlsPeer& certificate) {
    evidence_.certificate = &certificate;
    evidence_.secure = true;
    return denied(ask());
  }
};

TEST_F(HttpAuthenticationTest, TokensAreTakenOverTlsOnly) {
  settings_.bearer = true;
  EXPECT_EQ(challenges(ask().error().response).size(), 1U);  // Digest alone
  const auto clear = ask("Bearer " + token);
  EXPECT_EQ(denied(clear), "not-secure");
  evidence_.secure = true;
  const auto secure = ask("Bearer " + token);
  ASSERT_TRUE(secure) << denied(secure);
  EXPECT_EQ(*secure, (HttpIdentity{"encoder", HttpScheme::bearer}));
  EXPECT_EQ(denied(ask("bearer   " + token)), "let in as encoder");
}

TEST_F(HttpAuthenticationTest, DigestIsOfferedBeforeBearer) {
  settings_.bearer = true;
  evidence_.secure = true;
  const auto all = challenges(ask().error().response);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[0].starts_with("Digest realm=\"keys\""));
  EXPECT_EQ(all[1], "Bearer realm=\"keys\"");
  const auto wrong = ask("Bearer " + token + "=");
  EXPECT_EQ(denied(wrong), "wrong");
  EXPECT_EQ(wrong.error().response.status, 401);
  EXPECT_EQ(challenges(wrong.error().response)[1], "Bearer realm=\"keys\", error=\"invalid_token\"");
}

TEST_F(HttpAuthenticationTest, WhatIsNoToken) {
  settings_.bearer = true;
  evidence_.secure = true;
  for (const std::string& field : {std::string("Bearer"), std::string("Bearer "), "Bearer " + token + "*",
                                   "Bearer \"" + token + '"', "Bearer " + token + ' ' + token, "Bearer =" + token,
                                   "Bearer " + std::string(5000, 'x'), std::string("Bearer a=\"b\"")})
    EXPECT_EQ(denied(ask(field)), "malformed") << field;
  std::string other = token;
  other[0] = '1';
  EXPECT_EQ(denied(ask("Bearer " + other)), "wrong");
  EXPECT_EQ(denied(ask("Bearer " + token.substr(0, 29))), "wrong");
  EXPECT_EQ(denied(ask("Digest " + token)), "malformed");
}

TEST_F(HttpAuthenticationTest, OnThisMachineTokensMayGoInClear) {
  settings_.bearer = true;
  settings_.bearer_in_clear_on_loopback = true;
  EXPECT_EQ(denied(ask("Bearer " + token)), "not-secure");
  evidence_.peer = value_or_throw(Endpoint::parse("127.0.0.1:4000"));
  EXPECT_EQ(denied(ask("Bearer " + token)), "let in as encoder");
}

TEST_F(HttpAuthenticationTest, ACertificateIsOfWhoHasItsName) {
  settings_.certificates = true;
  EXPECT_EQ(who({"CN=encoder-7", "encoder-7", {}, {}}), "let in as encoder");
  EXPECT_EQ(who({"", "", {"other.example", "eNcoder.example"}, {}}), "let in as encoder");
  EXPECT_EQ(who({"", "encoder-7", {"encoder.example"}, {}}), "let in as encoder");
  for (const crypto::TlsPeer& nobody :
       {crypto::TlsPeer{"", "", {}, {}}, crypto::TlsPeer{"CN=encoder-7", "Encoder-7", {}, {}},
        crypto::TlsPeer{"", "encoder", {"encoder", "ncoder.example"}, {}}})
    EXPECT_EQ(who(nobody), "unknown-certificate");
}

TEST_F(HttpAuthenticationTest, ACertificateOfNobodyIsForbiddenAndMayTryAnotherWay) {
  settings_.certificates = true;
  const crypto::TlsPeer nobody{"CN=nobody", "nobody", {}, {}};
  EXPECT_EQ(who(nobody), "unknown-certificate");
  const auto answer = ask();
  EXPECT_EQ(answer.error().response.status, 403);
  EXPECT_EQ(challenges(answer.error().response).size(), 1U);
  EXPECT_EQ(denied(ask(fields().field())), "let in as client packager");
}

TEST_F(HttpAuthenticationTest, ACertificateOfTwoIsOfNone) {
  settings_.certificates = true;
  HttpAccount other;
  other.name = "other";
  other.certificate_names = {"other.example"};
  accounts_.push_back(std::move(other));
  EXPECT_EQ(who({"", "encoder-7", {"other.example"}, {}}), "unknown-certificate");
}

TEST_F(HttpAuthenticationTest, ACertificateDoesNotHelpWrongCredentials) {
  settings_.certificates = true;
  const crypto::TlsPeer encoder{"CN=encoder-7", "encoder-7", {}, {}};
  EXPECT_EQ(who(encoder), "let in as encoder");
  test::DigestFields its;
  its.nonce = "0";
  its.password = "wrong";
  EXPECT_EQ(denied(ask(its.field())), "wrong");
}

TEST_F(HttpAuthenticationTest, CertificatesCountWhereTheyAreAskedForOnly) {
  EXPECT_EQ(who({"CN=encoder-7", "encoder-7", {}, {}}), "no-credentials");
}

TEST_F(HttpAuthenticationTest, WithoutAChallengeTheAnswerSaysWhatToDo) {
  settings_.digest = false;
  settings_.certificates = true;
  const auto answer = ask();
  EXPECT_EQ(answer.error().response.status, 403);
  EXPECT_TRUE(answer.error().response.headers.empty());
  EXPECT_THAT(as_text(answer.error().response.body_view()), testing::HasSubstr("certificate"));
}

TEST_F(HttpAuthenticationTest, NobodyIsLetInFromThisMachineOnly) {
  settings_.loopback_client = "local";
  EXPECT_EQ(denied(ask()), "no-credentials");
  for (const char* peer : {"127.0.0.1:9", "[::1]:9"}) {
    evidence_.peer = value_or_throw(Endpoint::parse(peer));
    const auto local = ask();
    ASSERT_TRUE(local) << denied(local);
    EXPECT_EQ(*local, (HttpIdentity{"local", HttpScheme::none}));
  }
  test::DigestFields its;
  its.nonce = "0";
  its.password = "wrong";
  EXPECT_EQ(denied(ask(its.field())), "wrong");  // who shows something is held to it
}

TEST_F(HttpAuthenticationTest, AccountsAreReplaced) {
  const test::DigestFields its = fields();
  authenticator().replace_accounts(HttpAccounts());
  EXPECT_EQ(denied(ask(its.field())), "wrong");
}

TEST_F(HttpAuthenticationTest, AccountsThatCannotBe) {
  const auto account = [](const std::string& name) {
    HttpAccount out;
    out.name = name;
    out.certificate_names = {name + ".example"};
    return out;
  };
  const auto pair = [&](auto change) {
    std::vector<HttpAccount> out;
    out.push_back(account("a"));
    out.push_back(account("b"));
    change(out[0], out[1]);
    return accounts_of(std::move(out));
  };
  EXPECT_OK(pair([](auto&, auto&) {}));
  const auto refused = [&](auto change) { EXPECT_FAILS(pair(change), ErrorKind::invalid_argument); };
  refused([](auto& a, auto& b) { a.name = b.name; });
  refused([](auto& a, auto&) { a.name.clear(); });
  refused([](auto& a, auto&) { a.name = "a\n"; });
  refused([](auto& a, auto&) { a.certificate_names.clear(); });
  refused([](auto& a, auto&) { a.certificate_names = {""}; });
  refused([](auto& a, auto&) { a.certificate_names = {"B.example"}; });
  refused([](auto& a, auto&) { a.user = "a"; });
  refused([](auto& a, auto&) { a.ha1 = SecretBytes(32); });
  refused([](auto& a, auto&) { a.user = "a", a.ha1 = SecretBytes(16); });
  refused([](auto& a, auto&) { a.user = "a:b", a.ha1 = SecretBytes(32); });
  refused([](auto& a, auto& b) { a.user = b.user = "a", a.ha1 = SecretBytes(32), b.ha1 = SecretBytes(32); });
  refused([](auto& a, auto& b) { a.tokens.resize(1), b.tokens.resize(1); });
}

TEST_F(HttpAuthenticationTest, SettingsThatCannotBe) {
  const auto made = [this](auto change) {
    HttpAuthenticationSettings settings = settings_;
    change(settings);
    return HttpAuthenticator::create(settings, HttpAccounts(), random_, clock_);
  };
  EXPECT_OK(made([](auto&) {}));
  EXPECT_FAILS(made([](auto& s) { s.realm = "a\"b"; }), ErrorKind::invalid_argument);
  EXPECT_FAILS(made([](auto& s) { s.realm = "a\\b"; }), ErrorKind::invalid_argument);
  EXPECT_FAILS(made([](auto& s) { s.realm = "a\r\nb"; }), ErrorKind::invalid_argument);
  EXPECT_FAILS(made([](auto& s) { s.realm.clear(); }), ErrorKind::invalid_argument);
  EXPECT_FAILS(made([](auto& s) { s.nonces = 0; }), ErrorKind::invalid_argument);
  EXPECT_FAILS(made([](auto& s) { s.nonce_life = std::chrono::seconds(0); }), ErrorKind::invalid_argument);
  EXPECT_FAILS(made([](auto& s) { s.digest = false; }), ErrorKind::invalid_argument);
}

TEST_F(HttpAuthenticationTest, MakesAndKeepsTokens) {
  const SecretBytes made = value_or_throw(make_bearer_token(random_));
  EXPECT_EQ(made.size(), 64U);
  EXPECT_OK(bearer_token_digest(made.reveal()));
  EXPECT_NE(as_text(value_or_throw(make_bearer_token(random_)).reveal()), as_text(made.reveal()));
  EXPECT_EQ(to_hex(value_or_throw(bearer_token_digest(as_bytes(token)))), test::sha256_text(token));
  EXPECT_FAILS(bearer_token_digest(as_bytes("0123456789abcdefghijk")), ErrorKind::invalid_argument);
  EXPECT_FAILS(bearer_token_digest(as_bytes("0123456789abcdefghijk l")), ErrorKind::invalid_argument);
  EXPECT_FAILS(bearer_token_digest(as_bytes(std::string(1025, 'x'))), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::service
