// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

#include "dcas/message.hpp"

namespace cas::dcas {

// KeyResponse (IV.2.B, steps 3 and 4), from TA to AP, signed by the TA, and from AP to SM, signed by the AP.
//   80 E(Pub(AP), KPK), E(Pub(SM), KPK)   256 to 1,024 bytes
//   81 S(Prv(TA), KPK)                    256 to 1,024 bytes: the same in both
//   extended suite:
//   82 request digest                     32 bytes: SHA-256 of the KeyRequest that this answers

struct KeyResponse {
  Suite suite = Suite::paper;
  Bytes encrypted_kpk;
  Bytes ta_signature;
  crypto::Sha256Digest request_digest{};

  /// `hop` is key_response_ta or key_response_ap.
  [[nodiscard]] Result<Bytes> write(MessageType hop, const crypto::RsaPrivateKey& signer) const;
  [[nodiscard]] static Result<KeyResponse> parse(const Message& message);
};

/// What S(Prv(TA), KPK) covers. The paper: the KPK alone. Extended: KPK || SM_ID || TP_ID || TP nonce, so that it is for
/// this pair and this session. Their sizes differ, and no content of a message is as short.
[[nodiscard]] SecretBytes signed_by_ta(Suite suite, const SecretBytes& kpk, std::string_view sm, std::string_view tp,
                                       const Nonce& tp_nonce);

}  // namespace cas::dcas
