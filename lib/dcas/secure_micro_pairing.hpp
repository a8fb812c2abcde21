// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "crypto/key_agreement.hpp"
#include "dcas/certificate_exchange.hpp"
#include "dcas/control_word_channel.hpp"
#include "dcas/credentials.hpp"
#include "dcas/key_schedule.hpp"
#include "dcas/suite.hpp"

namespace cas::dcas {

/// The SM's part of the protocol: messages in, messages out. In this order:
///
///   start                    -> TPCertReq to the TP
///   receive_tp_cert_rsp      <- TPCertRsp
///   make_key_request         -> KeyRequest to the AP
///   receive_key_response     <- KeyResponse from the AP, -> CWEKGenInfo to the TP
///   receive_confirmation     <- CWEKGenInfoCnfm; control words may go now
///
/// A failure ends the run, as the paper has it ("terminates this protocol"), and the next one begins with `start`. The
/// words of the run before go on until another one has succeeded. One thread at a time.
class SecureMicroPairing {
 public:
  struct Surroundings {
    Random& random;
    Clock* clock;           ///< Null for an SM without one: dates of certificates are not looked at.
    PartnerMemory& memory;  ///< Where the TP is kept when its certificate was verified.
  };
  /// Keeps references to the surroundings.
  SecureMicroPairing(Credentials credentials, SuitePolicy policy, const Surroundings& surroundings)
      : credentials_(std::move(credentials)), policy_(policy), surroundings_(surroundings) {}

  [[nodiscard]] Result<Bytes> start();
  [[nodiscard]] Status receive_tp_cert_rsp(ByteView message);
  /// `ap` is out of the AP's SecurityAnnounce and is verified here. `challenge` is the AP's message; it is needed by the
  /// extended suite alone. May be called again when no answer came: by the TA's rules it is the same request.
  [[nodiscard]] Result<Bytes> make_key_request(const crypto::RsaCertificate& ap, ByteView challenge);
  /// ErrorKind::refused when the TA says that this is no pair.
  [[nodiscard]] Result<Bytes> receive_key_response(ByteView message);
  [[nodiscard]] Status receive_confirmation(ByteView message);

  /// ErrorKind::refused before the TP has confirmed keys.
  [[nodiscard]] Result<Bytes> seal(const ControlWord& word);

  /// Once its certificate was verified.
  [[nodiscard]] const std::optional<Partner>& partner() const { return partner_; }
  /// Of the run, once the partner is known.
  [[nodiscard]] Suite suite() const { return suite_; }

 private:
  enum class Step { idle, certificate, request, response, confirmation };
  /// What the steps of one run tell the next ones.
  struct Run {
    Step step = Step::idle;
    Nonce nonce{};
    Bytes tp_cert_req;
    Bytes tp_cert_rsp;
    TpCertRsp statement;
    std::optional<crypto::RsaCertificate> ap;
    crypto::Sha256Digest request_digest{};
    crypto::Sha256Digest confirmed{};
    std::optional<ControlWordKeys> keys;
  };
  [[nodiscard]] Status check_step(Step step);
  [[nodiscard]] Status take_tp_cert_rsp(Run& run, ByteView message);
  [[nodiscard]] Result<Bytes> write_key_request(Run& run, const crypto::RsaCertificate& ap, ByteView challenge);
  [[nodiscard]] Result<Bytes> take_key_response(Run& run, ByteView message);
  [[nodiscard]] Result<Bytes> generate_keys(Run& run, const SecretBytes& kpk, const Bytes& ta_signature);
  [[nodiscard]] Status take_confirmation(Run& run, ByteView message);

  Credentials credentials_;
  SuitePolicy policy_;
  Surroundings surroundings_;
  Suite suite_ = Suite::paper;
  std::optional<Partner> partner_;
  Run run_;
  std::optional<ControlWordSender> sender_;
};

}  // namespace cas::dcas
