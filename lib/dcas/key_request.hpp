// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "dcas/message.hpp"

namespace cas::dcas {

// KeyRequest (IV.2.B, steps 1 and 2): may SM and TP be a pair?
//
// SM to AP, signed by the SM; Cert(SM) outside of the content.
//   80 E(Pub(AP), KeyPairingID)    256 to 1,024 bytes
//   extended suite:
//   81 challenge                   16 bytes: of the AP
//   82 nonce                       16 bytes: that of the TPCertReq
//   83 TPCertRsp                   as the TP sent it
//
// AP to TA, signed by the AP; no certificate: the TA has issued it, and finds it by the AP's name.
//   80 E(Pub(TA), KeyPairingID)    256 to 1,024 bytes
//   84 AP's name                   1 to 64 characters
//   extended suite:
//   81 challenge                   16 bytes: of the TA
//   82 nonce                       16 bytes: the SM's
//   85 TP nonce                    16 bytes: out of the TPCertRsp

struct SmKeyRequest {
  Suite suite = Suite::paper;
  Bytes encrypted_ids;
  Nonce challenge{};
  Nonce nonce{};
  Bytes tp_cert_rsp;

  [[nodiscard]] Result<Bytes> write(ByteView certificate, const crypto::RsaPrivateKey& signer) const;
  [[nodiscard]] static Result<SmKeyRequest> parse(const Message& message);
};

struct ApKeyRequest {
  Suite suite = Suite::paper;
  Bytes encrypted_ids;
  std::string ap;
  Nonce challenge{};
  Nonce nonce{};
  Nonce tp_nonce{};

  [[nodiscard]] Result<Bytes> write(const crypto::RsaPrivateKey& signer) const;
  [[nodiscard]] static Result<ApKeyRequest> parse(const Message& message);
};

}  // namespace cas::dcas
