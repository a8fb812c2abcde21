// SPDX-License-Identifier: LGPL-2.1-or-later
// The requirements, threats and security attributes of section III, each as an attack that runs against the code that is
// installed. Where the paper's protocol does not hold, the attack succeeds in the strict suite, and the test says so; the
// extended suite stops it. docs/dcas.md has the table; the names begin with the number of the clause.
#include <gtest/gtest.h>

#include "attacker.hpp"
#include "crypto/aes.hpp"
#include "dcas/challenge.hpp"
#include "dcas/identity.hpp"
#include "dcas/key_request.hpp"

namespace cas::dcas {
namespace {

using test::dcas_key;
using test::DcasWorld;
using test::ForgedSm;
using test::joined;
using test::KnownKpk;
using test::kpk_of;
using test::sender_with;
using test::some_word;
using test::value_or_throw;

constexpr SuitePolicy strict = SuitePolicy::strict_paper;
constexpr SuitePolicy extended = SuitePolicy::where_both_have_it;

class BothSuites : public testing::TestWithParam<SuitePolicy> {};
INSTANTIATE_TEST_SUITE_P(Threats, BothSuites, testing::Values(strict, extended),
                         [](const auto& instance) { return instance.param == strict ? "strict" : "extended"; });

// III.1.A: support SM-TP pairing.

TEST_P(BothSuites, R3_1_A_APairIsForGood) {
  DcasWorld world(GetParam());
  auto sm_a = world.secure_micro("sm-a"), sm_b = world.secure_micro("sm-b");
  auto tp_a = world.transport_processor("tp-a"), tp_b = world.transport_processor("tp-b");
  ASSERT_OK(world.pair(sm_a, tp_a));
  EXPECT_FAILS(world.pair(sm_a, tp_b), ErrorKind::refused);
  EXPECT_FAILS(world.pair(sm_b, tp_a), ErrorKind::refused);
  world.book.leave("sm-a");
  EXPECT_FAILS(world.pair(sm_a, tp_b), ErrorKind::refused);
  EXPECT_OK(world.pair(sm_a, tp_a));
}

/// The SM is removable, and its owner lends it: the client in it works, and no word comes out for another TP.
TEST_P(BothSuites, R3_1_A_ASharedSmServesNoOtherTp) {
  DcasWorld world(GetParam());
  auto sm = world.secure_micro("sm-a");
  auto own = world.transport_processor("tp-a"), friends = world.transport_processor("tp-b");
  ASSERT_OK(world.pair(sm, own));
  EXPECT_FAILS(world.pair(sm, friends), ErrorKind::refused);
  const Bytes word = value_or_throw(sm.seal(some_word(1)));
  EXPECT_FAILS(friends.open(word), ErrorKind::refused);
  EXPECT_OK(own.open(word));
}

TEST_P(BothSuites, R3_1_A_TheTpStopsAtARefusalToo) {
  DcasWorld world(GetParam());
  auto sm = world.secure_micro("sm-a");
  auto tp_a = world.transport_processor("tp-a"), tp_b = world.transport_processor("tp-b");
  ASSERT_OK(world.pair(sm, tp_a));
  // The refusal is for this TP and this session: the forged SM asks for it properly, and then goes on as if it were a key.
  auto honest = world.secure_micro("sm-a");
  EXPECT_FAILS(world.pair(honest, tp_b), ErrorKind::refused);
  const KnownKpk refusal = kpk_of(world, "sm-a");
  EXPECT_TRUE(is_refusal(refusal.kpk));
  const auto message = value_or_throw(Message::parse(world.recording.tp_cert_rsp, MessageType::tp_cert_rsp));
  CwekGenInfo info;
  info.suite = message.suite;
  info.ta_signature = refusal.ta_signature;
  info.ephemeral = value_or_throw(crypto::generate_dh_key_pair(crypto::DhGroup::p256, world.random)).public_value;
  info.transcript = value_or_throw(crypto::sha256({world.recording.tp_cert_req, world.recording.tp_cert_rsp}));
  info.encrypted_keys = value_or_throw(
      encrypt_for(value_or_throw(dcas_key("tp-b").public_key()), joined(refusal.kpk, SecretBytes(rand_hmac_size))));
  EXPECT_FAILS(tp_b.receive_cwek_gen_info(value_or_throw(info.write(dcas_key("sm-a")))), ErrorKind::refused);
}

// III.1.B: no CWEK before the TA has confirmed the pair.

TEST_P(BothSuites, R3_1_B_NoWordGoesBeforeTheKeysAreConfirmed) {
  DcasWorld world(GetParam());
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  EXPECT_FAILS(sm.seal(some_word(1)), ErrorKind::refused);
  EXPECT_FAILS(tp.open(Bytes(60)), ErrorKind::refused);
  EXPECT_EQ(tp.counters().too_early, 1U);
  const Bytes request = value_or_throw(sm.start());
  ASSERT_OK(sm.receive_tp_cert_rsp(value_or_throw(tp.receive_tp_cert_req(request))));
  const Bytes asked = value_or_throw(sm.make_key_request(world.ap().certificate(), world.challenge()));
  const Bytes info = value_or_throw(sm.receive_key_response(value_or_throw(world.ask(asked))));
  EXPECT_FAILS(sm.seal(some_word(1)), ErrorKind::refused);
  ASSERT_OK(sm.receive_confirmation(value_or_throw(tp.receive_cwek_gen_info(info))));
  EXPECT_OK(tp.open(value_or_throw(sm.seal(some_word(1)))));
}

TEST_P(BothSuites, R3_1_B_NoCwekWithoutTheTa) {
  DcasWorld world(GetParam());
  auto tp = world.transport_processor("tp-a");
  ForgedSm forged(world, "sm-a");
  const Suite suite = GetParam() == strict ? Suite::paper : Suite::extended;
  ASSERT_OK(forged.show_certificate(tp, suite));
  SecretBytes kpk(kpk_size);
  // It signs the KPK itself: it has no other key.
  const Bytes signature = value_or_throw(dcas_key("sm-a").sign(kpk.reveal()));
  EXPECT_FAILS(forged.bring_keys(tp, "tp-a", {std::move(kpk), signature}, SecretBytes(rand_hmac_size)),
               ErrorKind::authentication_failed);
  EXPECT_TRUE(world.book.requests.empty());
}

/// The TA refuses, and the owner of the devices plays an answer of last year to his SM: the AP's signature is genuine.
TEST(Threats, R3_1_B_StrictAnOldConfirmationServes) {
  DcasWorld world(strict);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const Bytes last_years = world.recording.ap_response;
  EXPECT_FAILS(world.pair(sm, tp), ErrorKind::refused);  // they are in a network already
  ASSERT_OK(sm.receive_tp_cert_rsp(value_or_throw(tp.receive_tp_cert_req(value_or_throw(sm.start())))));
  ASSERT_OK(sm.make_key_request(world.ap().certificate(), {}));
  const auto info = sm.receive_key_response(last_years);
  ASSERT_OK(info);
  EXPECT_OK(sm.receive_confirmation(value_or_throw(tp.receive_cwek_gen_info(*info))));  // the attack succeeds
}

TEST(Threats, R3_1_B_AConfirmationIsFresh) {
  DcasWorld world(extended);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const Bytes last_years = world.recording.ap_response;
  EXPECT_FAILS(world.pair(sm, tp), ErrorKind::refused);
  ASSERT_OK(sm.receive_tp_cert_rsp(value_or_throw(tp.receive_tp_cert_req(value_or_throw(sm.start())))));
  ASSERT_OK(sm.make_key_request(world.ap().certificate(), world.challenge()));
  EXPECT_FAILS(sm.receive_key_response(last_years), ErrorKind::authentication_failed);
}

// III.2.A, first: SM_ID and TP_ID are known to everybody.

TEST_P(BothSuites, R3_2_A1_AnSmThatIsNobodysIsNotHeard) {
  DcasWorld world(GetParam());
  auto authority =
      value_or_throw(CertificateAuthority::create("TA", dcas_key("sm-b"), true, world.clock, world.random));
  const auto certificate =
      value_or_throw(authority.issue(PartyKind::secure_micro, "sm-a", value_or_throw(dcas_key("sm-b").public_key())));
  SmKeyRequest request;
  request.encrypted_ids = value_or_throw(
      encrypt_for(world.ap().certificate().public_key(), SecretBytes::copy_of(key_pairing_id("sm-a", "tp-a"))));
  EXPECT_FAILS(world.ask(value_or_throw(request.write(certificate.der(), dcas_key("sm-b")))),
               ErrorKind::authentication_failed);
  // Nor with the genuine certificate, which everybody has seen, and another key.
  const auto genuine = world.credentials(PartyKind::secure_micro, "sm-a").certificate;
  EXPECT_FAILS(world.ask(value_or_throw(request.write(genuine.der(), dcas_key("sm-b")))),
               ErrorKind::authentication_failed);
  EXPECT_TRUE(world.book.requests.empty());
}

TEST_P(BothSuites, R3_2_A1_AnSmAsksForItselfAlone) {
  DcasWorld world(GetParam());
  SmKeyRequest request;
  request.encrypted_ids = value_or_throw(
      encrypt_for(world.ap().certificate().public_key(), SecretBytes::copy_of(key_pairing_id("sm-a", "tp-a"))));
  const auto other = world.credentials(PartyKind::secure_micro, "sm-b");
  EXPECT_FAILS(world.ask(value_or_throw(request.write(other.certificate.der(), other.key))),
               ErrorKind::authentication_failed);
  EXPECT_TRUE(world.book.requests.empty());
}

/// Whoever owns one secure micro takes a TP away from its owner, for good, by naming it: nobody asks the TP.
TEST(Threats, R3_2_A1_StrictATpIsTakenByItsName) {
  DcasWorld world(strict);
  SmKeyRequest request;
  request.encrypted_ids = value_or_throw(
      encrypt_for(world.ap().certificate().public_key(), SecretBytes::copy_of(key_pairing_id("sm-b", "tp-a"))));
  const auto thief = world.credentials(PartyKind::secure_micro, "sm-b");
  EXPECT_OK(world.ask(value_or_throw(request.write(thief.certificate.der(), thief.key))));
  EXPECT_EQ(world.book.devices["tp-a"].partner, "sm-b");  // the attack succeeds
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  EXPECT_FAILS(world.pair(sm, tp), ErrorKind::refused);
}

TEST(Threats, R3_2_A1_ATpSpeaksForItself) {
  DcasWorld world(extended);
  const auto thief = world.credentials(PartyKind::secure_micro, "sm-b");
  // The statement of another TP, of a TP about another SM, and one that the thief has signed.
  auto other_tp = world.transport_processor("tp-b");
  auto victim = world.secure_micro("sm-a");
  auto victims_tp = world.transport_processor("tp-a");
  ForgedSm forged(world, "sm-b");
  const Bytes of_other_tp = value_or_throw(forged.show_certificate(other_tp, Suite::extended));
  const Bytes about_another = value_or_throw(victims_tp.receive_tp_cert_req(value_or_throw(victim.start())));
  TpCertRsp made_up;
  made_up.suite = Suite::extended;
  made_up.sm = "sm-b";
  made_up.ephemeral = Bytes(ephemeral_size, 4);
  const auto tp_certificate = world.credentials(PartyKind::transport_processor, "tp-a").certificate;
  const Bytes self_signed = value_or_throw(made_up.write(tp_certificate.der(), thief.key));
  for (const Bytes& statement : {of_other_tp, about_another, self_signed}) {
    SmKeyRequest request;
    request.suite = Suite::extended;
    request.encrypted_ids = value_or_throw(
        encrypt_for(world.ap().certificate().public_key(), SecretBytes::copy_of(key_pairing_id("sm-b", "tp-a"))));
    request.challenge = value_or_throw(parse_challenge(world.challenge()));
    request.tp_cert_rsp = statement;
    EXPECT_FAILS(world.ask(value_or_throw(request.write(thief.certificate.der(), thief.key))),
                 ErrorKind::authentication_failed);
  }
  EXPECT_TRUE(world.book.requests.empty());
  EXPECT_OK(world.pair(victim, victims_tp));
}

/// A recorded KeyRequest is sent again when the devices have left the network: they are in it again without knowing, and
/// their own request is refused then.
TEST(Threats, R3_2_A1_StrictARequestIsReplayed) {
  DcasWorld world(strict);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const test::Recording recorded = world.recording;
  world.book.leave("sm-a");
  EXPECT_OK(world.ask(recorded.sm_request));
  EXPECT_TRUE(world.book.devices["sm-a"].is_in_network);  // the attack succeeds
  EXPECT_FAILS(world.pair(sm, tp), ErrorKind::refused);
  // The hop behind the AP is no better.
  world.book.leave("sm-a");
  EXPECT_OK(world.ta().handle(recorded.ap_request, world.book));
  EXPECT_TRUE(world.book.devices["sm-a"].is_in_network);
}

TEST(Threats, R3_2_A1_ARequestIsGoodForOneTime) {
  DcasWorld world(extended);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const test::Recording recorded = world.recording;
  world.book.leave("sm-a");
  EXPECT_FAILS(world.ask(recorded.sm_request), ErrorKind::refused);
  EXPECT_FAILS(world.ta().handle(recorded.ap_request, world.book), ErrorKind::refused);
  EXPECT_FALSE(world.book.devices["sm-a"].is_in_network);
  EXPECT_OK(world.pair(sm, tp));
}

// III.2.A, second: there is nothing between TA and TP but the SM.

/// Two people share a subscription: sm-b is genuine and paired with tp-b, and shows its own KPK to tp-a. The TA's
/// signature is over a KPK that names nobody.
TEST(Threats, R3_2_A2_StrictAKpkOpensAnyTp) {
  DcasWorld world(strict);
  auto sm_b = world.secure_micro("sm-b");
  auto tp_b = world.transport_processor("tp-b"), tp_a = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm_b, tp_b));
  ForgedSm forged(world, "sm-b");
  ASSERT_OK(forged.show_certificate(tp_a, Suite::paper));
  ASSERT_OK(forged.bring_keys(tp_a, "tp-a", kpk_of(world, "sm-b"), SecretBytes(rand_hmac_size)));
  auto sender = sender_with(forged.keys, world.random);
  EXPECT_OK(tp_a.open(value_or_throw(sender.seal(some_word(1)))));  // the attack succeeds
}

TEST(Threats, R3_2_A2_AKpkIsForOnePairAndOneSession) {
  DcasWorld world(extended);
  auto sm_b = world.secure_micro("sm-b");
  auto tp_b = world.transport_processor("tp-b"), tp_a = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm_b, tp_b));
  const KnownKpk known = kpk_of(world, "sm-b");
  for (auto* tp : {&tp_a, &tp_b}) {  // another TP, and its own one in another session
    ForgedSm forged(world, "sm-b");
    ASSERT_OK(forged.show_certificate(*tp, Suite::extended));
    EXPECT_FAILS(forged.bring_keys(*tp, tp == &tp_a ? "tp-a" : "tp-b", {known.kpk.clone(), known.ta_signature},
                                   SecretBytes(rand_hmac_size)),
                 ErrorKind::authentication_failed);
  }
}

// What section III does not list: the AP is trusted by all.

/// It wraps the KPK anew, and the paper's CWEK is made of the KPK and of two names.
TEST(Threats, Beyond_StrictTheApKnowsTheCwek) {
  DcasWorld world(strict);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const Bytes word = value_or_throw(sm.seal(some_word(0x5a)));
  const auto message = value_or_throw(Message::parse(world.recording.ta_response, MessageType::key_response_ta));
  const auto response = value_or_throw(KeyResponse::parse(message));
  const SecretBytes kpk = value_or_throw(decrypt_with(dcas_key("ap"), response.encrypted_kpk, kpk_size));
  const SecretBytes unknown(rand_hmac_size);
  const ControlWordKeys keys = value_or_throw(derive_paper_keys({"sm-a", "tp-a", kpk, unknown}));
  const auto plain = value_or_throw(crypto::aes_cbc_decrypt(
      keys.cwek, ByteView(word).subspan(10).first<crypto::aes_block_size>(), ByteView(word).subspan(26, 32)));
  EXPECT_TRUE(equal(plain.reveal().subspan(4, 16), some_word(0x5a).word.reveal()));  // the attack succeeds
}

TEST(Threats, Beyond_TheApKnowsKpkAndNoMore) {
  DcasWorld world(extended);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const Bytes word = value_or_throw(sm.seal(some_word(0x5a)));
  const auto message = value_or_throw(Message::parse(world.recording.ta_response, MessageType::key_response_ta));
  const auto response = value_or_throw(KeyResponse::parse(message));
  const SecretBytes kpk = value_or_throw(decrypt_with(dcas_key("ap"), response.encrypted_kpk, kpk_size));
  const SecretBytes unknown(rand_hmac_size);
  const auto transcript = value_or_throw(crypto::sha256({world.recording.tp_cert_req, world.recording.tp_cert_rsp}));
  const KeyInputs inputs{"sm-a", "tp-a", kpk, unknown};
  for (const ControlWordKeys& keys : {value_or_throw(derive_paper_keys(inputs)),
                                      value_or_throw(derive_extended_keys(inputs, SecretBytes(32), transcript))}) {
    const auto plain = value_or_throw(crypto::aes_cbc_decrypt(
        keys.cwek, ByteView(word).subspan(10).first<crypto::aes_block_size>(), ByteView(word).subspan(26, 32)));
    EXPECT_FALSE(equal(plain.reveal().subspan(4, 16), some_word(0x5a).word.reveal()));
  }
}

/// In both suites, and the test says so: the TA sees the AP's word, and no signature of the SM.
TEST_P(BothSuites, Beyond_AnApPairsWhomItLikes) {
  DcasWorld world(GetParam());
  ApKeyRequest request;
  request.suite = GetParam() == strict ? Suite::paper : Suite::extended;
  request.ap = "ap";
  request.challenge = value_or_throw(parse_challenge(value_or_throw(world.ta().issue_challenge())));
  request.encrypted_ids = value_or_throw(
      encrypt_for(value_or_throw(dcas_key("ta").public_key()), SecretBytes::copy_of(key_pairing_id("sm-b", "tp-a"))));
  EXPECT_OK(world.ta().handle(value_or_throw(request.write(dcas_key("ap"))), world.book));
  EXPECT_EQ(world.book.devices["tp-a"].partner, "sm-b");
}

}  // namespace
}  // namespace cas::dcas
