// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_authentication.hpp"

#include <algorithm>
#include <array>

#include "crypto/constant_time.hpp"
#include "service/http_accounts_state.hpp"
#include "service/http_authorization.hpp"
#include "service/http_nonces.hpp"
#include "service/http_text.hpp"

namespace cas::service {

namespace {

constexpr std::size_t max_realm_size = 128;
constexpr std::chrono::seconds max_nonce_life{24 * 3600};

bool is_realm(std::string_view realm) {
  return !realm.empty() && realm.size() <= max_realm_size &&
         std::ranges::all_of(realm, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

/// What is told to the client; more would help those who guess.
std::string_view sentence_of(HttpDenial denial) {
  switch (denial) {
    case HttpDenial::no_credentials: return "show who you are, in one of the ways that WWW-Authenticate names";
    case HttpDenial::malformed: return "the field Authorization has not the form of its scheme";
    case HttpDenial::not_offered: return "this way to show who you are is not offered: see WWW-Authenticate";
    case HttpDenial::not_secure: return "a token is taken over https only; others may know this one now: replace it";
    case HttpDenial::wrong: return "user, password or token is wrong";
    case HttpDenial::stale: return "this nonce is no longer good: answer the new one";
    case HttpDenial::replayed: return "this answer has been there already: count on, or answer the new nonce";
    case HttpDenial::unknown_certificate: return "this certificate belongs to no client: have its name registered here";
    case HttpDenial::failed: break;
  }
  return "who you are cannot be found out now: try again later";
}

}  // namespace

std::string_view http_scheme_name(HttpScheme scheme) {
  switch (scheme) {
    case HttpScheme::certificate: return "certificate";
    case HttpScheme::digest: return "digest";
    case HttpScheme::bearer: return "bearer";
    case HttpScheme::none: break;
  }
  return "none";
}

std::string_view http_denial_name(HttpDenial denial) {
  switch (denial) {
    case HttpDenial::no_credentials: return "no-credentials";
    case HttpDenial::malformed: return "malformed";
    case HttpDenial::not_offered: return "not-offered";
    case HttpDenial::not_secure: return "not-secure";
    case HttpDenial::wrong: return "wrong";
    case HttpDenial::stale: return "stale";
    case HttpDenial::replayed: return "replayed";
    case HttpDenial::unknown_certificate: return "unknown-certificate";
    case HttpDenial::failed: break;
  }
  return "failed";
}

HttpEvidence HttpEvidence::of(const HttpRequest& request) {
  return {request.method(), request.target(), request.header("authorization"),
          request.peer(),   request.secure(), request.client().get()};
}

struct HttpAuthenticator::State {
  HttpAuthenticationSettings settings;
  std::shared_ptr<const HttpAccounts::State> accounts;
  HttpNonces nonces;
  SecretBytes nobodys_ha1;  ///< Reckoned with for users that there are not. 64 bytes.

  HttpAuthentication authenticate(const HttpEvidence& evidence);
  HttpAuthentication by_certificate(const HttpEvidence& evidence);
  HttpAuthentication by_digest(const HttpEvidence& evidence, const HttpAuthorization& authorization);
  HttpAuthentication by_bearer(const HttpEvidence& evidence, const HttpAuthorization& authorization);

  [[nodiscard]] bool takes_tokens(const HttpEvidence& evidence) const {
    return settings.bearer &&
           (evidence.secure || (settings.bearer_in_clear_on_loopback && evidence.peer.is_loopback()));
  }
  [[nodiscard]] HttpIdentity identity(std::size_t client, HttpScheme scheme) const {
    return {accounts->clients[client].name, scheme};
  }
  [[nodiscard]] std::string_view sentence_without_challenge() const {
    if (settings.certificates) return "connect by https, with the certificate of a client";
    return settings.bearer ? "connect by https, with a token" : "clients of this machine only are let in";
  }
  tl::unexpected<HttpUnauthenticated> deny(const HttpEvidence& evidence, HttpDenial denial,
                                           HttpScheme tried = HttpScheme::none);
};

/// RFC 9110, 11.6.1: a challenge in a field of its own for each scheme, the strongest first, since some clients take
/// the first that they know.
tl::unexpected<HttpUnauthenticated> HttpAuthenticator::State::deny(const HttpEvidence& evidence, HttpDenial denial,
                                                                   HttpScheme tried) {
  std::vector<std::pair<std::string, std::string>> challenges;
  const std::string realm = "realm=\"" + settings.realm + '"';
  if (settings.digest && denial != HttpDenial::failed) {
    const auto nonce = nonces.make();
    if (!nonce) return deny(evidence, HttpDenial::failed);
    std::string challenge =
        "Digest " + realm + ", qop=\"auth\", algorithm=SHA-256, nonce=\"" + *nonce + "\", charset=UTF-8";
    // RFC 7616, 3.3: only where the answer was right, so that the client asks nobody for the password again.
    if (denial == HttpDenial::stale || denial == HttpDenial::replayed) challenge += ", stale=true";
    challenges.emplace_back("WWW-Authenticate", std::move(challenge));
  }
  if (takes_tokens(evidence) && denial != HttpDenial::failed) {
    const bool tried_it = tried == HttpScheme::bearer;  // RFC 6750, 3.1: no error code for who has shown nothing
    challenges.emplace_back("WWW-Authenticate", "Bearer " + realm + (tried_it ? ", error=\"invalid_token\"" : ""));
  }
  int status = challenges.empty() || denial == HttpDenial::unknown_certificate ? 403 : 401;
  std::string_view sentence = sentence_of(denial);
  if (denial == HttpDenial::failed) status = 503;
  if (challenges.empty() && denial == HttpDenial::no_credentials) sentence = sentence_without_challenge();
  HttpUnauthenticated out{denial, HttpResponse::text(status, sentence)};
  out.response.headers = std::move(challenges);
  return tl::unexpected<HttpUnauthenticated>(std::move(out));
}

HttpAuthentication HttpAuthenticator::State::authenticate(const HttpEvidence& evidence) {
  if (evidence.authorization) {
    const auto parsed = parse_http_authorization(*evidence.authorization);
    if (!parsed) return deny(evidence, HttpDenial::malformed);
    if (parsed->scheme == "digest" && settings.digest) return by_digest(evidence, *parsed);
    if (parsed->scheme == "bearer" && settings.bearer) return by_bearer(evidence, *parsed);
    return deny(evidence, HttpDenial::not_offered);
  }
  if (settings.certificates && evidence.certificate != nullptr) return by_certificate(evidence);
  if (!settings.loopback_client.empty() && evidence.peer.is_loopback())
    return HttpIdentity{settings.loopback_client, HttpScheme::none};
  return deny(evidence, HttpDenial::no_credentials);
}

HttpAuthentication HttpAuthenticator::State::by_certificate(const HttpEvidence& evidence) {
  std::optional<std::size_t> client;
  bool several = false;
  const auto look = [&](const HttpAccounts::State::ByText& names, std::string_view name) {
    const auto found = names.find(name);
    if (found == names.end()) return;
    several = several || (client && *client != found->second);
    client = found->second;
  };
  look(accounts->by_common_name, evidence.certificate->common_name);
  for (const std::string& name : evidence.certificate->dns_names) {
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), ascii_lower);
    look(accounts->by_dns_name, lower);
  }
  if (!client || several) return deny(evidence, HttpDenial::unknown_certificate);
  return identity(*client, HttpScheme::certificate);
}

namespace {

/// RFC 7616, 3.4.1: H(H(A1) ":" nonce ":" nc ":" cnonce ":" qop ":" H(A2)), as digits; A2 is METHOD:URI.
Result<std::string> digest_response(const SecretBytes& ha1_text, std::string_view method,
                                    const HttpDigestAnswer& answer) {
  CAS_TRY_ASSIGN(const auto a2, crypto::sha256({as_bytes(method), as_bytes(":"), as_bytes(answer.uri)}));
  const std::string a2_text = to_hex(a2);
  CAS_TRY_ASSIGN(const auto response, crypto::sha256({ha1_text.reveal(), as_bytes(":"), as_bytes(answer.nonce),
                                                      as_bytes(":"), as_bytes(answer.count_text), as_bytes(":"),
                                                      as_bytes(answer.cnonce), as_bytes(":auth:"), as_bytes(a2_text)}));
  return to_hex(response);
}

}  // namespace

HttpAuthentication HttpAuthenticator::State::by_digest(const HttpEvidence& evidence,
                                                       const HttpAuthorization& authorization) {
  const auto answer = parse_http_digest(authorization);
  if (!answer)
    return deny(evidence,
                answer.error().kind == ErrorKind::unsupported ? HttpDenial::not_offered : HttpDenial::malformed);
  if (answer->realm != settings.realm) return deny(evidence, HttpDenial::wrong);
  // RFC 7616, 3.4.6: what the answer was made for is what is asked for.
  if (answer->uri != evidence.target) return deny(evidence, HttpDenial::wrong);
  const auto user = accounts->by_user.find(std::string_view(answer->user));
  const bool known = user != accounts->by_user.end();
  const auto expected =
      digest_response(known ? accounts->clients[user->second].ha1_text : nobodys_ha1, evidence.method, *answer);
  const auto nonce = nonces.recognise(answer->nonce);
  if (!expected || !nonce) return deny(evidence, HttpDenial::failed);
  const bool right = crypto::constant_time_equal(as_bytes(*expected), as_bytes(answer->response));
  if (!right || !known) return deny(evidence, HttpDenial::wrong);
  if (!nonce->has_value()) return deny(evidence, HttpDenial::stale);
  switch (nonces.take(**nonce, answer->count)) {
    case HttpNonces::Take::taken: break;
    case HttpNonces::Take::stale: return deny(evidence, HttpDenial::stale);
    case HttpNonces::Take::used: return deny(evidence, HttpDenial::replayed);
  }
  return identity(user->second, HttpScheme::digest);
}

HttpAuthentication HttpAuthenticator::State::by_bearer(const HttpEvidence& evidence,
                                                       const HttpAuthorization& authorization) {
  if (!takes_tokens(evidence)) return deny(evidence, HttpDenial::not_secure);
  if (authorization.token.empty()) return deny(evidence, HttpDenial::malformed, HttpScheme::bearer);
  const auto digest = crypto::sha256(as_bytes(authorization.token));
  if (!digest) return deny(evidence, HttpDenial::failed);
  // A look-up by a digest tells by its time at most how a digest begins, and of no token that is to be found from it.
  const auto found = accounts->by_token.find(*digest);
  if (found == accounts->by_token.end()) return deny(evidence, HttpDenial::wrong, HttpScheme::bearer);
  return identity(found->second, HttpScheme::bearer);
}

HttpAuthenticator::HttpAuthenticator(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpAuthenticator::~HttpAuthenticator() = default;
HttpAuthenticator::HttpAuthenticator(HttpAuthenticator&&) noexcept = default;
HttpAuthenticator& HttpAuthenticator::operator=(HttpAuthenticator&&) noexcept = default;

Result<HttpAuthenticator> HttpAuthenticator::create(HttpAuthenticationSettings settings, HttpAccounts accounts,
                                                    Random& random, Clock& clock) {
  if (!is_realm(settings.realm))
    return fail(ErrorKind::invalid_argument, "a realm is 1 to 128 printable ASCII characters without \" and \\");
  if (settings.nonce_life < std::chrono::seconds(1) || settings.nonce_life > max_nonce_life || settings.nonces == 0)
    return fail(ErrorKind::invalid_argument, "nonces live 1 s to 24 h, and at least one is remembered");
  if (!settings.certificates && !settings.digest && !settings.bearer && settings.loopback_client.empty())
    return fail(ErrorKind::invalid_argument,
                "no way for clients to show who they are is offered: nobody would be let in");
  CAS_TRY_ASSIGN(HttpNonces nonces,
                 HttpNonces::create(random, clock, settings.realm, settings.nonce_life, settings.nonces));
  CAS_TRY_ASSIGN(SecretBytes nobodys_ha1, random_secret(random, 2 * crypto::sha256_size));
  return HttpAuthenticator(std::unique_ptr<State>(
      new State{std::move(settings), std::move(accounts.state_), std::move(nonces), std::move(nobodys_ha1)}));
}

HttpAuthentication HttpAuthenticator::authenticate(const HttpRequest& request) {
  return state_->authenticate(HttpEvidence::of(request));
}

HttpAuthentication HttpAuthenticator::authenticate(const HttpEvidence& evidence) {
  return state_->authenticate(evidence);
}

void HttpAuthenticator::replace_accounts(HttpAccounts accounts) { state_->accounts = std::move(accounts.state_); }

}  // namespace cas::service
