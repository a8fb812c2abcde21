// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "clients_file.hpp"
#include "crypto/tls_authority.hpp"

namespace cas::kms_program {

inline constexpr std::int64_t certificate_life_s = std::int64_t{825} * 24 * 3600;
inline constexpr std::int64_t authority_life_s = std::int64_t{3650} * 24 * 3600;
inline constexpr std::int64_t clock_skew_s = 3600;  ///< Certificates are valid a little before they are made.

/// Which ways of showing itself a client is given.
struct WantedCredentials {
  bool certificate = false, password = false, token = false;
};

/// Draws them, puts what the server needs into `client`, and what the client needs into files of `folder`, mode 0600:
/// NAME.pem, NAME.key, NAME.password, NAME.token.
[[nodiscard]] Status make_credentials(KmsClient& client, const WantedCredentials& wanted, const std::string& realm,
                                      const crypto::TlsAuthority* authority, const std::filesystem::path& folder,
                                      Random& random, Clock& clock);

/// A certificate for a server of these host names and addresses, as certificate and key files.
[[nodiscard]] Status make_server_certificate(const crypto::TlsAuthority& authority,
                                             const std::vector<std::string>& hosts,
                                             const std::filesystem::path& certificate, const std::filesystem::path& key,
                                             Clock& clock);

/// ca.pem and ca.key of a folder.
[[nodiscard]] Result<crypto::TlsAuthority> load_authority(const std::filesystem::path& folder);

/// 1 to 64 letters, digits, '-', '_' and '.', not beginning with '.': it becomes the name of files.
[[nodiscard]] Status check_client_name(const std::string& name);

}  // namespace cas::kms_program
