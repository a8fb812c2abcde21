// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// The protected file, `application/x-smartpro`: docs/formats/smartpro-file.md.
///
///   preamble  32 bytes: magic (8) || format version u16 || reserved u16 (0) || header size u32 || licence slot size u32
///             || reserved (12 bytes of 0)
///   header    TLV: file id, content id, cipher, segment size, segments a key period (0: one key), media type, plain size if known
///   then for each key period (one, when a period has 0 segments):
///     licence slot    u32 LECM size || LECM || zeros up to the slot size
///     segments        segment size bytes of content each, and with gcm a tag of 16 bytes behind each; the last one shorter or
///                     full, and there always is a last one (of 0 bytes when the content is empty)
///
/// Key of a period = KBKDF-CMAC(control word, "SmartPRO content", file id || period). gcm: nonce = segment number in the file as 96 bits,
/// associated data = one byte, 1 for the last segment of the file (the STREAM construction of Hoang, Reyhanitabar, Rogaway, Vizár 2015).
/// ctr: counter block of a byte = IV (8 bytes, derived as the key is) || block number in the period as u64.

inline constexpr std::array<std::uint8_t, 8> protected_file_magic{0x89, 'S', 'P', 'R', 'O', 0x0d, 0x0a, 0x1a};
inline constexpr std::uint16_t protected_file_version = 1;
inline constexpr std::size_t preamble_size = 32;
inline constexpr std::uint32_t default_segment_size = 64 * 1024;
inline constexpr std::uint32_t min_segment_size = 1024;
inline constexpr std::uint32_t max_segment_size = 4 * 1024 * 1024;
inline constexpr std::uint32_t default_licence_slot_size = 4100;
inline constexpr std::uint32_t max_licence_slot_size = 1024 * 1024;
inline constexpr std::uint32_t max_header_size = 64 * 1024;

struct FileHeader {
  FileId file_id{};
  ContentId content_id{};
  ContentCipher cipher = ContentCipher::aes_128_gcm;
  std::uint32_t segment_size = default_segment_size;  ///< Content bytes in a segment, a multiple of 16.
  std::uint32_t period_segments = 0;                  ///< Segments under one control word; 0: all.
  std::string media_type;                             ///< Serialised caps, or a MIME type; may be empty (unknown).
  std::optional<std::uint64_t> plain_size;            ///< Size of the content where the writer knew it.
  std::uint32_t licence_slot_size = default_licence_slot_size;  ///< Preamble, outside the digest: bridges change it.

  /// Preamble and header.
  [[nodiscard]] Result<Bytes> encode() const;
  /// SHA-256 over format version and header: all that a bridge does not change.
  [[nodiscard]] Result<HeaderDigest> digest() const;
};

/// What is read first: how long the header is. Needs the first preamble_size bytes.
struct Preamble {
  std::uint32_t header_size = 0;
  std::uint32_t licence_slot_size = 0;
  [[nodiscard]] static Result<Preamble> parse(ByteView first_bytes);
};

/// A header as read, with the digest of the very bytes that were read.
struct ReadHeader {
  FileHeader header;
  HeaderDigest digest{};
  std::uint64_t body_offset = 0;  ///< Where the first licence slot starts.
  /// `bytes` are the first preamble_size + header_size bytes of the file.
  [[nodiscard]] static Result<ReadHeader> parse(ByteView bytes);
};

/// Wraps a LECM into a slot, and takes it out again; a slot whose padding is not zero is refused as damaged.
[[nodiscard]] Result<Bytes> encode_licence_slot(ByteView lecm, std::uint32_t slot_size);
[[nodiscard]] Result<ByteView> parse_licence_slot(ByteView slot);

/// Where everything is: pure arithmetic, checked against overflow.
class FileLayout {
 public:
  FileLayout(const FileHeader& header, std::uint64_t body_offset);

  [[nodiscard]] std::uint32_t segment_size() const { return segment_size_; }         ///< Content bytes.
  [[nodiscard]] std::uint32_t stored_segment_size() const { return stored_size_; }   ///< With tag.
  [[nodiscard]] std::uint32_t tag_size() const { return stored_size_ - segment_size_; }
  [[nodiscard]] std::uint64_t segment_of(std::uint64_t plain_offset) const { return plain_offset / segment_size_; }
  [[nodiscard]] std::uint32_t period_of(std::uint64_t segment) const;
  [[nodiscard]] bool starts_period(std::uint64_t segment) const;
  /// File offset of a segment's stored bytes, of a period's licence slot.
  [[nodiscard]] std::uint64_t segment_offset(std::uint64_t segment) const;
  [[nodiscard]] std::uint64_t slot_offset(std::uint32_t period) const;

  /// What a file of this size holds, as far as its size tells.
  struct Extent {
    std::uint64_t plain_size = 0;      ///< Content bytes, the last segment's included.
    std::uint64_t segments = 0;        ///< Segments, the last included; 0 when the file ends before the first segment.
    std::uint32_t last_plain_size = 0; ///< Content bytes in the last segment.
    bool cut = false;                  ///< The size itself cannot be: the file ends within a slot or a tag.
  };
  [[nodiscard]] Extent extent(std::uint64_t file_size) const;

 private:
  std::uint32_t segment_size_;
  std::uint32_t stored_size_;
  std::uint32_t period_segments_;
  std::uint32_t slot_size_;
  std::uint64_t body_offset_;
};

/// Scrambles and descrambles the segments of one key period, with no allocation. One thread at a time.
class SegmentCipher {
 public:
  [[nodiscard]] static Result<SegmentCipher> create(const FileHeader& header, const SecretBytes& control_word, std::uint32_t period);
  ~SegmentCipher();
  SegmentCipher(SegmentCipher&&) noexcept;
  SegmentCipher& operator=(SegmentCipher&&) noexcept;

  /// Content in pieces (which lie anywhere in memory, one after the other in the content) to stored bytes: `stored` has the content's size
  /// plus the tag's. Every segment but the last of the file has segment_size bytes.
  [[nodiscard]] Status seal(std::uint64_t segment, bool last, std::span<const ByteView> plain, MutableByteView stored);
  /// Stored bytes in pieces to content. With gcm, ErrorKind::authentication_failed when anything was changed; nothing of `plain` is
  /// to be used then (it has been cleansed).
  [[nodiscard]] Status open(std::uint64_t segment, bool last, std::span<const ByteView> stored, MutableByteView plain);

 private:
  struct State;
  explicit SegmentCipher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cas::smartpro
