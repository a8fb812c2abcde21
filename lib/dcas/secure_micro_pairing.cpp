// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/secure_micro_pairing.hpp"

#include <algorithm>

#include "crypto/constant_time.hpp"
#include "crypto/digest.hpp"
#include "dcas/challenge.hpp"
#include "dcas/cwek_generation.hpp"
#include "dcas/identity.hpp"
#include "dcas/key_request.hpp"
#include "dcas/key_response.hpp"
#include "dcas/roles.hpp"

namespace cas::dcas {

Status SecureMicroPairing::check_step(Step step) {
  if (run_.step == step) return {};
  run_ = {};
  return fail(ErrorKind::refused, "a DCAS message out of its turn ends the run: start again with TPCertReq");
}

Result<Bytes> SecureMicroPairing::start() {
  run_ = {};
  TpCertReq request;
  // The partner is not known yet: what we ourselves have is said, and the TP's certificate decides.
  if (policy_ != SuitePolicy::strict_paper &&
      have_extended_suite(credentials_.root, credentials_.certificate, credentials_.certificate))
    request.suite = Suite::extended;
  CAS_TRY(surroundings_.random.fill(request.nonce));
  CAS_TRY_ASSIGN(run_.tp_cert_req, request.write(credentials_.certificate.der()));
  run_.nonce = request.nonce;
  run_.step = Step::certificate;
  return run_.tp_cert_req;
}

Status SecureMicroPairing::receive_tp_cert_rsp(ByteView message) {
  CAS_TRY(check_step(Step::certificate));
  Run run = std::exchange(run_, {});
  CAS_TRY(take_tp_cert_rsp(run, message));
  run.step = Step::request;
  run_ = std::move(run);
  return {};
}

Status SecureMicroPairing::take_tp_cert_rsp(Run& run, ByteView bytes) {
  CAS_TRY_ASSIGN(const Message message, Message::parse(bytes, MessageType::tp_cert_rsp));
  CAS_TRY_ASSIGN(const auto certificate, crypto::RsaCertificate::from_der(message.certificate));
  CAS_TRY(verify_party(credentials_.root, certificate, role_transport_processor, surroundings_.clock));
  CAS_TRY_ASSIGN(suite_, suite_with(policy_, credentials_.root, credentials_.certificate, certificate));
  if (message.suite != suite_)
    return fail(ErrorKind::refused,
                "the TP answers by another suite than the certificates say: somebody has changed a message, or "
                "strict-paper is set at one of the two alone");
  if (message.is_extended()) CAS_TRY(message.verify(certificate.public_key()));
  CAS_TRY_ASSIGN(run.statement, TpCertRsp::parse(message));
  if (message.is_extended()) {
    CAS_TRY_ASSIGN(const auto digest, crypto::sha256(run.tp_cert_req));
    if (run.statement.request_digest != digest || run.statement.sm != credentials_.id())
      return fail(ErrorKind::authentication_failed, "the TP's answer is to another request than ours");
  }
  run.tp_cert_rsp = copy_of(bytes);
  Partner partner{certificate.common_name(), certificate.public_key()};
  CAS_TRY(surroundings_.memory.keep(partner));
  partner_ = std::move(partner);
  return {};
}

Result<Bytes> SecureMicroPairing::make_key_request(const crypto::RsaCertificate& ap, ByteView challenge) {
  if (run_.step != Step::response) CAS_TRY(check_step(Step::request));
  Run run = std::exchange(run_, {});
  CAS_TRY_ASSIGN(Bytes request, write_key_request(run, ap, challenge));
  run.step = Step::response;
  run_ = std::move(run);
  return request;
}

Result<Bytes> SecureMicroPairing::write_key_request(Run& run, const crypto::RsaCertificate& ap, ByteView challenge) {
  CAS_TRY(verify_party(credentials_.root, ap, role_authentication_proxy, surroundings_.clock));
  SmKeyRequest request;
  request.suite = suite_;
  if (suite_ == Suite::extended) {
    if (!ap.has_role(capability_extended_suite))
      return fail(ErrorKind::refused, "the AP " + ap.common_name() + " has not the extended suite that SM and TP have");
    CAS_TRY_ASSIGN(request.challenge, parse_challenge(challenge));
    request.nonce = run.nonce;
    request.tp_cert_rsp = run.tp_cert_rsp;
  }
  const SecretBytes ids = SecretBytes::copy_of(key_pairing_id(credentials_.id(), partner_->id));
  CAS_TRY_ASSIGN(request.encrypted_ids, encrypt_for(ap.public_key(), ids));
  CAS_TRY_ASSIGN(Bytes written, request.write(credentials_.certificate.der(), credentials_.key));
  CAS_TRY_ASSIGN(run.request_digest, crypto::sha256(written));
  run.ap = ap;
  return written;
}

Result<Bytes> SecureMicroPairing::receive_key_response(ByteView message) {
  CAS_TRY(check_step(Step::response));
  Run run = std::exchange(run_, {});
  CAS_TRY_ASSIGN(Bytes info, take_key_response(run, message));
  run.step = Step::confirmation;
  run_ = std::move(run);
  return info;
}

Result<Bytes> SecureMicroPairing::take_key_response(Run& run, ByteView bytes) {
  CAS_TRY_ASSIGN(const Message message, Message::parse(bytes, MessageType::key_response_ap));
  CAS_TRY(message.verify(run.ap->public_key()));
  if (message.suite != suite_) return fail(ErrorKind::refused, "the AP answers by another suite than was asked for");
  CAS_TRY_ASSIGN(const KeyResponse response, KeyResponse::parse(message));
  if (message.is_extended() && response.request_digest != run.request_digest)
    return fail(ErrorKind::authentication_failed, "the AP's answer is to another request than ours");
  CAS_TRY_ASSIGN(const SecretBytes kpk, decrypt_with(credentials_.key, response.encrypted_kpk, kpk_size));
  const SecretBytes covered = signed_by_ta(suite_, kpk, credentials_.id(), partner_->id, run.statement.tp_nonce);
  CAS_TRY(credentials_.root.public_key().verify(covered.reveal(), response.ta_signature));
  if (is_refusal(kpk))
    return fail(ErrorKind::refused, "the trusted authority says that " + credentials_.id() + " and " + partner_->id +
                                        " are no pair, or that they are in a network already");
  return generate_keys(run, kpk, response.ta_signature);
}

Result<Bytes> SecureMicroPairing::generate_keys(Run& run, const SecretBytes& kpk, const Bytes& ta_signature) {
  CAS_TRY_ASSIGN(const SecretBytes rand_hmac, random_secret(surroundings_.random, rand_hmac_size));
  const KeyInputs inputs{credentials_.id(), partner_->id, kpk, rand_hmac};
  CwekGenInfo info;
  info.suite = suite_;
  info.ta_signature = ta_signature;
  if (suite_ == Suite::extended) {
    CAS_TRY_ASSIGN(info.transcript, crypto::sha256({run.tp_cert_req, run.tp_cert_rsp}));
    CAS_TRY_ASSIGN(const auto pair, crypto::generate_dh_key_pair(crypto::DhGroup::p256, surroundings_.random));
    info.ephemeral = pair.public_value;
    CAS_TRY_ASSIGN(const SecretBytes shared, crypto::derive_dh_shared(pair, run.statement.ephemeral));
    CAS_TRY_ASSIGN(run.keys, derive_extended_keys(inputs, shared, info.transcript));
  } else {
    CAS_TRY_ASSIGN(run.keys, derive_paper_keys(inputs));
  }
  SecretBytes plain(kpk_size + rand_hmac_size);
  std::ranges::copy(kpk.reveal(), plain.reveal_mutable().begin());
  std::ranges::copy(rand_hmac.reveal(), plain.reveal_mutable().subspan(kpk_size).begin());
  CAS_TRY_ASSIGN(info.encrypted_keys, encrypt_for(partner_->key, plain));
  CAS_TRY_ASSIGN(Bytes written, info.write(credentials_.key));
  CAS_TRY_ASSIGN(run.confirmed, crypto::sha256({run.tp_cert_req, run.tp_cert_rsp, written}));
  return written;
}

Status SecureMicroPairing::receive_confirmation(ByteView message) {
  CAS_TRY(check_step(Step::confirmation));
  Run run = std::exchange(run_, {});
  return take_confirmation(run, message);
}

Status SecureMicroPairing::take_confirmation(Run& run, ByteView bytes) {
  CAS_TRY_ASSIGN(const Message message, Message::parse(bytes, MessageType::cwek_gen_info_cnfm));
  CAS_TRY(message.verify(partner_->key));
  if (message.suite != suite_) return fail(ErrorKind::refused, "the TP confirms by another suite than was agreed on");
  CAS_TRY_ASSIGN(const CwekGenInfoCnfm confirmation, CwekGenInfoCnfm::parse(message));
  if (message.is_extended() && confirmation.transcript != run.confirmed)
    return fail(ErrorKind::authentication_failed, "the TP confirms another run than ours");
  CAS_TRY_ASSIGN(const SecretBytes digests,
                 decrypt_with(credentials_.key, confirmation.encrypted_digests, confirmation_size));
  CAS_TRY_ASSIGN(const SecretBytes expected, run.keys->confirmation());
  if (!crypto::constant_time_equal(digests.reveal(), expected.reveal()))
    return fail(ErrorKind::authentication_failed, "the TP has made other keys than we have");
  CAS_TRY_ASSIGN(sender_, ControlWordSender::create(std::move(*run.keys), surroundings_.random));
  return {};
}

Result<Bytes> SecureMicroPairing::seal(const ControlWord& word) {
  if (!sender_) return fail(ErrorKind::refused, "no control word leaves the SM before the TP has confirmed the keys");
  return sender_->seal(word);
}

}  // namespace cas::dcas
