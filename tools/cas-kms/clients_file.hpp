// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "kex/access_policy.hpp"
#include "service/http_authentication.hpp"

namespace cas::kms_program {

/// Who may have keys, of which content, and what they show.
struct KmsClient {
  service::HttpAccount account;
  kex::AccessPolicy::Rights rights;
};

/// clients.toml, mode 0600: there are no passwords and no tokens in it, but what opens to those who have them.
///
///   [[client]]
///   name = "encoder"
///   certificate_names = ["encoder"]     common names, or DNS names, of its certificates
///   user = "encoder"                    for Digest,
///   ha1 = "64 hexadecimal digits"       SHA-256 of USER:REALM:PASSWORD
///   tokens = ["64 hexadecimal digits"]  SHA-256 of bearer tokens
///   ask = ["news-*"]                    content that it gets keys of
///   push = []                           content that it brings keys of
[[nodiscard]] Result<std::vector<KmsClient>> read_clients(const std::filesystem::path& file);
/// Durably, as a whole.
[[nodiscard]] Status write_clients(const std::filesystem::path& file, const std::vector<KmsClient>& clients);

}  // namespace cas::kms_program
