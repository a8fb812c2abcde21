// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/authorisation_mask.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/writer.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/signed_fields.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag tag_vdid = 0x80;
constexpr TlvTag tag_version = 0x81;
constexpr TlvTag tag_bits = 0x82;
constexpr TlvTag tag_digest = 0x83;

constexpr std::string_view label = "SmartPRO authorisation mask";
constexpr const char* what = "authorisation mask header";

constexpr std::array<std::uint8_t, 4> magic{'S', 'P', 'A', 'M'};
constexpr std::uint8_t file_version = 1;

constexpr std::size_t byte_of(std::uint32_t index) { return index / 8; }
constexpr std::uint8_t bit_of(std::uint32_t index) { return static_cast<std::uint8_t>(0x80U >> (index % 8)); }

std::uint8_t with_bit(std::uint8_t byte, std::uint32_t index, bool value) {
  const std::uint8_t bit = bit_of(index);
  return static_cast<std::uint8_t>(value ? byte | bit : byte & ~bit);
}

Status check_changeable(std::uint32_t bits, std::uint32_t index) {
  if (index < first_bridge_index || index > bits)
    return fail(ErrorKind::invalid_argument,
                "the authorisation mask has no bit of that index, and it is not the next one");
  if (index == max_mask_bits)
    return fail(ErrorKind::exhausted, "the authorisation mask has as many bits as one may have");
  return {};
}

Result<MaskHeader> read_header(const TlvFields& fields) {
  CAS_TRY(fields.check_known({tag_vdid, tag_version, tag_bits, tag_digest, tag_fields_signature}));
  MaskHeader header;
  CAS_TRY_ASSIGN(const ByteView vdid, fields.required(tag_vdid, sizeof(Vdid)));
  header.vdid = to_array<Vdid>(vdid);
  CAS_TRY_ASSIGN(header.version, fields.required_number(tag_version, 8));
  if (header.version == 0)
    return fail(ErrorKind::malformed, "authorisation mask header has version 0, and the first one has 1");
  CAS_TRY_ASSIGN(const std::uint64_t bits, fields.required_number(tag_bits, 4));
  if (bits == 0 || bits > max_mask_bits)
    return fail(ErrorKind::malformed, "authorisation mask header tells of a number of bits that no mask has");
  header.bits = static_cast<std::uint32_t>(bits);
  CAS_TRY_ASSIGN(const ByteView digest, fields.required(tag_digest, crypto::sha256_size));
  header.digest = to_array<crypto::Sha256Digest>(digest);
  return header;
}

Status check_bits(const MaskHeader& header, ByteView bits) {
  CAS_TRY_ASSIGN(const crypto::Sha256Digest digest, crypto::sha256(bits));
  if (!crypto::constant_time_equal(digest, header.digest))
    return fail(ErrorKind::authentication_failed,
                "the authorisation mask was changed: its bits are not those that its header is signed for");
  const std::uint32_t unused = static_cast<std::uint32_t>(8 * bits.size()) - header.bits;
  if ((bits.front() & bit_of(0)) != 0 || (bits.back() & ((1U << unused) - 1)) != 0)
    return fail(ErrorKind::malformed, "a bit of the authorisation mask that belongs to no simple bridge is not 0");
  return {};
}

/// `public_key` null: the signature is not looked at.
Result<AuthorisationMask> parse_file(ByteView file, const ByteView* public_key) {
  ByteReader reader(file);
  CAS_TRY_ASSIGN(const ByteView start, reader.bytes(magic.size()));
  if (!equal(start, magic)) return fail(ErrorKind::malformed, "this is no file of an authorisation mask");
  CAS_TRY_ASSIGN(const std::uint8_t version, reader.u8());
  if (version != file_version)
    return fail(ErrorKind::unsupported, "the file of the authorisation mask is of version " + std::to_string(version) +
                                            "; this version reads 1");
  CAS_TRY_ASSIGN(const std::uint8_t reserved, reader.u8());
  if (reserved != 0)
    return fail(ErrorKind::malformed, "the file of the authorisation mask has a reserved byte that is not 0");
  CAS_TRY_ASSIGN(const std::uint16_t header_size, reader.u16());
  CAS_TRY_ASSIGN(const ByteView header, reader.bytes(header_size));
  AuthorisationMask mask;
  mask.signed_header = copy_of(header);
  CAS_TRY_ASSIGN(mask.header,
                 public_key != nullptr ? MaskHeader::parse_signed(header, *public_key) : MaskHeader::parse(header));
  CAS_TRY_ASSIGN(const ByteView bits, reader.bytes(mask_size(mask.header.bits)));
  CAS_TRY(reader.expect_end("the file of an authorisation mask"));
  CAS_TRY(check_bits(mask.header, bits));
  mask.bits = copy_of(bits);
  return mask;
}

}  // namespace

Result<MaskHeader> MaskHeader::first(const Vdid& vdid) {
  static constexpr std::array<std::uint8_t, 1> no_bridge{};
  CAS_TRY_ASSIGN(const crypto::Sha256Digest digest, crypto::sha256(no_bridge));
  return MaskHeader{vdid, 1, 1, digest};
}

Result<Bytes> MaskHeader::encode_signed(const crypto::SigningKey& key) const {
  TlvWriter writer;
  writer.field(tag_vdid, vdid).number(tag_version, version, 8).number(tag_bits, bits, 4).field(tag_digest, digest);
  return sign_fields(std::move(writer), label, key);
}

Result<MaskHeader> MaskHeader::parse(ByteView bytes) {
  CAS_TRY_ASSIGN(const SignedFields parts, SignedFields::parse(bytes, max_mask_header_size, what));
  return read_header(parts.fields);
}

Result<MaskHeader> MaskHeader::parse_signed(ByteView bytes, ByteView public_key) {
  CAS_TRY_ASSIGN(const SignedFields parts, SignedFields::parse(bytes, max_mask_header_size, what));
  CAS_TRY(parts.verify(label, public_key));
  return read_header(parts.fields);
}

MaskSearch::MaskSearch(crypto::Sha256 digest, std::vector<std::uint32_t> indices)
    : digest_(std::move(digest)), indices_(std::move(indices)), found_(indices_.size(), false) {}

Result<MaskSearch> MaskSearch::create(std::span<const std::uint32_t> indices) {
  if (indices.empty() || indices.size() > max_mask_questions || std::ranges::find(indices, 0U) != indices.end())
    return fail(ErrorKind::invalid_argument, "1 to 32 indices, from 1, are looked for in an authorisation mask");
  CAS_TRY_ASSIGN(crypto::Sha256 digest, crypto::Sha256::create());
  return MaskSearch(std::move(digest), {indices.begin(), indices.end()});
}

Status MaskSearch::add(ByteView part) {
  if (part.size() > mask_size(max_mask_bits) - position_)
    return fail(ErrorKind::malformed, "an authorisation mask is longer than one may be");
  CAS_TRY(digest_.update(part));
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    const std::size_t byte = byte_of(indices_[i]);
    if (byte >= position_ && byte - position_ < part.size())
      found_[i] = (part[byte - position_] & bit_of(indices_[i])) != 0;
  }
  position_ += part.size();
  return {};
}

Result<std::vector<bool>> MaskSearch::finish(const MaskHeader& header) {
  CAS_TRY_ASSIGN(const crypto::Sha256Digest digest, digest_.finish());
  // First whether it was the mask at all: what a forged one says is nothing.
  if (position_ != mask_size(header.bits) || !crypto::constant_time_equal(digest, header.digest))
    return fail(ErrorKind::authentication_failed,
                "the authorisation mask was changed: its bits are not those that its header is signed for");
  for (std::size_t i = 0; i < indices_.size(); ++i)
    if (indices_[i] >= header.bits) found_[i] = false;
  return std::move(found_);
}

MaskUpdate::MaskUpdate(const MaskHeader& before, std::uint32_t index, bool value, crypto::Sha256 before_digest,
                       crypto::Sha256 after_digest)
    : before_(before),
      index_(index),
      value_(value),
      before_digest_(std::move(before_digest)),
      after_digest_(std::move(after_digest)) {}

Result<MaskUpdate> MaskUpdate::create(const MaskHeader& before, std::uint32_t index, bool value) {
  CAS_TRY(check_changeable(before.bits, index));
  if (before.version == UINT64_MAX)
    return fail(ErrorKind::exhausted, "the authorisation mask has the last version that there is");
  CAS_TRY_ASSIGN(crypto::Sha256 before_digest, crypto::Sha256::create());
  CAS_TRY_ASSIGN(crypto::Sha256 after_digest, crypto::Sha256::create());
  return MaskUpdate(before, index, value, std::move(before_digest), std::move(after_digest));
}

Status MaskUpdate::add(ByteView part) {
  if (part.size() > mask_size(before_.bits) - position_)
    return fail(ErrorKind::malformed, "the authorisation mask is longer than its header says");
  CAS_TRY(before_digest_.update(part));
  const std::size_t byte = byte_of(index_);
  if (byte < position_ || byte - position_ >= part.size()) {
    CAS_TRY(after_digest_.update(part));
  } else {
    const std::size_t at = byte - position_;
    const std::array<std::uint8_t, 1> changed{with_bit(part[at], index_, value_)};
    CAS_TRY(after_digest_.update(part.first(at)));
    CAS_TRY(after_digest_.update(changed));
    CAS_TRY(after_digest_.update(part.subspan(at + 1)));
  }
  position_ += part.size();
  return {};
}

Result<MaskHeader> MaskUpdate::finish() {
  CAS_TRY_ASSIGN(const crypto::Sha256Digest digest, before_digest_.finish());
  if (position_ != mask_size(before_.bits) || !crypto::constant_time_equal(digest, before_.digest))
    return fail(ErrorKind::authentication_failed,
                "the authorisation mask is not the one that this progenitor has signed last. Restore the newest copy.");
  if (byte_of(index_) == position_) {  // the new bit begins a byte
    const std::array<std::uint8_t, 1> added{with_bit(0, index_, value_)};
    CAS_TRY(after_digest_.update(added));
  }
  MaskHeader after = before_;
  ++after.version;
  after.bits = std::max(before_.bits, index_ + 1);
  CAS_TRY_ASSIGN(after.digest, after_digest_.finish());
  return after;
}

Result<AuthorisationMask> AuthorisationMask::parse(ByteView file, ByteView public_key) {
  return parse_file(file, &public_key);
}
Result<AuthorisationMask> AuthorisationMask::parse(ByteView file) { return parse_file(file, nullptr); }

Bytes AuthorisationMask::encode() const {
  ByteWriter writer;
  writer.bytes(magic)
      .u8(file_version)
      .u8(0)
      .u16(static_cast<std::uint16_t>(signed_header.size()))
      .bytes(signed_header)
      .bytes(bits);
  return writer.take();
}

bool AuthorisationMask::authorises(std::uint32_t index) const {
  return index < header.bits && byte_of(index) < bits.size() && (bits[byte_of(index)] & bit_of(index)) != 0;
}

Result<Bytes> AuthorisationMask::bits_with(std::uint32_t index, bool value) const {
  CAS_TRY(check_changeable(header.bits, index));
  Bytes changed = bits;
  changed.resize(mask_size(std::max(header.bits, index + 1)));
  changed[byte_of(index)] = with_bit(changed[byte_of(index)], index, value);
  return changed;
}

}  // namespace cas::smartpro
