// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/file_header.hpp"

#include <algorithm>

#include "base/reader.hpp"
#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/digest.hpp"
#include "smartpro/file_layout.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag file_id_tag = 0x80;
constexpr TlvTag content_id_tag = 0x81;
constexpr TlvTag cipher_tag = 0x82;
constexpr TlvTag segment_size_tag = 0x83;
constexpr TlvTag period_segments_tag = 0x84;
constexpr TlvTag media_type_tag = 0xc0;
constexpr TlvTag plain_size_tag = 0xc1;
constexpr TlvTag key_origin_tag = 0xc2;

constexpr std::size_t preamble_padding = 12;

std::string limits(const char* what, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
  return std::string(what) + " is " + std::to_string(value) + ", but may be " + std::to_string(least) + " to " +
         std::to_string(most);
}

bool is_printable(char letter) { return letter >= 0x20 && letter <= 0x7e; }

Bytes encode_fields(const FileHeader& header) {
  TlvWriter fields;
  fields.field(file_id_tag, header.file_id)
      .field(content_id_tag, header.content_id)
      .number(cipher_tag, static_cast<std::uint8_t>(header.cipher), 1)
      .number(segment_size_tag, header.segment_size, 4)
      .number(period_segments_tag, header.period_segments, 4);
  if (!header.media_type.empty()) fields.field(media_type_tag, as_bytes(header.media_type));
  if (header.plain_size) fields.number(plain_size_tag, *header.plain_size, 8);
  if (header.key_origin) fields.field(key_origin_tag, header.key_origin->encode());
  return fields.take();
}

Result<HeaderDigest> digest_of(ByteView fields) {
  const Bytes version = ByteWriter().u16(protected_file_version).take();
  return crypto::sha256({version, fields});
}

Result<FileHeader> parse_fields(ByteView bytes) {
  CAS_TRY_ASSIGN(const TlvFields fields, TlvFields::parse(bytes, "header of the protected file"));
  CAS_TRY(fields.check_known({file_id_tag, content_id_tag, cipher_tag, segment_size_tag, period_segments_tag}));
  FileHeader header;
  CAS_TRY_ASSIGN(const ByteView file_id, fields.required(file_id_tag, header.file_id.size()));
  header.file_id = to_array<FileId>(file_id);
  CAS_TRY_ASSIGN(const ByteView content_id, fields.required(content_id_tag, header.content_id.size()));
  header.content_id = to_array<ContentId>(content_id);
  CAS_TRY_ASSIGN(const std::uint64_t cipher, fields.required_number(cipher_tag, 1));
  if (cipher != static_cast<std::uint8_t>(ContentCipher::aes_128_gcm) &&
      cipher != static_cast<std::uint8_t>(ContentCipher::aes_128_ctr))
    return fail(ErrorKind::unsupported, "the content is scrambled with cipher " + std::to_string(cipher) +
                                            ", which this version does not know");
  header.cipher = static_cast<ContentCipher>(cipher);
  CAS_TRY_ASSIGN(const std::uint64_t segment_size, fields.required_number(segment_size_tag, 4));
  header.segment_size = static_cast<std::uint32_t>(segment_size);
  CAS_TRY_ASSIGN(const std::uint64_t period_segments, fields.required_number(period_segments_tag, 4));
  header.period_segments = static_cast<std::uint32_t>(period_segments);
  if (const auto media_type = fields.optional(media_type_tag)) header.media_type = as_text(*media_type);
  if (fields.optional(plain_size_tag)) {
    CAS_TRY_ASSIGN(header.plain_size, fields.required_number(plain_size_tag, 8));
  }
  if (const auto key_origin = fields.optional(key_origin_tag)) {
    CAS_TRY_ASSIGN(header.key_origin, KeyOrigin::parse(*key_origin));
  }
  return header;
}

}  // namespace

Status FileHeader::check() const {
  if (cipher != ContentCipher::aes_128_gcm && cipher != ContentCipher::aes_128_ctr)
    return fail(ErrorKind::invalid_argument, "the cipher is neither aes-128-gcm nor aes-128-ctr");
  if (segment_size < min_segment_size || segment_size > max_segment_size)
    return fail(ErrorKind::invalid_argument,
                limits("the segment size", segment_size, min_segment_size, max_segment_size));
  if (segment_size % 16 != 0)
    return fail(ErrorKind::invalid_argument,
                "the segment size is " + std::to_string(segment_size) + ", which is no multiple of 16");
  if (licence_slot_size < min_licence_slot_size || licence_slot_size > max_licence_slot_size)
    return fail(ErrorKind::invalid_argument,
                limits("the licence slot size", licence_slot_size, min_licence_slot_size, max_licence_slot_size));
  if (media_type.size() > max_media_type_size)
    return fail(ErrorKind::invalid_argument,
                limits("the size of the media type", media_type.size(), 0, max_media_type_size));
  // It goes to terminals, logs and caps parsers; GStreamer serialises caps in ASCII.
  if (!std::ranges::all_of(media_type, is_printable))
    return fail(ErrorKind::invalid_argument, "the media type has characters that are not printable ASCII");
  if (plain_size) {
    const auto file_size = FileLayout(*this, preamble_size + max_header_size).file_size(*plain_size);
    if (!file_size) return fail(ErrorKind::invalid_argument, file_size.error().message);
  }
  if (key_origin) {
    CAS_TRY(key_origin->check());
    // It names one key, and control words of later periods would be others.
    if (period_segments != 0)
      return fail(ErrorKind::invalid_argument, "the header names the one key of a key server, and a key period of " +
                                                   std::to_string(period_segments) +
                                                   " segments: such a file has one control word");
  }
  return {};
}

Result<Bytes> FileHeader::encode() const {
  CAS_TRY(check());
  const Bytes fields = encode_fields(*this);
  Bytes bytes = Preamble{static_cast<std::uint32_t>(fields.size()), licence_slot_size}.encode();
  append(bytes, fields);
  return bytes;
}

Result<HeaderDigest> FileHeader::digest() const {
  CAS_TRY(check());
  return digest_of(encode_fields(*this));
}

Bytes Preamble::encode() const {
  return ByteWriter()
      .bytes(protected_file_magic)
      .u16(protected_file_version)
      .u16(0)
      .u32(header_size)
      .u32(licence_slot_size)
      .zeros(preamble_padding)
      .take();
}

Result<Preamble> Preamble::parse(ByteView first_bytes) {
  const std::size_t comparable = std::min(first_bytes.size(), protected_file_magic.size());
  if (!equal(first_bytes.first(comparable), ByteView(protected_file_magic).first(comparable)))
    return fail(ErrorKind::malformed,
                "this is not a SmartPRO protected file: it does not start with the magic bytes of one");
  if (first_bytes.size() < preamble_size)
    return fail(ErrorKind::truncated, "the file ends after " + std::to_string(first_bytes.size()) +
                                          " bytes, within its preamble: nothing of its content is there");

  ByteReader reader(first_bytes.subspan(protected_file_magic.size(), preamble_size - protected_file_magic.size()));
  Preamble preamble;
  CAS_TRY_ASSIGN(const std::uint16_t version, reader.u16());
  if (version != protected_file_version)
    return fail(ErrorKind::unsupported, "the protected file has format version " + std::to_string(version) +
                                            "; this version of the software reads version " +
                                            std::to_string(protected_file_version));
  CAS_TRY_ASSIGN(const std::uint16_t reserved, reader.u16());
  CAS_TRY_ASSIGN(preamble.header_size, reader.u32());
  CAS_TRY_ASSIGN(preamble.licence_slot_size, reader.u32());
  const ByteView padding = reader.rest();
  if (reserved != 0 || !std::ranges::all_of(padding, [](std::uint8_t byte) { return byte == 0; }))
    return fail(ErrorKind::malformed, "the preamble of the protected file is damaged: a reserved byte is not zero");
  if (preamble.header_size == 0 || preamble.header_size > max_header_size)
    return fail(ErrorKind::malformed, "the preamble of the protected file is damaged: " +
                                          limits("the header size", preamble.header_size, 1, max_header_size));
  if (preamble.licence_slot_size < min_licence_slot_size || preamble.licence_slot_size > max_licence_slot_size)
    return fail(ErrorKind::malformed, "the preamble of the protected file is damaged: " +
                                          limits("the licence slot size", preamble.licence_slot_size,
                                                 min_licence_slot_size, max_licence_slot_size));
  return preamble;
}

Result<ReadHeader> ReadHeader::parse(ByteView bytes) {
  CAS_TRY_ASSIGN(const Preamble preamble, Preamble::parse(bytes));
  if (bytes.size() - preamble_size < preamble.header_size)
    return fail(ErrorKind::truncated, "the file ends after " + std::to_string(bytes.size()) +
                                          " bytes, within its header: nothing of its content is there");
  const ByteView fields = bytes.subspan(preamble_size, preamble.header_size);
  ReadHeader read;
  CAS_TRY_ASSIGN(read.header, parse_fields(fields));
  read.header.licence_slot_size = preamble.licence_slot_size;
  if (const Status checked = read.header.check(); !checked)
    return fail(ErrorKind::malformed, "header of the protected file: " + checked.error().message);
  CAS_TRY_ASSIGN(read.digest, digest_of(fields));
  read.body_offset = preamble_size + preamble.header_size;
  return read;
}

}  // namespace cas::smartpro
