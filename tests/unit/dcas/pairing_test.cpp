// SPDX-License-Identifier: LGPL-2.1-or-later
// The steps of the protocol (IV.2), and what each of them refuses.
#include <gtest/gtest.h>

#include "crypto/digest.hpp"
#include "dcas/certificate_exchange.hpp"
#include "dcas/cwek_generation.hpp"
#include "dcas/identity.hpp"
#include "dcas/key_request.hpp"
#include "dcas/key_response.hpp"
#include "dcas/roles.hpp"
#include "dcas_world.hpp"

namespace cas::dcas {
namespace {

using test::dcas_key;
using test::DcasWorld;
using test::some_word;
using test::value_or_throw;

constexpr SuitePolicy strict = SuitePolicy::strict_paper;
constexpr SuitePolicy extended = SuitePolicy::where_both_have_it;

/// `message` with one bit of its signed content, or of its signature, changed.
Bytes changed_content(Bytes message) {
  message[message_header_size + 20] ^= 1;
  return message;
}
Bytes without_signature(ByteView bytes, MessageType type) {
  const auto message = value_or_throw(Message::parse(bytes, type));
  return value_or_throw(write_message(type, message.suite, message.field_bytes, nullptr, message.certificate));
}
/// The message signed anew with another key, after `change` to its fields.
template <typename Fields, typename Change>
Fields changed(ByteView bytes, MessageType type, Change change) {
  Fields fields = value_or_throw(Fields::parse(value_or_throw(Message::parse(bytes, type))));
  change(fields);
  return fields;
}

class Pairing : public testing::TestWithParam<SuitePolicy> {
 protected:
  [[nodiscard]] bool is_extended() const { return GetParam() == extended; }
  [[nodiscard]] Suite suite() const { return is_extended() ? Suite::extended : Suite::paper; }

  // Each takes a run up to the step that its name says.
  void up_to_certificate() { request_ = value_or_throw(sm_.start()); }
  void up_to_request() {
    up_to_certificate();
    response_ = value_or_throw(tp_.receive_tp_cert_req(request_));
    ASSERT_OK(sm_.receive_tp_cert_rsp(response_));
  }
  void up_to_response() {
    up_to_request();
    asked_ = value_or_throw(sm_.make_key_request(world_.ap().certificate(), world_.challenge()));
    answer_ = value_or_throw(world_.ask(asked_));
  }
  void up_to_confirmation() {
    up_to_response();
    info_ = value_or_throw(sm_.receive_key_response(answer_));
  }

  DcasWorld world_{GetParam()};
  SecureMicroPairing sm_ = world_.secure_micro("sm-a");
  TransportProcessor tp_ = world_.transport_processor("tp-a");
  Bytes request_, response_, asked_, answer_, info_;
};
INSTANTIATE_TEST_SUITE_P(Dcas, Pairing, testing::Values(strict, extended),
                         [](const auto& instance) { return instance.param == strict ? "strict" : "extended"; });

TEST_P(Pairing, EndsWithControlWords) {
  ASSERT_OK(world_.pair(sm_, tp_));
  EXPECT_EQ(sm_.suite(), suite());
  EXPECT_EQ(tp_.suite(), suite());
  for (std::uint8_t i = 0; i < 4; ++i) {
    const auto parity = i % 2 == 0 ? WordParity::even : WordParity::odd;
    const auto word = tp_.open(value_or_throw(sm_.seal(some_word(i, parity))));
    ASSERT_OK(word);
    EXPECT_EQ(word->service, 7);
    EXPECT_EQ(word->parity, parity);
    EXPECT_TRUE(equal(word->word.reveal(), Bytes(16, i)));
  }
  EXPECT_EQ(tp_.counters().accepted, 4U);
}

TEST_P(Pairing, KeepsThePartnerThatWasVerified) {
  EXPECT_FALSE(sm_.partner().has_value());
  ASSERT_OK(world_.pair(sm_, tp_));
  EXPECT_EQ(sm_.partner()->id, "tp-a");
  EXPECT_EQ(tp_.partner()->id, "sm-a");
  EXPECT_TRUE(tp_.partner()->key == value_or_throw(dcas_key("sm-a").public_key()));
  EXPECT_EQ(world_.sm_memory.ids, std::vector<std::string>{"tp-a"});
  EXPECT_EQ(world_.tp_memory.ids, std::vector<std::string>{"sm-a"});
}

TEST_P(Pairing, EndsWhenThePartnerCannotBeKept) {
  world_.tp_memory.fails = true;
  EXPECT_FAILS(world_.pair(sm_, tp_), ErrorKind::io);
  world_.tp_memory.fails = false;
  world_.sm_memory.fails = true;
  EXPECT_FAILS(world_.pair(sm_, tp_), ErrorKind::io);
}

TEST_P(Pairing, TheRegisterIsAskedForThisPair) {
  ASSERT_OK(world_.pair(sm_, tp_));
  ASSERT_EQ(world_.book.requests.size(), 1U);
  EXPECT_EQ(world_.book.requests[0].sm, "sm-a");
  EXPECT_EQ(world_.book.requests[0].tp, "tp-a");
  EXPECT_EQ(world_.book.requests[0].ap, "ap");
  EXPECT_NE(world_.book.requests[0].request, Nonce{});
}

TEST_P(Pairing, WordsGoOnUntilTheNextRunHasSucceeded) {
  ASSERT_OK(world_.pair(sm_, tp_));
  up_to_certificate();
  ASSERT_OK(tp_.receive_tp_cert_req(request_));
  EXPECT_OK(tp_.open(value_or_throw(sm_.seal(some_word(1)))));
  EXPECT_FALSE(tp_.receive_cwek_gen_info(request_).has_value());
  EXPECT_OK(tp_.open(value_or_throw(sm_.seal(some_word(2)))));
  world_.book.leave("sm-a");
  ASSERT_OK(world_.pair(sm_, tp_));
  EXPECT_OK(tp_.open(value_or_throw(sm_.seal(some_word(3)))));
  EXPECT_EQ(tp_.counters().accepted, 3U);
}

TEST_P(Pairing, ARefusedPairIsToldSoAndSigned) {
  world_.book.devices["tp-a"] = {"sm-b", false};
  up_to_response();
  EXPECT_FAILS(sm_.receive_key_response(answer_), ErrorKind::refused);
  EXPECT_FAILS(sm_.receive_confirmation({}), ErrorKind::refused);
}

TEST_P(Pairing, DevicesThatNobodyKnowsGetNoAnswer) {
  world_.book.devices.erase("tp-a");
  EXPECT_FAILS(world_.pair(sm_, tp_), ErrorKind::not_found);
  world_.book.devices["tp-a"] = {};
  world_.book.proxies.clear();
  EXPECT_FAILS(world_.pair(sm_, tp_), ErrorKind::not_found);
}

// Step by step.

TEST_P(Pairing, MessagesOutOfTheirTurnEndTheRun) {
  EXPECT_FAILS(sm_.receive_tp_cert_rsp({}), ErrorKind::refused);
  EXPECT_FAILS(sm_.make_key_request(world_.ap().certificate(), {}), ErrorKind::refused);
  EXPECT_FAILS(sm_.receive_key_response({}), ErrorKind::refused);
  EXPECT_FAILS(sm_.receive_confirmation({}), ErrorKind::refused);
  EXPECT_FAILS(tp_.receive_cwek_gen_info({}), ErrorKind::refused);
  up_to_request();
  EXPECT_FAILS(sm_.receive_confirmation({}), ErrorKind::refused);
  EXPECT_FAILS(sm_.make_key_request(world_.ap().certificate(), world_.challenge()), ErrorKind::refused);
  up_to_confirmation();
  ASSERT_OK(tp_.receive_cwek_gen_info(info_));
  EXPECT_FAILS(tp_.receive_cwek_gen_info(info_), ErrorKind::refused);
}

TEST_P(Pairing, ATpTakesSmsOfItsRootAlone) {
  const auto with_certificate = [&](const crypto::RsaCertificate& certificate) {
    TpCertReq request;
    request.suite = suite();
    return tp_.receive_tp_cert_req(value_or_throw(request.write(certificate.der())));
  };
  auto other = value_or_throw(CertificateAuthority::create("TA", dcas_key("sm-b"), true, world_.clock, world_.random));
  const auto key = value_or_throw(dcas_key("sm-a").public_key());
  EXPECT_FAILS(with_certificate(value_or_throw(other.issue(PartyKind::secure_micro, "sm-a", key))),
               ErrorKind::authentication_failed);
  EXPECT_FAILS(with_certificate(world_.credentials(PartyKind::transport_processor, "tp-b").certificate),
               ErrorKind::authentication_failed);
  EXPECT_FAILS(with_certificate(world_.credentials(PartyKind::authentication_proxy, "ap").certificate),
               ErrorKind::authentication_failed);
  const auto good = world_.credentials(PartyKind::secure_micro, "sm-a").certificate;
  EXPECT_OK(with_certificate(good));
  EXPECT_EQ(world_.tp_memory.ids.size(), 1U);
  world_.clock.advance(std::chrono::hours(24 * 365 * 31));
  EXPECT_FAILS(with_certificate(good), ErrorKind::expired);
}

TEST_P(Pairing, AnSmTakesTpsOfItsRootAlone) {
  up_to_certificate();
  auto other_sm = world_.credentials(PartyKind::secure_micro, "sm-b");
  TpCertRsp response;
  response.suite = suite();
  response.sm = "sm-a";
  response.ephemeral = Bytes(ephemeral_size, 4);
  EXPECT_FAILS(sm_.receive_tp_cert_rsp(value_or_throw(response.write(other_sm.certificate.der(), other_sm.key))),
               ErrorKind::authentication_failed);
  EXPECT_TRUE(world_.sm_memory.ids.empty());
  EXPECT_FALSE(sm_.partner().has_value());
}

TEST_P(Pairing, AnSmAsksApsOfItsRootAlone) {
  up_to_request();
  EXPECT_FAILS(
      sm_.make_key_request(world_.credentials(PartyKind::secure_micro, "sm-b").certificate, world_.challenge()),
      ErrorKind::authentication_failed);
  up_to_request();
  auto other = value_or_throw(CertificateAuthority::create("TA", dcas_key("sm-b"), true, world_.clock, world_.random));
  const auto key = value_or_throw(dcas_key("ap").public_key());
  EXPECT_FAILS(
      sm_.make_key_request(value_or_throw(other.issue(PartyKind::authentication_proxy, "ap", key)), world_.challenge()),
      ErrorKind::authentication_failed);
}

TEST_P(Pairing, TheApHearsSignedRequestsAlone) {
  up_to_request();
  const Bytes asked = value_or_throw(sm_.make_key_request(world_.ap().certificate(), world_.challenge()));
  EXPECT_FAILS(world_.ap().receive_request(changed_content(asked)), ErrorKind::authentication_failed);
  EXPECT_FAILS(world_.ap().receive_request(without_signature(asked, MessageType::key_request_sm)),
               ErrorKind::authentication_failed);
  // A request whose certificate is another's.
  const auto request = changed<SmKeyRequest>(asked, MessageType::key_request_sm, [](auto&) {});
  const auto other = world_.credentials(PartyKind::secure_micro, "sm-b").certificate;
  EXPECT_FAILS(world_.ap().receive_request(value_or_throw(request.write(other.der(), dcas_key("sm-a")))),
               ErrorKind::authentication_failed);
  const auto tp = world_.credentials(PartyKind::transport_processor, "tp-b");
  EXPECT_FAILS(world_.ap().receive_request(value_or_throw(request.write(tp.certificate.der(), tp.key))),
               ErrorKind::authentication_failed);
  EXPECT_OK(world_.ap().receive_request(asked));
}

TEST_P(Pairing, TheTaHearsItsApsAlone) {
  up_to_response();
  world_.book.leave("sm-a");
  // A challenge that is good: the signature is what is wrong.
  const auto fresh = [&](auto change) {
    return changed<ApKeyRequest>(world_.recording.ap_request, MessageType::key_request_ap, [&](ApKeyRequest& request) {
      request.challenge = value_or_throw(parse_challenge(value_or_throw(world_.ta().issue_challenge())));
      change(request);
    });
  };
  const auto plain = fresh([](auto&) {});
  EXPECT_FAILS(world_.ta().handle(value_or_throw(plain.write(dcas_key("sm-b"))), world_.book),
               ErrorKind::authentication_failed);
  EXPECT_FAILS(world_.ta().handle(changed_content(value_or_throw(plain.write(dcas_key("ap")))), world_.book),
               ErrorKind::authentication_failed);
  EXPECT_FAILS(
      world_.ta().handle(value_or_throw(fresh([](auto& r) { r.ap = "ap-2"; }).write(dcas_key("ap"))), world_.book),
      ErrorKind::not_found);
  // A register that takes a device for a proxy.
  world_.book.proxies.insert_or_assign("ap", world_.credentials(PartyKind::secure_micro, "sm-b").certificate);
  EXPECT_FAILS(world_.ta().handle(value_or_throw(plain.write(dcas_key("sm-b"))), world_.book),
               ErrorKind::authentication_failed);
  EXPECT_EQ(world_.book.requests.size(), 1U);
}

TEST_P(Pairing, AnApsCertificateEnds) {
  world_.clock.advance(std::chrono::hours(24 * 366 * 2));
  up_to_request();
  EXPECT_FAILS(sm_.make_key_request(world_.ap().certificate(), world_.challenge()), ErrorKind::expired);
}

TEST_P(Pairing, TheApTakesTheTasAnswerAlone) {
  up_to_request();
  asked_ = value_or_throw(sm_.make_key_request(world_.ap().certificate(), world_.challenge()));
  auto request = value_or_throw(world_.ap().receive_request(asked_));
  const Bytes to_ta = value_or_throw(world_.ap().make_request(request, value_or_throw(world_.ta().issue_challenge())));
  const Bytes from_ta = value_or_throw(world_.ta().handle(to_ta, world_.book));
  const auto same = changed<KeyResponse>(from_ta, MessageType::key_response_ta, [](auto&) {});
  EXPECT_FAILS(world_.ap().receive_response(request, changed_content(from_ta)), ErrorKind::authentication_failed);
  EXPECT_FAILS(
      world_.ap().receive_response(request, value_or_throw(same.write(MessageType::key_response_ta, dcas_key("sm-b")))),
      ErrorKind::authentication_failed);
  EXPECT_OK(world_.ap().receive_response(request, from_ta));
}

TEST_P(Pairing, TheSmTakesItsApsAnswerAlone) {
  up_to_response();
  EXPECT_FAILS(sm_.receive_key_response(changed_content(answer_)), ErrorKind::authentication_failed);
  world_.book.leave("sm-a");
  up_to_response();
  const auto same = changed<KeyResponse>(answer_, MessageType::key_response_ap, [](auto&) {});
  EXPECT_FAILS(sm_.receive_key_response(value_or_throw(same.write(MessageType::key_response_ap, dcas_key("sm-b")))),
               ErrorKind::authentication_failed);
}

/// An AP that has gone over to the other side makes no KPK either.
TEST_P(Pairing, TheSmTakesAKpkOfTheTaAlone) {
  up_to_response();
  const auto forged = changed<KeyResponse>(answer_, MessageType::key_response_ap, [&](KeyResponse& response) {
    response.encrypted_kpk =
        value_or_throw(encrypt_for(value_or_throw(dcas_key("sm-a").public_key()), SecretBytes(kpk_size)));
  });
  EXPECT_FAILS(sm_.receive_key_response(value_or_throw(forged.write(MessageType::key_response_ap, dcas_key("ap")))),
               ErrorKind::authentication_failed);
}

TEST_P(Pairing, TheSmTakesAKpkOfItsSizeAlone) {
  up_to_response();
  const auto forged = changed<KeyResponse>(answer_, MessageType::key_response_ap, [&](KeyResponse& response) {
    response.encrypted_kpk =
        value_or_throw(encrypt_for(value_or_throw(dcas_key("sm-a").public_key()), SecretBytes(kpk_size + 1)));
  });
  EXPECT_FAILS(sm_.receive_key_response(value_or_throw(forged.write(MessageType::key_response_ap, dcas_key("ap")))),
               ErrorKind::malformed);
}

TEST_P(Pairing, TheTpTakesItsSmsKeysAlone) {
  up_to_confirmation();
  EXPECT_FAILS(tp_.receive_cwek_gen_info(changed_content(info_)), ErrorKind::authentication_failed);
  world_.book.leave("sm-a");
  up_to_confirmation();
  const auto same = changed<CwekGenInfo>(info_, MessageType::cwek_gen_info, [](auto&) {});
  EXPECT_FAILS(tp_.receive_cwek_gen_info(value_or_throw(same.write(dcas_key("sm-b")))),
               ErrorKind::authentication_failed);
}

TEST_P(Pairing, TheTpTakesAKpkOfTheTaAlone) {
  up_to_confirmation();
  const auto forged = changed<CwekGenInfo>(info_, MessageType::cwek_gen_info, [&](CwekGenInfo& info) {
    info.encrypted_keys = value_or_throw(
        encrypt_for(value_or_throw(dcas_key("tp-a").public_key()), SecretBytes(kpk_size + rand_hmac_size)));
  });
  EXPECT_FAILS(tp_.receive_cwek_gen_info(value_or_throw(forged.write(dcas_key("sm-a")))),
               ErrorKind::authentication_failed);
  EXPECT_FAILS(tp_.open(Bytes(62)), ErrorKind::refused);
}

TEST_P(Pairing, TheSmTakesItsTpsConfirmationAlone) {
  up_to_confirmation();
  Bytes confirmation = value_or_throw(tp_.receive_cwek_gen_info(info_));
  EXPECT_FAILS(sm_.receive_confirmation(changed_content(confirmation)), ErrorKind::authentication_failed);
  world_.book.leave("sm-a");
  up_to_confirmation();
  confirmation = value_or_throw(tp_.receive_cwek_gen_info(info_));
  const auto same = changed<CwekGenInfoCnfm>(confirmation, MessageType::cwek_gen_info_cnfm, [](auto&) {});
  EXPECT_FAILS(sm_.receive_confirmation(value_or_throw(same.write(dcas_key("sm-b")))),
               ErrorKind::authentication_failed);
  world_.book.leave("sm-a");
  up_to_confirmation();
  confirmation = value_or_throw(tp_.receive_cwek_gen_info(info_));
  const auto other_keys = changed<CwekGenInfoCnfm>(confirmation, MessageType::cwek_gen_info_cnfm, [](auto& fields) {
    fields.encrypted_digests =
        value_or_throw(encrypt_for(value_or_throw(dcas_key("sm-a").public_key()), SecretBytes(confirmation_size)));
  });
  EXPECT_FAILS(sm_.receive_confirmation(value_or_throw(other_keys.write(dcas_key("tp-a")))),
               ErrorKind::authentication_failed);
  EXPECT_FAILS(sm_.seal(some_word(1)), ErrorKind::refused);
}

TEST_P(Pairing, ARequestThatWasLostIsMadeAgain) {
  up_to_request();
  ASSERT_OK(sm_.make_key_request(world_.ap().certificate(), world_.challenge()));
  asked_ = value_or_throw(sm_.make_key_request(world_.ap().certificate(), world_.challenge()));
  answer_ = value_or_throw(world_.ask(asked_));
  info_ = value_or_throw(sm_.receive_key_response(answer_));
  EXPECT_OK(sm_.receive_confirmation(value_or_throw(tp_.receive_cwek_gen_info(info_))));
}

TEST(Credentials, BelongTogether) {
  DcasWorld world(extended);
  const auto sm = world.credentials(PartyKind::secure_micro, "sm-a");
  EXPECT_FAILS(Credentials::create(sm.root, sm.certificate, dcas_key("sm-b"), role_secure_micro, nullptr),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(Credentials::create(sm.root, sm.certificate, sm.key, role_transport_processor, nullptr),
               ErrorKind::authentication_failed);
  EXPECT_FAILS(Credentials::create(sm.certificate, sm.certificate, sm.key, role_secure_micro, nullptr),
               ErrorKind::authentication_failed);
  world.clock.set(0);
  EXPECT_FAILS(Credentials::create(sm.root, sm.certificate, sm.key, role_secure_micro, &world.clock),
               ErrorKind::expired);
  EXPECT_OK(Credentials::create(sm.root, sm.certificate, sm.key, role_secure_micro, nullptr));
  EXPECT_FAILS(TrustedAuthority::create(sm.root, dcas_key("sm-a"), extended, world.random, world.clock),
               ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::dcas
