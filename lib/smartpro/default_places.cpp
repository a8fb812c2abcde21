// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/default_places.hpp"

#include <cstdlib>
#include <optional>

#include "base/durable_file.hpp"

namespace cas::smartpro {

namespace {

constexpr std::size_t max_uri_size = 4096;

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

Result<std::filesystem::path> default_card_file(TokenKind kind) {
  CAS_TRY_ASSIGN(const std::filesystem::path home, home_folder());
  return home / "default-cards" / token_kind_name(kind);
}

}  // namespace

Result<std::filesystem::path> home_folder() {
  if (const auto home = environment("CAS_HOME")) return *home;
  if (const auto data = environment("XDG_DATA_HOME")) return std::filesystem::path(*data) / "gst-plugins-cas";
  if (const auto home = environment("HOME"))
    return std::filesystem::path(*home) / ".local" / "share" / "gst-plugins-cas";
  return fail(ErrorKind::not_found,
              "neither CAS_HOME nor HOME is set: set CAS_HOME to the folder where cards and credentials are kept");
}

Result<std::filesystem::path> default_host_folder() {
  CAS_TRY_ASSIGN(const std::filesystem::path home, home_folder());
  return home / "host";
}

Result<std::filesystem::path> default_lists_folder() {
  CAS_TRY_ASSIGN(const std::filesystem::path home, home_folder());
  return home / "lists";
}

Result<std::string> default_card_uri(TokenKind kind) { return default_card_uri(std::span(&kind, 1)); }

Result<std::string> default_card_uri(std::span<const TokenKind> kinds) {
  if (const auto uri = environment("CAS_CARD")) return *uri;
  for (const TokenKind kind : kinds) {
    CAS_TRY_ASSIGN(const std::filesystem::path file, default_card_file(kind));
    auto content = read_file(file, max_uri_size);
    if (!content && content.error().kind == ErrorKind::not_found) continue;
    if (!content) return fail(std::move(content).error());
    std::string uri = as_text(*content);
    while (!uri.empty() && (uri.back() == '\n' || uri.back() == '\r')) uri.pop_back();
    return uri;
  }
  return std::string("pcsc:");
}

Status set_default_card_uri(TokenKind kind, const std::string& uri) {
  CAS_TRY_ASSIGN(const std::filesystem::path file, default_card_file(kind));
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error)
    return fail(ErrorKind::io, "cannot make the folder " + file.parent_path().string() + ": " + error.message());
  return write_file_durably(file, as_bytes(uri + "\n"));
}

}  // namespace cas::smartpro
