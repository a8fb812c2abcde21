// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"

namespace cas::service {

/// What a client shows a server, and whom it believes. Files are PEM.
struct HttpCredentials {
  std::string authority_file;    ///< Roots of https: servers; empty: the system's.
  std::string certificate_file;  ///< The client's own (mutual TLS); empty: it shows none.
  std::string key_file;          ///< The key to it.
  SecretBytes key_pass_phrase;   ///< Of the key; empty: it is in clear.
  std::string user;              ///< For HTTP Digest (RFC 7616); empty: not spoken.
  SecretBytes password;
  SecretBytes
      bearer_token;  ///< RFC 6750; empty: not spoken. It is sent to https: servers and loopback addresses alone.

  [[nodiscard]] HttpCredentials clone() const;
};

/// A server that is asked again and again. Its connections are kept.
struct HttpTarget {
  std::string url;  ///< http: or https:, without user and password.
  HttpCredentials credentials;
};

struct HttpTransferRequest {
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string content_type;
  SecretBytes body;                         ///< Of POST and PUT.
  std::chrono::milliseconds limit{10'000};  ///< For all of it.
  std::size_t body_limit = 1U << 20;        ///< Of the answer.
};

struct HttpTransferAnswer {
  int status = 0;
  SecretBytes body;  ///< Cut off at 4 KiB where the status is an error.
  std::chrono::nanoseconds duration{0};
  bool encrypted = false;      ///< It came over TLS.
  std::string authentication;  ///< What the client proved itself with: "mutual-TLS", "Digest", "Bearer", "none".
};

/// Several transfers at once, carried out by whoever waits: for a thread that has nothing else to do. It follows no
/// redirect, uses no proxy, and sends no credentials to another server. One thread at a time, `wake` aside.
///
/// Authentication is negotiated: a certificate is shown to whoever asks for one in the handshake; of Digest and Bearer,
/// Digest is tried first where the client has both, and the other one when the server offers that alone.
class HttpTransfers {
 public:
  /// ErrorKind::unsupported without libcurl; internal.
  [[nodiscard]] static Result<std::unique_ptr<HttpTransfers>> create();
  /// Breaks off what is under way.
  ~HttpTransfers();
  HttpTransfers(const HttpTransfers&) = delete;
  HttpTransfers& operator=(const HttpTransfers&) = delete;

  /// Its number for `start`. ErrorKind::invalid_argument for what is no http: or https: URL.
  [[nodiscard]] Result<std::size_t> add_target(HttpTarget target);

  /// Begins one; the number that it ends with in `wait`.
  [[nodiscard]] Result<std::uint64_t> start(std::size_t target, HttpTransferRequest request);
  /// Breaks it off; it does not come out of `wait` any more.
  void cancel(std::uint64_t transfer);

  struct Finished {
    std::uint64_t transfer = 0;
    /// Any status is an answer. Errors: io (no connection, broken off, too slow: the sentence tells),
    /// authentication_failed for a server whose certificate does not verify, permission_denied for credentials that
    /// cannot be read or are not taken in the handshake, exhausted for a body that is too long.
    Result<HttpTransferAnswer> result;
  };
  /// Carries them out until one has ended, `longest` has passed, or `wake` was called, or sooner; those that have ended.
  [[nodiscard]] std::vector<Finished> wait(std::chrono::milliseconds longest);
  /// Any thread: ends the `wait` that is on, or the next one.
  void wake();
  [[nodiscard]] std::size_t under_way() const;

 private:
  struct State;
  explicit HttpTransfers(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::service
