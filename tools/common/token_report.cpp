// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/token_report.hpp"

#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "crypto/certificate.hpp"

namespace cas::tools {

using smartpro::serial_text;
using smartpro::TokenInfo;

std::string text_line(std::string_view label, std::string_view value) {
  constexpr std::size_t column = 18;
  std::string line = "  " + std::string(label);
  line.append(line.size() < column ? column - line.size() : 1, ' ');
  return line.append(value).append("\n");
}

std::string token_text(const TokenInfo& info) {
  if (!info.personalised)
    return text_line("kind", "none yet: the token has no certificate (make one with cas-card create)");
  std::string text = text_line(
      "kind", info.kind == smartpro::TokenKind::blank ? "blank: belongs to no domain yet" : token_kind_name(info.kind));
  text += text_line("serial number",
                    serial_text(info.serial_number) + " (decimal " + std::to_string(info.serial_number) + ")");
  if (info.vdid) text += text_line("domain (VDID)", to_hex(*info.vdid));
  text += text_line("name", info.common_name);
  text += text_line("applet version", std::to_string(info.applet_version));
  if (const auto certificate = crypto::Certificate::from_der(info.certificate))
    text += text_line("certificate", "valid " + format_utc_time(certificate->not_before()) + " to " +
                                         format_utc_time(certificate->not_after()));
  return text;
}

Json token_json(const TokenInfo& info) {
  Json json;
  json["personalised"] = info.personalised;
  json["kind"] = token_kind_name(info.kind);
  // 63 bits do not pass through a reader that takes numbers for doubles.
  json["serial_number"] = info.personalised ? Json(serial_text(info.serial_number)) : Json(nullptr);
  json["serial_number_decimal"] = info.personalised ? Json(std::to_string(info.serial_number)) : Json(nullptr);
  json["vdid"] = info.vdid ? Json(to_hex(*info.vdid)) : Json(nullptr);
  json["name"] = info.personalised ? Json(info.common_name) : Json(nullptr);
  json["applet_version"] = info.applet_version;
  if (const auto certificate = crypto::Certificate::from_der(info.certificate); info.personalised && certificate)
    json["certificate"] = {{"not_before", format_utc_time(certificate->not_before())},
                           {"not_after", format_utc_time(certificate->not_after())}};
  return json;
}

}  // namespace cas::tools
