// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "dcas/challenge.hpp"
#include "dcas/key_schedule.hpp"
#include "dcas/suite.hpp"

namespace cas::dcas {

/// What the trusted authority knows of devices and proxies: figure 6 is decided here.
class PairingRegister {
 public:
  struct Request {
    std::string sm, tp;
    std::string ap;   ///< Who asks for them.
    Nonce request{};  ///< Names it: one that comes again, because no answer came through, is known again.
  };
  struct Decision {
    bool is_pair = false;
    SecretBytes device_keys;  ///< K1 || K2 || K3 of the SM when it is.
  };
  virtual ~PairingRegister() = default;
  /// Decides and records, both at once. ErrorKind::not_found when it has no record of one of them: there is no answer
  /// then ("it terminates the protocol").
  [[nodiscard]] virtual Result<Decision> pair(const Request& request) = 0;
  /// The certificate that was issued to this AP; ErrorKind::not_found.
  [[nodiscard]] virtual Result<crypto::RsaCertificate> proxy(const std::string& name) = 0;
};

/// The TA's part of the protocol (IV.2.B, step 3). One thread at a time.
///
/// `handle` does all of it. Who collects many requests into one transaction of a store takes `open` and `answer` apart.
class TrustedAuthority {
 public:
  /// `key` is that of `root`. Keeps references to the other two. ErrorKind::invalid_argument.
  [[nodiscard]] static Result<TrustedAuthority> create(crypto::RsaCertificate root, crypto::RsaPrivateKey key,
                                                       SuitePolicy policy, Random& random, Clock& clock);

  /// A request whose sender was made sure of.
  struct OpenRequest {
    Suite suite = Suite::paper;
    PairingRegister::Request pair;
    crypto::RsaPublicKey ap_key;
    crypto::Sha256Digest digest{};
    Nonce tp_nonce{};
  };

  [[nodiscard]] Result<Bytes> issue_challenge() { return challenges_.issue(); }
  [[nodiscard]] Result<OpenRequest> open(ByteView message, PairingRegister& devices);
  /// The KeyResponse: a KPK, or the one that is none.
  [[nodiscard]] Result<Bytes> answer(const OpenRequest& request, const PairingRegister::Decision& decision);
  /// KeyRequest in, KeyResponse out. Any failure: there is no answer.
  [[nodiscard]] Result<Bytes> handle(ByteView message, PairingRegister& devices);

 private:
  TrustedAuthority(crypto::RsaCertificate root, crypto::RsaPrivateKey key, SuitePolicy policy, Random& random,
                   Clock& clock)
      : root_(std::move(root)),
        key_(std::move(key)),
        policy_(policy),
        random_(&random),
        clock_(&clock),
        challenges_(random, clock) {}
  [[nodiscard]] Result<SecretBytes> make_kpk(const OpenRequest& request, const SecretBytes& device_keys);

  crypto::RsaCertificate root_;
  crypto::RsaPrivateKey key_;
  SuitePolicy policy_;
  Random* random_;
  Clock* clock_;
  ChallengeBook challenges_;
};

}  // namespace cas::dcas
