// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/rsa_certificate.hpp"

namespace cas::dcas {

enum class PartyKind { secure_micro, transport_processor, authentication_proxy };

/// The certificates of a trusted authority: its root, and those that it issues. One thread at a time.
class CertificateAuthority {
 public:
  static constexpr unsigned default_key_bits = 3072;

  /// A new root, valid for forty years; `save` keeps it. `has_extended_suite` is said in it and in all that it issues.
  /// Keeps references to the other two.
  [[nodiscard]] static Result<CertificateAuthority> create(const std::string& name, crypto::RsaPrivateKey key,
                                                           bool has_extended_suite, Clock& clock, Random& random);
  /// root.pem and root.key in `folder`. ErrorKind::not_found, permission_denied, invalid_argument.
  [[nodiscard]] static Result<CertificateAuthority> load(const std::filesystem::path& folder,
                                                         const SecretBytes& pass_phrase, Clock& clock, Random& random);
  /// Writes them (the key as PKCS #8 in PEM, mode 0600, in clear when the pass phrase is empty). Refuses to overwrite.
  [[nodiscard]] Status save(const std::filesystem::path& folder, const SecretBytes& pass_phrase) const;

  /// A certificate for a key at hand. Devices have no clock that could be relied on, and theirs are valid for thirty
  /// years; an AP's for two. ErrorKind::malformed for what is no id.
  [[nodiscard]] Result<crypto::RsaCertificate> issue(PartyKind kind, const std::string& id,
                                                     const crypto::RsaPublicKey& key);
  /// For a factory's request: the id is the request's common name. Which ids a factory may have is the caller's to know.
  [[nodiscard]] Result<crypto::RsaCertificate> issue(PartyKind kind, const crypto::RsaCertificateRequest& request);

  [[nodiscard]] const crypto::RsaCertificate& root() const { return root_; }
  [[nodiscard]] const crypto::RsaPrivateKey& key() const { return key_; }

 private:
  CertificateAuthority(crypto::RsaCertificate root, crypto::RsaPrivateKey key, Clock& clock, Random& random)
      : root_(std::move(root)), key_(std::move(key)), clock_(&clock), random_(&random) {}

  crypto::RsaCertificate root_;
  crypto::RsaPrivateKey key_;
  Clock* clock_;
  Random* random_;
};

}  // namespace cas::dcas
