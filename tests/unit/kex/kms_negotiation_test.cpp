// SPDX-License-Identifier: LGPL-2.1-or-later
// 5.5.1 and 5.6.2: over which transport keys come, and which scheme of authentication both ends agree on.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "crypto/random.hpp"
#include "kex/kms_client.hpp"
#include "service/http_authentication.hpp"
#include "tests/support/loopback_kms.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tls_certificates.hpp"

namespace cas::kex {
namespace {

using test::LoopbackKms;
using test::value_or_throw;

/// Asks one server for one key, and keeps what was negotiated: "Digest", "mutual-TLS over TLS", ...
class Asker final : public KmsClientListener {
 public:
  void failed_over(const std::string&, const std::string&, const std::string&) override {}
  void recovered(const std::string&) override {}
  void disagreement(const std::string&, const std::string&) override {}
  void negotiated(const std::string&, const std::string& how, bool encrypted) override {
    negotiated_ = how + (encrypted ? " over TLS" : "");
  }

  Result<std::vector<FetchedKey>> ask(const std::string& url, const service::HttpCredentials& credentials) {
    negotiated_.clear();
    KmsClientSettings settings;
    settings.urls = {url};
    settings.credentials = credentials.clone();
    const auto client =
        value_or_throw(KmsClient::create(std::move(settings), *this, system_clock(), crypto::system_random()));
    KeyRequest request;
    request.content_id = "channel-1";
    request.periods.push_back({7, {}, {}});
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<std::vector<FetchedKey>>> answered;
    client->fetch(std::move(request), [&](Result<std::vector<FetchedKey>> keys, const std::string&) {
      const std::lock_guard lock(mutex);
      answered = std::move(keys);
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, std::chrono::seconds(30), [&] { return answered.has_value(); }))
      throw std::runtime_error("no answer");
    return std::move(*answered);
  }
  /// Of the last one that was asked, whose client is gone.
  [[nodiscard]] const std::string& negotiated_scheme() const { return negotiated_; }

 private:
  std::string negotiated_;  ///< Written by the client's thread, before it answers.
};

TEST(KmsTransport, R5_5_1_KeysComeOverHttpInTheClearAndOverTls) {
  const test::TemporaryFolder folder;
  test::TlsAuthority authority(folder.path(), "ca");
  authority.issue("kms", {.alternative_name = "IP:127.0.0.1", .extended_usage = "serverAuth"});
  authority.issue("encoder", {.extended_usage = "clientAuth"});
  LoopbackKms in_clear;
  LoopbackKms over_tls(
      {.tls = service::HttpTls{
           {authority.certificate_file("kms"), authority.key_file("kms"), {}, authority.authority_file()},
           crypto::TlsClients::certified}});
  EXPECT_TRUE(in_clear.url().starts_with("http://"));
  EXPECT_TRUE(over_tls.url().starts_with("https://"));
  Asker asker;
  const auto one = value_or_throw(asker.ask(in_clear.url(), {}));
  EXPECT_EQ(asker.negotiated_scheme(), "none");
  service::HttpCredentials credentials;
  credentials.authority_file = authority.authority_file();
  credentials.certificate_file = authority.certificate_file("encoder");
  credentials.key_file = authority.key_file("encoder");
  const auto other = value_or_throw(asker.ask(over_tls.url(), credentials));
  EXPECT_EQ(asker.negotiated_scheme(), "mutual-TLS over TLS");
  EXPECT_TRUE(equal(one.at(0).key.value.reveal(), other.at(0).key.value.reveal()));
}

/// A server behind the daemons' authenticator. Its client "encoder" has a password and a token.
struct GuardedKms {
  static constexpr const char* password = "correct horse battery staple";
  static constexpr const char* token = "0123456789abcdefghijklmnopqrstuvwxyz";

  GuardedKms(bool digest, bool bearer) : authenticator(make(digest, bearer)), server({.gate = gate()}) {}

  static service::HttpAuthenticator make(bool digest, bool bearer) {
    service::HttpAuthenticationSettings settings;
    settings.realm = "kms";
    settings.digest = digest;
    settings.bearer = settings.bearer_in_clear_on_loopback = bearer;
    std::vector<service::HttpAccount> accounts(1);
    accounts[0].name = accounts[0].user = "encoder";
    accounts[0].ha1 = value_or_throw(
        service::http_digest_secret("encoder", settings.realm, SecretBytes::copy_of(as_bytes(password))));
    accounts[0].tokens = {value_or_throw(service::bearer_token_digest(as_bytes(token)))};
    auto all = value_or_throw(service::HttpAccounts::create(std::move(accounts)));
    return value_or_throw(service::HttpAuthenticator::create(std::move(settings), std::move(all),
                                                             crypto::system_random(), system_clock()));
  }
  std::function<std::optional<service::HttpResponse>(const service::HttpRequest&)> gate() {
    return [this](const service::HttpRequest& request) -> std::optional<service::HttpResponse> {
      auto who = authenticator.authenticate(request);
      if (who) return std::nullopt;
      for (const auto& [name, value] : who.error().response.headers)
        if (name == "WWW-Authenticate") announced.insert(value.substr(0, value.find(' ')));
      return std::move(who.error().response);
    };
  }
  service::HttpAuthenticator authenticator;
  std::set<std::string> announced;  ///< To be read when the server is stopped.
  LoopbackKms server;
};

TEST(KmsAuthentication, R5_6_2_AMutualSchemeIsNegotiated) {
  struct Case {
    bool digest, bearer;           // of the server
    bool has_password, has_token;  // of the client
    const char* negotiated;        // empty: there is none
  };
  for (const Case& one : {Case{false, true, true, true, "Bearer"}, Case{true, false, true, true, "Digest"},
                          Case{true, true, true, true, "Digest"}, Case{true, true, false, true, "Bearer"},
                          Case{true, false, false, true, ""}, Case{false, true, true, false, ""}}) {
    GuardedKms kms(one.digest, one.bearer);
    service::HttpCredentials credentials;
    if (one.has_password) {
      credentials.user = "encoder";
      credentials.password = SecretBytes::copy_of(as_bytes(GuardedKms::password));
    }
    if (one.has_token) credentials.bearer_token = SecretBytes::copy_of(as_bytes(GuardedKms::token));
    Asker asker;
    const auto keys = asker.ask(kms.server.url(), credentials);
    kms.server.stop();
    EXPECT_EQ(asker.negotiated_scheme(), one.negotiated);
    if (*one.negotiated == '\0') {
      EXPECT_FAILS(keys, ErrorKind::authentication_failed);
      continue;
    }
    EXPECT_OK(keys);
    // A token that is right is sent at once; who has a password, asks first.
    std::set<std::string> schemes;
    if (one.digest) schemes.insert("Digest");
    if (one.bearer) schemes.insert("Bearer");
    EXPECT_EQ(kms.announced, one.has_password ? schemes : std::set<std::string>());
  }
}

}  // namespace
}  // namespace cas::kex
