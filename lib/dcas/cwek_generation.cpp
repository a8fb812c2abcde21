// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/cwek_generation.hpp"

namespace cas::dcas {

namespace {

constexpr TlvTag tag_encrypted_keys = 0x80;
constexpr TlvTag tag_ta_signature = 0x81;
constexpr TlvTag tag_ephemeral = 0x82;
constexpr TlvTag tag_transcript = 0x83;

constexpr TlvTag tag_encrypted_digests = 0x80;
constexpr TlvTag tag_confirmed_transcript = 0x81;

}  // namespace

Result<Bytes> CwekGenInfo::write(const crypto::RsaPrivateKey& signer) const {
  TlvWriter fields;
  fields.field(tag_encrypted_keys, encrypted_keys).field(tag_ta_signature, ta_signature);
  if (suite == Suite::extended) fields.field(tag_ephemeral, ephemeral).field(tag_transcript, transcript);
  return write_message(MessageType::cwek_gen_info, suite, fields.view(), &signer, {});
}

Result<CwekGenInfo> CwekGenInfo::parse(const Message& message) {
  CwekGenInfo info;
  info.suite = message.suite;
  CAS_TRY_ASSIGN(const TlvFields fields,
                 message.fields({tag_encrypted_keys, tag_ta_signature},
                                {tag_encrypted_keys, tag_ta_signature, tag_ephemeral, tag_transcript}));
  CAS_TRY_ASSIGN(const ByteView keys, fields.required(tag_encrypted_keys, min_rsa_size, max_rsa_size));
  info.encrypted_keys = copy_of(keys);
  CAS_TRY_ASSIGN(const ByteView signature, fields.required(tag_ta_signature, min_rsa_size, max_rsa_size));
  info.ta_signature = copy_of(signature);
  if (!message.is_extended()) return info;
  CAS_TRY_ASSIGN(const ByteView ephemeral, fields.required(tag_ephemeral, ephemeral_size));
  info.ephemeral = copy_of(ephemeral);
  CAS_TRY_ASSIGN(info.transcript, required_array<crypto::sha256_size>(fields, tag_transcript));
  return info;
}

Result<Bytes> CwekGenInfoCnfm::write(const crypto::RsaPrivateKey& signer) const {
  TlvWriter fields;
  fields.field(tag_encrypted_digests, encrypted_digests);
  if (suite == Suite::extended) fields.field(tag_confirmed_transcript, transcript);
  return write_message(MessageType::cwek_gen_info_cnfm, suite, fields.view(), &signer, {});
}

Result<CwekGenInfoCnfm> CwekGenInfoCnfm::parse(const Message& message) {
  CwekGenInfoCnfm confirmation;
  confirmation.suite = message.suite;
  CAS_TRY_ASSIGN(const TlvFields fields,
                 message.fields({tag_encrypted_digests}, {tag_encrypted_digests, tag_confirmed_transcript}));
  CAS_TRY_ASSIGN(const ByteView digests, fields.required(tag_encrypted_digests, min_rsa_size, max_rsa_size));
  confirmation.encrypted_digests = copy_of(digests);
  if (!message.is_extended()) return confirmation;
  CAS_TRY_ASSIGN(confirmation.transcript, required_array<crypto::sha256_size>(fields, tag_confirmed_transcript));
  return confirmation;
}

}  // namespace cas::dcas
