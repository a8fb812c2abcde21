// SPDX-License-Identifier: LGPL-2.1-or-later
// The requirements, threats and security attributes of section III, each as an attack that runs against the code that is
// installed. Where the paper's protocol does not hold, the attack succeeds in the strict suite, and the test says so; the
// extended suite stops it. docs/dcas.md has the table; the names begin with the number of the clause.
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/digest.hpp"
#include "dcas/certificate_exchange.hpp"
#include "dcas/cwek_generation.hpp"
#include "dcas/identity.hpp"
#include "dcas/key_request.hpp"
#include "dcas/key_response.hpp"
#include "dcas_world.hpp"

namespace cas::dcas {
namespace {

using test::dcas_key;
using test::DcasWorld;
using test::some_word;
using test::value_or_throw;

constexpr SuitePolicy strict = SuitePolicy::strict_paper;
constexpr SuitePolicy extended = SuitePolicy::where_both_have_it;

/// A KPK with the TA's signature, as an SM gets to know it.
struct KnownKpk {
  SecretBytes kpk;
  Bytes ta_signature;
};

/// What a secure micro whose owner has opened it knows after a pairing: it reads the AP's answer by its private key.
KnownKpk kpk_of(const DcasWorld& world, const std::string& sm) {
  const auto message = value_or_throw(Message::parse(world.recording.ap_response, MessageType::key_response_ap));
  const auto response = value_or_throw(KeyResponse::parse(message));
  return {value_or_throw(decrypt_with(dcas_key(sm), response.encrypted_kpk, kpk_size)), response.ta_signature};
}

SecretBytes joined(const SecretBytes& a, const SecretBytes& b) {
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
  test::SeededRandom random_;
  Bytes request_, response_;
};

/// What who has the private key of the TP reads in a CWEKGenInfo.
struct Overheard {
  SecretBytes kpk, rand_hmac;
};
Overheard overhear(ByteView cwek_gen_info, const crypto::RsaPrivateKey& tp_key) {
  const auto message = value_or_throw(Message::parse(cwek_gen_info, MessageType::cwek_gen_info));
  const auto info = value_or_throw(CwekGenInfo::parse(message));
  const auto plain = value_or_throw(decrypt_with(tp_key, info.encrypted_keys, kpk_size + rand_hmac_size));
  return {SecretBytes::copy_of(plain.reveal().first(kpk_size)), SecretBytes::copy_of(plain.reveal().subspan(kpk_size))};
}

/// Keys that an attacker knows, used to speak as the SM.
ControlWordSender sender_with(const ControlWordKeys& keys, Random& random) {
  return value_or_throw(ControlWordSender::create({keys.cwek.clone(), keys.hmac_key.clone()}, random));
}
ControlWordReceiver receiver_with(const ControlWordKeys& keys) {
  return value_or_throw(ControlWordReceiver::create({keys.cwek.clone(), keys.hmac_key.clone()}));
}
bool same(const SecretBytes& a, const SecretBytes& b) { return equal(a.reveal(), b.reveal()); }

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

// III.2.B: known key security.

TEST_P(BothSuites, R3_2_B1_EachSessionHasOtherKeys) {
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
TEST_P(BothSuites, R3_2_B3_WithTheSmsKeyNobodyIsTheTpOrTheAp) {
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
TEST_P(BothSuites, R3_2_B4_WhoseKeyItIsIsKnown) {
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

TEST_P(BothSuites, R3_2_B4_AConfirmationIsOfTheSessionsKeys) {
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
