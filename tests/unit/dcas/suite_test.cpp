// SPDX-License-Identifier: LGPL-2.1-or-later
// Who uses which suite, and that nobody between can talk two devices out of the better one.
#include "dcas/suite.hpp"

#include <gtest/gtest.h>

#include "crypto/digest.hpp"
#include "dcas/certificate_exchange.hpp"
#include "dcas/cwek_generation.hpp"
#include "dcas/key_request.hpp"
#include "dcas/key_response.hpp"
#include "dcas_world.hpp"

namespace cas::dcas {
namespace {

using test::dcas_key;
using test::DcasWorld;
using test::some_word;
using test::value_or_throw;

constexpr auto strict = SuitePolicy::strict_paper;
constexpr auto both = SuitePolicy::where_both_have_it;
constexpr auto demanded = SuitePolicy::demanded;

/// The message as one of the paper's suite without fields, as somebody between would make it.
Bytes stripped(ByteView bytes, MessageType type) {
  const auto message = value_or_throw(Message::parse(bytes, type));
  return value_or_throw(write_message(type, Suite::paper, {}, nullptr, message.certificate));
}

TEST(Suites, DevicesWithoutTheExtendedOneUseThePapers) {
  DcasWorld world(both, false);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(world.pair(sm, tp));
  EXPECT_EQ(sm.suite(), Suite::paper);
  EXPECT_OK(tp.open(value_or_throw(sm.seal(some_word(1)))));
}

TEST(Suites, WhereItIsDemandedThePapersIsRefused) {
  DcasWorld old(both, false);
  auto sm = old.secure_micro("sm-a", demanded);
  auto tp = old.transport_processor("tp-a");
  EXPECT_FAILS(old.pair(sm, tp), ErrorKind::refused);
  auto any_sm = old.secure_micro("sm-a");
  auto strong_tp = old.transport_processor("tp-a", demanded);
  EXPECT_FAILS(old.pair(any_sm, strong_tp), ErrorKind::refused);
  DcasWorld strong(demanded);
  auto extended_sm = strong.secure_micro("sm-a");
  auto extended_tp = strong.transport_processor("tp-a");
  EXPECT_OK(strong.pair(extended_sm, extended_tp));
  EXPECT_EQ(extended_sm.suite(), Suite::extended);
}

TEST(Suites, ApAndTaDemandItToo) {
  DcasWorld world(demanded);
  auto sm = world.secure_micro("sm-a", strict);
  auto tp = world.transport_processor("tp-a", strict);
  ASSERT_OK(sm.receive_tp_cert_rsp(value_or_throw(tp.receive_tp_cert_req(value_or_throw(sm.start())))));
  const Bytes asked = value_or_throw(sm.make_key_request(world.ap().certificate(), {}));
  EXPECT_FAILS(world.ap().receive_request(asked), ErrorKind::refused);
  EXPECT_FAILS(check_suite_of_request(demanded, Suite::paper), ErrorKind::refused);
  EXPECT_FAILS(check_suite_of_request(strict, Suite::extended), ErrorKind::refused);
  EXPECT_OK(check_suite_of_request(both, Suite::paper));
  EXPECT_OK(check_suite_of_request(both, Suite::extended));
  ApKeyRequest request;
  request.ap = "ap";
  request.encrypted_ids = Bytes(256);
  EXPECT_FAILS(world.ta().handle(value_or_throw(request.write(dcas_key("ap"))), world.book), ErrorKind::refused);
}

TEST(Suites, StrictAtOneEndAloneIsSaid) {
  DcasWorld world(both);
  auto strict_sm = world.secure_micro("sm-a", strict);
  auto tp = world.transport_processor("tp-a");
  EXPECT_FAILS(world.pair(strict_sm, tp), ErrorKind::refused);
  auto sm = world.secure_micro("sm-a");
  auto strict_tp = world.transport_processor("tp-a", strict);
  EXPECT_FAILS(world.pair(sm, strict_tp), ErrorKind::refused);
}

TEST(Suites, StrictAtBothEndsWorksInANetworkThatHasMore) {
  DcasWorld world(both);
  auto sm = world.secure_micro("sm-a", strict);
  auto tp = world.transport_processor("tp-a", strict);
  ASSERT_OK(world.pair(sm, tp));
  EXPECT_EQ(tp.suite(), Suite::paper);
}

TEST(Suites, SomebodyBetweenStripsNothing) {
  DcasWorld world(both);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  const Bytes request = value_or_throw(sm.start());
  EXPECT_FAILS(tp.receive_tp_cert_req(stripped(request, MessageType::tp_cert_req)), ErrorKind::refused);
  const Bytes response = value_or_throw(tp.receive_tp_cert_req(request));
  EXPECT_FAILS(sm.receive_tp_cert_rsp(stripped(response, MessageType::tp_cert_rsp)), ErrorKind::refused);
}

TEST(Suites, AnApHasItWhenTheDevicesHave) {
  DcasWorld world(both), old(both, false);
  auto sm = world.secure_micro("sm-a");
  auto tp = world.transport_processor("tp-a");
  ASSERT_OK(sm.receive_tp_cert_rsp(value_or_throw(tp.receive_tp_cert_req(value_or_throw(sm.start())))));
  // A root of the same key that issues without it.
  EXPECT_FAILS(sm.make_key_request(old.ap().certificate(), world.challenge()), ErrorKind::refused);
}

class Bound : public testing::Test {
 protected:
  void SetUp() override {
    request_ = value_or_throw(sm_.start());
    response_ = value_or_throw(tp_.receive_tp_cert_req(request_));
  }
  template <typename Change>
  Bytes statement(Change change, const crypto::RsaPrivateKey& signer = dcas_key("tp-a")) {
    auto fields = value_or_throw(TpCertRsp::parse(value_or_throw(Message::parse(response_, MessageType::tp_cert_rsp))));
    change(fields);
    const auto certificate = value_or_throw(Message::parse(response_, MessageType::tp_cert_rsp)).certificate;
    return value_or_throw(fields.write(certificate, signer));
  }
  void up_to_answer() {
    ASSERT_OK(sm_.receive_tp_cert_rsp(response_));
    const Bytes asked = value_or_throw(sm_.make_key_request(world_.ap().certificate(), world_.challenge()));
    answer_ = value_or_throw(world_.ask(asked));
  }
  DcasWorld world_{both};
  SecureMicroPairing sm_ = world_.secure_micro("sm-a");
  TransportProcessor tp_ = world_.transport_processor("tp-a");
  Bytes request_, response_, answer_;
};

TEST_F(Bound, TheTpsAnswerToTheRequest) {
  EXPECT_FAILS(sm_.receive_tp_cert_rsp(statement([](auto& s) { s.request_digest[0] ^= 1; })),
               ErrorKind::authentication_failed);
  SetUp();
  EXPECT_FAILS(sm_.receive_tp_cert_rsp(statement([](auto& s) { s.sm = "sm-b"; })), ErrorKind::authentication_failed);
  SetUp();
  EXPECT_FAILS(sm_.receive_tp_cert_rsp(statement([](auto&) {}, dcas_key("tp-b"))), ErrorKind::authentication_failed);
  SetUp();
  const Bytes old = response_;
  SetUp();
  EXPECT_FAILS(sm_.receive_tp_cert_rsp(old), ErrorKind::authentication_failed);
}

TEST_F(Bound, TheApsAnswerToTheRequest) {
  up_to_answer();
  auto fields =
      value_or_throw(KeyResponse::parse(value_or_throw(Message::parse(answer_, MessageType::key_response_ap))));
  fields.request_digest[0] ^= 1;
  EXPECT_FAILS(sm_.receive_key_response(value_or_throw(fields.write(MessageType::key_response_ap, dcas_key("ap")))),
               ErrorKind::authentication_failed);
}

TEST_F(Bound, TheTasAnswerToTheRequest) {
  ASSERT_OK(sm_.receive_tp_cert_rsp(response_));
  const Bytes asked = value_or_throw(sm_.make_key_request(world_.ap().certificate(), world_.challenge()));
  auto request = value_or_throw(world_.ap().receive_request(asked));
  const Bytes first = value_or_throw(world_.ap().make_request(request, value_or_throw(world_.ta().issue_challenge())));
  const Bytes answer = value_or_throw(world_.ta().handle(first, world_.book));
  auto again = request;
  ASSERT_OK(world_.ap().make_request(again, value_or_throw(world_.ta().issue_challenge())));
  EXPECT_FAILS(world_.ap().receive_response(again, answer), ErrorKind::authentication_failed);
  EXPECT_OK(world_.ap().receive_response(request, answer));
}

TEST_F(Bound, TheTasSignatureToPairAndSession) {
  const SecretBytes kpk(kpk_size);
  const auto covered = [&](const char* sm, const char* tp, std::uint8_t nonce) {
    return to_hex(signed_by_ta(Suite::extended, kpk, sm, tp, Nonce{nonce}).reveal());
  };
  EXPECT_NE(covered("sm-a", "tp-a", 0), covered("sm-b", "tp-a", 0));
  EXPECT_NE(covered("sm-a", "tp-a", 0), covered("sm-a", "tp-b", 0));
  EXPECT_NE(covered("sm-a", "tp-a", 0), covered("sm-a", "tp-a", 1));
  EXPECT_NE(covered("a", "bc", 0), covered("ab", "c", 0));
  EXPECT_EQ(signed_by_ta(Suite::paper, kpk, "sm-a", "tp-a", {}).size(), kpk_size);
}

TEST_F(Bound, TheKeysToTheMessagesSoFar) {
  up_to_answer();
  const Bytes info = value_or_throw(sm_.receive_key_response(answer_));
  auto fields = value_or_throw(CwekGenInfo::parse(value_or_throw(Message::parse(info, MessageType::cwek_gen_info))));
  fields.transcript[0] ^= 1;
  EXPECT_FAILS(tp_.receive_cwek_gen_info(value_or_throw(fields.write(dcas_key("sm-a")))),
               ErrorKind::authentication_failed);
}

TEST_F(Bound, TheConfirmationToTheMessagesSoFar) {
  up_to_answer();
  const Bytes confirmation =
      value_or_throw(tp_.receive_cwek_gen_info(value_or_throw(sm_.receive_key_response(answer_))));
  auto fields = value_or_throw(
      CwekGenInfoCnfm::parse(value_or_throw(Message::parse(confirmation, MessageType::cwek_gen_info_cnfm))));
  fields.transcript[0] ^= 1;
  EXPECT_FAILS(sm_.receive_confirmation(value_or_throw(fields.write(dcas_key("tp-a")))),
               ErrorKind::authentication_failed);
}

TEST_F(Bound, AnEphemeralKeyIsOneOfTheGroup) {
  up_to_answer();
  const Bytes info = value_or_throw(sm_.receive_key_response(answer_));
  auto fields = value_or_throw(CwekGenInfo::parse(value_or_throw(Message::parse(info, MessageType::cwek_gen_info))));
  fields.ephemeral = Bytes(ephemeral_size, 4);
  EXPECT_FAILS(tp_.receive_cwek_gen_info(value_or_throw(fields.write(dcas_key("sm-a")))),
               ErrorKind::authentication_failed);
}

/// A run whose suite changes halfway.
TEST_F(Bound, TheSuiteToTheWholeRun) {
  up_to_answer();
  auto response =
      value_or_throw(KeyResponse::parse(value_or_throw(Message::parse(answer_, MessageType::key_response_ap))));
  response.suite = Suite::paper;
  EXPECT_FAILS(sm_.receive_key_response(value_or_throw(response.write(MessageType::key_response_ap, dcas_key("ap")))),
               ErrorKind::refused);
  auto info_fields = CwekGenInfo{Suite::paper, Bytes(256), Bytes(256), {}, {}};
  EXPECT_FAILS(tp_.receive_cwek_gen_info(value_or_throw(info_fields.write(dcas_key("sm-a")))), ErrorKind::refused);
}

}  // namespace
}  // namespace cas::dcas
