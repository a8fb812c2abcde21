// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/bridge_record.hpp"

#include "smartpro/authorisation_mask.hpp"
#include "smartpro/signed_fields.hpp"

namespace cas::smartpro {

namespace {

constexpr TlvTag tag_source = 0x80;
constexpr TlvTag tag_simple_bridge = 0x81;
constexpr TlvTag tag_index = 0x82;
constexpr TlvTag tag_destination = 0x83;

constexpr std::string_view label = "SmartPRO bridge record";
constexpr const char* what = "bridge record";

Result<BridgeRecord> read_record(const TlvFields& fields) {
  CAS_TRY(fields.check_known({tag_source, tag_simple_bridge, tag_index, tag_destination, tag_fields_signature}));
  BridgeRecord record;
  CAS_TRY_ASSIGN(const ByteView source, fields.required(tag_source, sizeof(Vdid)));
  record.source = to_array<Vdid>(source);
  CAS_TRY_ASSIGN(record.simple_bridge, fields.required_number(tag_simple_bridge, 8));
  CAS_TRY_ASSIGN(const std::uint64_t index, fields.required_number(tag_index, 4));
  if (index < first_bridge_index || index >= max_mask_bits)
    return fail(ErrorKind::malformed, "bridge record has an index that no simple bridge has");
  record.index = static_cast<std::uint32_t>(index);
  CAS_TRY_ASSIGN(const ByteView destination, fields.required(tag_destination, sizeof(Vdid)));
  record.destination = to_array<Vdid>(destination);
  return record;
}

}  // namespace

Result<Bytes> BridgeRecord::encode_signed(const crypto::SigningKey& key) const {
  TlvWriter writer;
  writer.field(tag_source, source)
      .number(tag_simple_bridge, simple_bridge, 8)
      .number(tag_index, index, 4)
      .field(tag_destination, destination);
  return sign_fields(std::move(writer), label, key);
}

Result<BridgeRecord> BridgeRecord::parse(ByteView bytes) {
  CAS_TRY_ASSIGN(const SignedFields parts, SignedFields::parse(bytes, max_bridge_record_size, what));
  return read_record(parts.fields);
}

Result<BridgeRecord> BridgeRecord::parse_signed(ByteView bytes, ByteView public_key) {
  CAS_TRY_ASSIGN(const SignedFields parts, SignedFields::parse(bytes, max_bridge_record_size, what));
  CAS_TRY(parts.verify(label, public_key));
  return read_record(parts.fields);
}

}  // namespace cas::smartpro
