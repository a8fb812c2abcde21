// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "kex/cpix_document.hpp"
#include "kex/key_material.hpp"
#include "kex/key_name.hpp"

namespace cas::kex {

/// A crypto-period; one without number and times is the whole content.
struct KeyPeriod {
  std::optional<std::uint64_t> index;
  std::optional<UtcTime> start, end;
  bool operator==(const KeyPeriod&) const = default;
};

/// What a scrambler asks a key server for: the keys of one content for some periods (5.1.4: content id and times are the
/// scrambler's to say).
struct KeyRequest {
  std::string content_id;
  std::string track_type, representation;  ///< Empty: of all tracks, of all bit rates.
  std::string scheme;                      ///< "cenc", "cbcs", ...; empty: none is named.
  std::vector<KeyPeriod> periods;          ///< At least one; no two alike.
  std::optional<UtcTime> time;             ///< Of content without periods, where it has one.
  std::vector<Uuid> systems;               ///< DRM systems whose data is asked for.
  Bytes recipient;                         ///< Certificate (DER, RSA) to encrypt keys for; empty: in clear.
};

/// A key as a scrambler uses it.
struct FetchedKey {
  KeyPeriod period;
  KeyMaterial key;
  std::string scheme;
  std::vector<CpixDrmSystem> systems;
  std::vector<CpixAuxiliary> auxiliary;
};

/// The document that asks (POST). Key ids are drawn; the server may replace them.
[[nodiscard]] Result<CpixDocument> make_request(const KeyRequest& request, Random& random);
/// The document that brings keys which were made here (PUT); those of `keys` in the order of request.periods.
[[nodiscard]] Result<CpixDocument> make_push(const KeyRequest& request, const std::vector<KeyMaterial>& keys);

/// Takes the keys out of the answer, in the order of request.periods, decrypted. An answer is of this content, has a
/// usable rule with a key for each period, and no key for two. ErrorKind::malformed with a sentence that names what is
/// wrong, refused for keys that are still encrypted.
[[nodiscard]] Result<std::vector<FetchedKey>> read_answer(const KeyRequest& request, CpixDocument answer);
/// The answer to a push has the key ids that were brought. ErrorKind::malformed.
[[nodiscard]] Status check_push_answer(const CpixDocument& pushed, const CpixDocument& answer);

}  // namespace cas::kex
