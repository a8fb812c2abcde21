// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/authentication_proxy.hpp"

#include "crypto/digest.hpp"
#include "dcas/certificate_exchange.hpp"
#include "dcas/identity.hpp"
#include "dcas/key_request.hpp"
#include "dcas/key_response.hpp"
#include "dcas/key_schedule.hpp"
#include "dcas/roles.hpp"

namespace cas::dcas {

Result<AuthenticationProxy::Request> AuthenticationProxy::receive_request(ByteView bytes) {
  CAS_TRY_ASSIGN(const Message message, Message::parse(bytes, MessageType::key_request_sm));
  CAS_TRY_ASSIGN(auto certificate, crypto::RsaCertificate::from_der(message.certificate));
  CAS_TRY(verify_party(credentials_.root, certificate, role_secure_micro, clock_));
  CAS_TRY(message.verify(certificate.public_key()));
  CAS_TRY(check_suite_of_request(policy_, message.suite));
  CAS_TRY_ASSIGN(const SmKeyRequest asked, SmKeyRequest::parse(message));
  if (message.is_extended()) CAS_TRY(challenges_.redeem(asked.challenge));
  CAS_TRY_ASSIGN(const SecretBytes plain, credentials_.key.decrypt(asked.encrypted_ids, crypto::OaepHash::sha256));
  CAS_TRY_ASSIGN(const PairIdentities ids, PairIdentities::parse(plain.reveal()));
  // The paper does not say so, and without it any SM could ask in the name of any other.
  if (ids.sm != certificate.common_name())
    return fail(ErrorKind::authentication_failed,
                certificate.common_name() + " has asked in the name of another secure micro");
  Request request{message.suite, ids.sm, ids.tp, std::move(certificate), {}, {}, {}, {}};
  CAS_TRY_ASSIGN(request.digest, crypto::sha256(bytes));
  request.nonce = asked.nonce;
  if (message.is_extended()) CAS_TRY(check_statement(request, asked.tp_cert_rsp));
  return request;
}

/// That the TP itself has answered this SM: its name alone is known to everybody.
Status AuthenticationProxy::check_statement(Request& request, ByteView tp_cert_rsp) const {
  CAS_TRY_ASSIGN(const Message message, Message::parse(tp_cert_rsp, MessageType::tp_cert_rsp));
  CAS_TRY_ASSIGN(const auto certificate, crypto::RsaCertificate::from_der(message.certificate));
  CAS_TRY(verify_party(credentials_.root, certificate, role_transport_processor, clock_));
  CAS_TRY(message.verify(certificate.public_key()));
  CAS_TRY_ASSIGN(const TpCertRsp statement, TpCertRsp::parse(message));
  if (!message.is_extended() || statement.sm != request.sm || certificate.common_name() != request.tp)
    return fail(ErrorKind::authentication_failed,
                request.tp + " has not said that it knows the secure micro " + request.sm);
  request.tp_nonce = statement.tp_nonce;
  return {};
}

Result<Bytes> AuthenticationProxy::make_request(Request& request, ByteView challenge) {
  ApKeyRequest asked;
  asked.suite = request.suite;
  asked.ap = credentials_.id();
  if (request.suite == Suite::extended) {
    CAS_TRY_ASSIGN(asked.challenge, parse_challenge(challenge));
    asked.nonce = request.nonce;
    asked.tp_nonce = request.tp_nonce;
  }
  const SecretBytes ids = SecretBytes::copy_of(key_pairing_id(request.sm, request.tp));
  CAS_TRY_ASSIGN(asked.encrypted_ids, encrypt_for(credentials_.root.public_key(), ids));
  CAS_TRY_ASSIGN(Bytes written, asked.write(credentials_.key));
  CAS_TRY_ASSIGN(request.asked, crypto::sha256(written));
  return written;
}

Result<Bytes> AuthenticationProxy::receive_response(const Request& request, ByteView bytes) {
  CAS_TRY_ASSIGN(const Message message, Message::parse(bytes, MessageType::key_response_ta));
  CAS_TRY(message.verify(credentials_.root.public_key()));
  if (message.suite != request.suite)
    return fail(ErrorKind::refused, "the TA answers by another suite than was asked for");
  CAS_TRY_ASSIGN(KeyResponse response, KeyResponse::parse(message));
  if (message.is_extended() && response.request_digest != request.asked)
    return fail(ErrorKind::authentication_failed, "the TA's answer is to another request");
  CAS_TRY_ASSIGN(const SecretBytes kpk, decrypt_with(credentials_.key, response.encrypted_kpk, kpk_size));
  CAS_TRY_ASSIGN(response.encrypted_kpk, encrypt_for(request.sm_certificate.public_key(), kpk));
  response.request_digest = request.digest;
  return response.write(MessageType::key_response_ap, credentials_.key);
}

}  // namespace cas::dcas
