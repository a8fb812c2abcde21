// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro_generator.hpp"

#include <gtest/gtest.h>

#include <future>

#include "support/manual_clock.hpp"
#include "support/result_matchers.hpp"
#include "support/test_system.hpp"

namespace cas::ecmg_program {
namespace {

using simulcrypt::EcmAnswer;
namespace ecmg = simulcrypt::ecmg;
using smartpro::BroadcastCriteria;
using smartpro::BroadcastEcm;
using smartpro::TokenKind;

constexpr std::uint32_t super_cas_id = 0x12340001;
constexpr std::uint16_t ecm_id = 7;

class SmartproGeneratorTest : public testing::Test {
 protected:
  SmartproGeneratorTest() {
    ecmg::ChannelParameters parameters;
    parameters.cw_per_msg = 1;
    parameters.lead_cw = 0;
    generator.emplace(super_cas_id, parameters, clock, [this](LicenceOrder order) {
      if (full) return false;
      orders.push_back(std::move(order));
      return true;
    });
    handle = generator->open_stream({super_cas_id, 1, 2, ecm_id, 100})->handle;
  }
  EcmAnswer ask(ByteView criteria = {}, bool changed = false) {
    simulcrypt::EcmOrder order;
    order.handle = handle;
    order.cp_number = 65535;
    order.words = words;
    order.access_criteria = criteria;
    order.access_criteria_changed = changed;
    order.cw_encryption = cw_encryption;
    order.ticket = {1, 2, 65535, 3};
    return generator->make_ecm(order, out);
  }
  void expect_refused(const EcmAnswer& answer, ecmg::Error error = ecmg::Error::invalid_value) {
    EXPECT_EQ(answer.kind, EcmAnswer::Kind::refused);
    EXPECT_EQ(answer.error_status, static_cast<std::uint16_t>(error));
    EXPECT_TRUE(orders.empty());
  }

  test::ManualClock clock{1'800'000'000};
  std::optional<SmartproGenerator> generator;
  std::vector<LicenceOrder> orders;
  bool full = false;
  std::uint64_t handle = 0;
  Bytes word = Bytes(16, 0x5a);
  std::vector<ecmg::ControlWord> words{{65535, word}};
  std::optional<ByteView> cw_encryption;
  Bytes out = Bytes(smartpro::max_broadcast_ecm_size);
};

TEST_F(SmartproGeneratorTest, ServesItsSuperCasIdAlone) {
  EXPECT_TRUE(generator->open_channel(super_cas_id).has_value());
  EXPECT_EQ(generator->open_channel(super_cas_id + 1).error(), ecmg::Error::unknown_super_cas_id);
}

TEST_F(SmartproGeneratorTest, OrdersALicenceForThePlaceAndTheWord) {
  EXPECT_EQ(ask().kind, EcmAnswer::Kind::later);
  ASSERT_EQ(orders.size(), 1U);
  const LicenceOrder& order = orders.front();
  EXPECT_EQ(order.ticket.serial, 3U);
  EXPECT_EQ(order.cp_number, 65535);
  EXPECT_EQ(order.place.super_cas_id, super_cas_id);
  EXPECT_EQ(order.place.ecm_id, ecm_id);
  EXPECT_EQ(order.request.cipher, smartpro::ContentCipher::transport_stream);
  EXPECT_EQ(order.request.key_period, 65535U);
  EXPECT_EQ(order.request.rights, BroadcastCriteria{}.rights);
  EXPECT_TRUE(equal(order.word.reveal(), word));
}

TEST_F(SmartproGeneratorTest, AccessCriteriaStayUntilOthersCome) {
  BroadcastCriteria criteria;
  criteria.content_id = smartpro::ContentId{1, 2, 3};
  criteria.rights.not_after = 1'900'000'000;
  const Bytes encoded = criteria.encode();
  EXPECT_EQ(ask(encoded, true).kind, EcmAnswer::Kind::later);
  EXPECT_EQ(ask(encoded).kind, EcmAnswer::Kind::later);
  ASSERT_EQ(orders.size(), 2U);
  for (const LicenceOrder& order : orders) {
    EXPECT_EQ(order.request.content_id, *criteria.content_id);
    EXPECT_EQ(order.request.rights, criteria.rights);
  }
  orders.clear();
  expect_refused(ask(as_bytes("?"), true));
  expect_refused(ask());  // They are still the ones in force.
}

TEST_F(SmartproGeneratorTest, RefusesWhatNoLicenceCanBeMadeOf) {
  const Bytes seven(7, 1), none;
  for (const ByteView bad : {ByteView(seven), ByteView(none)}) {
    words = {{65535, bad}};
    expect_refused(ask());
  }
  words = {{65535, word}, {0, word}};
  expect_refused(ask());
  words = {{0, word}};  // of another period
  expect_refused(ask());
  words = {{65535, word}};
  cw_encryption = ByteView(seven);
  expect_refused(ask());
}

TEST_F(SmartproGeneratorTest, RefusesMoreThanCanWait) {
  full = true;
  expect_refused(ask(), ecmg::Error::out_of_computation);
}

TEST(LicenceWorkerLimits, NoMoreWaitThanThat) {
  std::promise<void> entered, leave;
  std::shared_future<void> left = leave.get_future().share();
  std::atomic<int> begun = 0;
  LicenceWorker worker(
      2,
      [&](const auto&, const auto&) -> Result<Bytes> {
        if (++begun == 1) entered.set_value();
        left.wait();
        return fail(ErrorKind::card_absent, "it was pulled");
      },
      [](const auto&, const auto&) {});
  EXPECT_TRUE(worker.order({}));
  entered.get_future().wait();
  EXPECT_TRUE(worker.order({}));
  EXPECT_TRUE(worker.order({}));
  EXPECT_FALSE(worker.order({}));
  leave.set_value();
}

TEST_F(SmartproGeneratorTest, SaysWhetherTheTokenIsMissingOrRefuses) {
  EXPECT_EQ(ecmg_error_of(ErrorKind::card_absent), no_token);
  EXPECT_EQ(ecmg_error_of(ErrorKind::card_reset), no_token);
  EXPECT_EQ(ecmg_error_of(ErrorKind::revoked), refused_by_token);
  EXPECT_EQ(ecmg_error_of(ErrorKind::refused), refused_by_token);
}

/// With a token of a domain behind it.
class LicenceWorkerTest : public SmartproGeneratorTest {
 protected:
  LicenceWorkerTest() {
    system.found_usual_domain();
    system.enrol("progenitor", "head-end", TokenKind::head_end);
    token = system.session("head-end");
    viewer = system.session("renderer");
  }
  /// What the worker makes of the order of `ask`.
  Result<Bytes> make(smartpro::TokenSession& session) {
    EXPECT_EQ(ask().kind, EcmAnswer::Kind::later);
    std::promise<Result<Bytes>> made;
    LicenceWorker worker(
        1, [&session](const auto& request, const auto& given) { return session.wrap_control_word(request, given); },
        [&made](const LicenceOrder&, Result<Bytes> section) { made.set_value(std::move(section)); });
    EXPECT_TRUE(worker.order(std::move(orders.front())));
    orders.clear();
    return made.get_future().get();
  }

  test::TestSystem system;
  std::unique_ptr<smartpro::TokenSession> token, viewer;
};

TEST_F(LicenceWorkerTest, ARendererOfTheDomainGetsTheWord) {
  for (const std::size_t size : {std::size_t{8}, std::size_t{16}}) {
    words = {{65535, ByteView(word).first(size)}};
    const auto section = make(*token);
    ASSERT_OK(section);
    EXPECT_EQ((*section)[0], 0x81);  // CP_number 65535 is odd.
    const auto ecm = BroadcastEcm::parse(*section);
    ASSERT_OK(ecm);
    EXPECT_EQ(ecm->place.super_cas_id, super_cas_id);
    EXPECT_EQ(ecm->place.ecm_id, ecm_id);
    EXPECT_EQ(ecm->cp_number, 65535);
    const auto opened = viewer->open_licence(ecm->lecm, ecm->open_request({}));
    ASSERT_OK(opened);
    EXPECT_TRUE(equal(opened->control_word.reveal(), ByteView(word).first(size)));
  }
}

TEST_F(LicenceWorkerTest, AnotherKindOfTokenMakesNone) {
  const auto camera = system.session("acquisition");
  const auto made = make(*camera);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(ecmg_error_of(made.error().kind), refused_by_token);
}

TEST_F(LicenceWorkerTest, OneFollowsTheOtherAndErrorsPass) {
  std::vector<std::uint16_t> finished;  // of the worker's thread until `all`
  std::promise<void> all;
  LicenceWorker worker(
      3,
      [](const auto& request, const auto&) -> Result<Bytes> {
        if (request.key_period == 1) return fail(ErrorKind::card_absent, "it was pulled");
        return Bytes(100, 0x80);
      },
      [&](const LicenceOrder& order, const Result<Bytes>& section) {
        // What the others got is no licence.
        EXPECT_FAILS(section, order.cp_number == 1 ? ErrorKind::card_absent : ErrorKind::invalid_argument);
        finished.push_back(order.cp_number);
        if (finished.size() == 3) all.set_value();
      });
  for (std::uint16_t cp = 0; cp < 3; ++cp) {
    LicenceOrder order;
    order.cp_number = cp;
    order.request.key_period = cp;
    order.word = SecretBytes(16);
    EXPECT_TRUE(worker.order(std::move(order)));
  }
  all.get_future().wait();
  EXPECT_EQ(finished, (std::vector<std::uint16_t>{0, 1, 2}));
}

}  // namespace
}  // namespace cas::ecmg_program
