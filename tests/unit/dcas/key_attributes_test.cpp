// SPDX-License-Identifier: LGPL-2.1-or-later
// The security attributes of section III.2.B, as threats_test.cpp has the rest of it.
#include <gtest/gtest.h>

#include "attacker.hpp"

namespace cas::dcas {
namespace {

using test::dcas_key;
using test::DcasWorld;
using test::ForgedSm;
using test::joined;
using test::KnownKpk;
using test::kpk_of;
using test::overhear;
using test::Overheard;
using test::receiver_with;
using test::same;
using test::sender_with;
using test::some_word;
using test::value_or_throw;

constexpr SuitePolicy strict = SuitePolicy::strict_paper;
constexpr SuitePolicy extended = SuitePolicy::where_both_have_it;

class KeyAttributes : public testing::TestWithParam<SuitePolicy> {};
INSTANTIATE_TEST_SUITE_P(Threats, KeyAttributes, testing::Values(strict, extended),
                         [](const auto& instance) { return instance.param == strict ? "strict" : "extended"; });

// III.2.B: known key security.

TEST_P(KeyAttributes, R3_2_B1_EachSessionHasOtherKeys) {
  DcasWorld world(GetParam());
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const SecretBytes first = kpk_of(world, "sm-a").kpk;
  const Bytes word = value_or_throw(sm.seal(some_word(1)));
  world.book.leave("sm-a");
  ASSERT_OK(world.pair(sm, tp));
  EXPECT_FALSE(same(first, kpk_of(world, "sm-a").kpk));
  EXPECT_FAILS(tp.open(word), ErrorKind::authentication_failed);
}

/// Who knows the keys of one session, and recorded it, has the TP take them again: no long-term key is needed.
TEST(Threats, R3_2_B1_StrictOldKeysComeBack) {
  DcasWorld world(strict);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const test::Recording recorded = world.recording;
  const Overheard known = overhear(recorded.cwek_gen_info, dcas_key("tp-a"));  // stands for keys that have leaked
  const ControlWordKeys leaked = value_or_throw(derive_paper_keys({"sm-a", "tp-a", known.kpk, known.rand_hmac}));
  world.book.leave("sm-a");
  ASSERT_OK(world.pair(sm, tp));
  ASSERT_OK(tp.receive_tp_cert_req(recorded.tp_cert_req));
  ASSERT_OK(tp.receive_cwek_gen_info(recorded.cwek_gen_info));
  auto sender = sender_with(leaked, world.random);
  EXPECT_OK(tp.open(value_or_throw(sender.seal(some_word(1)))));  // the attack succeeds
}

TEST(Threats, R3_2_B1_OldKeysStayOld) {
  DcasWorld world(extended);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const test::Recording recorded = world.recording;
  ASSERT_OK(tp.receive_tp_cert_req(recorded.tp_cert_req));
  EXPECT_FAILS(tp.receive_cwek_gen_info(recorded.cwek_gen_info), ErrorKind::authentication_failed);
}

// III.2.B: perfect forward secrecy.

/// Somebody records, and gets the TP's private key years later.
TEST(Threats, R3_2_B2_StrictThePastIsOpenedByALongTermKey) {
  DcasWorld world(strict);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const Bytes word = value_or_throw(sm.seal(some_word(0x5a)));
  const Overheard known = overhear(world.recording.cwek_gen_info, dcas_key("tp-a"));
  auto eavesdropper = receiver_with(value_or_throw(derive_paper_keys({"sm-a", "tp-a", known.kpk, known.rand_hmac})));
  const auto opened = eavesdropper.open(word);
  ASSERT_OK(opened);  // the attack succeeds
  EXPECT_TRUE(same(opened->word, some_word(0x5a).word));
}

TEST(Threats, R3_2_B2_ThePastStaysClosed) {
  DcasWorld world(extended);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const Bytes word = value_or_throw(sm.seal(some_word(0x5a)));
  // All long-term keys, and with them KPK and RANDHMAC: what is missing is what the ephemeral keys share.
  const Overheard known = overhear(world.recording.cwek_gen_info, dcas_key("tp-a"));
  const KeyInputs inputs{"sm-a", "tp-a", known.kpk, known.rand_hmac};
  EXPECT_TRUE(same(known.kpk, kpk_of(world, "sm-a").kpk));
  auto by_the_paper = receiver_with(value_or_throw(derive_paper_keys(inputs)));
  EXPECT_FAILS(by_the_paper.open(word), ErrorKind::authentication_failed);
  const auto transcript = value_or_throw(crypto::sha256({world.recording.tp_cert_req, world.recording.tp_cert_rsp}));
  auto without_shared = receiver_with(value_or_throw(derive_extended_keys(inputs, SecretBytes(32), transcript)));
  EXPECT_FAILS(without_shared.open(word), ErrorKind::authentication_failed);
  EXPECT_OK(tp.open(word));
}

// III.2.B: key-compromised impersonation.

/// Who has the SM's private key poses as the TP, and as the AP, towards that SM.
TEST_P(KeyAttributes, R3_2_B3_WithTheSmsKeyNobodyIsTheTpOrTheAp) {
  DcasWorld world(GetParam());
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  const crypto::RsaPrivateKey stolen = dcas_key("sm-a");
  ASSERT_OK(sm.receive_tp_cert_rsp(value_or_throw(tp.receive_tp_cert_req(value_or_throw(sm.start())))));
  const Bytes asked = value_or_throw(sm.make_key_request(world.ap().certificate(), world.challenge()));
  const Bytes answer = value_or_throw(world.ask(asked));
  const Bytes info = value_or_throw(sm.receive_key_response(answer));
  CwekGenInfoCnfm confirmation;
  confirmation.suite = GetParam() == strict ? Suite::paper : Suite::extended;
  confirmation.encrypted_digests =
      value_or_throw(encrypt_for(value_or_throw(stolen.public_key()), SecretBytes(confirmation_size)));
  EXPECT_FAILS(sm.receive_confirmation(value_or_throw(confirmation.write(stolen))), ErrorKind::authentication_failed);

  ASSERT_OK(sm.receive_tp_cert_rsp(value_or_throw(tp.receive_tp_cert_req(value_or_throw(sm.start())))));
  ASSERT_OK(sm.make_key_request(world.ap().certificate(), world.challenge()));
  KeyResponse forged =
      value_or_throw(KeyResponse::parse(value_or_throw(Message::parse(answer, MessageType::key_response_ap))));
  EXPECT_FAILS(sm.receive_key_response(value_or_throw(forged.write(MessageType::key_response_ap, stolen))),
               ErrorKind::authentication_failed);
}

/// Who has the TP's private key poses as the SM towards that TP: a recorded CWEKGenInfo is genuine, and opens with the
/// key.
TEST(Threats, R3_2_B3_StrictWithTheTpsKeySomebodyIsTheSm) {
  DcasWorld world(strict);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const Overheard known = overhear(world.recording.cwek_gen_info, dcas_key("tp-a"));
  ASSERT_OK(tp.receive_tp_cert_req(world.recording.tp_cert_req));
  ASSERT_OK(tp.receive_cwek_gen_info(world.recording.cwek_gen_info));
  auto impostor =
      sender_with(value_or_throw(derive_paper_keys({"sm-a", "tp-a", known.kpk, known.rand_hmac})), world.random);
  EXPECT_OK(tp.open(value_or_throw(impostor.seal(some_word(1)))));  // the attack succeeds
}

TEST(Threats, R3_2_B3_WithTheTpsKeyNobodyIsTheSm) {
  DcasWorld world(extended);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  ASSERT_OK(tp.receive_tp_cert_req(world.recording.tp_cert_req));
  EXPECT_FAILS(tp.receive_cwek_gen_info(world.recording.cwek_gen_info), ErrorKind::authentication_failed);
  // Nor with a CWEKGenInfo of its own making, which it can sign with the stolen key alone.
  const Bytes response = value_or_throw(tp.receive_tp_cert_req(world.recording.tp_cert_req));
  auto info = value_or_throw(
      CwekGenInfo::parse(value_or_throw(Message::parse(world.recording.cwek_gen_info, MessageType::cwek_gen_info))));
  info.transcript = value_or_throw(crypto::sha256({world.recording.tp_cert_req, response}));
  EXPECT_FAILS(tp.receive_cwek_gen_info(value_or_throw(info.write(dcas_key("tp-a")))),
               ErrorKind::authentication_failed);
}

// III.2.B: unknown key-share.

/// C, who owns tp-b, shows its own certificate to the SM in the place of tp-a's, and passes everything else on: the SM
/// would share a key with tp-a, and take it for C's.
TEST_P(KeyAttributes, R3_2_B4_WhoseKeyItIsIsKnown) {
  DcasWorld world(GetParam());
  auto sm = world.secure_micro("sm-a");
  auto tp_a = world.transport_processor("tp-a"), tp_b = world.transport_processor("tp-b");
  const Bytes request = value_or_throw(sm.start());
  ASSERT_OK(tp_a.receive_tp_cert_req(request));
  ASSERT_OK(sm.receive_tp_cert_rsp(value_or_throw(tp_b.receive_tp_cert_req(request))));
  const Bytes asked = value_or_throw(sm.make_key_request(world.ap().certificate(), world.challenge()));
  const Bytes info = value_or_throw(sm.receive_key_response(value_or_throw(world.ask(asked))));
  EXPECT_FALSE(tp_a.receive_cwek_gen_info(info).has_value());
  // C can open it, and encrypt it for tp-a; then it is not the SM that has signed.
  const Overheard known = overhear(info, dcas_key("tp-b"));
  ASSERT_OK(tp_a.receive_tp_cert_req(request));
  auto changed = value_or_throw(CwekGenInfo::parse(value_or_throw(Message::parse(info, MessageType::cwek_gen_info))));
  changed.encrypted_keys =
      value_or_throw(encrypt_for(value_or_throw(dcas_key("tp-a").public_key()), joined(known.kpk, known.rand_hmac)));
  EXPECT_FAILS(tp_a.receive_cwek_gen_info(value_or_throw(changed.write(dcas_key("tp-b")))),
               ErrorKind::authentication_failed);
  // And the keys of two pairs differ, whatever KPK and RANDHMAC they have.
  EXPECT_FALSE(same(value_or_throw(derive_paper_keys({"sm-a", "tp-a", known.kpk, known.rand_hmac})).cwek,
                    value_or_throw(derive_paper_keys({"sm-a", "tp-b", known.kpk, known.rand_hmac})).cwek));
}

TEST_P(KeyAttributes, R3_2_B4_AConfirmationIsOfTheSessionsKeys) {
  DcasWorld world(GetParam());
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const Bytes old = world.recording.cwek_gen_info_cnfm;
  world.book.leave("sm-a");
  ASSERT_OK(sm.receive_tp_cert_rsp(value_or_throw(tp.receive_tp_cert_req(value_or_throw(sm.start())))));
  const Bytes asked = value_or_throw(sm.make_key_request(world.ap().certificate(), world.challenge()));
  ASSERT_OK(sm.receive_key_response(value_or_throw(world.ask(asked))));
  EXPECT_FAILS(sm.receive_confirmation(old), ErrorKind::authentication_failed);
}

// III.2.B: key control.

/// An SM gives a TP the same keys for as long as it likes: it keeps one KPK, and RANDHMAC is its own choice anyway.
TEST(Threats, R3_2_B5_StrictTheSmChoosesTheKeys) {
  DcasWorld world(strict);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const KnownKpk known = kpk_of(world, "sm-a");
  const SecretBytes chosen = SecretBytes::copy_of(Bytes(rand_hmac_size, 0x42));
  ControlWordKeys first;
  for (int session = 0; session < 2; ++session) {
    ForgedSm forged(world, "sm-a");
    ASSERT_OK(forged.show_certificate(tp, Suite::paper));
    ASSERT_OK(forged.bring_keys(tp, "tp-a", {known.kpk.clone(), known.ta_signature}, chosen));
    if (session == 0) {
      first = std::move(forged.keys);
    } else {
      EXPECT_TRUE(same(first.cwek, forged.keys.cwek));  // the attack succeeds
      EXPECT_TRUE(same(first.hmac_key, forged.keys.hmac_key));
    }
  }
}

/// The TP's nonce and ephemeral key are in the keys, and it has chosen them before the SM chooses anything.
TEST(Threats, R3_2_B5_NeitherChoosesTheKeys) {
  DcasWorld world(extended);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  const SecretBytes chosen = SecretBytes::copy_of(Bytes(rand_hmac_size, 0x42));
  const KnownKpk known = kpk_of(world, "sm-a");
  ForgedSm forged(world, "sm-a");
  ASSERT_OK(forged.show_certificate(tp, Suite::extended));
  EXPECT_FAILS(forged.bring_keys(tp, "tp-a", {known.kpk.clone(), known.ta_signature}, chosen),
               ErrorKind::authentication_failed);
  // Even with the same KPK and RANDHMAC, and an ephemeral key that it uses again, the keys are others.
  const auto message = value_or_throw(Message::parse(world.recording.tp_cert_rsp, MessageType::tp_cert_rsp));
  const Bytes first = value_or_throw(TpCertRsp::parse(message)).ephemeral;
  const Bytes second_message = value_or_throw(forged.show_certificate(tp, Suite::extended));
  const Bytes second =
      value_or_throw(TpCertRsp::parse(value_or_throw(Message::parse(second_message, MessageType::tp_cert_rsp))))
          .ephemeral;
  EXPECT_NE(first, second);
  const auto pair = value_or_throw(crypto::generate_dh_key_pair(crypto::DhGroup::p256, world.random));
  const KeyInputs inputs{"sm-a", "tp-a", known.kpk, chosen};
  const auto keys_for = [&](const Bytes& ephemeral) {
    return value_or_throw(derive_extended_keys(inputs, value_or_throw(crypto::derive_dh_shared(pair, ephemeral)),
                                               crypto::Sha256Digest{}));
  };
  EXPECT_FALSE(same(keys_for(first).cwek, keys_for(second).cwek));
  EXPECT_FALSE(same(keys_for(first).hmac_key, keys_for(second).hmac_key));
}

}  // namespace
}  // namespace cas::dcas
