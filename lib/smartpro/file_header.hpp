// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/identifiers.hpp"
#include "smartpro/key_origin.hpp"

namespace cas::smartpro {

/// The first byte is no text and the end shows line-end conversions, as in PNG.
inline constexpr std::array<std::uint8_t, 8> protected_file_magic{0x89, 'S', 'P', 'R', 'O', 0x0d, 0x0a, 0x1a};
inline constexpr std::uint16_t protected_file_version = 1;
inline constexpr std::size_t preamble_size = 32;

inline constexpr std::uint32_t default_segment_size = 64 * 1024;
inline constexpr std::uint32_t min_segment_size = 1024;
inline constexpr std::uint32_t max_segment_size = 4 * 1024 * 1024;
inline constexpr std::uint32_t max_header_size = 64 * 1024;
inline constexpr std::size_t max_media_type_size = 32 * 1024;

/// A licence slot: two numbers of 4 bytes, then the licence (licence_slot.hpp).
inline constexpr std::uint32_t licence_slot_overhead = 8;
/// Takes any LECM (at most 4,096 bytes).
inline constexpr std::uint32_t default_licence_slot_size = 4096 + licence_slot_overhead;
inline constexpr std::uint32_t min_licence_slot_size = licence_slot_overhead + 1;
inline constexpr std::uint32_t max_licence_slot_size = 1024 * 1024;

/// What a protected file says of itself at its start. A licence is made for the digest of exactly these bytes, so that
/// a token refuses a file whose header was changed; until a licence has been opened with it, a header is somebody's
/// claim.
///
/// Preamble, 32 bytes:
///    0  8   magic 89 53 50 52 4F 0D 0A 1A
///    8  2   format version, 1
///   10  2   0
///   12  4   header size, 1 to 65,536
///   16  4   licence slot size, 9 to 1,048,576; outside the digest, since a bridge that needs more room changes it
///   20 12   0
///
/// Header, TLV (base/tlv.hpp):
///   80 16   file id: drawn at random for each protection, the salt of the content keys
///   81 16   content id: names the work across copies and re-protections
///   82  1   cipher: 1 aes-128-gcm, 2 aes-128-ctr
///   83  4   segment size: content bytes in a segment, 1,024 to 4,194,304, a multiple of 16
///   84  4   segments under one control word; 0: one control word for the whole file
///   C0  n   media type of the content in printable ASCII, at most 32,768 bytes; absent: not known        optional
///   C1  8   size of the content; absent: the writer did not know it                                       optional
///   C2  n   key origin (key_origin.hpp); absent: a token drew the control words                           optional
struct FileHeader {
  FileId file_id{};
  ContentId content_id{};
  ContentCipher cipher = ContentCipher::aes_128_gcm;
  std::uint32_t segment_size = default_segment_size;  ///< Content bytes in a segment, a multiple of 16.
  std::uint32_t period_segments = 0;                  ///< Segments under one control word; 0: all.
  std::string media_type;                             ///< Serialised caps, or a MIME type; may be empty (unknown).
  std::optional<std::uint64_t> plain_size;            ///< Size of the content where the writer knew it for sure.
  std::optional<KeyOrigin> key_origin;                ///< Of a control word from outside; then period_segments is 0.
  std::uint32_t licence_slot_size = default_licence_slot_size;  ///< Preamble, outside the digest: bridges change it.

  /// ErrorKind::invalid_argument names the first value outside its limits.
  [[nodiscard]] Status check() const;
  /// Preamble and header. Fails as check() does.
  [[nodiscard]] Result<Bytes> encode() const;
  /// SHA-256 over format version (2 bytes) and header: all that a bridge does not change. Fails as check() does.
  [[nodiscard]] Result<HeaderDigest> digest() const;

  bool operator==(const FileHeader&) const = default;
};

/// What is read first: how long the next parts are. A bridge that changes the slot size writes a new preamble before
/// the header's bytes, which it leaves as they are.
struct Preamble {
  std::uint32_t header_size = 0;
  std::uint32_t licence_slot_size = 0;

  /// The preamble_size bytes that say so.
  [[nodiscard]] Bytes encode() const;

  /// Reads the first preamble_size bytes of a file; more may follow. ErrorKind::malformed: not a protected file, or
  /// damaged; unsupported: a later format version; truncated: fewer bytes, all of which could start a protected file.
  [[nodiscard]] static Result<Preamble> parse(ByteView first_bytes);
};

/// A header as read, with the digest of the very bytes that were read (which may hold fields that are not known here).
struct ReadHeader {
  FileHeader header;
  HeaderDigest digest{};
  std::uint64_t body_offset = 0;  ///< Where the first licence slot starts.

  /// `bytes` starts with the preamble_size + header_size first bytes of the file; more may follow.
  [[nodiscard]] static Result<ReadHeader> parse(ByteView bytes);
};

}  // namespace cas::smartpro
