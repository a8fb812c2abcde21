// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "crypto/certificate.hpp"
#include "crypto/key_agreement.hpp"

namespace cas::smartpro {

/// What a host shows to tokens: its certificate with static keys for each suite, and the root that it trusts.
/// Immutable after loading; any thread.
struct HostCredentials {
  crypto::Certificate root;
  crypto::Certificate certificate;
  crypto::DhKeyPair p256;
  std::optional<crypto::DhKeyPair> ffdhe2048;

  [[nodiscard]] const crypto::DhKeyPair* static_key(crypto::DhGroup group) const {
    if (group == crypto::DhGroup::p256) return &p256;
    return ffdhe2048 ? &*ffdhe2048 : nullptr;
  }
};

/// Loads a host folder as `cas-tmc host` writes it: root.pem, host.pem (certificate), host.key (both static private
/// keys). `pin_source` ("file:PATH", "env:NAME" or empty) gives the pass phrase of host.key where it has one.
/// ErrorKind::not_found names the file and the command that makes it.
[[nodiscard]] Result<HostCredentials> load_host_credentials(const std::filesystem::path& folder, std::string_view pin_source = {});

}  // namespace cas::smartpro
