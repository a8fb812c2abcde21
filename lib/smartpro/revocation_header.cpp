// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/revocation_header.hpp"

#include "base/reader.hpp"
#include "base/tlv.hpp"
#include "base/writer.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag tag_kind = 0x80;
constexpr TlvTag tag_vdid = 0x81;
constexpr TlvTag tag_index = 0x82;
constexpr TlvTag tag_tokens = 0x83;
constexpr TlvTag tag_hosts = 0x84;
constexpr TlvTag tag_domains = 0x85;
constexpr TlvTag tag_signature = 0x86;

void write_elements(TlvWriter& writer, TlvTag tag, const RevokedElements& elements) {
  ByteWriter value;
  value.u32(elements.count).bytes(elements.digest).bytes(elements.root);
  writer.field(tag, value.view());
}

Result<RevokedElements> read_elements(const TlvFields& fields, TlvTag tag) {
  CAS_TRY_ASSIGN(const ByteView value, fields.required(tag, 4 + 2 * crypto::sha256_size));
  ByteReader reader(value);
  RevokedElements elements;
  CAS_TRY_ASSIGN(elements.count, reader.u32());
  if (elements.count > max_revoked_elements)
    return fail(ErrorKind::malformed, "revocation list header tells of more elements than a list may have");
  CAS_TRY_ASSIGN(const ByteView digest, reader.bytes(crypto::sha256_size));
  elements.digest = to_array<crypto::Sha256Digest>(digest);
  elements.root = to_array<crypto::Sha256Digest>(reader.rest());
  return elements;
}

}  // namespace

Result<RevocationHeader> RevocationHeader::empty_internal(const Vdid& vdid, std::uint64_t index) {
  RevocationHeader header;
  header.kind = RevocationListKind::internal;
  header.vdid = vdid;
  header.index = index;
  CAS_TRY_ASSIGN(RevokedElementsBuilder nothing, RevokedElementsBuilder::create());
  CAS_TRY_ASSIGN(header.tokens, nothing.finish());
  return header;
}

Result<Bytes> RevocationHeader::encode_signed(const crypto::SigningKey& key) const {
  TlvWriter writer;
  writer.number(tag_kind, static_cast<std::uint64_t>(kind), 1);
  if (kind == RevocationListKind::internal) writer.field(tag_vdid, vdid);
  writer.number(tag_index, index, 8);
  write_elements(writer, tag_tokens, tokens);
  if (kind == RevocationListKind::external) {
    write_elements(writer, tag_hosts, hosts);
    write_elements(writer, tag_domains, domains);
  }
  CAS_TRY_ASSIGN(const Bytes signature, key.sign(writer.view()));
  return writer.field(tag_signature, signature).take();
}

namespace {

struct Parts {
  TlvFields fields;
  ByteView signature;
  ByteView signed_bytes;
};

Result<Parts> split(ByteView bytes) {
  if (bytes.size() > max_revocation_header_size)
    return fail(ErrorKind::malformed, "revocation list header is too long");
  CAS_TRY_ASSIGN(TlvFields fields, TlvFields::parse(bytes, "revocation list header"));
  CAS_TRY(fields.check_known({tag_kind, tag_vdid, tag_index, tag_tokens, tag_hosts, tag_domains, tag_signature}));
  CAS_TRY_ASSIGN(const ByteView signature, fields.required(tag_signature, 8, 80));
  if (fields.all().back().tag != tag_signature)
    return fail(ErrorKind::malformed, "revocation list header goes on after its signature");
  const ByteView signed_bytes =
      bytes.first(bytes.size() - tlv_header(tag_signature, signature.size()).size() - signature.size());
  return Parts{std::move(fields), signature, signed_bytes};
}

}  // namespace

Result<RevocationHeader> RevocationHeader::parse_signed(ByteView bytes, ByteView public_key) {
  CAS_TRY_ASSIGN(const Parts parts, split(bytes));
  CAS_TRY(crypto::verify_signature(public_key, parts.signed_bytes, parts.signature));
  return parse(bytes);
}

Result<RevocationHeader> RevocationHeader::parse(ByteView bytes) {
  CAS_TRY_ASSIGN(const Parts parts, split(bytes));
  const TlvFields& fields = parts.fields;
  RevocationHeader header;
  CAS_TRY_ASSIGN(const std::uint64_t kind, fields.required_number(tag_kind, 1));
  if (kind != static_cast<std::uint64_t>(RevocationListKind::external) &&
      kind != static_cast<std::uint64_t>(RevocationListKind::internal))
    return fail(ErrorKind::unsupported, "revocation list header is of a list that this version does not know");
  header.kind = static_cast<RevocationListKind>(kind);
  CAS_TRY_ASSIGN(header.index, fields.required_number(tag_index, 8));
  CAS_TRY_ASSIGN(header.tokens, read_elements(fields, tag_tokens));
  const bool internal = header.kind == RevocationListKind::internal;
  if (internal ? fields.optional(tag_hosts) || fields.optional(tag_domains) : fields.optional(tag_vdid).has_value())
    return fail(ErrorKind::malformed, "revocation list header has a field of the other list");
  if (internal) {
    CAS_TRY_ASSIGN(const ByteView vdid, fields.required(tag_vdid, sizeof(Vdid)));
    header.vdid = to_array<Vdid>(vdid);
  } else {
    CAS_TRY_ASSIGN(header.hosts, read_elements(fields, tag_hosts));
    CAS_TRY_ASSIGN(header.domains, read_elements(fields, tag_domains));
  }
  return header;
}

}  // namespace cas::smartpro
