// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/signed_fields.hpp"

namespace cas::smartpro {

namespace {

Bytes labelled(std::string_view label, ByteView bytes) {
  Bytes message = copy_of(as_bytes(label));
  append(message, bytes);
  return message;
}

}  // namespace

Result<Bytes> sign_fields(TlvWriter fields, std::string_view label, const crypto::SigningKey& key) {
  CAS_TRY_ASSIGN(const Bytes signature, key.sign(labelled(label, fields.view())));
  return fields.field(tag_fields_signature, signature).take();
}

Result<SignedFields> SignedFields::parse(ByteView bytes, std::size_t max_size, const char* what) {
  if (bytes.size() > max_size) return fail(ErrorKind::malformed, std::string(what) + " is too long");
  CAS_TRY_ASSIGN(TlvFields fields, TlvFields::parse(bytes, what));
  CAS_TRY_ASSIGN(const ByteView signature, fields.required(tag_fields_signature, 8, 80));
  // It covers all before it: nothing may stand behind it.
  if (fields.all().back().tag != tag_fields_signature)
    return fail(ErrorKind::malformed, std::string(what) + " goes on after its signature");
  const ByteView signed_bytes =
      bytes.first(bytes.size() - tlv_header(tag_fields_signature, signature.size()).size() - signature.size());
  return SignedFields{std::move(fields), signature, signed_bytes};
}

Status SignedFields::verify(std::string_view label, ByteView public_key) const {
  return crypto::verify_signature(public_key, labelled(label, signed_bytes), signature);
}

}  // namespace cas::smartpro
