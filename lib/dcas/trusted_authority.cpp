// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/trusted_authority.hpp"

#include "crypto/digest.hpp"
#include "crypto/fips186_prf.hpp"
#include "dcas/credentials.hpp"
#include "dcas/identity.hpp"
#include "dcas/key_request.hpp"
#include "dcas/key_response.hpp"
#include "dcas/roles.hpp"

namespace cas::dcas {

Result<TrustedAuthority> TrustedAuthority::create(crypto::RsaCertificate root, crypto::RsaPrivateKey key,
                                                  SuitePolicy policy, Random& random, Clock& clock) {
  CAS_TRY(root.verify_is_root());
  if (!key.belongs_to(root.der()))
    return fail(ErrorKind::invalid_argument, "certificate and key of the trusted authority do not belong together");
  return TrustedAuthority(std::move(root), std::move(key), policy, random, clock);
}

Result<TrustedAuthority::OpenRequest> TrustedAuthority::open(ByteView bytes, PairingRegister& devices) {
  CAS_TRY_ASSIGN(const Message message, Message::parse(bytes, MessageType::key_request_ap));
  // Read before the signature is verified: the AP's name tells by which key.
  CAS_TRY_ASSIGN(const ApKeyRequest asked, ApKeyRequest::parse(message));
  CAS_TRY_ASSIGN(const auto proxy, devices.proxy(asked.ap));
  CAS_TRY(verify_party(root_, proxy, role_authentication_proxy, clock_));
  CAS_TRY(message.verify(proxy.public_key()));
  CAS_TRY(check_suite_of_request(policy_, message.suite));
  if (message.is_extended()) CAS_TRY(challenges_.redeem(asked.challenge));
  CAS_TRY_ASSIGN(const SecretBytes plain, key_.decrypt(asked.encrypted_ids, crypto::OaepHash::sha256));
  CAS_TRY_ASSIGN(const PairIdentities ids, PairIdentities::parse(plain.reveal()));
  OpenRequest request{message.suite, {ids.sm, ids.tp, asked.ap, asked.nonce}, proxy.public_key(), {}, asked.tp_nonce};
  CAS_TRY_ASSIGN(request.digest, crypto::sha256(bytes));
  // The paper's requests have no name of their own: each is another one.
  if (!message.is_extended()) CAS_TRY(random_->fill(request.pair.request));
  return request;
}

Result<SecretBytes> TrustedAuthority::make_kpk(const OpenRequest& request, const SecretBytes& device_keys) {
  for (;;) {
    CAS_TRY_ASSIGN(const SecretBytes rand, crypto::fips186_random(*random_, rand_size));
    CAS_TRY_ASSIGN(SecretBytes kpk, derive_kpk(device_keys, request.pair.sm, request.pair.tp, rand));
    if (!is_refusal(kpk)) return kpk;
  }
}

Result<Bytes> TrustedAuthority::answer(const OpenRequest& request, const PairingRegister::Decision& decision) {
  SecretBytes kpk = refusal_kpk();
  if (decision.is_pair) {
    CAS_TRY_ASSIGN(kpk, make_kpk(request, decision.device_keys));
  }
  KeyResponse response;
  response.suite = request.suite;
  CAS_TRY_ASSIGN(response.encrypted_kpk, encrypt_for(request.ap_key, kpk));
  const SecretBytes covered = signed_by_ta(request.suite, kpk, request.pair.sm, request.pair.tp, request.tp_nonce);
  CAS_TRY_ASSIGN(response.ta_signature, key_.sign(covered.reveal()));
  response.request_digest = request.digest;
  return response.write(MessageType::key_response_ta, key_);
}

Result<Bytes> TrustedAuthority::handle(ByteView message, PairingRegister& devices) {
  CAS_TRY_ASSIGN(const OpenRequest request, open(message, devices));
  CAS_TRY_ASSIGN(const PairingRegister::Decision decision, devices.pair(request.pair));
  return answer(request, decision);
}

}  // namespace cas::dcas
