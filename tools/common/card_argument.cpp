// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/card_argument.hpp"

#include <filesystem>
#include <string_view>
#include <system_error>

#include "smartpro/token_session.hpp"

namespace cas::tools {

namespace {

using card::CardUri;

constexpr std::string_view file_scheme = "file:";

Result<std::string> absolute_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return fail(ErrorKind::io, "cannot tell the working folder: " + error.message());
  return absolute.lexically_normal().string();
}

}  // namespace

Result<CardUri> parse_card_argument(const std::string& argument) {
  if (argument.empty()) return fail(ErrorKind::invalid_argument, "the name of the card is empty");
  CardUri uri{CardUri::Kind::soft, {}, argument, std::string(file_scheme) + argument + ".pin"};
  if (argument.find(':') != std::string::npos) {
    CAS_TRY_ASSIGN(uri, card::parse_card_uri(argument));
  }
  if (uri.kind == CardUri::Kind::pcsc) return uri;
  for (std::string* file : {&uri.path, &uri.certificate, &uri.key, &uri.authority}) {
    if (!file->empty()) {
      CAS_TRY_ASSIGN(*file, absolute_path(*file));
    }
  }
  if (uri.pin_source.starts_with(file_scheme)) {
    CAS_TRY_ASSIGN(const std::string file, absolute_path(uri.pin_source.substr(file_scheme.size())));
    uri.pin_source = std::string(file_scheme) + file;
  }
  return uri;
}

Result<std::shared_ptr<card::Card>> open_card_argument(const std::string& argument) {
  CAS_TRY_ASSIGN(const CardUri uri, parse_card_argument(argument));
  return smartpro::open_token_card(card::format_card_uri(uri));
}

}  // namespace cas::tools
