// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/drm_signalling.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "base/writer.hpp"
#include "crypto/base64.hpp"

namespace cas::kex {

namespace {

std::string base64_of(std::string_view text) { return crypto::to_base64(as_bytes(text)); }

/// RFC 3986, 2.3: all but unreserved characters.
std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                            c == '.' || c == '_' || c == '~';
    if (unreserved) {
      encoded += c;
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      encoded += '%' + to_hex({&byte, 1});
    }
  }
  return encoded;
}

std::string replaced(std::string text, std::string_view what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

/// RFC 8216, 4.3.2.4 and 4.3.4.5.
std::string hls_tag(const DrmSystemSettings& settings, const std::string& uri, const std::string& scheme,
                    const std::string& playlist) {
  const std::string tag = playlist == "media" ? "#EXT-X-KEY" : "#EXT-X-SESSION-KEY";
  const std::string method = scheme.empty() ? "AES-128" : scheme == "cenc" ? "SAMPLE-AES-CTR" : "SAMPLE-AES";
  return tag + ":METHOD=" + method + ",URI=\"" + uri + "\",KEYFORMAT=\"" +
         (settings.key_format.empty() ? "identity" : settings.key_format) + "\",KEYFORMATVERSIONS=\"" +
         (settings.key_format_versions.empty() ? "1" : settings.key_format_versions) + "\"\n";
}

void fill_empty(std::optional<std::string>& field, const std::string& value) {
  if (field && field->empty()) field = value;
}

}  // namespace

Bytes make_pssh(const DrmSystemSettings& system, const Uuid& kid) {
  constexpr std::size_t before_version_1 = 4 + 4 + 4 + 16 + 4;
  const bool has_kids = system.pssh_version == 1;
  ByteWriter box;
  box.u32(
      static_cast<std::uint32_t>(before_version_1 + (has_kids ? 4 + kid.bytes.size() : 0) + system.pssh_data.size()));
  box.bytes(as_bytes("pssh"));
  box.u32(has_kids ? 0x01000000U : 0U);  // version, flags
  box.bytes(system.system_id.bytes);
  if (has_kids) box.u32(1).bytes(kid.bytes);
  box.u32(static_cast<std::uint32_t>(system.pssh_data.size())).bytes(system.pssh_data);
  return box.take();
}

Result<DrmSignalling> DrmSignalling::create(std::vector<DrmSystemSettings> systems) {
  for (const auto& [id, name] : {std::pair(common_system, "W3C Common PSSH"), std::pair(clear_key_system, "Clear Key")})
    if (std::ranges::find(systems, id, &DrmSystemSettings::system_id) == systems.end())
      systems.push_back({.system_id = id, .name = name});
  for (std::size_t at = 0; at < systems.size(); ++at) {
    const DrmSystemSettings& system = systems[at];
    const std::string which = "system " + system.system_id.text();
    if (system.pssh_version > 1 || (system.pssh_version == 0 && system.pssh_data.empty()))
      return fail(ErrorKind::invalid_argument, which + ": a PSSH box has version 1, or version 0 and data");
    if (system.key_uri.find_first_of("\"\r\n") != std::string::npos ||
        system.key_format.find_first_of("\"\r\n") != std::string::npos ||
        system.key_format_versions.find_first_of("\"\r\n") != std::string::npos)
      return fail(ErrorKind::invalid_argument, which + ": a playlist cannot have quotes and line ends in its texts");
    for (std::size_t before = 0; before < at; ++before)
      if (systems[before].system_id == system.system_id)
        return fail(ErrorKind::invalid_argument, which + " stands twice");
  }
  return DrmSignalling(std::move(systems));
}

Status DrmSignalling::fill(CpixDrmSystem& system, const Uuid& kid, const std::string& content_id,
                           const std::string& scheme) const {
  const auto known = std::ranges::find(systems_, system.system_id, &DrmSystemSettings::system_id);
  if (known == systems_.end())
    return fail(ErrorKind::unsupported, "DRMSystem/@systemId: " + system.system_id.text() +
                                            " is no system of this server; GET this resource for those that are");
  const std::string pssh = crypto::to_base64(make_pssh(*known, kid));
  fill_empty(system.pssh, pssh);
  // DASH-IF IOP 4.3, 7.6.2.
  fill_empty(system.content_protection_data,
             base64_of("<cenc:pssh xmlns:cenc=\"urn:mpeg:cenc:2013\">" + pssh + "</cenc:pssh>"));
  if (known->super_cas_id) system.super_cas_id = known->super_cas_id;
  if (known->key_uri.empty()) return {};
  const std::string uri =
      replaced(replaced(known->key_uri, "{kid}", kid.text()), "{content}", percent_encoded(content_id));
  fill_empty(system.uri_ext_x_key, base64_of(uri));
  fill_empty(system.key_format, base64_of(known->key_format.empty() ? "identity" : known->key_format));
  fill_empty(system.key_format_versions,
             base64_of(known->key_format_versions.empty() ? "1" : known->key_format_versions));
  for (CpixDrmSystem::HlsSignalling& hls : system.hls_signalling)
    if (hls.data.empty()) hls.data = base64_of(hls_tag(*known, uri, scheme, hls.playlist));
  return {};
}

}  // namespace cas::kex
