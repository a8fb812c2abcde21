// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "dcas/message.hpp"

namespace cas::dcas {

// Initialization (IV.2.A): SM and TP show each other their certificates.
//
// TPCertReq, SM to TP, not signed; Cert(SM). In the extended suite:
//   80 nonce            16 bytes: names this pairing, to the end
//
// TPCertRsp, TP to SM; Cert(TP). In the paper's suite there is nothing in it, and it is not signed. In the extended suite
// the TP signs it, and the SM passes it on to the AP: so the AP sees that the TP itself has met this SM.
//   80 request digest   32 bytes: SHA-256 of the TPCertReq
//   81 SM_ID            1 to 64 characters
//   82 TP nonce         16 bytes
//   83 ephemeral key    65 bytes: a point on P-256

inline constexpr std::size_t ephemeral_size = 65;

struct TpCertReq {
  Suite suite = Suite::paper;
  Nonce nonce{};

  [[nodiscard]] Result<Bytes> write(ByteView certificate) const;
  [[nodiscard]] static Result<TpCertReq> parse(const Message& message);
};

struct TpCertRsp {
  Suite suite = Suite::paper;
  crypto::Sha256Digest request_digest{};
  std::string sm;
  Nonce tp_nonce{};
  Bytes ephemeral;

  /// `signer` is used in the extended suite alone.
  [[nodiscard]] Result<Bytes> write(ByteView certificate, const crypto::RsaPrivateKey& signer) const;
  [[nodiscard]] static Result<TpCertRsp> parse(const Message& message);
};

}  // namespace cas::dcas
