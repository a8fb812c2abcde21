// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "kex/drm_signalling.hpp"
#include "kex/key_service.hpp"
#include "service/endpoint.hpp"
#include "service/http_authentication.hpp"
#include "service/http_server.hpp"
#include "service/rate_limit.hpp"

namespace cas::kms_program {

enum class KeyMode { derived, stored };

/// cas-kms.toml, as docs/cas-kms.md has it. Paths in it are of the file's folder.
struct Configuration {
  std::filesystem::path folder;
  service::Endpoint listen;
  std::string path = "/cpix";  ///< Of the resource.
  KeyMode mode = KeyMode::derived;
  std::filesystem::path seeds, clients;

  std::optional<service::HttpTls> tls;
  service::HttpAuthenticationSettings authentication;

  std::string store;  ///< "sqlite:FILE" or a URL of PostgreSQL; empty: derived keys need none.
  std::filesystem::path store_password_file;
  std::filesystem::path storage_key;

  std::filesystem::path audit_log;
  bool audit_sync = false;
  std::optional<service::Endpoint> metrics;

  service::RateLimit rate{1'000, std::chrono::milliseconds(1'000), 2'000};  ///< Of each client: requests.
  service::HttpServerLimits http;
  kex::KeyService::Limits keys;

  std::vector<kex::DrmSystemSettings> systems;
  std::vector<kex::KeyService::AuxiliaryRule> auxiliary;

  [[nodiscard]] bool has_scheme(service::HttpScheme scheme) const;
};

/// ErrorKind::invalid_argument with the place in the file; errors of the file.
[[nodiscard]] Result<Configuration> read_configuration(const std::filesystem::path& file);

/// The file that commands take when none is named: $CAS_HOME/kms/cas-kms.toml.
[[nodiscard]] Result<std::filesystem::path> configuration_file(const std::string& named);

}  // namespace cas::kms_program
