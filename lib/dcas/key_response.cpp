// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/key_response.hpp"

#include <algorithm>

#include "dcas/identity.hpp"

namespace cas::dcas {

namespace {

constexpr TlvTag tag_encrypted_kpk = 0x80;
constexpr TlvTag tag_ta_signature = 0x81;
constexpr TlvTag tag_request_digest = 0x82;

}  // namespace

Result<Bytes> KeyResponse::write(MessageType hop, const crypto::RsaPrivateKey& signer) const {
  TlvWriter fields;
  fields.field(tag_encrypted_kpk, encrypted_kpk).field(tag_ta_signature, ta_signature);
  if (suite == Suite::extended) fields.field(tag_request_digest, request_digest);
  return write_message(hop, suite, fields.view(), &signer, {});
}

Result<KeyResponse> KeyResponse::parse(const Message& message) {
  KeyResponse response;
  response.suite = message.suite;
  CAS_TRY_ASSIGN(const TlvFields fields, message.fields({tag_encrypted_kpk, tag_ta_signature},
                                                        {tag_encrypted_kpk, tag_ta_signature, tag_request_digest}));
  CAS_TRY_ASSIGN(const ByteView kpk, fields.required(tag_encrypted_kpk, min_rsa_size, max_rsa_size));
  response.encrypted_kpk = copy_of(kpk);
  CAS_TRY_ASSIGN(const ByteView signature, fields.required(tag_ta_signature, min_rsa_size, max_rsa_size));
  response.ta_signature = copy_of(signature);
  if (!message.is_extended()) return response;
  CAS_TRY_ASSIGN(response.request_digest, required_array<crypto::sha256_size>(fields, tag_request_digest));
  return response;
}

SecretBytes signed_by_ta(Suite suite, const SecretBytes& kpk, std::string_view sm, std::string_view tp,
                         const Nonce& tp_nonce) {
  if (suite == Suite::paper) return kpk.clone();
  const Bytes ids = key_pairing_id(sm, tp);
  SecretBytes out(kpk.size() + ids.size() + tp_nonce.size());
  auto at = std::ranges::copy(kpk.reveal(), out.reveal_mutable().begin()).out;
  at = std::ranges::copy(ids, at).out;
  std::ranges::copy(tp_nonce, at);
  return out;
}

}  // namespace cas::dcas
