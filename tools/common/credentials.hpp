// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "smartpro/host_credentials.hpp"
#include "smartpro/root_authority.hpp"

namespace cas::tools {

/// Where credentials are and what opens their keys, as options give them; empty for the default folder, and for keys in
/// clear.
struct CredentialsPlace {
  std::string folder;
  std::string pin_source;
};

/// The folder, or the default one below the home folder.
[[nodiscard]] Result<std::filesystem::path> root_folder(const CredentialsPlace& place);
[[nodiscard]] Result<std::filesystem::path> host_folder(const CredentialsPlace& place);

/// The pass phrase of keys, empty where there is no source.
[[nodiscard]] Result<SecretBytes> key_pass_phrase(const CredentialsPlace& place);

[[nodiscard]] Result<smartpro::RootAuthority> load_root(const CredentialsPlace& place);
[[nodiscard]] Result<std::shared_ptr<const smartpro::HostCredentials>> load_host(const CredentialsPlace& place);

}  // namespace cas::tools
