// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "dcas/certificate_exchange.hpp"
#include "dcas/message.hpp"

namespace cas::dcas {

// CWEK generation (IV.2.C).
//
// CWEKGenInfo, SM to TP, signed by the SM.
//   80 E(Pub(TP), KPK || RANDHMAC)             256 to 1,024 bytes
//   81 S(Prv(TA), KPK)                         256 to 1,024 bytes: as the TA made it
//   extended suite:
//   82 ephemeral key                           65 bytes: a point on P-256
//   83 transcript                              32 bytes: SHA-256 of TPCertReq || TPCertRsp
//
// CWEKGenInfoCnfm, TP to SM, signed by the TP.
//   80 E(Pub(SM), H(CWEK) || H(HMAC_KEY))      256 to 1,024 bytes
//   extended suite:
//   81 transcript                              32 bytes: SHA-256 of TPCertReq || TPCertRsp || CWEKGenInfo

struct CwekGenInfo {
  Suite suite = Suite::paper;
  Bytes encrypted_keys;
  Bytes ta_signature;
  Bytes ephemeral;
  crypto::Sha256Digest transcript{};

  [[nodiscard]] Result<Bytes> write(const crypto::RsaPrivateKey& signer) const;
  [[nodiscard]] static Result<CwekGenInfo> parse(const Message& message);
};

struct CwekGenInfoCnfm {
  Suite suite = Suite::paper;
  Bytes encrypted_digests;
  crypto::Sha256Digest transcript{};

  [[nodiscard]] Result<Bytes> write(const crypto::RsaPrivateKey& signer) const;
  [[nodiscard]] static Result<CwekGenInfoCnfm> parse(const Message& message);
};

}  // namespace cas::dcas
