// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/digest.hpp"
#include "dcas/certificate_exchange.hpp"
#include "dcas/cwek_generation.hpp"
#include "dcas/key_response.hpp"
#include "dcas_world.hpp"

// What attackers have: recordings, keys that they should not have, and parties of their own.
namespace cas::test {

using namespace dcas;

/// A KPK with the TA's signature, as an SM gets to know it.
struct KnownKpk {
  SecretBytes kpk;
  Bytes ta_signature;
};

/// What a secure micro whose owner has opened it knows after a pairing: it reads the AP's answer by its private key.
inline KnownKpk kpk_of(const DcasWorld& world, const std::string& sm) {
  const auto message = value_or_throw(Message::parse(world.recording.ap_response, MessageType::key_response_ap));
  const auto response = value_or_throw(KeyResponse::parse(message));
  return {value_or_throw(decrypt_with(dcas_key(sm), response.encrypted_kpk, kpk_size)), response.ta_signature};
}

inline SecretBytes joined(const SecretBytes& a, const SecretBytes& b) {
  SecretBytes out(a.size() + b.size());
  std::ranges::copy(a.reveal(), out.reveal_mutable().begin());
  std::ranges::copy(b.reveal(), out.reveal_mutable().subspan(a.size()).begin());
  return out;
}

/// A forged SM: it holds the genuine certificate and key of `name`, and says to a TP what it likes.
class ForgedSm {
 public:
  ForgedSm(DcasWorld& world, const std::string& name)
      : credentials_(world.credentials(PartyKind::secure_micro, name)), random_(99) {}

  Result<Bytes> show_certificate(TransportProcessor& tp, Suite suite) {
    TpCertReq request;
    request.suite = suite;
    CAS_TRY_ASSIGN(request_, request.write(credentials_.certificate.der()));
    CAS_TRY_ASSIGN(response_, tp.receive_tp_cert_req(request_));
    return response_;
  }
  /// Runs CWEK generation with a KPK that it has from somewhere, and a RANDHMAC of its choice.
  Status bring_keys(TransportProcessor& tp, const std::string& tp_name, const KnownKpk& known,
                    const SecretBytes& rand_hmac) {
    const auto message = value_or_throw(Message::parse(response_, MessageType::tp_cert_rsp));
    const auto statement = value_or_throw(TpCertRsp::parse(message));
    CwekGenInfo info;
    info.suite = message.suite;
    info.ta_signature = known.ta_signature;
    const auto tp_key = value_or_throw(crypto::RsaCertificate::from_der(message.certificate)).public_key();
    info.encrypted_keys = value_or_throw(encrypt_for(tp_key, joined(known.kpk, rand_hmac)));
    const KeyInputs inputs{credentials_.id(), tp_name, known.kpk, rand_hmac};
    if (message.is_extended()) {
      info.transcript = value_or_throw(crypto::sha256({request_, response_}));
      const auto pair = value_or_throw(crypto::generate_dh_key_pair(crypto::DhGroup::p256, random_));
      info.ephemeral = pair.public_value;
      const auto shared = value_or_throw(crypto::derive_dh_shared(pair, statement.ephemeral));
      keys = value_or_throw(derive_extended_keys(inputs, shared, info.transcript));
    } else {
      keys = value_or_throw(derive_paper_keys(inputs));
    }
    CAS_TRY(tp.receive_cwek_gen_info(value_or_throw(info.write(credentials_.key))));
    return {};
  }

  ControlWordKeys keys;

 private:
  Credentials credentials_;
  SeededRandom random_;
  Bytes request_, response_;
};

/// What who has the private key of the TP reads in a CWEKGenInfo.
struct Overheard {
  SecretBytes kpk, rand_hmac;
};
inline Overheard overhear(ByteView cwek_gen_info, const crypto::RsaPrivateKey& tp_key) {
  const auto message = value_or_throw(Message::parse(cwek_gen_info, MessageType::cwek_gen_info));
  const auto info = value_or_throw(CwekGenInfo::parse(message));
  const auto plain = value_or_throw(decrypt_with(tp_key, info.encrypted_keys, kpk_size + rand_hmac_size));
  return {SecretBytes::copy_of(plain.reveal().first(kpk_size)), SecretBytes::copy_of(plain.reveal().subspan(kpk_size))};
}

/// Keys that an attacker knows, used to speak as the SM.
inline ControlWordSender sender_with(const ControlWordKeys& keys, Random& random) {
  return value_or_throw(ControlWordSender::create({keys.cwek.clone(), keys.hmac_key.clone()}, random));
}
inline ControlWordReceiver receiver_with(const ControlWordKeys& keys) {
  return value_or_throw(ControlWordReceiver::create({keys.cwek.clone(), keys.hmac_key.clone()}));
}
inline bool same(const SecretBytes& a, const SecretBytes& b) { return equal(a.reveal(), b.reveal()); }

}  // namespace cas::test
