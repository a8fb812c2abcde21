// SPDX-License-Identifier: LGPL-2.1-or-later
// libcurl as a client that is not ours.
#include <curl/curl.h>

#include "service/http_authentication.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/unit/service/http_fixture.hpp"

namespace cas::service {
namespace {

class HttpDigestCurlTest : public test::HttpFixture {
 protected:
  HttpDigestCurlTest() : easy_(curl_easy_init()), multi_(curl_multi_init()) {
    HttpAccount account;
    account.name = "packager";
    account.user = "pack\"ager";
    account.ha1 =
        test::value_or_throw(http_digest_secret(account.user, "keys", SecretBytes::copy_of(as_bytes("open sesame"))));
    std::vector<HttpAccount> accounts;
    accounts.push_back(std::move(account));
    HttpAuthenticationSettings settings;
    settings.realm = "keys";
    settings.digest = true;
    authenticator_ = test::value_or_throw(HttpAuthenticator::create(
        settings, test::value_or_throw(HttpAccounts::create(std::move(accounts))), random_, clock_));
    EXPECT_OK(router_.add("POST", "/cpix", [this](const HttpRequest& request) {
      auto who = authenticator_->authenticate(request);
      if (!who) return std::move(who.error().response);
      return HttpResponse::text(200, who->client + ' ' + as_text(request.body()));
    }));
    listen();
  }
  ~HttpDigestCurlTest() override {
    curl_multi_remove_handle(multi_, easy_);
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
  }
  static std::size_t keep(const char* data, std::size_t size, std::size_t count, void* answer) {
    static_cast<std::string*>(answer)->append(data, size * count);
    return size * count;
  }
  /// "STATUS BODY".
  std::string post(const std::string& password) {
    std::string answer;
    const std::string url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/cpix?version=2";
    curl_easy_setopt(easy_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy_, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy_, CURLOPT_HTTPAUTH, CURLAUTH_DIGEST);
    curl_easy_setopt(easy_, CURLOPT_USERNAME, "pack\"ager");
    curl_easy_setopt(easy_, CURLOPT_PASSWORD, password.c_str());
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, "request");
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &answer);
    curl_multi_remove_handle(multi_, easy_);
    curl_multi_add_handle(multi_, easy_);
    for (int running = 1, rounds = 0; running != 0 && rounds < 20'000; ++rounds) {
      curl_multi_perform(multi_, &running);
      run_ready();
    }
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    return std::to_string(status) + ' ' + answer;
  }

  CURL* easy_;
  CURLM* multi_;
  test::SeededRandom random_{1};
  std::optional<HttpAuthenticator> authenticator_;
};

TEST_F(HttpDigestCurlTest, IsUnderstood) {
  EXPECT_EQ(post("open sesame"), "200 packager request\n");
  EXPECT_EQ(server_->counts().requests, 2U);  // the challenge first
  EXPECT_EQ(post("open sesame"), "200 packager request\n");
  EXPECT_EQ(server_->counts().requests, 3U);  // the same nonce, counted on
  clock_.advance(std::chrono::seconds(301));
  EXPECT_EQ(post("open sesame"), "200 packager request\n");
  EXPECT_EQ(server_->counts().requests, 5U);  // stale=true: a new nonce, and nobody was asked
}

TEST_F(HttpDigestCurlTest, AWrongPasswordIsRefused) {
  EXPECT_EQ(post("open sesam").substr(0, 4), "401 ");
  EXPECT_EQ(server_->counts().requests, 2U);
}

}  // namespace
}  // namespace cas::service
