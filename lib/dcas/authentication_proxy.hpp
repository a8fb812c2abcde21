// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "dcas/challenge.hpp"
#include "dcas/credentials.hpp"
#include "dcas/suite.hpp"

namespace cas::dcas {

/// The AP's part of the protocol (IV.2.B, steps 2 and 4): it makes sure who asks, and wraps KeyRequest and KeyResponse
/// anew for the next hop. For each request, in this order, and for as many at once as there are:
///
///   issue_challenge      -> challenge to the SM (extended suite)
///   receive_request      <- KeyRequest of the SM
///   make_request         <- challenge of the TA (extended suite), -> KeyRequest to the TA
///   receive_response     <- KeyResponse of the TA, -> KeyResponse to the SM
///
/// A failure is answered with nothing: "discards this message and terminates the protocol". One thread at a time.
class AuthenticationProxy {
 public:
  /// Keeps references to both.
  AuthenticationProxy(Credentials credentials, SuitePolicy policy, Random& random, Clock& clock)
      : credentials_(std::move(credentials)), policy_(policy), clock_(&clock), challenges_(random, clock) {}

  /// A request on its way; of an SM whose certificate and signature were right.
  struct Request {
    Suite suite = Suite::paper;
    std::string sm, tp;
    crypto::RsaCertificate sm_certificate;
    crypto::Sha256Digest digest{};  ///< Of the SM's KeyRequest.
    Nonce nonce{}, tp_nonce{};      ///< Extended suite.
    crypto::Sha256Digest asked{};   ///< Digest of our KeyRequest to the TA.
  };

  [[nodiscard]] Result<Bytes> issue_challenge() { return challenges_.issue(); }
  [[nodiscard]] Result<Request> receive_request(ByteView message);
  [[nodiscard]] Result<Bytes> make_request(Request& request, ByteView challenge);
  /// The TA's answer to this request.
  [[nodiscard]] Result<Bytes> receive_response(const Request& request, ByteView message);

  /// For SecurityAnnounce.
  [[nodiscard]] const crypto::RsaCertificate& certificate() const { return credentials_.certificate; }

 private:
  [[nodiscard]] Status check_statement(Request& request, ByteView tp_cert_rsp) const;

  Credentials credentials_;
  SuitePolicy policy_;
  Clock* clock_;
  ChallengeBook challenges_;
};

}  // namespace cas::dcas
