// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "crypto/rsa_certificate.hpp"

namespace cas::dcas {

/// How a pairing is done. The values stand in messages.
enum class Suite : std::uint8_t {
  /// What the paper has, and no more.
  paper = 1,
  /// Beside it: challenges and nonces that requests and responses are bound to, a statement that the TP signs for the
  /// TA's eyes, the TA's signature over KPK || SM_ID || TP_ID || TP nonce in place of the KPK alone, and ephemeral
  /// Diffie-Hellman on P-256 between SM and TP. docs/dcas.md tells which attack each of them stops.
  extended = 2,
};

/// What a party does about the extended suite. Its own certificate, its partner's and the root's say who has it, so that
/// nobody between can talk two devices out of it.
enum class SuitePolicy {
  strict_paper,        ///< Never: for tests against the paper.
  where_both_have_it,  ///< With each partner that has it; the paper's with others.
  demanded,            ///< With nobody who has it not.
};

/// Whether the certificates of all three say that they have the extended suite.
[[nodiscard]] bool have_extended_suite(const crypto::RsaCertificate& root, const crypto::RsaCertificate& one,
                                       const crypto::RsaCertificate& other);

/// The suite of a party with a partner. ErrorKind::refused when it is demanded, and somebody has it not.
[[nodiscard]] Result<Suite> suite_with(SuitePolicy policy, const crypto::RsaCertificate& root,
                                       const crypto::RsaCertificate& own, const crypto::RsaCertificate& partner);

/// For who answers requests and does not see both certificates (AP, TA): whether the suite that the asker has signed
/// will do. ErrorKind::refused.
[[nodiscard]] Status check_suite_of_request(SuitePolicy policy, Suite asked_for);

}  // namespace cas::dcas
