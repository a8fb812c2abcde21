// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas_world.hpp"

#include "dcas/roles.hpp"

namespace cas::test {

using dcas::PartyKind;

DcasWorld::DcasWorld(dcas::SuitePolicy policy, bool has_extended_suite) : policy_(policy) {
  authority_ = std::make_unique<dcas::CertificateAuthority>(
      value_or_throw(dcas::CertificateAuthority::create("TA", dcas_key("ta"), has_extended_suite, clock, random)));
  ta_ = std::make_unique<dcas::TrustedAuthority>(
      value_or_throw(dcas::TrustedAuthority::create(authority_->root(), authority_->key(), policy, random, clock)));
  dcas::Credentials proxy = credentials(PartyKind::authentication_proxy, "ap");
  book.proxies.emplace("ap", proxy.certificate);
  ap_ = std::make_unique<dcas::AuthenticationProxy>(std::move(proxy), policy, random, clock);
  for (const char* id : {"sm-a", "sm-b", "tp-a", "tp-b"}) book.devices[id] = {};
}

dcas::Credentials DcasWorld::credentials(PartyKind kind, const std::string& name) {
  const crypto::RsaPrivateKey key = dcas_key(name);
  const auto certificate = value_or_throw(authority_->issue(kind, name, value_or_throw(key.public_key())));
  const std::string_view role = kind == PartyKind::secure_micro          ? dcas::role_secure_micro
                                : kind == PartyKind::transport_processor ? dcas::role_transport_processor
                                                                         : dcas::role_authentication_proxy;
  return value_or_throw(dcas::Credentials::create(authority_->root(), certificate, key, role, &clock));
}

dcas::SecureMicroPairing DcasWorld::secure_micro(const std::string& name, dcas::SuitePolicy policy) {
  return {credentials(PartyKind::secure_micro, name), policy, {random, &clock, sm_memory}};
}

dcas::TransportProcessor DcasWorld::transport_processor(const std::string& name, dcas::SuitePolicy policy) {
  return {credentials(PartyKind::transport_processor, name), policy, {random, &clock, tp_memory}};
}

Result<Bytes> DcasWorld::ask(ByteView sm_request) {
  recording.sm_request = copy_of(sm_request);
  CAS_TRY_ASSIGN(auto request, ap().receive_request(sm_request));
  CAS_TRY_ASSIGN(recording.ta_challenge, ta().issue_challenge());
  CAS_TRY_ASSIGN(recording.ap_request, ap().make_request(request, recording.ta_challenge));
  CAS_TRY_ASSIGN(recording.ta_response, ta().handle(recording.ap_request, book));
  return ap().receive_response(request, recording.ta_response);
}

Status DcasWorld::pair(dcas::SecureMicroPairing& sm, dcas::TransportProcessor& tp) {
  CAS_TRY_ASSIGN(recording.tp_cert_req, sm.start());
  CAS_TRY_ASSIGN(recording.tp_cert_rsp, tp.receive_tp_cert_req(recording.tp_cert_req));
  CAS_TRY(sm.receive_tp_cert_rsp(recording.tp_cert_rsp));
  CAS_TRY_ASSIGN(recording.ap_challenge, ap().issue_challenge());
  CAS_TRY_ASSIGN(const Bytes request, sm.make_key_request(ap().certificate(), recording.ap_challenge));
  CAS_TRY_ASSIGN(recording.ap_response, ask(request));
  CAS_TRY_ASSIGN(recording.cwek_gen_info, sm.receive_key_response(recording.ap_response));
  CAS_TRY_ASSIGN(recording.cwek_gen_info_cnfm, tp.receive_cwek_gen_info(recording.cwek_gen_info));
  return sm.receive_confirmation(recording.cwek_gen_info_cnfm);
}

}  // namespace cas::test
