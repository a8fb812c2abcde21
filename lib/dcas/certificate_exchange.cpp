// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/certificate_exchange.hpp"

#include "dcas/identity.hpp"

namespace cas::dcas {

namespace {

constexpr TlvTag tag_nonce = 0x80;

constexpr TlvTag tag_request_digest = 0x80;
constexpr TlvTag tag_sm = 0x81;
constexpr TlvTag tag_tp_nonce = 0x82;
constexpr TlvTag tag_ephemeral = 0x83;

}  // namespace

Result<Bytes> TpCertReq::write(ByteView certificate) const {
  TlvWriter fields;
  if (suite == Suite::extended) fields.field(tag_nonce, nonce);
  return write_message(MessageType::tp_cert_req, suite, fields.view(), nullptr, certificate);
}

Result<TpCertReq> TpCertReq::parse(const Message& message) {
  TpCertReq request;
  request.suite = message.suite;
  CAS_TRY_ASSIGN(const TlvFields fields, message.fields({}, {tag_nonce}));
  if (!message.is_extended()) return request;
  CAS_TRY_ASSIGN(request.nonce, required_array<nonce_size>(fields, tag_nonce));
  return request;
}

Result<Bytes> TpCertRsp::write(ByteView certificate, const crypto::RsaPrivateKey& signer) const {
  if (suite == Suite::paper) return write_message(MessageType::tp_cert_rsp, suite, {}, nullptr, certificate);
  TlvWriter fields;
  fields.field(tag_request_digest, request_digest).field(tag_sm, as_bytes(sm));
  fields.field(tag_tp_nonce, tp_nonce).field(tag_ephemeral, ephemeral);
  return write_message(MessageType::tp_cert_rsp, suite, fields.view(), &signer, certificate);
}

Result<TpCertRsp> TpCertRsp::parse(const Message& message) {
  TpCertRsp response;
  response.suite = message.suite;
  CAS_TRY_ASSIGN(const TlvFields fields, message.fields({}, {tag_request_digest, tag_sm, tag_tp_nonce, tag_ephemeral}));
  if (!message.is_extended()) return response;
  CAS_TRY_ASSIGN(response.request_digest, required_array<crypto::sha256_size>(fields, tag_request_digest));
  CAS_TRY_ASSIGN(const ByteView sm, fields.required(tag_sm, 1, max_identity_size));
  response.sm = as_text(sm);
  CAS_TRY(check_identity(response.sm));
  CAS_TRY_ASSIGN(response.tp_nonce, required_array<nonce_size>(fields, tag_tp_nonce));
  CAS_TRY_ASSIGN(const ByteView ephemeral, fields.required(tag_ephemeral, ephemeral_size));
  response.ephemeral = copy_of(ephemeral);
  return response;
}

}  // namespace cas::dcas
