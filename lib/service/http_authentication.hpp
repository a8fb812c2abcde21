// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/digest.hpp"
#include "service/http_message.hpp"

namespace cas::service {

/// How a client shows who it is (RFC 9110, 11).
enum class HttpScheme {
  none,         ///< Not at all; from this machine only.
  certificate,  ///< By TLS.
  digest,       ///< RFC 7616: SHA-256, qop=auth.
  bearer,       ///< RFC 6750.
};
/// "none", "certificate", "digest", "bearer": for configurations, logs and metrics.
[[nodiscard]] std::string_view http_scheme_name(HttpScheme scheme);

/// A client, and what it shows; each way is left empty that it does not have.
struct HttpAccount {
  std::string name;  ///< As logs and policies call it.
  /// Common names, or DNS names among the subject alternative names, of its certificates. The server's authorities
  /// stand for them.
  std::vector<std::string> certificate_names;
  std::string user;                          ///< Of Digest, UTF-8 in the form NFC, without ':'.
  SecretBytes ha1;                           ///< See http_digest_secret.
  std::vector<crypto::Sha256Digest> tokens;  ///< See bearer_token_digest.
};

/// SHA-256 of USER:REALM:PASSWORD, which RFC 7616 (3.4.2) calls H(A1): who has it can show himself in this realm, so it
/// is a secret as the password is.
[[nodiscard]] Result<SecretBytes> http_digest_secret(std::string_view user, std::string_view realm,
                                                     const SecretBytes& password);
/// A new bearer token with 256 random bits: 64 letters.
[[nodiscard]] Result<SecretBytes> make_bearer_token(Random& random);
/// What a server keeps of a token: its SHA-256. It opens nothing, as long as the token cannot be guessed: at least 128
/// random bits are the administrator's duty. ErrorKind::invalid_argument for what no client can send (RFC 6750, 2.1),
/// and for less than 22 letters.
[[nodiscard]] Result<crypto::Sha256Digest> bearer_token_digest(ByteView token);

/// The clients of a server. Copies share them; usable by several threads at once.
class HttpAccounts {
 public:
  HttpAccounts();
  /// ErrorKind::invalid_argument for a name, user, certificate name or token that two have, and for a client that has
  /// nothing to show; the sentence names the client.
  [[nodiscard]] static Result<HttpAccounts> create(std::vector<HttpAccount> accounts);
  [[nodiscard]] std::size_t size() const;

 private:
  friend class HttpAuthenticator;
  struct State;
  std::shared_ptr<const State> state_;
};

/// What is offered, and where.
struct HttpAuthenticationSettings {
  std::string realm = "cas";  ///< Printable ASCII without quotes and backslashes. Passwords are bound to it.
  bool certificates = false;  ///< The server asks for them: HttpTls::clients.
  /// What Digest covers is method and target: over http: whoever is in between can change the body, and read it.
  bool digest = false;
  bool bearer = false;  ///< Over TLS only.
  /// Takes tokens over http: too, from this machine.
  bool bearer_in_clear_on_loopback = false;
  /// What a client of this machine that shows nothing is called; empty: it is refused. Not for servers behind a proxy
  /// on the same machine, where all clients look like that.
  std::string loopback_client;
  std::chrono::seconds nonce_life{300};
  /// So many nonces are remembered at most, each about 100 bytes. When they are all in use, the oldest expires early:
  /// its client is asked to answer a new one (stale=true), and nothing is taken twice.
  std::size_t nonces = 65'536;
};

/// What of a request tells who sent it. Views of the request.
struct HttpEvidence {
  std::string_view method;
  std::string_view target;
  std::optional<std::string_view> authorization;
  Endpoint peer;
  bool secure = false;
  const crypto::TlsPeer* certificate = nullptr;

  [[nodiscard]] static HttpEvidence of(const HttpRequest& request);
};

struct HttpIdentity {
  std::string client;  ///< HttpAccount::name.
  HttpScheme scheme = HttpScheme::none;
  bool operator==(const HttpIdentity&) const = default;
};

/// Why a client is not let in, for metrics and logs.
enum class HttpDenial {
  no_credentials,       ///< Nothing was shown: how each conversation with Digest begins.
  malformed,            ///< Credentials that are none.
  not_offered,          ///< A scheme, or a variant of one, that is not offered here.
  not_secure,           ///< A token over http:, which somebody else may know now.
  wrong,                ///< User, password or token.
  stale,                ///< All is right, but the nonce is old, or another server's.
  replayed,             ///< All is right, but has been there already.
  unknown_certificate,  ///< Of nobody, or of several.
  failed,               ///< A defect here.
};
/// "no-credentials", "malformed", ...
[[nodiscard]] std::string_view http_denial_name(HttpDenial denial);

/// The answer for a client that is not let in: a 401 with a challenge for each scheme that it may try, or a 403 where
/// it shows a certificate of nobody, or there is none to try.
struct HttpUnauthenticated {
  HttpDenial denial = HttpDenial::no_credentials;
  HttpResponse response;
};

using HttpAuthentication = tl::expected<HttpIdentity, HttpUnauthenticated>;

/// Finds out who sent a request. Clients keep no state beyond what HTTP gives them, and any server of several may
/// answer any request: one that did not make the nonce gives its own (stale=true), which costs a round trip.
///
/// A field Authorization, where there is one, decides; then the certificate; then where the client is. Secrets are
/// compared in constant time, and users that there are not cost as much as those that there are. One thread at a time.
class HttpAuthenticator {
 public:
  /// ErrorKind::invalid_argument for a realm that is none, a life or number of nonces of 0, and settings that let
  /// nobody in.
  [[nodiscard]] static Result<HttpAuthenticator> create(HttpAuthenticationSettings settings, HttpAccounts accounts,
                                                        Random& random, Clock& clock);
  ~HttpAuthenticator();
  HttpAuthenticator(HttpAuthenticator&&) noexcept;
  HttpAuthenticator& operator=(HttpAuthenticator&&) noexcept;

  [[nodiscard]] HttpAuthentication authenticate(const HttpRequest& request);
  [[nodiscard]] HttpAuthentication authenticate(const HttpEvidence& evidence);

  /// For requests that come from now on: a configuration was read anew.
  void replace_accounts(HttpAccounts accounts);

 private:
  struct State;
  explicit HttpAuthenticator(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::service
