// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/stkm_ecm_generator.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "simulcrypt/bcast/bcast_receiver.hpp"
#include "simulcrypt/bcast/ltkm_generator.hpp"
#include "simulcrypt/ecmg_client.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "unit/simulcrypt/bcast/keys.hpp"
#include "unit/simulcrypt/ecmg_events.hpp"
#include "unit/simulcrypt/wire.hpp"

namespace cas::simulcrypt::bcast {
namespace {

using simulcrypt::test::EcmgEvents;

constexpr std::uint32_t drm_id = 0x00010007;
constexpr std::uint32_t smartcard_id = 0x00020007;
constexpr std::uint16_t stream = 0x1234;

TEST(BcastProfile, IsTheFirstTwoBytesOfTheSuperCasId) {
  EXPECT_EQ(profile_of(0x0001ffff), Profile::drm);
  EXPECT_EQ(profile_of(0x00020000), Profile::smartcard);
  EXPECT_FALSE(profile_of(0x00030001));
  EXPECT_FALSE(profile_of(0x01000001));
  EXPECT_EQ(super_cas_id_of(Profile::smartcard, 7), smartcard_id);
  EXPECT_TRUE(may_broadcast_ltkms(drm_id));
  EXPECT_FALSE(may_broadcast_ltkms(smartcard_id));
  EXPECT_EQ(error_status_of(GlobalStatus::server_error), 0x8007);
  EXPECT_EQ(global_status_of(0x8000), 0);
  EXPECT_FALSE(global_status_of(0x7001));
}

// An ECMG that answers with short term key messages, and a synchroniser's client of it.
class StkmEcmGeneratorTest : public ::testing::Test {
 protected:
  void add(std::uint32_t super_cas_id) {
    StkmStreamOptions options;
    options.profile = *profile_of(super_cas_id);
    options.stream = stream;
    options.key_domain = test::key_domain;
    ASSERT_OK(generator.add_stream(super_cas_id, cas::test::value_or_throw(StkmGenerator::create(
                                                     options, test::service_key(), std::nullopt, clock))));
  }
  // What goes between the two, until nothing does.
  void pump() {
    while (!client->output().empty() || !session->output().empty()) {
      const Bytes up = simulcrypt::test::take_output(*client);
      session->receive(up, now);
      const Bytes down = simulcrypt::test::take_output(*session);
      client->receive(down, now);
    }
  }
  void start(std::uint32_t super_cas_id) {
    EcmgClientSettings settings;
    settings.super_cas_id = super_cas_id;
    settings.binary_messages = true;
    server.emplace(EcmgServerSettings{}, generator);
    session.emplace(*server, now);
    client.emplace(settings, events);
    client->start(now);
  }
  void open(std::uint32_t super_cas_id) {
    start(super_cas_id);
    pump();
    ASSERT_OK(client->open_stream(1, stream, 100, now));
    pump();
    EXPECT_EQ(events.take(), "channel opened; stream 1 opened");
  }
  Status provision(std::uint16_t period, std::size_t word_size = 30, ByteView criteria = {},
                   std::optional<Bytes> parameter = std::nullopt) {
    std::vector<SecretBytes> secrets;
    std::vector<ecmg::ControlWord> words;
    const std::uint16_t first = client->words_for(period);
    for (std::uint16_t i = 0; i < client->parameters().cw_per_msg; ++i) {
      const auto number = static_cast<std::uint16_t>(first + i);
      SecretBytes word = test::counted(static_cast<std::uint8_t>(number), word_size);
      if (parameter) word = *encryption.seal(*parameter, number, word.reveal());
      secrets.push_back(std::move(word));
      words.push_back({number, secrets.back().reveal()});
    }
    CwProvisionRequest request;
    request.cp_number = period;
    request.words = words;
    request.access_criteria = criteria;
    if (parameter) request.cw_encryption = *parameter;
    CAS_TRY(client->provision(1, request, now));
    pump();
    return {};
  }
  cas::test::ManualClock clock{test::time};
  CwEncryption encryption = *CwEncryption::create(test::counted(0x70), 1);
  StkmEcmGenerator generator{{}};
  Instant now{std::chrono::hours(1)};
  EcmgEvents events;
  std::optional<EcmgServer> server;
  std::optional<EcmgSession> session;
  std::optional<EcmgClient> client;
};

TEST_F(StkmEcmGeneratorTest, AnswersWithMessagesThatAReceiverOpens) {
  add(drm_id);
  open(drm_id);
  EXPECT_EQ(client->parameters().section_tspkt_flag, ecmg::binary_messages);
  EXPECT_EQ(client->parameters().cw_per_msg, 2);
  const Bytes criteria = {0x01, 0x00};
  ASSERT_OK(provision(7, 30, criteria));
  EXPECT_EQ(events.take(), "ECM 1/7");
  std::vector<DrmRecipient> recipients;
  recipients.push_back({std::nullopt, test::counted(0x60)});
  std::vector<ServiceKey> keys;
  keys.push_back(test::service_key());
  const Bytes ltkm = *DrmLtkmGenerator::create(drm_id, clock)->make(recipients[0], keys);
  auto receiver = BcastReceiver::create_drm(drm_id, std::move(recipients), clock);
  ASSERT_OK(receiver->take_ltkm(ltkm));
  ASSERT_OK(receiver->take_stkm(stream, events.last_ecm));
  EXPECT_EQ(to_hex(receiver->find_tek(stream, 8)->tek.material.reveal()), to_hex(test::counted(8, 30).reveal()));
  EXPECT_EQ(to_hex(DrmStkm::parse(events.last_ecm)->access_criteria), "0100");
  // Nobody but its own stream knows it; keys can be changed while it runs.
  ASSERT_NE(generator.find(drm_id, stream), nullptr);
  EXPECT_EQ(generator.find(smartcard_id, stream), nullptr);
}

TEST_F(StkmEcmGeneratorTest, AnswersForTheSmartcardProfile) {
  add(smartcard_id);
  open(smartcard_id);
  EXPECT_EQ(client->parameters().cw_per_msg, 1);
  EXPECT_EQ(client->parameters().lead_cw, 0);
  ASSERT_OK(provision(7));
  EXPECT_EQ(events.take(), "ECM 1/7");
  const auto stkm = SmartcardStkm::parse(events.last_ecm);
  ASSERT_OK(stkm);
  EXPECT_EQ(stkm->head.tek_id, 7);
  EXPECT_EQ(stkm->head.stream, stream);
}

TEST_F(StkmEcmGeneratorTest, RefusesOtherSystemsAndStreams) {
  add(smartcard_id);
  start(drm_id);
  pump();
  EXPECT_EQ(events.take(), "channel closed reported-error");
  EXPECT_EQ(events.last_problem.error_status, static_cast<std::uint16_t>(ecmg::Error::unknown_super_cas_id));
  EXPECT_EQ(generator.open_channel(0x4adc0001).error(), ecmg::Error::unknown_super_cas_id);
  EXPECT_EQ(generator.open_stream({smartcard_id, 1, 1, stream + 1, 100}).error(), ecmg::Error::unknown_ecm_id);
  StkmStreamOptions options;
  options.profile = Profile::drm;
  const auto made = [&] { return *StkmGenerator::create(options, test::service_key(), std::nullopt, clock); };
  EXPECT_FAILS(generator.add_stream(smartcard_id, made()), ErrorKind::invalid_argument);
  EXPECT_OK(generator.add_stream(drm_id, made()));
  EXPECT_FAILS(generator.add_stream(drm_id, made()), ErrorKind::invalid_argument);
}

TEST_F(StkmEcmGeneratorTest, RefusesWithTheErrorsOfOmaBcast) {
  add(drm_id);
  open(drm_id);
  ASSERT_OK(provision(7, 8));  // a word of CSA
  EXPECT_EQ(events.take(), "failed 1/7 reported-error");
  EXPECT_EQ(events.last_problem.error_status, 0);
  const auto refusal = [&](std::size_t size, ByteView criteria, bool encrypted) {
    const SecretBytes word = test::counted(1, size);
    const ecmg::ControlWord words[] = {{1, word.reveal()}};
    EcmOrder order;
    order.handle = generator.open_stream({drm_id, 1, 1, stream, 100})->handle;
    order.words = words;
    order.access_criteria = criteria;
    const Bytes parameter(CwEncryption::parameter_size);
    if (encrypted) order.cw_encryption = parameter;
    Bytes out(longest_stkm);
    return generator.make_ecm(order, out).error_status;
  };
  EXPECT_EQ(refusal(30, {}, false), 0);
  EXPECT_EQ(refusal(29, {}, false), error_status_of(GlobalStatus::invalid_request));
  EXPECT_EQ(refusal(30, Bytes{1, 1}, false), error_status_of(GlobalStatus::malformed_message));
  EXPECT_EQ(refusal(46, {}, true), error_status_of(GlobalStatus::operation_not_permitted));
  clock.set(test::time + 1000);
  EXPECT_EQ(refusal(30, {}, false), error_status_of(GlobalStatus::service_unavailable));
}

TEST_F(StkmEcmGeneratorTest, TakesWordsThatAreEnciphered) {
  StkmEcmGeneratorOptions options;
  options.cw_encryption = *CwEncryption::create(test::counted(0x70), 1);
  generator = StkmEcmGenerator(std::move(options));
  add(drm_id);
  open(drm_id);
  cas::test::SeededRandom random(3);
  ASSERT_OK(provision(7, 30, {}, *encryption.new_parameter(random)));
  EXPECT_EQ(events.take(), "ECM 1/7");
  const Bytes enciphered = events.last_ecm;
  const ServiceKey key = test::service_key();
  EXPECT_EQ(to_hex(open_drm_stkm(enciphered, *DrmStkm::parse(enciphered), key)->next_tek->reveal()),
            to_hex(test::counted(8, 30).reveal()));
  ASSERT_OK(provision(8));  // in clear
  EXPECT_EQ(events.take(), "failed 1/8 reported-error");
}

TEST_F(StkmEcmGeneratorTest, OtherFormsOfEcmsAreRefusedByTheSynchroniser) {
  // 14.1.1.3.1: all other values of section_TSpkt_flag are not to be used.
  start(drm_id);
  ecmg::ChannelStatus status;
  status.channel_id = 1;
  status.parameters.section_tspkt_flag = ecmg::sections;
  ByteQueue answer;
  ASSERT_OK(status.write(answer, 3));
  client->receive(answer.view(), now);
  EXPECT_EQ(events.take(), "invalid-message; channel closed unusable-parameters");
}

}  // namespace
}  // namespace cas::simulcrypt::bcast
