// SPDX-License-Identifier: LGPL-2.1-or-later
// The wire, against runs of another implementation (tests/vectors/dcas/runs.txt), and the derivations of tables 2 and 3.
#include "dcas/message.hpp"

#include <gtest/gtest.h>

#include "base/writer.hpp"
#include "crypto/digest.hpp"
#include "dcas/certificate_exchange.hpp"
#include "dcas/challenge.hpp"
#include "dcas/cwek_generation.hpp"
#include "dcas/identity.hpp"
#include "dcas/key_request.hpp"
#include "dcas/key_response.hpp"
#include "dcas/roles.hpp"
#include "dcas_world.hpp"
#include "support/vector_file.hpp"

namespace cas::dcas {
namespace {

using test::dcas_key;
using test::value_or_throw;

Message parsed(const Bytes& bytes, MessageType type) { return value_or_throw(Message::parse(bytes, type)); }
std::string text(const SecretBytes& secret) { return to_hex(secret.reveal()); }
crypto::RsaPublicKey public_key(const std::string& name) { return value_or_throw(dcas_key(name).public_key()); }

void check_requests(test::Vector& vector, bool is_extended, const Bytes& tp_cert_rsp, Nonce tp_nonce) {
  const Bytes sm_bytes = vector.hex("sm_request"), ap_bytes = vector.hex("ap_request");
  const Message of_sm = parsed(sm_bytes, MessageType::key_request_sm);
  EXPECT_OK(of_sm.verify(public_key("sm-a")));
  const auto sm_request = value_or_throw(SmKeyRequest::parse(of_sm));
  const Bytes ids = key_pairing_id("sm-a", "tp-a");
  EXPECT_EQ(text(value_or_throw(decrypt_with(dcas_key("ap"), sm_request.encrypted_ids, ids.size()))), to_hex(ids));
  const Message of_ap = parsed(ap_bytes, MessageType::key_request_ap);
  EXPECT_OK(of_ap.verify(public_key("ap")));
  const auto ap_request = value_or_throw(ApKeyRequest::parse(of_ap));
  EXPECT_EQ(ap_request.ap, "ap");
  EXPECT_EQ(text(value_or_throw(decrypt_with(dcas_key("ta"), ap_request.encrypted_ids, ids.size()))), to_hex(ids));
  if (!is_extended) return;
  EXPECT_EQ(sm_request.tp_cert_rsp, tp_cert_rsp);
  EXPECT_EQ(ap_request.nonce, sm_request.nonce);
  EXPECT_EQ(ap_request.tp_nonce, tp_nonce);
}

void check_responses(test::Vector& vector, Suite suite, const SecretBytes& kpk, Nonce tp_nonce) {
  const SecretBytes covered = signed_by_ta(suite, kpk, "sm-a", "tp-a", tp_nonce);
  for (const auto& [name, type, signer, recipient] :
       {std::tuple{"ta_response", MessageType::key_response_ta, "ta", "ap"},
        std::tuple{"ap_response", MessageType::key_response_ap, "ap", "sm-a"}}) {
    SCOPED_TRACE(name);
    const Bytes bytes = vector.hex(name);
    const Message message = parsed(bytes, type);
    EXPECT_OK(message.verify(public_key(signer)));
    const auto response = value_or_throw(KeyResponse::parse(message));
    EXPECT_EQ(text(value_or_throw(decrypt_with(dcas_key(recipient), response.encrypted_kpk, kpk_size))), text(kpk));
    EXPECT_OK(public_key("ta").verify(covered.reveal(), response.ta_signature));
  }
}

TEST(DcasMessages, ARunOfAnotherImplementationIsUnderstood) {
  test::for_each_vector("dcas/runs.txt", [](test::Vector& vector) {
    const Suite suite = static_cast<Suite>(vector.number("suite"));
    const bool is_extended = suite == Suite::extended;
    const auto root = value_or_throw(crypto::RsaCertificate::from_der(vector.hex("certificate_ta")));
    for (const auto& [name, role] :
         {std::pair{"certificate_sm_a", role_secure_micro}, std::pair{"certificate_tp_a", role_transport_processor},
          std::pair{"certificate_ap", role_authentication_proxy}})
      EXPECT_OK(verify_party(root, value_or_throw(crypto::RsaCertificate::from_der(vector.hex(name))), role, nullptr));

    const SecretBytes kpk = vector.secret("kpk"), rand_hmac = vector.secret("rand_hmac");
    EXPECT_EQ(text(value_or_throw(derive_kpk(vector.secret("device_keys"), "sm-a", "tp-a", vector.secret("rand")))),
              text(kpk));

    const Bytes request = vector.hex("tp_cert_req"), response = vector.hex("tp_cert_rsp");
    const Message tp_message = parsed(response, MessageType::tp_cert_rsp);
    const auto statement = value_or_throw(TpCertRsp::parse(tp_message));
    EXPECT_OK(TpCertReq::parse(parsed(request, MessageType::tp_cert_req)));
    if (is_extended) {
      EXPECT_OK(tp_message.verify(public_key("tp-a")));
      EXPECT_EQ(statement.request_digest, value_or_throw(crypto::sha256(request)));
      EXPECT_EQ(statement.sm, "sm-a");
    }
    check_requests(vector, is_extended, response, statement.tp_nonce);
    check_responses(vector, suite, kpk, statement.tp_nonce);

    const Bytes info_bytes = vector.hex("cwek_gen_info"), cnfm_bytes = vector.hex("cwek_gen_info_cnfm");
    const Message info_message = parsed(info_bytes, MessageType::cwek_gen_info);
    EXPECT_OK(info_message.verify(public_key("sm-a")));
    const auto info = value_or_throw(CwekGenInfo::parse(info_message));
    EXPECT_EQ(text(value_or_throw(decrypt_with(dcas_key("tp-a"), info.encrypted_keys, kpk_size + rand_hmac_size))),
              text(kpk) + text(rand_hmac));
    const auto transcript = value_or_throw(crypto::sha256({request, response}));
    const SecretBytes shared = vector.secret("shared");
    if (is_extended) {
      EXPECT_EQ(info.transcript, transcript);
    }
    const KeyInputs inputs{"sm-a", "tp-a", kpk, rand_hmac};
    const ControlWordKeys keys =
        value_or_throw(is_extended ? derive_extended_keys(inputs, shared, transcript) : derive_paper_keys(inputs));
    EXPECT_EQ(text(keys.cwek), to_hex(vector.hex("cwek")));
    EXPECT_EQ(text(keys.hmac_key), to_hex(vector.hex("hmac_key")));

    const Message cnfm_message = parsed(cnfm_bytes, MessageType::cwek_gen_info_cnfm);
    EXPECT_OK(cnfm_message.verify(public_key("tp-a")));
    const auto confirmation = value_or_throw(CwekGenInfoCnfm::parse(cnfm_message));
    EXPECT_EQ(text(value_or_throw(decrypt_with(dcas_key("sm-a"), confirmation.encrypted_digests, confirmation_size))),
              text(value_or_throw(keys.confirmation())));
    if (is_extended) {
      EXPECT_EQ(confirmation.transcript, value_or_throw(crypto::sha256({request, response, info_bytes})));
    }

    auto receiver = value_or_throw(ControlWordReceiver::create({keys.cwek.clone(), keys.hmac_key.clone()}));
    const auto first = value_or_throw(receiver.open(vector.hex("word_1")));
    EXPECT_EQ(first.service, 7);
    EXPECT_EQ(text(first.word), "0001020304050607");
    const auto second = value_or_throw(receiver.open(vector.hex("word_2")));
    EXPECT_EQ(second.service, 0x1234);
    EXPECT_EQ(second.parity, WordParity::odd);
    EXPECT_EQ(text(second.word), "000102030405060708090a0b0c0d0e0f");
  });
}

TEST(DcasMessages, AreOfTheFormAndNothingElse) {
  const Bytes good = value_or_throw(write_challenge(Nonce{1, 2, 3}));
  EXPECT_EQ(value_or_throw(parse_challenge(good)), (Nonce{1, 2, 3}));
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(parse_challenge(ByteView(good).first(size)).has_value()) << size;
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FAILS(parse_challenge(longer), ErrorKind::malformed);
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes changed = good;
    changed[at] = value;
    return parse_challenge(changed);
  };
  EXPECT_FAILS(with(0, 0x45), ErrorKind::malformed);  // magic
  EXPECT_FAILS(with(2, 2), ErrorKind::unsupported);   // version
  EXPECT_FAILS(with(3, 1), ErrorKind::malformed);     // type
  EXPECT_FAILS(with(4, 3), ErrorKind::unsupported);   // suite
  EXPECT_FAILS(with(4, 0), ErrorKind::unsupported);
  EXPECT_FAILS(with(4, 1), ErrorKind::malformed);       // there is no challenge in the paper's suite
  EXPECT_FAILS(with(5, 1), ErrorKind::malformed);       // reserved
  EXPECT_FAILS(with(8, 0x81), ErrorKind::unsupported);  // another tag
  EXPECT_FAILS(Message::parse(Bytes(max_message_size + 1), MessageType::challenge), ErrorKind::malformed);
  EXPECT_FAILS(write_message(MessageType::challenge, Suite::extended, Bytes(max_message_size), nullptr, {}),
               ErrorKind::invalid_argument);
}

TEST(DcasMessages, FieldsOfTheOtherSuiteAreRefused) {
  const auto with_nonce = [](Suite suite, TlvTag tag) {
    const Bytes bytes = value_or_throw(
        write_message(MessageType::tp_cert_req, suite, TlvWriter().field(tag, Nonce{}).view(), nullptr, {}));
    return TpCertReq::parse(parsed(bytes, MessageType::tp_cert_req));
  };
  EXPECT_OK(with_nonce(Suite::extended, 0x80));
  EXPECT_FALSE(with_nonce(Suite::paper, 0x80).has_value());
  EXPECT_OK(with_nonce(Suite::paper, 0xc0));  // optional: a later version may have it
  EXPECT_FALSE(with_nonce(Suite::extended, 0x9e).has_value());
}

TEST(DcasMessages, FieldsHaveTheirSizes) {
  const auto sized = [](std::size_t ids, std::size_t ap) {
    const Bytes bytes = value_or_throw(
        write_message(MessageType::key_request_ap, Suite::paper,
                      TlvWriter().field(0x80, Bytes(ids)).field(0x84, Bytes(ap, 'a')).view(), nullptr, {}));
    return ApKeyRequest::parse(parsed(bytes, MessageType::key_request_ap));
  };
  EXPECT_OK(sized(256, 1));
  EXPECT_OK(sized(1024, 64));
  EXPECT_FALSE(sized(255, 1).has_value());
  EXPECT_FALSE(sized(1025, 1).has_value());
  EXPECT_FALSE(sized(256, 0).has_value());
  EXPECT_FALSE(sized(256, 65).has_value());
}

TEST(DcasIdentity, IsPrintableAndConcatenatesWithoutDoubt) {
  for (const char* id : {"a", "sm-0001", "!~", "x.y:z/0"}) EXPECT_OK(check_identity(id));
  EXPECT_OK(check_identity(std::string(64, 'a')));
  for (const std::string& wrong :
       {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a\n"), std::string("\xc3\xb6"),
        std::string("\x7f"), std::string("a\0", 2), std::string("a\0b", 3)})
    EXPECT_FAILS(check_identity(wrong), ErrorKind::malformed);
  EXPECT_NE(key_pairing_id("A", "BC"), key_pairing_id("AB", "C"));
  const auto ids = value_or_throw(PairIdentities::parse(key_pairing_id("AB", "C")));
  EXPECT_EQ(ids.sm, "AB");
  EXPECT_EQ(ids.tp, "C");
  EXPECT_FALSE(PairIdentities::parse(test::hex("02414201")).has_value());
  EXPECT_FAILS(PairIdentities::parse(test::hex("0241420143ff")), ErrorKind::malformed);
  EXPECT_FAILS(PairIdentities::parse(test::hex("000143")), ErrorKind::malformed);
  EXPECT_FAILS(PairIdentities::parse({}), ErrorKind::truncated);
}

TEST(DcasKeys, HaveTheSizesOfThePaper) {
  const SecretBytes keys(device_keys_size), rand(rand_size), kpk(kpk_size), rand_hmac(rand_hmac_size);
  EXPECT_EQ(value_or_throw(derive_kpk(keys, "a", "b", rand)).size(), 20U);
  EXPECT_FAILS(derive_kpk(SecretBytes(32), "a", "b", rand), ErrorKind::invalid_argument);
  EXPECT_FAILS(derive_kpk(keys, "a", "b", SecretBytes(20)), ErrorKind::invalid_argument);
  const auto made = value_or_throw(derive_paper_keys({"a", "b", kpk, rand_hmac}));
  EXPECT_EQ(made.cwek.size(), 16U);
  EXPECT_EQ(made.hmac_key.size(), 20U);
  EXPECT_FAILS(derive_paper_keys({"a", "b", rand, rand_hmac}), ErrorKind::malformed);
  EXPECT_FAILS(derive_extended_keys({"a", "b", kpk, rand}, SecretBytes(32), {}), ErrorKind::malformed);
}

TEST(DcasKeys, ARefusalIsAllOnes) {
  EXPECT_TRUE(is_refusal(refusal_kpk()));
  EXPECT_EQ(refusal_kpk().size(), kpk_size);
  for (std::size_t i = 0; i < kpk_size; ++i) {
    SecretBytes kpk = refusal_kpk();
    kpk.reveal_mutable()[i] = 0xfe;
    EXPECT_FALSE(is_refusal(kpk));
  }
}

}  // namespace
}  // namespace cas::dcas
