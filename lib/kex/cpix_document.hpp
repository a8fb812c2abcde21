// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "kex/utc_time.hpp"
#include "kex/uuid.hpp"

namespace cas::kex {

/// A CPIX document (DASH-IF, Content Protection Information Exchange Format, 2.x): content keys, and all that belongs to
/// them. Requests and answers between scramblers and key servers are such documents, in the manner of SPEKE 2.0: a
/// request has what is known, and the answer has the rest filled in.
inline constexpr std::string_view cpix_namespace = "urn:dashif:org:cpix";
inline constexpr std::string_view pskc_namespace = "urn:ietf:params:xml:ns:keyprov:pskc";
inline constexpr std::string_view dsig_namespace = "http://www.w3.org/2000/09/xmldsig#";
inline constexpr std::string_view xenc_namespace = "http://www.w3.org/2001/04/xmlenc#";
inline constexpr std::string_view speke_namespace = "urn:aws:amazon:com:speke";
/// Ours, for what CPIX has not: see docs/formats/kex.md.
inline constexpr std::string_view kex_namespace = "urn:gst-plugins-cas:kex:1";

/// Limits of what is read; a document that goes beyond is refused with ErrorKind::exhausted.
struct CpixLimits {
  std::size_t size = 1U << 20;      ///< Bytes of the document.
  std::size_t entries = 1'000;      ///< Of each list.
  std::size_t text = 1'024;         ///< Bytes of an attribute.
  std::size_t signalling = 65'536;  ///< Bytes of a DRM system's data.
  std::size_t key = 64;             ///< Bytes of a content key.
};

using InitialisationVector = std::array<std::uint8_t, 16>;

/// A content key that is encrypted under the document key: IV || AES-256-CBC with PKCS #7 padding.
struct CpixEncryptedValue {
  Bytes cipher_value;
  Bytes mac;  ///< HMAC-SHA-512 over it; empty when there is none.
};

struct CpixContentKey {
  Uuid kid;
  std::optional<InitialisationVector> explicit_iv;
  std::string scheme;  ///< commonEncryptionScheme: "cenc", "cens", "cbc1" or "cbcs"; empty: none is named.
  SecretBytes value;   ///< Empty: it is asked for, or still encrypted.
  std::optional<CpixEncryptedValue> encrypted;
};

/// What a DRM system's client needs. Texts are base64 of the data, as they stand in the document; an empty one asks for
/// it.
struct CpixDrmSystem {
  struct HlsSignalling {
    std::string playlist;  ///< "media"; "master" before CPIX 2.4, "multiVariant" since.
    std::string data;
  };
  Uuid kid;
  Uuid system_id;
  std::string name;
  std::optional<std::string> pssh;
  std::optional<std::string> content_protection_data;
  std::optional<std::string> uri_ext_x_key;
  std::vector<HlsSignalling> hls_signalling;
  std::optional<std::string> smooth_protection_header;  ///< SmoothStreamingProtectionHeaderData.
  std::optional<std::string> hds_signalling;            ///< HDSSignalingData.
  std::optional<std::string> key_format;                ///< Of SPEKE 1.
  std::optional<std::string> key_format_versions;       ///< Of SPEKE 1.
  std::optional<std::string> protection_header;         ///< Of SPEKE 1.
  std::optional<std::uint32_t> super_cas_id;            ///< Ours: of DVB SimulCrypt (TS 103 197, 2).
};

/// Half-open, by number or by time or both.
struct CpixPeriod {
  std::string id;
  std::optional<std::uint64_t> index;
  std::optional<UtcTime> start, end;
};

/// What a usage rule asks of a track. A rule holds where, of each kind of filter that it has, one holds.
struct CpixFilter {
  enum class Kind { period, label, video, audio, bitrate, unknown };
  struct Range {
    std::optional<std::uint64_t> least, most;  ///< Both included.
    bool operator==(const Range&) const = default;
  };
  Kind kind = Kind::unknown;
  std::string text;  ///< Of period its id, of label the label.
  Range range;       ///< Pixels of video, channels of audio, bits per second of bitrate.
  Range frames;      ///< Of video, frames per second.
  std::optional<bool> hdr, wcg;
};

struct CpixUsageRule {
  Uuid kid;
  std::string track_type;      ///< intendedTrackType; empty: none is named.
  std::string representation;  ///< Ours: which of the content's bit rates or versions.
  std::vector<CpixFilter> filters;
  /// A rule with a filter that is not known cannot be applied: its key must not be used by it.
  [[nodiscard]] bool usable() const;
};

/// Who encrypted keys are for (DeliveryData).
struct CpixRecipient {
  std::string id;
  Bytes certificate;      ///< DER.
  Bytes document_key;     ///< Encrypted for the certificate's key; empty in a request.
  Bytes mac_key;          ///< The same; empty when values have no MACs.
  std::string algorithm;  ///< Of the document key; empty in a request.
};

/// Ratings, output protection and whatever else goes beside a key: ours.
struct CpixAuxiliary {
  Uuid kid;  ///< Nil: of the whole content.
  std::string name;
  std::string value;
  bool operator==(const CpixAuxiliary&) const = default;
};

struct CpixDocument {
  std::string content_id;
  std::string id;    ///< The document's; SPEKE 1 has the content id there.
  std::string name;  ///< A remark.
  std::string version;
  std::optional<UtcTime> time;  ///< Ours: of the content, where no period tells it.
  std::vector<CpixRecipient> recipients;
  std::vector<CpixContentKey> keys;
  std::vector<CpixDrmSystem> systems;
  std::vector<CpixPeriod> periods;
  std::vector<CpixUsageRule> rules;
  std::vector<CpixAuxiliary> auxiliary;

  /// Of SPEKE 2 the content id, of SPEKE 1 the document's.
  [[nodiscard]] const std::string& content() const { return content_id.empty() ? id : content_id; }
  [[nodiscard]] const CpixContentKey* key(const Uuid& kid) const;
  [[nodiscard]] const CpixPeriod* period(std::string_view id) const;
};

}  // namespace cas::kex
