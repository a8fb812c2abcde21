// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/kms_client.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "crypto/random.hpp"
#include "crypto/tls_authority.hpp"
#include "kex/cpix_encryption.hpp"
#include "kex/cpix_reader.hpp"
#include "kex/cpix_writer.hpp"
#include "tests/support/loopback_kms.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tls_certificates.hpp"

namespace cas::kex {
namespace {

using std::chrono::milliseconds;
using test::LoopbackKms;
using test::value_or_throw;
using Behaviour = LoopbackKms::Behaviour;

/// What the client has told.
class Told final : public KmsClientListener {
 public:
  void failed_over(const std::string& from, const std::string& to, const std::string& cause) override {
    add("over " + from + " > " + to + ": " + cause);
  }
  void recovered(const std::string& url) override { add("back " + url); }
  void negotiated(const std::string& url, const std::string& how, bool encrypted) override {
    add("auth " + url + " " + how + (encrypted ? " tls" : ""));
  }
  void disagreement(const std::string& one, const std::string& other) override { add("differ " + one + " " + other); }
  [[nodiscard]] std::vector<std::string> of(const std::string& kind) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const std::string& one : all_)
      if (one.starts_with(kind)) found.push_back(one);
    return found;
  }
  /// Waits until it has been told so often.
  bool wait_for(const std::string& kind, std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
      std::size_t found = 0;
      for (const std::string& one : all_) found += one.starts_with(kind) ? 1 : 0;
      return found >= count;
    });
  }

 private:
  void add(std::string what) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(what));
    changed_.notify_all();
  }
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

class KmsClientTest : public testing::Test {
 protected:
  void SetUp() override {
    settings.urls = {first.url(), second.url()};
    settings.timeout = milliseconds(150);
    settings.give_up = milliseconds(5'000);
    settings.roster.first_probe = milliseconds(20);
    settings.roster.longest_probe = milliseconds(50);
  }
  KmsClient& client() {
    if (!client_)
      client_ = value_or_throw(KmsClient::create(std::move(settings), told, system_clock(), crypto::system_random()));
    return *client_;
  }
  static KeyRequest request(std::uint64_t from = 7, std::size_t count = 1) {
    KeyRequest made;
    made.content_id = "channel-1";
    made.track_type = "HD";
    for (std::uint64_t period = from; period < from + count; ++period) made.periods.push_back({period, {}, {}});
    return made;
  }
  struct Outcome {
    Result<std::vector<FetchedKey>> keys = fail(ErrorKind::internal, "not answered");
    std::string url;
  };
  Outcome fetch(KeyRequest wanted = request()) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    Outcome outcome;
    client().fetch(std::move(wanted), [&](Result<std::vector<FetchedKey>> keys, const std::string& url) {
      const std::lock_guard lock(mutex);
      outcome = {std::move(keys), url};
      done = true;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return done; }));
    return outcome;
  }
  std::pair<Status, std::string> push(KeyRequest wanted, std::vector<KeyMaterial> keys) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    std::pair<Status, std::string> outcome;
    client().push(std::move(wanted), std::move(keys), [&](Status status, const std::string& url) {
      const std::lock_guard lock(mutex);
      outcome = {std::move(status), url};
      done = true;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return done; }));
    return outcome;
  }

  LoopbackKms first, second;
  Told told;
  KmsClientSettings settings;
  std::unique_ptr<KmsClient> client_;
};

TEST_F(KmsClientTest, AsksTheFirstServer) {
  const Outcome outcome = fetch(request(7, 3));
  ASSERT_OK(outcome.keys);
  EXPECT_EQ(outcome.url, first.url());
  ASSERT_EQ(outcome.keys->size(), 3U);
  EXPECT_EQ(outcome.keys->at(2).period.index, 9U);
  EXPECT_NE(outcome.keys->at(0).key.kid, outcome.keys->at(1).key.kid);
  EXPECT_EQ(outcome.keys->at(0).auxiliary.at(0).name, "rating");
  EXPECT_EQ(second.requests(), 0U);
  EXPECT_TRUE(told.of("over").empty());
  EXPECT_EQ(told.of("auth"), std::vector{"auth " + first.url() + " none"});
}

// 5.3.1: the second KMS when the first fails, for each way in which it may.
class KmsFailOver : public KmsClientTest, public testing::WithParamInterface<std::pair<Behaviour, const char*>> {};

TEST_P(KmsFailOver, R5_3_1_TheSecondServerIsAsked) {
  // Only one that hangs shall be found by its time-out.
  if (GetParam().first != Behaviour::hung) settings.timeout = milliseconds(4'000);
  const KeyMaterial expected = value_or_throw(fetch().keys).at(0).key.clone();
  first.set(GetParam().first);
  const Outcome outcome = fetch(request(7, GetParam().first == Behaviour::one_key_id ? 2 : 1));
  ASSERT_OK(outcome.keys);
  EXPECT_EQ(outcome.url, second.url());
  EXPECT_EQ(outcome.keys->at(0).key.kid, expected.kid);
  EXPECT_TRUE(equal(outcome.keys->at(0).key.value.reveal(), expected.value.reveal()));
  if (GetParam().first == Behaviour::refuses) {  // its health is not in question
    EXPECT_TRUE(told.of("over").empty());
    return;
  }
  const auto over = told.of("over");
  ASSERT_EQ(over.size(), 1U);
  EXPECT_NE(over[0].find(first.url() + " > " + second.url()), std::string::npos) << over[0];
  EXPECT_NE(over[0].find(GetParam().second), std::string::npos) << over[0];
}

INSTANTIATE_TEST_SUITE_P(Ways, KmsFailOver,
                         testing::Values(std::pair(Behaviour::hung, "no answer within 150 ms"),
                                         std::pair(Behaviour::error_500, "answers 500: the disk is on fire"),
                                         std::pair(Behaviour::refuses, ""),
                                         std::pair(Behaviour::garbage, "not well-formed XML"),
                                         std::pair(Behaviour::truncated, "not well-formed XML"),
                                         std::pair(Behaviour::wrong_key_id, "not in the ContentKeyList"),
                                         std::pair(Behaviour::one_key_id, "wrong key id"),
                                         std::pair(Behaviour::other_content, "another content"),
                                         std::pair(Behaviour::huge, "more than the")));

// 429 is a matter of this client's manners: the next server is asked, and the first one is well.
TEST_F(KmsClientTest, AServerThatIsAskedTooOftenIsWell) {
  LoopbackKms strict({.gate = [](const service::HttpRequest&) {
    return std::optional(service::HttpResponse::text(429, "too many requests"));
  }});
  settings.urls = {strict.url(), second.url()};
  settings.timeout = milliseconds(4'000);
  const Outcome outcome = fetch();
  ASSERT_OK(outcome.keys);
  EXPECT_EQ(outcome.url, second.url());
  EXPECT_TRUE(told.of("over").empty());
}

TEST_F(KmsClientTest, AServerThatIsGoneIsPassedOver) {
  first.stop();
  ASSERT_OK(fetch().keys);
  const auto over = told.of("over");
  ASSERT_EQ(over.size(), 1U);
  EXPECT_NE(over[0].find("connect"), std::string::npos) << over[0];
}

// Hedged: a server that hangs costs its time-out once, and not with each request.
TEST_F(KmsClientTest, AHungServerCostsItsTimeOutOnce) {
  constexpr milliseconds timeout(1'500);
  settings.timeout = timeout;
  settings.roster.first_probe = settings.roster.longest_probe = std::chrono::minutes(1);
  first.set(Behaviour::hung);
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_OK(fetch().keys);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, timeout);
  const auto after = std::chrono::steady_clock::now();
  for (std::uint64_t period = 10; period < 20; ++period) ASSERT_OK(fetch(request(period)).keys);
  EXPECT_LT(std::chrono::steady_clock::now() - after, timeout);
  EXPECT_EQ(client().statistics().hedged, 1U);
  EXPECT_EQ(first.requests(), 1U);
}

TEST_F(KmsClientTest, ASlowServerIsTakenWhenItIsTheFirstToAnswerAllTheSame) {
  settings.timeout = milliseconds(50);
  first.set(Behaviour::slow);
  first.set_delay(milliseconds(200));
  second.set(Behaviour::hung);
  const Outcome outcome = fetch();
  ASSERT_OK(outcome.keys);
  EXPECT_EQ(outcome.url, first.url());
}

TEST_F(KmsClientTest, ReturnsToTheFirstWhenItIsWell) {
  first.set(Behaviour::error_500);
  ASSERT_OK(fetch().keys);
  first.set(Behaviour::well);
  for (std::uint64_t period = 10; told.of("back").empty() && period < 500; ++period) {
    ASSERT_OK(fetch(request(period)).keys);
    std::this_thread::sleep_for(milliseconds(1));
  }
  ASSERT_TRUE(told.wait_for("back", 1));
  EXPECT_EQ(told.of("back"), std::vector{"back " + first.url()});
  EXPECT_EQ(fetch(request(1'000)).url, first.url());
  EXPECT_EQ(client().statistics().recoveries, 1U);
}

TEST_F(KmsClientTest, SaysWhatEachServerSaysWhenNoneAnswers) {
  first.set(Behaviour::refuses);
  second.set(Behaviour::garbage);
  const Outcome outcome = fetch();
  ASSERT_FALSE(outcome.keys.has_value());
  EXPECT_EQ(outcome.keys.error().kind, ErrorKind::refused);
  EXPECT_NE(outcome.keys.error().message.find("403: not for you"), std::string::npos) << outcome.keys.error().message;
  EXPECT_NE(outcome.keys.error().message.find("not well-formed"), std::string::npos) << outcome.keys.error().message;
}

TEST_F(KmsClientTest, GivesUpOnServersThatHang) {
  settings.timeout = milliseconds(50);
  settings.give_up = milliseconds(200);
  first.set(Behaviour::hung);
  second.set(Behaviour::hung);
  const Outcome outcome = fetch();
  ASSERT_FALSE(outcome.keys.has_value());
  EXPECT_EQ(outcome.keys.error().kind, ErrorKind::io);
}

TEST_F(KmsClientTest, TellsServersThatHaveOtherKeys) {
  LoopbackKms stranger({.seed = 9});
  settings.urls = {first.url(), stranger.url()};
  settings.timeout = milliseconds(50);
  first.set(Behaviour::slow);
  first.set_delay(milliseconds(150));
  ASSERT_OK(fetch().keys);
  EXPECT_TRUE(told.wait_for("differ", 1));
}

TEST_F(KmsClientTest, R5_3_2_BringsKeysThatWereMadeHere) {
  std::vector<KeyMaterial> keys(1);
  keys[0].kid = value_or_throw(Uuid::draw(crypto::system_random()));
  keys[0].value = SecretBytes(16);
  std::vector<KeyMaterial> again;
  again.push_back(keys[0].clone());
  const auto [status, url] = push(request(), std::move(keys));
  EXPECT_OK(status);
  EXPECT_EQ(url, first.url());
  EXPECT_OK(push(request(), std::move(again)).first);
  std::vector<KeyMaterial> other(1);
  other[0].kid = value_or_throw(Uuid::draw(crypto::system_random()));
  other[0].value = SecretBytes(16);
  EXPECT_FAILS(push(request(), std::move(other)).first, ErrorKind::refused);
  // A key that cannot be written is told of on the client's thread.
  EXPECT_FAILS(push(request(), {}).first, ErrorKind::invalid_argument);
}

// A token is worth as much to whoever listens: it goes to https: servers and addresses of this machine, and names are none.
TEST_F(KmsClientTest, R5_6_1_ATokenIsNotSentInClear) {
  std::atomic<int> tokens{0}, requests{0};
  LoopbackKms server({.gate = [&](const service::HttpRequest& asked) -> std::optional<service::HttpResponse> {
    ++requests;
    if (asked.header("authorization")) {
      ++tokens;
      return std::nullopt;
    }
    auto response = service::HttpResponse::text(401, "who are you?");
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"a\"");
    return response;
  }});
  const std::string place = ":" + std::to_string(server.port()) + "/cpix";
  for (const auto& [host, sent] : {std::pair("0.0.0.0", false), {"127.0.0.1.localhost", false}, {"127.0.0.1", true}}) {
    client_.reset();
    SetUp();
    settings.urls = {"http://" + std::string(host) + place};
    settings.timeout = milliseconds(2'000);
    settings.credentials.bearer_token = SecretBytes::copy_of(as_bytes("0123456789012345678901234567890123456789"));
    tokens = requests = 0;
    EXPECT_EQ(fetch().keys.has_value(), sent) << host;
    EXPECT_GT(requests, 0) << host;
    EXPECT_EQ(tokens > 0, sent) << host;
  }
}

// 5.5.1 and 5.6.1: over TLS, each proves itself to the other.
class KmsClientTls : public KmsClientTest {
 protected:
  KmsClientTls() : authority(folder.path(), "ca"), other(folder.path(), "other-ca") {
    authority.issue("kms", {.alternative_name = "IP:127.0.0.1", .extended_usage = "serverAuth"});
    authority.issue("elsewhere", {.alternative_name = "DNS:kms.example", .extended_usage = "serverAuth"});
    authority.issue("encoder", {.extended_usage = "clientAuth"});
    other.issue("false-kms", {.alternative_name = "IP:127.0.0.1", .extended_usage = "serverAuth"});
  }
  [[nodiscard]] service::HttpTls tls(const std::string& name, const test::TlsAuthority& of) const {
    return {{of.certificate_file(name), of.key_file(name), {}, authority.authority_file()},
            crypto::TlsClients::certified};
  }
  void use(const LoopbackKms& server) {
    settings.urls = {server.url()};
    settings.credentials.authority_file = authority.authority_file();
    settings.credentials.certificate_file = authority.certificate_file("encoder");
    settings.credentials.key_file = authority.key_file("encoder");
  }
  test::TemporaryFolder folder;
  test::TlsAuthority authority, other;
};

TEST_F(KmsClientTls, R5_6_1_EachProvesItselfBeforeAnyKeyIsExchanged) {
  LoopbackKms server({.tls = tls("kms", authority)});
  use(server);
  ASSERT_OK(fetch().keys);
  EXPECT_EQ(told.of("auth"), std::vector{"auth " + server.url() + " mutual-TLS tls"});
}

TEST_F(KmsClientTls, AServerOfAnotherAuthorityIsNotAsked) {
  LoopbackKms server({.tls = tls("false-kms", other)});
  use(server);
  const Outcome outcome = fetch();
  EXPECT_FAILS(outcome.keys, ErrorKind::authentication_failed);
  EXPECT_EQ(server.requests(), 0U);
}

TEST_F(KmsClientTls, AServerOfAnotherNameIsNotAsked) {
  LoopbackKms server({.tls = tls("elsewhere", authority)});
  use(server);
  EXPECT_FAILS(fetch().keys, ErrorKind::authentication_failed);
  EXPECT_EQ(server.requests(), 0U);
}

TEST_F(KmsClientTls, AClientWithoutACertificateGetsNothing) {
  LoopbackKms server({.tls = tls("kms", authority)});
  use(server);
  settings.credentials.certificate_file.clear();
  settings.credentials.key_file.clear();
  EXPECT_FALSE(fetch().keys.has_value());
  EXPECT_EQ(server.requests(), 0U);
}

TEST_F(KmsClientTest, KeysMayComeEncrypted) {
  const auto authority = value_or_throw(crypto::TlsAuthority::create("Test", 1'700'000'000, 2'000'000'000));
  const auto key = value_or_throw(crypto::RsaPrivateKey::generate(2048));
  crypto::TlsAuthority::Subject subject;
  subject.common_name = "encoder";
  subject.not_after = 2'000'000'000;
  settings.private_key = key;
  settings.certificate =
      value_or_throw(crypto::certificate_pem_to_der(as_bytes(value_or_throw(authority.issue_for(key, subject)))));
  std::string answered;
  const Outcome outcome = fetch();
  ASSERT_OK(outcome.keys);
  EXPECT_EQ(outcome.keys->at(0).key.value.size(), 16U);
}

// Where encrypted keys were asked for, one that comes in clear is no answer, be it one among others.
TEST_F(KmsClientTest, KeysInClearAreNotTakenForEncryptedOnes) {
  const auto authority = value_or_throw(crypto::TlsAuthority::create("Test", 1'700'000'000, 2'000'000'000));
  const auto key = value_or_throw(crypto::RsaPrivateKey::generate(2048));
  crypto::TlsAuthority::Subject subject;
  subject.common_name = "encoder";
  subject.not_after = 2'000'000'000;
  settings.private_key = key;
  settings.certificate =
      value_or_throw(crypto::certificate_pem_to_der(as_bytes(value_or_throw(authority.issue_for(key, subject)))));
  std::atomic<bool> one_of_two{false};
  LoopbackKms server({.gate = [&](const service::HttpRequest& asked) -> std::optional<service::HttpResponse> {
    CpixDocument document = value_or_throw(read_cpix(asked.body()));
    for (CpixContentKey& each : document.keys) each.value = SecretBytes(16);
    if (one_of_two) {
      SecretBytes clear = std::move(document.keys[1].value);
      EXPECT_OK(encrypt_keys(document, crypto::system_random()));
      document.keys[1].value = std::move(clear);
    } else {
      document.recipients.clear();
    }
    return service::HttpResponse::with_secret(200, "application/xml", value_or_throw(write_cpix(document)));
  }});
  settings.urls = {server.url()};
  for (const bool each : {false, true}) {
    one_of_two = each;
    const Outcome outcome = fetch(request(7, 2));
    ASSERT_FALSE(outcome.keys.has_value());
    EXPECT_NE(outcome.keys.error().message.find("in clear"), std::string::npos) << outcome.keys.error().message;
  }
}

TEST_F(KmsClientTest, RefusesSettingsThatCannotBe) {
  const auto create = [&] {
    return KmsClient::create(std::move(settings), told, system_clock(), crypto::system_random());
  };
  settings.urls = {};
  EXPECT_FAILS(create(), ErrorKind::invalid_argument);
  SetUp();
  settings.urls = {"ftp://a"};
  EXPECT_FAILS(create(), ErrorKind::invalid_argument);
  SetUp();
  settings.give_up = settings.timeout - milliseconds(1);
  EXPECT_FAILS(create(), ErrorKind::invalid_argument);
  SetUp();
  settings.certificate = {1, 2, 3};
  EXPECT_FAILS(create(), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::kex
