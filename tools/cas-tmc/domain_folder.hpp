// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "common/json_text.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/token_management.hpp"

namespace cas::tmc {

/// A domain as this Token Management Center knows it, none of it secret. It is kept in $CAS_HOME/domains/NAME:
///
///   domain.json   {"format": 1, "name", "vdid", "revocation_key", "progenitor": {"serial_number", "uri"}}
///   register      the progenitor's encrypted and authenticated register of tokens (smartpro/domain_register.hpp)
///   irl           the domain's revocation list, for its hosts (smartpro/revocation_list.hpp)
///   mask          the authorisation mask, for the hosts of its master bridges (smartpro/authorisation_mask.hpp)
///   bridges/INDEX.bridge    the record of a bridge, for the hosts of master bridges (smartpro/bridge_record.hpp)
struct Domain {
  std::string name;
  std::filesystem::path folder;
  smartpro::Vdid vdid{};
  smartpro::SerialNumber progenitor = 0;
  std::string progenitor_uri;  ///< Where the progenitor was last.
  Bytes revocation_key;

  [[nodiscard]] std::filesystem::path register_file() const { return folder / "register"; }
  [[nodiscard]] std::filesystem::path irl_file() const { return folder / "irl"; }
  [[nodiscard]] std::filesystem::path mask_file() const { return folder / "mask"; }
  /// There while a token is being revoked, with its serial number.
  [[nodiscard]] std::filesystem::path revoking_file() const { return folder / "revoking"; }
  /// There while the domain is being rolled, with the generation of the domain key before.
  [[nodiscard]] std::filesystem::path rolling_file() const { return folder / "rolling"; }
  [[nodiscard]] std::filesystem::path bridges_folder() const { return folder / "bridges"; }
  [[nodiscard]] std::filesystem::path description_file() const { return folder / "domain.json"; }
};

/// Where the folder of a domain is; ErrorKind::invalid_argument when it cannot be a domain's name: letters, digits,
/// '.', '_' and '-', at most 64, the first one a letter or digit.
[[nodiscard]] Result<std::filesystem::path> domain_folder(const std::string& name);

/// All domains, by name.
[[nodiscard]] Result<std::vector<Domain>> load_domains();
/// The domain of that name, or the only one there is when `name` is empty. ErrorKind::not_found; invalid_argument when
/// a name is needed.
[[nodiscard]] Result<Domain> load_domain(const std::string& name);

/// A folder that appears with a whole domain in it. `record` is what the progenitor has given.
[[nodiscard]] Result<Domain> keep_new_domain(const std::string& name, const smartpro::DomainRecord& record,
                                             const std::string& progenitor_uri);
/// Writes domain.json anew.
[[nodiscard]] Status save_domain(const Domain& domain);

/// The newest that were kept, verified with the domain's key.
[[nodiscard]] Result<smartpro::RevocationList> load_irl(const Domain& domain);
[[nodiscard]] Status save_irl(const Domain& domain, const smartpro::RevocationList& list);
[[nodiscard]] Result<smartpro::AuthorisationMask> load_mask(const Domain& domain);
[[nodiscard]] Status save_mask(const Domain& domain, const smartpro::AuthorisationMask& mask);

/// A bridge of another domain that is registered here.
struct KnownBridge {
  smartpro::BridgeRecord record;
  std::filesystem::path file;
};
/// The serial numbers of what stands on a list, as JSON has them.
[[nodiscard]] tools::Json serials_json(const std::vector<smartpro::RevokedNumber>& numbers);

/// By index; what is no record, or of another domain, is an error.
[[nodiscard]] Result<std::vector<KnownBridge>> load_bridges(const Domain& domain);
/// Where it is then.
[[nodiscard]] Result<std::filesystem::path> save_bridge(const Domain& domain, ByteView signed_record);

[[nodiscard]] tools::Json domain_json(const Domain& domain);

}  // namespace cas::tmc
