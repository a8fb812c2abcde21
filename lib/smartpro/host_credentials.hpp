// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "crypto/certificate.hpp"
#include "crypto/key_agreement.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// What a host shows to tokens: its certificate with static keys for each suite, and the root that it trusts.
/// Immutable after loading; any thread.
struct HostCredentials {
  crypto::Certificate root;
  crypto::Certificate certificate;
  crypto::DhKeyPair p256;
  std::optional<crypto::DhKeyPair> ffdhe2048;
  RevocationKey root_revocation_key{};  ///< External revocation lists are verified by it.

  [[nodiscard]] const crypto::DhKeyPair* static_key(crypto::DhGroup group) const {
    if (group == crypto::DhGroup::p256) return &p256;
    return ffdhe2048 ? &*ffdhe2048 : nullptr;
  }
};

/// The files of a host folder, as `cas-tmc host` writes it. The private keys are PKCS #8 in PEM, mode 0600.
inline constexpr const char* root_certificate_file = "root.pem";
inline constexpr const char* host_certificate_file = "host.pem";
inline constexpr const char* host_p256_key_file = "host-p256.key";
inline constexpr const char* host_ffdhe2048_key_file = "host-ffdhe2048.key";
/// 130 hexadecimal digits and a line end.
inline constexpr const char* root_revocation_public_file = "root-revocation.pub";

/// Reads a file such as root-revocation.pub: the public key that revocation lists are verified by.
[[nodiscard]] Result<RevocationKey> read_revocation_key(const std::filesystem::path& file);

/// Loads a host folder. `pin_source` ("file:PATH", "env:NAME", or empty) gives the pass phrase of the keys where they
/// have one. ErrorKind::not_found names the file and the command that makes it; permission_denied for a wrong pass
/// phrase; malformed.
[[nodiscard]] Result<HostCredentials> load_host_credentials(const std::filesystem::path& folder,
                                                            std::string_view pin_source = {});

/// Writes a host folder, making it where needed; the keys are in clear when the pass phrase is empty.
[[nodiscard]] Status save_host_credentials(const HostCredentials& host, const std::filesystem::path& folder,
                                           const SecretBytes& pass_phrase);

}  // namespace cas::smartpro
