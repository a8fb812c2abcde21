// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "crypto/certificate.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/revocation_list.hpp"

namespace cas::smartpro {

/// What a host may be made for.
struct HostCapabilities {
  bool acquisition = false;
  bool renderer = false;
  bool processing = false;
  bool bridge = false;
  bool management = false;  ///< A Token Management Center.

  /// Names separated by commas: "acquisition,renderer,processing,bridge,management", or "all".
  [[nodiscard]] static Result<HostCapabilities> parse(std::string_view names);
  /// The roles of a host certificate with these capabilities.
  [[nodiscard]] std::vector<std::string> roles() const;
};

/// Public values for which a token asks a certificate.
struct TokenKeys {
  Bytes p256_public;
  Bytes ffdhe2048_public;
};

/// The root of a SmartPRO system: it certifies hosts and tokens, revokes hosts, tokens and domains, and belongs to no
/// domain. Keep its keys away from the machines that play content. One thread at a time.
class RootAuthority {
 public:
  /// A new root, in memory; `save` keeps it.
  [[nodiscard]] static Result<RootAuthority> create(const std::string& name, Clock& clock, Random& random);
  /// root.pem, root.key and revocation.key in `folder`. ErrorKind::not_found names the command that makes them.
  [[nodiscard]] static Result<RootAuthority> load(const std::filesystem::path& folder, const SecretBytes& pass_phrase,
                                                  Clock& clock, Random& random);
  /// Writes root.pem, root-revocation.pub, root.key and revocation.key (the keys PKCS #8 in PEM, mode 0600, in clear
  /// when the pass phrase is empty). Refuses to overwrite.
  [[nodiscard]] Status save(const std::filesystem::path& folder, const SecretBytes& pass_phrase) const;

  [[nodiscard]] const crypto::Certificate& certificate() const { return certificate_; }
  /// What hosts and tokens verify external revocation lists by: they get it with the certificate.
  [[nodiscard]] const RevocationKey& revocation_key() const { return revocation_public_; }
  /// Signs an external revocation list; `list.header.index` is the new index, above that of every list before. See
  /// RevocationList::make.
  [[nodiscard]] Result<RevocationList> issue_revocation_list(RevocationList list) const;

  /// Keys and certificate for a host, valid for ten years.
  [[nodiscard]] Result<HostCredentials> issue_host(const std::string& name, const HostCapabilities& capabilities);
  /// A certificate for a token's keys, valid for twenty years (a card has no clock; hosts check it).
  [[nodiscard]] Result<crypto::Certificate> issue_token(const std::string& name, const TokenKeys& keys,
                                                        bool progenitor);

 private:
  RootAuthority(crypto::SigningKey key, crypto::SigningKey revocation_key, const RevocationKey& revocation_public,
                crypto::Certificate certificate, Clock& clock, Random& random)
      : key_(std::move(key)),
        revocation_key_(std::move(revocation_key)),
        revocation_public_(revocation_public),
        certificate_(std::move(certificate)),
        clock_(&clock),
        random_(&random) {}
  [[nodiscard]] Result<crypto::Certificate> issue(crypto::CertificateSubject subject, UnixSeconds lifetime);

  crypto::SigningKey key_;
  crypto::SigningKey revocation_key_;
  RevocationKey revocation_public_;
  crypto::Certificate certificate_;
  Clock* clock_;
  Random* random_;
};

inline constexpr const char* root_key_file = "root.key";
inline constexpr const char* root_revocation_key_file = "revocation.key";

}  // namespace cas::smartpro
