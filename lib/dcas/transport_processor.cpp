// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/transport_processor.hpp"

#include <utility>

#include "crypto/digest.hpp"
#include "dcas/cwek_generation.hpp"
#include "dcas/key_response.hpp"
#include "dcas/key_schedule.hpp"
#include "dcas/roles.hpp"

namespace cas::dcas {

namespace {

ControlWordCounters sum(const ControlWordCounters& a, const ControlWordCounters& b) {
  return {a.accepted + b.accepted, a.forged + b.forged, a.replayed + b.replayed, a.malformed + b.malformed,
          a.too_early + b.too_early};
}

}  // namespace

Result<Bytes> TransportProcessor::receive_tp_cert_req(ByteView bytes) {
  run_.reset();
  CAS_TRY_ASSIGN(const Message message, Message::parse(bytes, MessageType::tp_cert_req));
  CAS_TRY_ASSIGN(const auto certificate, crypto::RsaCertificate::from_der(message.certificate));
  CAS_TRY(verify_party(credentials_.root, certificate, role_secure_micro, surroundings_.clock));
  CAS_TRY_ASSIGN(const Suite suite, suite_with(policy_, credentials_.root, credentials_.certificate, certificate));
  // An SM that asks by the extended suite takes the paper's from a TP that has no other; the reverse is a message that
  // was changed, or an SM that would like to have it easier.
  if (suite == Suite::extended && !message.is_extended())
    return fail(ErrorKind::refused,
                "the SM asks by the paper's suite, and its certificate says that it has the extended one: somebody has "
                "changed a message, or strict-paper is set at one of the two alone");
  CAS_TRY(TpCertReq::parse(message));  // its nonce is in the digest of the message
  Partner partner{certificate.common_name(), certificate.public_key()};
  CAS_TRY(surroundings_.memory.keep(partner));
  partner_ = std::move(partner);
  suite_ = suite;
  Run run;
  CAS_TRY_ASSIGN(Bytes response, answer_request(run, message));
  run_ = std::move(run);
  return response;
}

Result<Bytes> TransportProcessor::answer_request(Run& run, const Message& message) {
  TpCertRsp response;
  response.suite = suite_;
  if (suite_ == Suite::extended) {
    CAS_TRY_ASSIGN(response.request_digest, crypto::sha256(message.bytes));
    response.sm = partner_->id;
    CAS_TRY(surroundings_.random.fill(run.tp_nonce));
    response.tp_nonce = run.tp_nonce;
    CAS_TRY_ASSIGN(run.ephemeral, crypto::generate_dh_key_pair(crypto::DhGroup::p256, surroundings_.random));
    response.ephemeral = run.ephemeral->public_value;
  }
  CAS_TRY_ASSIGN(Bytes written, response.write(credentials_.certificate.der(), credentials_.key));
  run.messages = copy_of(message.bytes);
  append(run.messages, written);
  CAS_TRY_ASSIGN(run.transcript, crypto::sha256(run.messages));
  return written;
}

Result<Bytes> TransportProcessor::receive_cwek_gen_info(ByteView message) {
  // One CWEKGenInfo a TPCertReq: nonce and ephemeral key serve once.
  const auto run = std::exchange(run_, std::nullopt);
  if (!run) return fail(ErrorKind::refused, "a CWEKGenInfo out of its turn: the SM has to show its certificate first");
  return take_cwek_gen_info(*run, message);
}

Result<Bytes> TransportProcessor::take_cwek_gen_info(const Run& run, ByteView bytes) {
  CAS_TRY_ASSIGN(const Message message, Message::parse(bytes, MessageType::cwek_gen_info));
  CAS_TRY(message.verify(partner_->key));
  if (message.suite != suite_) return fail(ErrorKind::refused, "the SM goes on by another suite than was agreed on");
  CAS_TRY_ASSIGN(const CwekGenInfo info, CwekGenInfo::parse(message));
  if (message.is_extended() && info.transcript != run.transcript)
    return fail(ErrorKind::authentication_failed, "the SM goes on with another run than ours");
  CAS_TRY_ASSIGN(const SecretBytes plain,
                 decrypt_with(credentials_.key, info.encrypted_keys, kpk_size + rand_hmac_size));
  const SecretBytes kpk = SecretBytes::copy_of(plain.reveal().first(kpk_size));
  const SecretBytes rand_hmac = SecretBytes::copy_of(plain.reveal().subspan(kpk_size));
  const SecretBytes covered = signed_by_ta(suite_, kpk, partner_->id, credentials_.id(), run.tp_nonce);
  CAS_TRY(credentials_.root.public_key().verify(covered.reveal(), info.ta_signature));
  if (is_refusal(kpk))
    return fail(ErrorKind::refused, "the trusted authority says that " + partner_->id + " and " + credentials_.id() +
                                        " are no pair, or that they are in a network already");
  CAS_TRY_ASSIGN(ControlWordKeys keys, make_keys(run, kpk, rand_hmac, info.ephemeral));
  CAS_TRY_ASSIGN(const SecretBytes digests, keys.confirmation());
  CwekGenInfoCnfm confirmation;
  confirmation.suite = suite_;
  CAS_TRY_ASSIGN(confirmation.encrypted_digests, encrypt_for(partner_->key, digests));
  if (message.is_extended()) {
    CAS_TRY_ASSIGN(confirmation.transcript, crypto::sha256({run.messages, bytes}));
  }
  CAS_TRY_ASSIGN(Bytes written, confirmation.write(credentials_.key));
  before_ = counters();
  CAS_TRY_ASSIGN(receiver_, ControlWordReceiver::create(std::move(keys)));
  return written;
}

Result<ControlWordKeys> TransportProcessor::make_keys(const Run& run, const SecretBytes& kpk,
                                                      const SecretBytes& rand_hmac, ByteView sm_ephemeral) const {
  const KeyInputs inputs{partner_->id, credentials_.id(), kpk, rand_hmac};
  if (suite_ == Suite::paper) return derive_paper_keys(inputs);
  CAS_TRY_ASSIGN(const SecretBytes shared, crypto::derive_dh_shared(*run.ephemeral, sm_ephemeral));
  return derive_extended_keys(inputs, shared, run.transcript);
}

Result<ControlWord> TransportProcessor::open(ByteView word_message) {
  if (!receiver_) {
    ++before_.too_early;
    return fail(ErrorKind::refused, "a control word before SM and TP have agreed on keys");
  }
  return receiver_->open(word_message);
}

ControlWordCounters TransportProcessor::counters() const {
  return receiver_ ? sum(before_, receiver_->counters()) : before_;
}

}  // namespace cas::dcas
