// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/token_session.hpp"
#include "smartpro/usage_rights.hpp"

namespace cas::smartpro {

// ECMs of broadcast services under SmartPRO (docs/formats/smartpro-broadcast.md): a CA section of at most 256 bytes
// (ETSI ETR 289, 5.2) that carries the licence of one crypto-period's control word. Big-endian.
//
//    0   3  table_id 80 when CP_number is even, 81 when it is odd; section_syntax_indicator 0, section_length
//    3   1  version, 1
//    4   4  Super_CAS_id
//    8   2  ECM_id
//   10   2  CP_number
//   12      LECM, to the end
//
// The licence is for the content cipher transport-stream, for the key period CP_number, and for the header digest
// SHA-256("SmartPRO broadcast" || Super_CAS_id || ECM_id): it opens for no other place.

inline constexpr std::size_t max_broadcast_ecm_size = 256;
inline constexpr std::uint8_t broadcast_table_id_even = 0x80;
inline constexpr std::uint8_t broadcast_table_id_odd = 0x81;
/// Usage rights stand in a licence twice: longer ones do not fit into an ECM.
inline constexpr std::size_t max_broadcast_rights_size = 50;

/// The ECM stream that a licence is for: what a file's header is elsewhere.
struct BroadcastPlace {
  std::uint32_t super_cas_id = 0;
  std::uint16_t ecm_id = 0;

  /// What binds the licences of the stream to it.
  [[nodiscard]] Result<HeaderDigest> digest() const;

  bool operator==(const BroadcastPlace&) const = default;
};

/// The access criteria of a service, which a synchroniser hands from its operator through to the ECM generator.
///
///   80  16    content id; absent: the first 16 bytes of the place's digest       critical
///   81  <=50  usage rights; absent: rendering alone, at any time                 critical
struct BroadcastCriteria {
  std::optional<ContentId> content_id;
  UsageRights rights = rendering_alone();

  /// Rendering without limit; no processing, no change of rights, no bridging.
  [[nodiscard]] static UsageRights rendering_alone();

  /// No bytes at all are criteria too, with nothing said. ErrorKind::malformed, truncated, unsupported.
  [[nodiscard]] static Result<BroadcastCriteria> parse(ByteView bytes);
  [[nodiscard]] Bytes encode() const;

  bool operator==(const BroadcastCriteria&) const = default;
};

/// What a head-end token is asked for (TokenSession::wrap_control_word) to give that place the word of that
/// crypto-period.
[[nodiscard]] Result<LicenceRequest> broadcast_licence_request(const BroadcastPlace& place, std::uint16_t cp_number,
                                                               const BroadcastCriteria& criteria);

/// The ECM. ErrorKind::invalid_argument when `lecm` is no licence for that place and crypto-period, exhausted when the
/// ECM would have more than max_broadcast_ecm_size bytes.
[[nodiscard]] Result<Bytes> write_broadcast_ecm(const BroadcastPlace& place, std::uint16_t cp_number, ByteView lecm);

/// What anybody can see of an ECM. Nothing of it is authenticated before a token opens the licence; that the licence
/// is for this place and crypto-period has been compared.
struct BroadcastEcm {
  BroadcastPlace place;
  std::uint16_t cp_number = 0;
  ByteView lecm;        ///< Into the section, as the views of the licence.
  LicenceView licence;  ///< The same, parsed.

  /// One whole section, and nothing behind it. ErrorKind::truncated, malformed; unsupported for another version.
  [[nodiscard]] static Result<BroadcastEcm> parse(ByteView section);

  /// What TokenSession::open_licence is to be given with `lecm`. `play_id`: one for as long as a receiver stays with
  /// the service.
  [[nodiscard]] OpenRequest open_request(const std::array<std::uint8_t, 16>& play_id) const;
};

}  // namespace cas::smartpro
