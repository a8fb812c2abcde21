// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "common/json_text.hpp"
#include "smartpro/token_management.hpp"

namespace cas::tmc {

/// A domain as this Token Management Center knows it, none of it secret. It is kept in $CAS_HOME/domains/NAME:
///
///   domain.json   {"format": 1, "name", "vdid", "revocation_key", "progenitor": {"serial_number", "uri"}}
///   register      the progenitor's encrypted and authenticated register of tokens (smartpro/domain_register.hpp)
///   irl-header    the signed header of the domain's revocation list
struct Domain {
  std::string name;
  std::filesystem::path folder;
  smartpro::Vdid vdid{};
  smartpro::SerialNumber progenitor = 0;
  std::string progenitor_uri;  ///< Where the progenitor was last.
  Bytes revocation_key;

  [[nodiscard]] std::filesystem::path register_file() const { return folder / "register"; }
  [[nodiscard]] std::filesystem::path description_file() const { return folder / "domain.json"; }
};

/// Where the folder of a domain is; ErrorKind::invalid_argument when it cannot be a domain's name: letters, digits, '.', '_' and '-',
/// at most 64, the first one a letter or digit.
[[nodiscard]] Result<std::filesystem::path> domain_folder(const std::string& name);

/// All domains, by name.
[[nodiscard]] Result<std::vector<Domain>> load_domains();
/// The domain of that name, or the only one there is when `name` is empty. ErrorKind::not_found; invalid_argument when a name is needed.
[[nodiscard]] Result<Domain> load_domain(const std::string& name);

/// A folder that appears with a whole domain in it. `record` is what the progenitor has given.
[[nodiscard]] Result<Domain> keep_new_domain(const std::string& name, const smartpro::DomainRecord& record, const std::string& progenitor_uri);
/// Writes domain.json anew.
[[nodiscard]] Status save_domain(const Domain& domain);

[[nodiscard]] tools::Json domain_json(const Domain& domain);

}  // namespace cas::tmc
