// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/key_request.hpp"

#include "dcas/identity.hpp"

namespace cas::dcas {

namespace {

constexpr TlvTag tag_encrypted_ids = 0x80;
constexpr TlvTag tag_challenge = 0x81;
constexpr TlvTag tag_nonce = 0x82;
constexpr TlvTag tag_tp_cert_rsp = 0x83;
constexpr TlvTag tag_ap = 0x84;
constexpr TlvTag tag_tp_nonce = 0x85;

}  // namespace

Result<Bytes> SmKeyRequest::write(ByteView certificate, const crypto::RsaPrivateKey& signer) const {
  TlvWriter fields;
  fields.field(tag_encrypted_ids, encrypted_ids);
  if (suite == Suite::extended)
    fields.field(tag_challenge, challenge).field(tag_nonce, nonce).field(tag_tp_cert_rsp, tp_cert_rsp);
  return write_message(MessageType::key_request_sm, suite, fields.view(), &signer, certificate);
}

Result<SmKeyRequest> SmKeyRequest::parse(const Message& message) {
  SmKeyRequest request;
  request.suite = message.suite;
  CAS_TRY_ASSIGN(const TlvFields fields,
                 message.fields({tag_encrypted_ids}, {tag_encrypted_ids, tag_challenge, tag_nonce, tag_tp_cert_rsp}));
  CAS_TRY_ASSIGN(const ByteView ids, fields.required(tag_encrypted_ids, min_rsa_size, max_rsa_size));
  request.encrypted_ids = copy_of(ids);
  if (!message.is_extended()) return request;
  CAS_TRY_ASSIGN(request.challenge, required_array<nonce_size>(fields, tag_challenge));
  CAS_TRY_ASSIGN(request.nonce, required_array<nonce_size>(fields, tag_nonce));
  CAS_TRY_ASSIGN(const ByteView statement, fields.required(tag_tp_cert_rsp, 1, max_message_size));
  request.tp_cert_rsp = copy_of(statement);
  return request;
}

Result<Bytes> ApKeyRequest::write(const crypto::RsaPrivateKey& signer) const {
  TlvWriter fields;
  fields.field(tag_encrypted_ids, encrypted_ids).field(tag_ap, as_bytes(ap));
  if (suite == Suite::extended)
    fields.field(tag_challenge, challenge).field(tag_nonce, nonce).field(tag_tp_nonce, tp_nonce);
  return write_message(MessageType::key_request_ap, suite, fields.view(), &signer, {});
}

Result<ApKeyRequest> ApKeyRequest::parse(const Message& message) {
  ApKeyRequest request;
  request.suite = message.suite;
  CAS_TRY_ASSIGN(
      const TlvFields fields,
      message.fields({tag_encrypted_ids, tag_ap}, {tag_encrypted_ids, tag_ap, tag_challenge, tag_nonce, tag_tp_nonce}));
  CAS_TRY_ASSIGN(const ByteView ids, fields.required(tag_encrypted_ids, min_rsa_size, max_rsa_size));
  request.encrypted_ids = copy_of(ids);
  CAS_TRY_ASSIGN(const ByteView ap, fields.required(tag_ap, 1, max_identity_size));
  request.ap = as_text(ap);
  CAS_TRY(check_identity(request.ap));
  if (!message.is_extended()) return request;
  CAS_TRY_ASSIGN(request.challenge, required_array<nonce_size>(fields, tag_challenge));
  CAS_TRY_ASSIGN(request.nonce, required_array<nonce_size>(fields, tag_nonce));
  CAS_TRY_ASSIGN(request.tp_nonce, required_array<nonce_size>(fields, tag_tp_nonce));
  return request;
}

}  // namespace cas::dcas
