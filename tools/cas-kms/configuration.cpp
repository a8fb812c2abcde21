// SPDX-License-Identifier: LGPL-2.1-or-later
#include "configuration.hpp"

#include <algorithm>

#include "crypto/base64.hpp"
#include "service/configuration.hpp"
#include "smartpro/default_places.hpp"

namespace cas::kms_program {

namespace {

using service::ConfigurationTable;
using service::HttpScheme;

constexpr std::size_t max_pssh_data = 16'384;

Result<std::filesystem::path> path_of(const ConfigurationTable& table, std::string_view key, std::string_view fallback,
                                      const std::filesystem::path& folder) {
  CAS_TRY_ASSIGN(const std::string text, table.text_or(key, fallback));
  if (text.empty()) return std::filesystem::path();
  return folder / text;  // an absolute one stays as it is
}

Result<service::Endpoint> endpoint_of(const ConfigurationTable& table, std::string_view key, const std::string& text) {
  const auto at = service::Endpoint::parse(text);
  if (!at) return fail(table.error_at(key, at.error().message));
  return *at;
}

Status read_tls(const ConfigurationTable& root, Configuration& to) {
  CAS_TRY_ASSIGN(const auto table, root.table("tls"));
  if (!table) return {};
  service::HttpTls tls;
  CAS_TRY_ASSIGN(const auto certificate, path_of(*table, "certificate", "tls/server.pem", to.folder));
  CAS_TRY_ASSIGN(const auto key, path_of(*table, "key", "tls/server.key", to.folder));
  CAS_TRY_ASSIGN(const auto authority, path_of(*table, "client_authority", "", to.folder));
  CAS_TRY_ASSIGN(tls.credentials.key_pin_source, table->text_or("key_pin_source", ""));
  tls.credentials.certificate_file = certificate;
  tls.credentials.key_file = key;
  tls.credentials.authority_file = authority;
  to.tls = std::move(tls);
  return {};
}

Status read_authentication(const ConfigurationTable& root, Configuration& to) {
  CAS_TRY_ASSIGN(const auto table, root.table("authentication"));
  if (!table) return fail(root.error_at("authentication", "is missing: say which schemes clients may use"));
  auto& settings = to.authentication;
  CAS_TRY_ASSIGN(settings.realm, table->text_or("realm", "cas-kms"));
  CAS_TRY_ASSIGN(const auto schemes, table->texts("schemes"));
  const auto has = [&](std::string_view name) { return std::ranges::find(schemes, name) != schemes.end(); };
  for (const std::string& scheme : schemes)
    if (scheme != "mutual-TLS" && scheme != "Digest" && scheme != "Bearer" && scheme != "none")
      return fail(table->error_at("schemes", "are of \"mutual-TLS\", \"Digest\", \"Bearer\" and \"none\""));
  settings.certificates = has("mutual-TLS");
  settings.digest = has("Digest");
  settings.bearer = has("Bearer");
  if (settings.certificates) {
    if (!to.tls) return fail(table->error_at("schemes", "have mutual-TLS, and there is no [tls]"));
    if (to.tls->credentials.authority_file.empty())
      return fail(
          table->error_at("schemes", "have mutual-TLS: [tls] client_authority names whose certificates are taken"));
    const bool alone = schemes.size() == 1;
    to.tls->clients = alone ? crypto::TlsClients::certified : crypto::TlsClients::optional;
  } else if (to.tls) {
    to.tls->credentials.authority_file.clear();
  }
  if (settings.bearer && !to.tls) {
    if (!to.listen.is_loopback())
      return fail(
          table->error_at("schemes", "have Bearer: tokens are sent over TLS, or to an address of this machine"));
    settings.bearer_in_clear_on_loopback = true;
  }
  if (has("none")) {
    if (!to.listen.is_loopback())
      return fail(table->error_at("schemes", "have none, which is for an address of this machine alone (127.0.0.1)"));
    settings.loopback_client = "local";
  }
  if (schemes.empty()) return fail(table->error_at("schemes", "name no scheme: nobody could get a key"));
  return {};
}

Status read_store(const ConfigurationTable& root, Configuration& to) {
  CAS_TRY_ASSIGN(const auto table, root.table("store"));
  if (!table) {
    if (to.mode == KeyMode::stored) return fail(root.error_at("store", "is missing: stored keys need one"));
    return {};
  }
  CAS_TRY_ASSIGN(to.store, table->text("url"));
  CAS_TRY_ASSIGN(to.store_password_file, path_of(*table, "password_file", "", to.folder));
  CAS_TRY_ASSIGN(to.storage_key, path_of(*table, "key_file", "storage.key", to.folder));
  if (to.mode == KeyMode::derived)
    return fail(table->error_at("url", "is of no use with keys = \"derived\": what is derived is not stored"));
  return {};
}

Status read_limits(const ConfigurationTable& root, Configuration& to) {
  CAS_TRY_ASSIGN(const auto table, root.table("limits"));
  if (!table) return {};
  constexpr std::int64_t most = 1'000'000;
  CAS_TRY_ASSIGN(const auto rate, table->number_or("requests_per_second", to.rate.count, 1, most));
  CAS_TRY_ASSIGN(const auto burst, table->number_or("burst", std::max<std::int64_t>(to.rate.burst, rate), 1, most));
  CAS_TRY_ASSIGN(const auto keys,
                 table->number_or("keys_per_request", static_cast<std::int64_t>(to.keys.keys), 1, 1'000));
  CAS_TRY_ASSIGN(const auto connections,
                 table->number_or("connections", static_cast<std::int64_t>(to.http.connections), 1, 100'000));
  CAS_TRY_ASSIGN(to.http.stop,
                 table->duration_or("stop", to.http.stop, std::chrono::milliseconds(0), std::chrono::minutes(10)));
  to.rate.count = static_cast<std::uint32_t>(rate);
  to.rate.burst = static_cast<std::uint32_t>(burst);
  to.keys.keys = static_cast<std::size_t>(keys);
  to.http.connections = static_cast<std::size_t>(connections);
  return {};
}

Result<kex::DrmSystemSettings> read_system(const ConfigurationTable& table) {
  kex::DrmSystemSettings system;
  CAS_TRY_ASSIGN(const std::string id, table.text("id"));
  const auto uuid = kex::Uuid::parse(id);
  if (!uuid) return fail(table.error_at("id", uuid.error().message));
  system.system_id = *uuid;
  CAS_TRY_ASSIGN(system.name, table.text_or("name", ""));
  CAS_TRY_ASSIGN(const auto version, table.number_or("pssh_version", 1, 0, 1));
  system.pssh_version = static_cast<unsigned>(version);
  CAS_TRY_ASSIGN(const std::string data, table.text_or("pssh_data", ""));
  const auto bytes = crypto::from_base64(data, max_pssh_data);
  if (!bytes) return fail(table.error_at("pssh_data", bytes.error().message));
  system.pssh_data = *bytes;
  if (table.has("super_cas_id")) {
    CAS_TRY_ASSIGN(const auto super_cas_id, table.number("super_cas_id", 0, 0xffffffff));
    system.super_cas_id = static_cast<std::uint32_t>(super_cas_id);
  }
  CAS_TRY_ASSIGN(system.key_uri, table.text_or("key_uri", ""));
  CAS_TRY_ASSIGN(system.key_format, table.text_or("key_format", ""));
  CAS_TRY_ASSIGN(system.key_format_versions, table.text_or("key_format_versions", ""));
  return system;
}

Status read_content_rules(const ConfigurationTable& root, Configuration& to) {
  CAS_TRY_ASSIGN(const auto systems, root.tables("system"));
  for (const ConfigurationTable& table : systems) {
    CAS_TRY_ASSIGN(auto system, read_system(table));
    to.systems.push_back(std::move(system));
  }
  CAS_TRY_ASSIGN(const auto rules, root.tables("auxiliary"));
  for (const ConfigurationTable& table : rules) {
    kex::KeyService::AuxiliaryRule rule;
    CAS_TRY_ASSIGN(rule.contents, table.texts("contents"));
    CAS_TRY_ASSIGN(rule.name, table.text("name"));
    CAS_TRY_ASSIGN(rule.value, table.text("value"));
    if (rule.contents.empty()) return fail(table.error_at("contents", "names no content"));
    to.auxiliary.push_back(std::move(rule));
  }
  return {};
}

}  // namespace

bool Configuration::has_scheme(HttpScheme scheme) const {
  switch (scheme) {
    case HttpScheme::none: return !authentication.loopback_client.empty();
    case HttpScheme::certificate: return authentication.certificates;
    case HttpScheme::digest: return authentication.digest;
    case HttpScheme::bearer: return authentication.bearer;
  }
  return false;
}

Result<Configuration> read_configuration(const std::filesystem::path& file) {
  CAS_TRY_ASSIGN(const auto read, service::Configuration::read(file));
  const ConfigurationTable root = read.root();
  Configuration to;
  to.folder = std::filesystem::absolute(file).parent_path();
  CAS_TRY_ASSIGN(const std::string listen, root.text_or("listen", "127.0.0.1:8443"));
  CAS_TRY_ASSIGN(to.listen, endpoint_of(root, "listen", listen));
  CAS_TRY_ASSIGN(to.path, root.text_or("path", to.path));
  if (!to.path.starts_with('/') || to.path.find_first_of("{} ?#") != std::string::npos)
    return fail(root.error_at("path", "is the path of a URL, such as \"/cpix\""));
  CAS_TRY_ASSIGN(const std::string mode, root.text("keys"));
  if (mode != "derived" && mode != "stored") return fail(root.error_at("keys", "are \"derived\" or \"stored\""));
  to.mode = mode == "derived" ? KeyMode::derived : KeyMode::stored;
  CAS_TRY_ASSIGN(to.seeds, path_of(root, "seeds", "seeds.toml", to.folder));
  CAS_TRY_ASSIGN(to.clients, path_of(root, "clients", "clients.toml", to.folder));
  CAS_TRY(read_tls(root, to));
  CAS_TRY(read_authentication(root, to));
  CAS_TRY(read_store(root, to));
  CAS_TRY(read_limits(root, to));
  CAS_TRY(read_content_rules(root, to));
  CAS_TRY_ASSIGN(const auto audit, root.table("audit"));
  if (!audit) return fail(root.error_at("audit", "is missing: it names the file of the audit log"));
  CAS_TRY_ASSIGN(to.audit_log, path_of(*audit, "file", "audit.log", to.folder));
  CAS_TRY_ASSIGN(to.audit_sync, audit->flag_or("sync", false));
  CAS_TRY_ASSIGN(const std::string metrics, root.text_or("metrics", ""));
  if (!metrics.empty()) {
    CAS_TRY_ASSIGN(to.metrics, endpoint_of(root, "metrics", metrics));
  }
  CAS_TRY(read.check());
  return to;
}

Result<std::filesystem::path> configuration_file(const std::string& named) {
  if (!named.empty()) return std::filesystem::path(named);
  CAS_TRY_ASSIGN(const auto home, smartpro::home_folder());
  return home / "kms" / "cas-kms.toml";
}

}  // namespace cas::kms_program
