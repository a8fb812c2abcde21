// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/credentials.hpp"

#include <string>

#include "dcas/identity.hpp"

namespace cas::dcas {

Status verify_party(const crypto::RsaCertificate& root, const crypto::RsaCertificate& certificate,
                    std::string_view role, Clock* clock) {
  const std::optional<UnixSeconds> at = clock != nullptr ? std::optional(clock->now()) : std::nullopt;
  CAS_TRY(certificate.verify_issued_by(root, at));
  if (!certificate.has_role(role))
    return fail(ErrorKind::authentication_failed,
                "the certificate of " + certificate.common_name() + " is genuine, and for another kind of party");
  return check_identity(certificate.common_name());
}

Result<Credentials> Credentials::create(crypto::RsaCertificate root, crypto::RsaCertificate certificate,
                                        crypto::RsaPrivateKey key, std::string_view role, Clock* clock) {
  CAS_TRY(root.verify_is_root());
  CAS_TRY(verify_party(root, certificate, role, clock));
  if (!key.belongs_to(certificate.der()))
    return fail(ErrorKind::invalid_argument,
                "the key does not belong to the certificate of " + certificate.common_name());
  return Credentials{std::move(root), std::move(certificate), std::move(key)};
}

}  // namespace cas::dcas
