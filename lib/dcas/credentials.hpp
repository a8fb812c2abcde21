// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "crypto/rsa_certificate.hpp"

namespace cas::dcas {

/// What a party is shipped with (IV.1.D): the root's certificate, its own, and the key to that. A copy shares them.
struct Credentials {
  crypto::RsaCertificate root;
  crypto::RsaCertificate certificate;
  crypto::RsaPrivateKey key;

  /// ErrorKind::authentication_failed, expired, invalid_argument for what does not belong together. `role` is that of
  /// the certificate (roles.hpp). `clock` is null for a device that has none: dates are not looked at then.
  [[nodiscard]] static Result<Credentials> create(crypto::RsaCertificate root, crypto::RsaCertificate certificate,
                                                  crypto::RsaPrivateKey key, std::string_view role, Clock* clock);
  /// The id in our own certificate.
  [[nodiscard]] const std::string& id() const { return certificate.common_name(); }
};

/// Whether `certificate` is one of the root's, for `role`, and valid now. ErrorKind::authentication_failed, expired.
[[nodiscard]] Status verify_party(const crypto::RsaCertificate& root, const crypto::RsaCertificate& certificate,
                                  std::string_view role, Clock* clock);

/// A device that has shown its certificate: what SM and TP keep of each other (IV.2.A).
struct Partner {
  std::string id;
  crypto::RsaPublicKey key;
};

/// The secure area of non-volatile memory in which SM and TP keep their partner.
class PartnerMemory {
 public:
  virtual ~PartnerMemory() = default;
  /// In the place of the one before. On return it is on the medium.
  [[nodiscard]] virtual Status keep(const Partner& partner) = 0;
};

}  // namespace cas::dcas
