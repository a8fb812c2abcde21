// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "base/clock.hpp"
#include "crypto/random.hpp"
#include "service/http_authentication.hpp"
#include "service/http_authorization.hpp"

namespace {

using namespace cas;
using namespace cas::service;

void require(bool holds) {
  if (!holds) std::abort();
}

HttpAuthenticator make_authenticator() {
  HttpAccount account;
  account.name = account.user = "a";
  account.ha1 = SecretBytes(32);
  account.tokens.resize(1);
  std::vector<HttpAccount> accounts;
  accounts.push_back(std::move(account));
  HttpAuthenticationSettings settings;
  settings.digest = settings.bearer = settings.bearer_in_clear_on_loopback = true;
  auto made = HttpAuthenticator::create(settings, *HttpAccounts::create(std::move(accounts)), crypto::system_random(),
                                        system_clock());
  require(made.has_value());
  return std::move(*made);
}

std::string written(const HttpAuthorization& parsed) {
  std::string out = parsed.scheme + ' ' + std::string(parsed.token);
  for (const auto& [name, value] : parsed.parameters) {
    out += name + "=\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += "\", ";
  }
  return out;
}

}  // namespace

// What is taken, written anew, is the same again; and nobody is let in.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static HttpAuthenticator authenticator = make_authenticator();
  const std::string_view field(reinterpret_cast<const char*>(data), size);
  HttpEvidence evidence{"GET", "/", field, *Endpoint::parse("127.0.0.1:1"), true, nullptr};
  require(!authenticator.authenticate(evidence).has_value());
  const auto parsed = parse_http_authorization(field);
  if (!parsed) return 0;
  require(parsed->token.empty() || parsed->parameters.empty());
  const std::string again_text = written(*parsed);
  if (again_text.size() > HttpAuthorization::max_size) return 0;
  const auto again = parse_http_authorization(again_text);
  require(again && again->scheme == parsed->scheme && again->token == parsed->token);
  require(again->parameters == parsed->parameters);
  if (const auto digest = parse_http_digest(*parsed)) require(digest->count > 0 && digest->response.size() == 64);
  return 0;
}
