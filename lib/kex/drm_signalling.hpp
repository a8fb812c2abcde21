// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "kex/cpix_document.hpp"
#include "kex/key_name.hpp"

namespace cas::kex {

/// A DRM or CA system that a key server tells clients' data for (5.4.5).
struct DrmSystemSettings {
  Uuid system_id;
  std::string name;
  /// The version of its PSSH box (ISO/IEC 23001-7, 8.1): 1 has the key ids, 0 has data alone.
  unsigned pssh_version = 1;
  Bytes pssh_data;                            ///< The box's Data; may be empty with version 1.
  std::optional<std::uint32_t> super_cas_id;  ///< TS 103 197: who the CA system is.
  /// For HLS (RFC 8216, 4.3.2.4): where its clients get the key, "{kid}" and "{content}" in it replaced; empty: there
  /// is no HLS signalling.
  std::string key_uri;
  std::string key_format;           ///< KEYFORMAT; empty: "identity".
  std::string key_format_versions;  ///< KEYFORMATVERSIONS; empty: "1".
};

/// Fills in what requests ask of DRM systems. Any thread.
class DrmSignalling {
 public:
  /// The common PSSH of the W3C and Clear Key are there without settings. ErrorKind::invalid_argument for a system that
  /// stands twice, and for one whose box would say nothing.
  [[nodiscard]] static Result<DrmSignalling> create(std::vector<DrmSystemSettings> systems);

  /// Fields of `system` that are there and empty, of the key `kid`. What the settings have nothing for stays empty.
  /// ErrorKind::unsupported for a system that is not known here.
  [[nodiscard]] Status fill(CpixDrmSystem& system, const Uuid& kid, const std::string& content_id,
                            const std::string& scheme) const;
  [[nodiscard]] const std::vector<DrmSystemSettings>& systems() const { return systems_; }

 private:
  explicit DrmSignalling(std::vector<DrmSystemSettings> systems) : systems_(std::move(systems)) {}
  std::vector<DrmSystemSettings> systems_;
};

/// A PSSH box (ISO/IEC 23001-7, 8.1.2) for one key.
[[nodiscard]] Bytes make_pssh(const DrmSystemSettings& system, const Uuid& kid);

}  // namespace cas::kex
