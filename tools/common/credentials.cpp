// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/credentials.hpp"

#include "base/pass_phrase.hpp"
#include "crypto/random.hpp"
#include "smartpro/default_places.hpp"

namespace cas::tools {

namespace fs = std::filesystem;

Result<fs::path> root_folder(const CredentialsPlace& place) {
  if (!place.folder.empty()) return fs::path(place.folder);
  CAS_TRY_ASSIGN(const fs::path home, smartpro::home_folder());
  return home / "root";
}

Result<fs::path> host_folder(const CredentialsPlace& place) {
  if (!place.folder.empty()) return fs::path(place.folder);
  return smartpro::default_host_folder();
}

Result<SecretBytes> key_pass_phrase(const CredentialsPlace& place) {
  if (place.pin_source.empty()) return SecretBytes();
  return read_pass_phrase(place.pin_source);
}

Result<smartpro::RootAuthority> load_root(const CredentialsPlace& place) {
  CAS_TRY_ASSIGN(const fs::path folder, root_folder(place));
  CAS_TRY_ASSIGN(const SecretBytes pass_phrase, key_pass_phrase(place));
  return smartpro::RootAuthority::load(folder, pass_phrase, system_clock(), crypto::system_random());
}

Result<std::shared_ptr<const smartpro::HostCredentials>> load_host(const CredentialsPlace& place) {
  CAS_TRY_ASSIGN(const fs::path folder, host_folder(place));
  CAS_TRY_ASSIGN(smartpro::HostCredentials host, smartpro::load_host_credentials(folder, place.pin_source));
  return std::make_shared<const smartpro::HostCredentials>(std::move(host));
}

}  // namespace cas::tools
