// SPDX-License-Identifier: LGPL-2.1-or-later
#include <set>

#include "service/http_request_parser.hpp"
#include "tests/unit/service/http_authentication_fixture.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;
using test::DigestFields;
using HttpDigestTest = test::HttpAuthenticationFixture;

TEST_F(HttpDigestTest, TheFirstAnswerAsksForDigestWithSha256) {
  const auto first = ask();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().denial, HttpDenial::no_credentials);
  EXPECT_EQ(first.error().response.status, 401);
  EXPECT_EQ(first.error().response.content_type, "text/plain; charset=utf-8");
  EXPECT_FALSE(first.error().response.body_view().empty());
  const auto all = challenges(first.error().response);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_THAT(all[0], testing::MatchesRegex("Digest realm=\"keys\", qop=\"auth\", algorithm=SHA-256, "
                                            "nonce=\"[0-9a-f]+\", charset=UTF-8"));
  EXPECT_NE(new_nonce(), new_nonce());
}

TEST_F(HttpDigestTest, TheRightAnswerIsTheClients) {
  const auto answer = ask(fields().field());
  ASSERT_TRUE(answer) << denied(answer);
  EXPECT_EQ(*answer, (HttpIdentity{"client packager", HttpScheme::digest}));
}

TEST_F(HttpDigestTest, ReadsARequest) {
  const std::string nonce = new_nonce();
  DigestFields its = fields();
  HttpRequestParser parser({});
  const std::string wire = "POST /cpix?a=b HTTP/1.1\r\nHost: keys\r\nAuthorization: " + its.field() + "\r\n\r\n";
  ASSERT_EQ(parser.take(as_bytes(wire)), wire.size());
  const HttpRequest request = parser.release();
  EXPECT_EQ(denied(authenticator().authenticate(request)), "let in as client packager");
}

/// RFC 7616, 3.9.1: the nonce is another server's, and is told to be so only where the answer is right.
TEST_F(HttpDigestTest, KnowsTheVectorOfTheRfc) {
  settings_.realm = "http-auth@example.org";
  accounts_.clear();
  add_user("Mufasa", "Circle of Life");
  evidence_.method = "GET";
  evidence_.target = "/dir/index.html";
  const std::string before =
      "Digest username=\"Mufasa\",\n"
      "realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=SHA-256, "
      "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, "
      "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"";
  const std::string after = "\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
  std::string field = before + "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" + after;
  std::erase(field, '\n');
  const auto right = ask(field);
  EXPECT_EQ(denied(right), "stale");
  EXPECT_TRUE(is_stale(right));
  field = before + "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c2" + after;
  std::erase(field, '\n');
  const auto wrong = ask(field);
  EXPECT_EQ(denied(wrong), "wrong");
  EXPECT_FALSE(is_stale(wrong));
}

TEST_F(HttpDigestTest, TakesNamesBeyondAscii) {
  add_user("J\xc3\xa4s\xc3\xb8n Doe", "Secret, or not?");
  DigestFields its = fields();
  its.user = "J\xc3\xa4s\xc3\xb8n Doe";
  its.password = "Secret, or not?";
  EXPECT_EQ(denied(ask(its.field())), "let in as client " + its.user);
  its.count = "00000002";
  std::string field = its.field();
  const std::string plain = "username=\"" + its.user + '"';
  field.replace(field.find(plain), plain.size(), "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe");
  EXPECT_EQ(denied(ask(field)), "let in as client " + its.user);
  EXPECT_EQ(denied(ask(field + ", username=\"packager\"")), "malformed");
}

TEST_F(HttpDigestTest, TakesQuotedPairsAndOldWaysOfWriting) {
  add_user("quo\"te\\d", "sesame");
  DigestFields its = fields();
  its.user = "quo\"te\\d";
  std::string field = its.field();
  field.replace(field.find(its.user), its.user.size(), "quo\\\"te\\\\d");
  EXPECT_EQ(denied(ask(field)), "let in as client quo\"te\\d");
  // As some clients write it: quotes where there should be none, other case, parameters of their own, no blanks.
  its = fields();
  its.more = ",qop=\"auth\",algorithm=\"sha-256\",userhash=false,OPAQUE=\"x\",,new-thing=1 ,";
  field = its.field();
  field.replace(0, 6, "dIGEST");
  EXPECT_EQ(denied(ask(field)), "let in as client packager");
}

TEST_F(HttpDigestTest, EachAnswerIsTakenOnce) {
  DigestFields its = fields();
  EXPECT_EQ(denied(ask(its.field())), "let in as client packager");
  const auto again = ask(its.field());
  EXPECT_EQ(denied(again), "replayed");
  EXPECT_TRUE(is_stale(again));
  // Another cnonce does not make it another count.
  its.cnonce = "other";
  EXPECT_EQ(denied(ask(its.field())), "replayed");
  its.count = "00000002";
  EXPECT_EQ(denied(ask(its.field())), "let in as client packager");
}

TEST_F(HttpDigestTest, ConnectionsOfAClientMayOvertakeOneAnother) {
  DigestFields its = fields();
  for (const char* count : {"00000003", "00000001", "00000002", "00000041"}) {
    its.count = count;
    EXPECT_EQ(denied(ask(its.field())), "let in as client packager") << count;
    EXPECT_EQ(denied(ask(its.field())), "replayed") << count;
  }
  its.count = "00000003";
  EXPECT_EQ(denied(ask(its.field())), "replayed");
  its.count = "00000001";  // 64 behind: not remembered any more
  EXPECT_EQ(denied(ask(its.field())), "stale");
  its.count = "ffffffff";
  EXPECT_EQ(denied(ask(its.field())), "let in as client packager");
  its.count = "00000042";
  EXPECT_EQ(denied(ask(its.field())), "stale");
}

TEST_F(HttpDigestTest, AnAnswerIsGoodForItsMethodAndTargetOnly) {
  DigestFields its = fields();
  its.uri = "/cpix?a=c";
  EXPECT_EQ(denied(ask(its.field())), "wrong");
  its.uri = "/cpix";
  EXPECT_EQ(denied(ask(its.field())), "wrong");
  its = fields();
  its.method = "GET";
  EXPECT_EQ(denied(ask(its.field())), "wrong");
  // The uri in the field is the request's, but the digest was made over another.
  its = fields();
  DigestFields other = its;
  other.uri = "/other";
  EXPECT_EQ(denied(ask(its.field_with(other.response()))), "wrong");
}

TEST_F(HttpDigestTest, ANonceThatWasChangedIsNotOurs) {
  DigestFields its = fields();
  const std::string nonce = its.nonce;
  for (std::size_t i = 0; i < nonce.size(); ++i) {
    its.nonce = nonce;
    its.nonce[i] = nonce[i] == '0' ? '1' : '0';
    const auto answer = ask(its.field());  // by one who knows the password
    EXPECT_EQ(denied(answer), "stale") << i;
    EXPECT_TRUE(is_stale(answer));
    EXPECT_EQ(denied(ask(its.field_with(DigestFields().response()))), "wrong");
  }
  its.nonce = nonce;
  EXPECT_EQ(denied(ask(its.field())), "let in as client packager");
}

TEST_F(HttpDigestTest, ANonceExpires) {
  DigestFields its = fields();
  clock_.advance(300s);
  EXPECT_EQ(denied(ask(its.field())), "let in as client packager");
  clock_.advance(1s);
  its.count = "00000002";
  const auto late = ask(its.field());
  EXPECT_EQ(denied(late), "stale");
  EXPECT_TRUE(is_stale(late));
  its.nonce = nonce_in(late.error().response);
  EXPECT_EQ(denied(ask(its.field())), "let in as client packager");
  // The time of day does not matter.
  clock_.set(0);
  its.count = "00000003";
  EXPECT_EQ(denied(ask(its.field())), "let in as client packager");
}

TEST_F(HttpDigestTest, AnotherServersNonceCostsARoundTripOnly) {
  DigestFields its = fields();
  auto there = test::value_or_throw(HttpAuthenticator::create(settings_, HttpAccounts(), random_, clock_));
  evidence_.authorization.reset();
  its.nonce = nonce_in(there.authenticate(evidence_).error().response);
  const auto answer = ask(its.field());
  EXPECT_EQ(denied(answer), "stale");
  its.nonce = nonce_in(answer.error().response);
  EXPECT_EQ(denied(ask(its.field())), "let in as client packager");
}

TEST_F(HttpDigestTest, WhenTheMemoryIsFullOldNoncesExpireAndNothingIsTakenTwice) {
  settings_.nonces = 3;
  std::vector<DigestFields> all;
  for (int i = 0; i < 5; ++i) all.push_back(fields());
  for (const int i : {1, 2, 3, 4}) EXPECT_EQ(denied(ask(all[i].field())), "let in as client packager") << i;
  // 1 has given way: it is not taken again, and neither is 0, which is as old.
  EXPECT_EQ(denied(ask(all[1].field())), "stale");
  EXPECT_EQ(denied(ask(all[0].field())), "stale");
  for (const int i : {2, 3, 4}) EXPECT_EQ(denied(ask(all[i].field())), "replayed") << i;
  EXPECT_EQ(denied(ask(fields().field())), "let in as client packager");
  // What has expired makes room.
  clock_.advance(301s);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(denied(ask(fields().field())), "let in as client packager");
}

TEST_F(HttpDigestTest, WhateverTheOrderNothingIsTakenTwice) {
  settings_.nonces = 4;
  settings_.nonce_life = 20s;
  test::SeededRandom choice(5);
  std::vector<DigestFields> all;
  std::set<std::string> taken;
  for (int i = 0; i < 3000; ++i) {
    if (all.empty() || choice.below(4) == 0) all.push_back(fields());
    if (choice.below(3) == 0) clock_.advance(std::chrono::seconds(choice.below(4)));
    DigestFields& its = all[all.size() - 1 - choice.below(std::min<std::size_t>(all.size(), 12))];
    its.count = "0000000" + std::to_string(1 + choice.below(9));
    const auto answer = ask(its.field());
    if (!answer) continue;
    EXPECT_TRUE(taken.insert(its.nonce + its.count).second) << i;
  }
  EXPECT_GT(taken.size(), 500U);
}

TEST_F(HttpDigestTest, OtherRealmsUsersAndPasswordsAreWrong) {
  DigestFields its = fields();
  its.realm = "other";
  EXPECT_EQ(denied(ask(its.field())), "wrong");
  its = fields();
  its.password = "sesam";
  EXPECT_EQ(denied(ask(its.field())), "wrong");
  its = fields();
  its.user = "nobody";
  const auto unknown = ask(its.field());
  EXPECT_EQ(denied(unknown), "wrong");
  its = fields();
  its.password = "x";
  const auto known = ask(its.field());
  // Nothing tells whether the user is there.
  EXPECT_EQ(as_text(unknown.error().response.body_view()), as_text(known.error().response.body_view()));
  EXPECT_EQ(unknown.error().response.headers.size(), known.error().response.headers.size());
}

TEST_F(HttpDigestTest, VariantsThatAreNotOffered) {
  for (const char* more :
       {", qop=auth", ", algorithm=SHA-256", ", qop=auth, algorithm=MD5", ", qop=auth, algorithm=SHA-256-sess",
        ", qop=auth-int, algorithm=SHA-256", ", qop=auth, algorithm=SHA-256, userhash=true"}) {
    DigestFields its = fields();
    its.more = more;
    EXPECT_EQ(denied(ask(its.field())), "not-offered") << more;
  }
  EXPECT_EQ(denied(ask("Basic cGFja2FnZXI6c2VzYW1l")), "not-offered");
  EXPECT_EQ(denied(ask("Bearer 0123456789012345678901234567")), "not-offered");
}

TEST_F(HttpDigestTest, FieldsThatHaveNotTheForm) {
  const DigestFields its = fields();
  const std::string good = its.field();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string field = good;
    const auto at = field.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return field.replace(at, from.size(), to);
  };
  for (const std::string& field : {std::string(),
                                   std::string(" "),
                                   std::string("Digest"),
                                   std::string("Digest "),
                                   std::string("Digest ,,,"),
                                   std::string("Digest =,"),
                                   good + ", realm=\"keys\"",
                                   good + ", REALM=\"keys\"",
                                   good + ", nc=00000001",
                                   good + ", other=1, other=2",
                                   good + ", open=\"",
                                   good + ", open=\"\\",
                                   good + ", bad=\"\x01\"",
                                   good + " x=1",
                                   good + ", x",
                                   good + ", x=",
                                   good + ", (=1",
                                   with("nc=00000001", "nc=1"),
                                   with("nc=00000001", "nc=0000000g"),
                                   with("nc=00000001", "nc=00000000"),
                                   with("nc=00000001", "nc=0000000A"),
                                   with("nc=00000001", "nc=000000001"),
                                   with("cnonce=", "c-nonce="),
                                   with("username=", "user="),
                                   with("cnonce=\"0a4f113b\"", "cnonce=\"\""),
                                   with("response=\"" + its.response(), "response=\"" + its.response().substr(1)),
                                   with("response=\"", "response=\"0"),
                                   good + ", long=\"" + std::string(4096, 'x') + '"'})
    EXPECT_EQ(denied(ask(field)), "malformed") << field;
  std::string many = good;
  for (int i = 0; i < 20; ++i) many += ", p" + std::to_string(i) + "=1";
  EXPECT_EQ(denied(ask(many)), "malformed");
  EXPECT_EQ(denied(ask(good)), "let in as client packager");
}

TEST_F(HttpDigestTest, NoRefusalHoldsWhatTheClientHasSent) {
  DigestFields its = fields();
  its.user = "its-user";
  its.cnonce = "its-cnonce";
  for (const std::string& field : {its.field(), its.field() + ", a=\"", std::string("Bearer its-token")}) {
    const auto answer = ask(field);
    ASSERT_FALSE(answer);
    std::string all = as_text(answer.error().response.body_view());
    for (const auto& [name, value] : answer.error().response.headers) all += name + value;
    EXPECT_EQ(all.find("its-"), std::string::npos) << all;
  }
}

}  // namespace
}  // namespace cas::service
