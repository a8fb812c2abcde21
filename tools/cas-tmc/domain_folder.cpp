// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain_folder.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/durable_file.hpp"
#include "base/hex.hpp"
#include "base/reader.hpp"
#include "common/staged_folder.hpp"
#include "common/token_report.hpp"
#include "smartpro/default_places.hpp"

namespace cas::tmc {

namespace {

namespace fs = std::filesystem;
using tools::Json;

constexpr int format_version = 1;
constexpr std::size_t max_description_size = 64U << 10;
constexpr std::size_t max_name_size = 64;
constexpr std::size_t revocation_key_size = 65;

bool is_letter_or_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

bool is_domain_name(const std::string& name) {
  return !name.empty() && name.size() <= max_name_size && is_letter_or_digit(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; }) &&
         !name.ends_with(".unfinished");
}

Result<fs::path> domains_folder() {
  CAS_TRY_ASSIGN(const fs::path home, smartpro::home_folder());
  return home / "domains";
}

/// The text of a member, nothing if there is none.
std::optional<std::string> text_in(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<Bytes> hex_in(const Json& json, const char* key, std::size_t size) {
  const auto text = text_in(json, key);
  if (!text) return std::nullopt;
  auto bytes = from_hex(*text, size);
  if (!bytes || bytes->size() != size) return std::nullopt;
  return std::move(*bytes);
}

Result<Domain> parse_domain(const std::string& name, const fs::path& folder, ByteView content) {
  const fs::path file = folder / "domain.json";
  const auto damaged = [&](const char* what) {
    return fail(ErrorKind::malformed, file.string() + " is damaged (" + what + "): restore it from a copy, or remove " +
                                          folder.string() + " and run cas-tmc domain create " + name +
                                          " with the same progenitor if no token was enrolled yet");
  };
  const Json json = Json::parse(content.begin(), content.end(), nullptr, false);
  if (!json.is_object()) return damaged("no JSON object");
  const auto format = json.find("format");
  if (format == json.end() || !format->is_number_integer()) return damaged("no format");
  if (*format != format_version)
    return fail(ErrorKind::unsupported,
                file.string() + " is of a format that this version does not know: use the version that wrote it");
  const auto progenitor = json.find("progenitor");
  if (progenitor == json.end() || !progenitor->is_object()) return damaged("no progenitor");
  const auto vdid = hex_in(json, "vdid", sizeof(smartpro::Vdid));
  const auto revocation_key = hex_in(json, "revocation_key", revocation_key_size);
  const auto serial = hex_in(*progenitor, "serial_number", sizeof(smartpro::SerialNumber));
  const auto uri = text_in(*progenitor, "uri");
  if (!vdid || !revocation_key || !serial || !uri) return damaged("a field is missing or of the wrong form");
  Domain domain{name, folder, smartpro::to_array<smartpro::Vdid>(*vdid), 0, *uri, *revocation_key};
  CAS_TRY_ASSIGN(domain.progenitor, ByteReader(*serial).u64());
  return domain;
}

Result<Domain> load_named(const std::string& name) {
  CAS_TRY_ASSIGN(const fs::path folder, domain_folder(name));
  auto content = read_file(folder / "domain.json", max_description_size);
  if (!content && content.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, "there is no domain " + name + " in " + folder.parent_path().string() +
                                          ": found one with cas-tmc domain create, or see cas-tmc domain list");
  if (!content) return fail(std::move(content).error());
  return parse_domain(name, folder, *content);
}

Json description_of(const Domain& domain) {
  Json json;
  json["format"] = format_version;
  json.update(domain_json(domain));
  return json;
}

}  // namespace

Result<fs::path> domain_folder(const std::string& name) {
  if (!is_domain_name(name))
    return fail(ErrorKind::invalid_argument,
                "a domain's name has 1 to 64 letters, digits, '.', '_' and '-', and starts with a letter or digit");
  CAS_TRY_ASSIGN(const fs::path folder, domains_folder());
  return folder / name;
}

Result<std::vector<Domain>> load_domains() {
  CAS_TRY_ASSIGN(const fs::path folder, domains_folder());
  std::vector<Domain> domains;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (!is_domain_name(name) || !fs::exists(entry->path() / "domain.json", ignored)) continue;
    CAS_TRY_ASSIGN(Domain domain, load_named(name));
    domains.push_back(std::move(domain));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(ErrorKind::io, "cannot look into " + folder.string() + ": " + error.message());
  std::ranges::sort(domains, {}, &Domain::name);
  return domains;
}

Result<Domain> load_domain(const std::string& name) {
  if (!name.empty()) return load_named(name);
  CAS_TRY_ASSIGN(std::vector<Domain> domains, load_domains());
  if (domains.empty())
    return fail(ErrorKind::not_found,
                "there is no domain yet: found one with cas-tmc domain create, or start with cas-tmc init");
  if (domains.size() > 1) {
    std::string names;
    for (const Domain& domain : domains) names += (names.empty() ? "" : ", ") + domain.name;
    return fail(ErrorKind::invalid_argument, "there is more than one domain: name one with --domain (" + names + ")");
  }
  return std::move(domains.front());
}

Result<Domain> keep_new_domain(const std::string& name, const smartpro::DomainRecord& record,
                               const std::string& progenitor_uri) {
  CAS_TRY_ASSIGN(const fs::path folder, domain_folder(name));
  CAS_TRY_ASSIGN(tools::StagedFolder staged, tools::StagedFolder::begin(folder));
  Domain domain{name, staged.path(), record.vdid, record.progenitor, progenitor_uri, record.revocation_key};
  smartpro::RevocationList irl;
  irl.signed_header = record.irl_header;
  smartpro::AuthorisationMask mask;
  mask.signed_header = record.mask_header;
  mask.bits = Bytes(1, 0);
  CAS_TRY(save_irl(domain, irl));
  CAS_TRY(save_mask(domain, mask));
  CAS_TRY(save_domain(domain));
  CAS_TRY(staged.commit());
  domain.folder = folder;
  return domain;
}

Status save_domain(const Domain& domain) {
  return write_file_durably(domain.description_file(), as_bytes(tools::to_text(description_of(domain))));
}

Result<smartpro::RevocationList> load_irl(const Domain& domain) {
  CAS_TRY_ASSIGN(const Bytes file, read_file(domain.irl_file(), smartpro::max_revocation_file_size));
  auto list = smartpro::RevocationList::parse(file, domain.revocation_key);
  if (!list) return fail_in(domain.irl_file().string(), std::move(list).error());
  return list;
}

Status save_irl(const Domain& domain, const smartpro::RevocationList& list) {
  return write_file_durably(domain.irl_file(), list.encode(), 0644);
}

Result<smartpro::AuthorisationMask> load_mask(const Domain& domain) {
  CAS_TRY_ASSIGN(const Bytes file, read_file(domain.mask_file(), smartpro::max_mask_file_size));
  auto mask = smartpro::AuthorisationMask::parse(file, domain.revocation_key);
  if (!mask) return fail_in(domain.mask_file().string(), std::move(mask).error());
  return mask;
}

Status save_mask(const Domain& domain, const smartpro::AuthorisationMask& mask) {
  return write_file_durably(domain.mask_file(), mask.encode(), 0644);
}

Result<std::vector<KnownBridge>> load_bridges(const Domain& domain) {
  std::vector<KnownBridge> bridges;
  std::error_code error;
  for (fs::directory_iterator entry(domain.bridges_folder(), error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() != ".bridge") continue;
    CAS_TRY_ASSIGN(const Bytes content, read_file(entry->path(), smartpro::max_bridge_record_size));
    auto record = smartpro::BridgeRecord::parse_signed(content, domain.revocation_key);
    if (!record) return fail_in(entry->path().string(), std::move(record).error());
    bridges.push_back({*record, entry->path()});
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(ErrorKind::io, "cannot look into " + domain.bridges_folder().string() + ": " + error.message());
  std::ranges::sort(bridges, {}, [](const KnownBridge& bridge) { return bridge.record.index; });
  return bridges;
}

Result<fs::path> save_bridge(const Domain& domain, ByteView signed_record) {
  CAS_TRY_ASSIGN(const smartpro::BridgeRecord record,
                 smartpro::BridgeRecord::parse_signed(signed_record, domain.revocation_key));
  std::error_code error;
  fs::create_directories(domain.bridges_folder(), error);
  if (error)
    return fail(ErrorKind::io, "cannot make the folder " + domain.bridges_folder().string() + ": " + error.message());
  fs::path file = domain.bridges_folder() / (std::to_string(record.index) + ".bridge");
  // The next registration has another index, and so another name.
  for (std::uint32_t index = record.index; index > 0 && index + 8 > record.index; --index)
    remove_unfinished_writes(domain.bridges_folder() / (std::to_string(index) + ".bridge"));
  CAS_TRY(write_file_durably(file, signed_record, 0644));
  return file;
}

Json serials_json(const std::vector<smartpro::RevokedNumber>& numbers) {
  Json json = Json::array();
  for (const smartpro::RevokedNumber number : numbers) json.push_back(smartpro::serial_text(number));
  return json;
}

Json domain_json(const Domain& domain) {
  Json json;
  json["name"] = domain.name;
  json["vdid"] = to_hex(domain.vdid);
  json["revocation_key"] = to_hex(domain.revocation_key);
  json["progenitor"] = {{"serial_number", smartpro::serial_text(domain.progenitor)}, {"uri", domain.progenitor_uri}};
  return json;
}

}  // namespace cas::tmc
