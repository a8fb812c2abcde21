// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "crypto/digest.hpp"
#include "crypto/signature.hpp"
#include "smartpro/identifiers.hpp"

namespace cas::smartpro {

/// The authorisation mask (paper, 4.2): "a bit mask where the position of each bit corresponds to a SB index. If the
/// bit is '1', the corresponding SB is registered and not revoked in the IRL of the source domain." Bit i is byte i /
/// 8, 0x80 >> (i % 8); bits behind the last one are 0. Indices start at 1: bit 0 is always 0.
inline constexpr std::uint32_t max_mask_bits = 1U << 20;
inline constexpr std::uint32_t first_bridge_index = 1;
/// Bytes of a mask of `bits` bits.
[[nodiscard]] constexpr std::size_t mask_size(std::uint32_t bits) { return (std::size_t{bits} + 7) / 8; }

/// What a mask's header says: all that a token stores of it.
///
///   80  8   VDID of the source domain                                  critical
///   81  8   version, ever increasing, first 1                          critical
///   82  4   number of bits, 1 to 2^20                                  critical
///   83  32  SHA-256 of the mask's bytes                                critical
///   86      signature with the progenitor's revocation key over "SmartPRO authorisation mask" || all bytes before this field; the last field   critical
struct MaskHeader {
  Vdid vdid{};
  std::uint64_t version = 0;
  std::uint32_t bits = 0;
  crypto::Sha256Digest digest{};

  /// The mask of a domain in which no simple bridge has been registered: bit 0 alone, version 1.
  [[nodiscard]] static Result<MaskHeader> first(const Vdid& vdid);

  [[nodiscard]] Result<Bytes> encode_signed(const crypto::SigningKey& key) const;
  /// What it says, without a look at the signature: for what was verified when it was stored. ErrorKind::malformed,
  /// truncated.
  [[nodiscard]] static Result<MaskHeader> parse(ByteView bytes);
  /// Parses and verifies; ErrorKind::authentication_failed when the signature is not right.
  [[nodiscard]] static Result<MaskHeader> parse_signed(ByteView bytes, ByteView public_key);

  bool operator==(const MaskHeader&) const = default;
};

inline constexpr std::size_t max_mask_header_size = 192;
/// So many bits are looked for in one pass of a mask, and so many destinations has one transfer licence.
inline constexpr std::size_t max_mask_questions = 32;

/// A token's search in a mask that passes by, in memory that does not grow with it. One thread at a time.
class MaskSearch {
 public:
  /// 1 to 32 indices, none of them 0. ErrorKind::invalid_argument.
  [[nodiscard]] static Result<MaskSearch> create(std::span<const std::uint32_t> indices);

  /// The next part. ErrorKind::malformed when the mask is longer than one may be.
  [[nodiscard]] Status add(ByteView part);
  /// The mask has passed: which of the bits are 1, in the order of the indices. A bit behind the mask's end is 0.
  /// ErrorKind::authentication_failed when it was not the mask that the header is for.
  [[nodiscard]] Result<std::vector<bool>> finish(const MaskHeader& header);

 private:
  MaskSearch(crypto::Sha256 digest, std::vector<std::uint32_t> indices);

  crypto::Sha256 digest_;
  std::vector<std::uint32_t> indices_;
  std::vector<bool> found_;
  std::size_t position_ = 0;  // Bytes that have passed.
};

/// A progenitor's change of one bit in a mask that passes by, in memory that does not grow with it: the old mask is
/// compared with its header, and the header of the new one comes out. One thread at a time.
class MaskUpdate {
 public:
  /// `index` 1 up to before.bits: that one makes the mask one bit longer. ErrorKind::invalid_argument for another;
  /// exhausted when the mask, or its version, can grow no more.
  [[nodiscard]] static Result<MaskUpdate> create(const MaskHeader& before, std::uint32_t index, bool value);

  /// The next part of the old mask. ErrorKind::malformed when it is longer than its header says.
  [[nodiscard]] Status add(ByteView part);
  /// The old mask has passed: the new header. ErrorKind::authentication_failed when it was not the mask that the header
  /// is for.
  [[nodiscard]] Result<MaskHeader> finish();

 private:
  MaskUpdate(const MaskHeader& before, std::uint32_t index, bool value, crypto::Sha256 before_digest,
             crypto::Sha256 after_digest);

  MaskHeader before_;
  std::uint32_t index_;
  bool value_;
  crypto::Sha256 before_digest_;
  crypto::Sha256 after_digest_;
  std::size_t position_ = 0;
};

/// A mask as hosts have it. The file of one:
///
///   0  4  "SPAM"
///   4  1  version, 1
///   5  1  reserved, 0
///   6  2  size of the signed header
///   8     the signed header
///         the mask's bytes; then the end
struct AuthorisationMask {
  MaskHeader header;
  Bytes signed_header;
  Bytes bits;  ///< mask_size(header.bits) bytes.

  /// A file, verified in all: the signature of the header with `public_key` (65 bytes) and the bits against the header.
  /// ErrorKind::authentication_failed, malformed, truncated, unsupported.
  [[nodiscard]] static Result<AuthorisationMask> parse(ByteView file, ByteView public_key);
  /// The same without a look at the signature, which the master bridge token verifies: for hosts that have no domain's
  /// revocation key.
  [[nodiscard]] static Result<AuthorisationMask> parse(ByteView file);
  [[nodiscard]] Bytes encode() const;

  [[nodiscard]] bool authorises(std::uint32_t index) const;
  /// The bits after the change that MaskUpdate makes to the header; `index` 1 up to header.bits.
  /// ErrorKind::invalid_argument for another.
  [[nodiscard]] Result<Bytes> bits_with(std::uint32_t index, bool value) const;
};

inline constexpr std::size_t max_mask_file_size = 8 + max_mask_header_size + mask_size(max_mask_bits);

}  // namespace cas::smartpro
