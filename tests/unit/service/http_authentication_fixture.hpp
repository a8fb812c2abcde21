// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "service/http_authentication.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::test {

inline std::string sha256_text(const std::string& text) {
  return to_hex(value_or_throw(crypto::sha256(as_bytes(text))));
}

/// What a client puts into its field, each part of which a test can change.
struct DigestFields {
  std::string user = "packager";
  std::string realm = "keys";
  std::string password = "sesame";
  std::string nonce;
  std::string uri = "/cpix?a=b";
  std::string method = "POST";
  std::string count = "00000001";
  std::string cnonce = "0a4f113b";
  std::string more = ", qop=auth, algorithm=SHA-256";

  /// RFC 7616, 3.4.1, written a second time.
  [[nodiscard]] std::string response() const {
    const std::string a1 = sha256_text(user + ":" + realm + ":" + password);
    const std::string a2 = sha256_text(method + ":" + uri);
    return sha256_text(a1 + ":" + nonce + ":" + count + ":" + cnonce + ":auth:" + a2);
  }
  [[nodiscard]] std::string field_with(const std::string& response) const {
    return "Digest username=\"" + user + "\", realm=\"" + realm + "\", nonce=\"" + nonce + "\", uri=\"" + uri +
           "\", cnonce=\"" + cnonce + "\", nc=" + count + ", response=\"" + response + "\"" + more;
  }
  [[nodiscard]] std::string field() const { return field_with(response()); }
};

class HttpAuthenticationFixture : public testing::Test {
 protected:
  using HttpAccount = service::HttpAccount;
  using HttpDenial = service::HttpDenial;

  HttpAuthenticationFixture() {
    settings_.realm = "keys";
    settings_.digest = true;
    add_user("packager", "sesame");
    evidence_.method = "POST";
    evidence_.target = "/cpix?a=b";
    evidence_.peer = value_or_throw(service::Endpoint::parse("192.0.2.7:4000"));
  }
  void add_user(const std::string& user, const std::string& password) {
    HttpAccount account;
    account.name = "client " + user;
    account.user = user;
    account.ha1 =
        value_or_throw(service::http_digest_secret(user, settings_.realm, SecretBytes::copy_of(as_bytes(password))));
    accounts_.push_back(std::move(account));
  }
  service::HttpAuthenticator& authenticator() {
    if (!authenticator_) {
      auto accounts = value_or_throw(service::HttpAccounts::create(std::move(accounts_)));
      authenticator_ =
          value_or_throw(service::HttpAuthenticator::create(settings_, std::move(accounts), random_, clock_));
    }
    return *authenticator_;
  }
  service::HttpAuthentication ask() { return authenticator().authenticate(evidence_); }
  service::HttpAuthentication ask(const std::string& field) {
    field_ = field;
    evidence_.authorization = field_;
    return ask();
  }
  static std::vector<std::string> challenges(const service::HttpResponse& response) {
    std::vector<std::string> out;
    for (const auto& [name, value] : response.headers)
      if (name == "WWW-Authenticate") out.push_back(value);
    return out;
  }
  static std::string nonce_in(const service::HttpResponse& response) {
    const std::string challenge = challenges(response).at(0);
    const auto at = challenge.find("nonce=\"") + 7;
    return challenge.substr(at, challenge.find('"', at) - at);
  }
  /// Asks without credentials.
  std::string new_nonce() {
    evidence_.authorization.reset();
    return nonce_in(ask().error().response);
  }
  DigestFields fields() {
    DigestFields out;
    out.nonce = new_nonce();
    return out;
  }
  static std::string denied(const service::HttpAuthentication& authentication) {
    return authentication ? "let in as " + authentication->client
                          : std::string(service::http_denial_name(authentication.error().denial));
  }
  static bool is_stale(const service::HttpAuthentication& authentication) {
    return !authentication && challenges(authentication.error().response).at(0).ends_with(", stale=true");
  }

  ManualClock clock_;
  SeededRandom random_{7};
  service::HttpAuthenticationSettings settings_;
  std::vector<HttpAccount> accounts_;
  service::HttpEvidence evidence_;
  std::string field_;
  std::optional<service::HttpAuthenticator> authenticator_;
};

}  // namespace cas::test
