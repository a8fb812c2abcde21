// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "crypto/key_agreement.hpp"
#include "dcas/certificate_exchange.hpp"
#include "dcas/control_word_channel.hpp"
#include "dcas/credentials.hpp"
#include "dcas/suite.hpp"

namespace cas::dcas {

/// The TP's part of the protocol: messages of the SM in, messages to it out. A failure ends the run; the words of the run
/// before go on until another one has succeeded. One thread at a time.
class TransportProcessor {
 public:
  struct Surroundings {
    Random& random;
    Clock* clock;           ///< Null for a TP without one: dates of certificates are not looked at.
    PartnerMemory& memory;  ///< Where the SM is kept when its certificate was verified.
  };
  /// Keeps references to the surroundings.
  TransportProcessor(Credentials credentials, SuitePolicy policy, const Surroundings& surroundings)
      : credentials_(std::move(credentials)), policy_(policy), surroundings_(surroundings) {}

  /// TPCertReq in, TPCertRsp out.
  [[nodiscard]] Result<Bytes> receive_tp_cert_req(ByteView message);
  /// CWEKGenInfo in, CWEKGenInfoCnfm out. ErrorKind::refused when the KPK says that this is no pair.
  [[nodiscard]] Result<Bytes> receive_cwek_gen_info(ByteView message);
  /// ErrorKind::refused when there are no keys yet; otherwise as ControlWordReceiver::open.
  [[nodiscard]] Result<ControlWord> open(ByteView word_message);

  [[nodiscard]] const std::optional<Partner>& partner() const { return partner_; }
  [[nodiscard]] Suite suite() const { return suite_; }
  /// Over all sessions.
  [[nodiscard]] ControlWordCounters counters() const;

 private:
  /// What the first message of a run tells the second.
  struct Run {
    std::optional<crypto::DhKeyPair> ephemeral;
    Nonce tp_nonce{};
    crypto::Sha256Digest transcript{};
    Bytes messages;  ///< TPCertReq || TPCertRsp
  };
  [[nodiscard]] Result<Bytes> answer_request(Run& run, const Message& message);
  [[nodiscard]] Result<Bytes> take_cwek_gen_info(const Run& run, ByteView message);
  [[nodiscard]] Result<ControlWordKeys> make_keys(const Run& run, const SecretBytes& kpk, const SecretBytes& rand_hmac,
                                                  ByteView sm_ephemeral) const;

  Credentials credentials_;
  SuitePolicy policy_;
  Surroundings surroundings_;
  Suite suite_ = Suite::paper;
  std::optional<Partner> partner_;
  std::optional<Run> run_;
  std::optional<ControlWordReceiver> receiver_;
  ControlWordCounters before_;  ///< Of the sessions that have ended, and of words before the first.
};

}  // namespace cas::dcas
