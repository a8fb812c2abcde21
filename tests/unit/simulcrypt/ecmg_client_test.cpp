// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_client.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "unit/simulcrypt/ecmg_events.hpp"
#include "unit/simulcrypt/wire.hpp"

namespace cas::simulcrypt {
namespace {

using cas::test::hex;
using std::chrono::milliseconds;
using test::packet;
using test::section;
using test::wire;

// A client whose ECMG is the test.
class EcmgClientTest : public ::testing::Test {
 protected:
  void begin() {
    client.emplace(settings, events);
    client->start(now);
  }
  void open(std::uint16_t streams = 1) {
    begin();
    say(wire(status, client->version()));
    for (std::uint16_t id = 0; id < streams; ++id) {
      ASSERT_OK(client->open_stream(id, id, 100, now));
      say(wire(ecmg::StreamStatus{1, id, id, each_time}, client->version()));
    }
    sent();
    events.take();
  }
  void say(ByteView bytes) { client->receive(bytes, now); }
  std::string sent() { return test::names_in(ecmg_grammar(), test::take_output(*client)); }
  void pass(milliseconds time) {
    now += time;
    client->tick(now);
  }
  Status provision(std::uint16_t cp, std::uint16_t stream = 0, const char* criteria = "AC") {
    const Bytes word = hex("0102030405060708");
    std::vector<ecmg::ControlWord> words;
    for (std::uint16_t i = 0; i < status.parameters.cw_per_msg; ++i)
      words.push_back({static_cast<std::uint16_t>(client->words_for(cp) + i), word});
    CwProvisionRequest request;
    request.cp_number = cp;
    request.words = words;
    request.access_criteria = as_bytes(criteria);
    return client->provision(stream, request, now);
  }
  Bytes ecm(std::uint16_t cp, std::uint16_t stream = 0) {
    const Bytes datagram = section(0x80, 20);
    return wire(ecmg::EcmResponse{1, stream, cp, datagram}, client->version());
  }
  Bytes error(std::uint16_t code, std::optional<std::uint16_t> stream = {}, std::uint8_t version = 3,
              std::uint16_t channel = 1) {
    ecmg::ErrorMessage message;
    message.channel_id = channel;
    message.stream_id = stream;
    message.statuses[0] = code;
    message.status_count = 1;
    return wire(message, version);
  }
  bool last_provision_has_criteria() {
    const Bytes bytes = test::take_output(*client);
    const auto message = MessageView::parse(bytes);
    return message && message->find(ecmg::access_criteria);
  }

  EcmgClientSettings settings{.channel_id = 1, .super_cas_id = 0x4adc0001};
  test::EcmgEvents events;
  std::optional<EcmgClient> client;
  ecmg::ChannelStatus status = [] {
    ecmg::ChannelStatus made;
    made.channel_id = 1;
    made.parameters.max_streams = 3;
    return made;
  }();
  bool each_time = false;
  Instant now{std::chrono::hours(5)};
};

TEST_F(EcmgClientTest, GetsAnEcm) {
  begin();
  EXPECT_EQ(to_hex(client->output()), to_hex(hex("03 0001 000e 000e00020001 000100044adc0001")));
  sent();
  say(wire(status, 3));
  EXPECT_EQ(events.take(), "channel opened");
  EXPECT_EQ(client->parameters(), status.parameters);
  ASSERT_OK(client->open_stream(0, 9, 100, now));
  EXPECT_EQ(sent(), "stream_setup");
  EXPECT_FALSE(client->takes_provision(0));
  say(wire(ecmg::StreamStatus{1, 0, 9, false}, 3));
  EXPECT_EQ(events.take(), "stream 0 opened");
  EXPECT_TRUE(client->takes_provision(0));
  ASSERT_OK(provision(7));
  EXPECT_FALSE(client->takes_provision(0));
  EXPECT_EQ(sent(), "CW_provision");
  say(ecm(7));
  EXPECT_EQ(events.take(), "ECM 0/7");
  EXPECT_EQ(events.last_ecm, section(0x80, 20));
  ASSERT_OK(client->close_stream(0, now));
  EXPECT_EQ(sent(), "stream_close_request");
  EXPECT_FAILS(client->close_stream(0, now), ErrorKind::refused);
  say(wire(ecmg::StreamMessage{1, 0}, 3, ecmg::stream_close_response));
  EXPECT_EQ(events.take(), "stream 0 closed");
  client->close_channel();
  EXPECT_EQ(sent(), "channel_close");
  EXPECT_TRUE(client->is_closed());
  say(wire(status, 3));
  EXPECT_EQ(events.take(), "");
}

TEST_F(EcmgClientTest, CountsCryptoPeriodsThroughTheEndOfTheirNumbers) {
  open();
  for (const std::uint16_t cp : std::initializer_list<std::uint16_t>{65534, 65535, 0, 1}) {
    ASSERT_OK(provision(cp));
    const Bytes bytes = test::take_output(*client);
    const auto message = MessageView::parse(bytes);
    ASSERT_OK(message);
    const auto sent_one = ecmg::CwProvision::from(*message);
    ASSERT_EQ(sent_one.words().size(), 2U);
    EXPECT_EQ(sent_one.words()[0].cp_number, cp);
    EXPECT_EQ(sent_one.words()[1].cp_number, static_cast<std::uint16_t>(cp + 1));
    say(ecm(cp));
    EXPECT_EQ(events.take(), "ECM 0/" + std::to_string(cp));
  }
}

TEST_F(EcmgClientTest, FallsBackToVersion2) {
  begin();
  sent();
  say(error(0x0002));
  EXPECT_EQ(to_hex(client->output().first(3)), "020001");
  sent();
  EXPECT_EQ(events.take(), "");
  say(error(0x0002, {}, 2));
  EXPECT_EQ(events.take(), "channel closed reported-error");
  EXPECT_EQ(events.last_problem.error_status, 0x0002);
}

// An ECMG of version 2 answers in its own version, or in whichever, and may not know the channel.
TEST_F(EcmgClientTest, ReadsTheErrorAboutItsVersionInEachVersion) {
  for (const int version : {1, 2, 3, 5, 255}) {
    begin();
    sent();
    say(error(0x0002, {}, static_cast<std::uint8_t>(version), 0));
    EXPECT_EQ(sent(), "channel_setup") << version;
    EXPECT_EQ(client->version(), 2);
    say(wire(status, 2));
    EXPECT_EQ(events.take(), "channel opened");
  }
}

TEST_F(EcmgClientTest, TakesTheOlderVersionInWhichItIsAnswered) {
  begin();
  say(wire(status, 2));
  EXPECT_EQ(events.take(), "channel opened");
  EXPECT_EQ(client->version(), 2);
}

TEST_F(EcmgClientTest, TriesTheOlderVersionNextWhenItIsHungUpOn) {
  begin();
  client->connection_lost();
  EXPECT_EQ(events.take(), "channel closed connection-lost");
  EXPECT_EQ(client->version(), 2);
}

TEST_F(EcmgClientTest, RefusesAnotherVersionOnAnOpenChannel) {
  open();
  sent();
  ASSERT_OK(provision(1));
  sent();
  const Bytes datagram = section(0x80, 20);
  say(wire(ecmg::EcmResponse{1, 0, 1, datagram}, 2));
  EXPECT_EQ(sent(), "channel_error 0002");
  EXPECT_EQ(events.take(), "invalid-message");
}

TEST_F(EcmgClientTest, RefusesParametersThatItCannotServe) {
  const auto outcome = [&](auto change) {
    ecmg::ChannelStatus changed = status;
    change(changed.parameters);
    begin();
    sent();
    say(wire(changed, 3));
    return sent() + ": " + events.take();
  };
  const std::string refused = "channel_error 0011: invalid-message; channel closed unusable-parameters";
  EXPECT_EQ(outcome([](auto& p) { p.cw_per_msg = 0; }), refused);
  EXPECT_EQ(outcome([](auto& p) { p.cw_per_msg = 16; }), ": channel opened");
  EXPECT_EQ(outcome([](auto& p) { p.cw_per_msg = 17; }), refused);
  EXPECT_EQ(outcome([](auto& p) { p.section_tspkt_flag = 1; }), ": channel opened");
  EXPECT_EQ(outcome([](auto& p) { p.section_tspkt_flag = 2; }), refused);
  settings.binary_messages = true;
  EXPECT_EQ(outcome([](auto& p) { p.section_tspkt_flag = 2; }), ": channel opened");
  EXPECT_EQ(outcome([](auto& p) { p.section_tspkt_flag = 0; }), refused);
}

TEST_F(EcmgClientTest, KeepsToWhatTheEcmgAllows) {
  begin();
  EXPECT_FAILS(client->open_stream(0, 0, 100, now), ErrorKind::refused);
  say(wire(status, 3));
  EXPECT_FAILS(client->open_stream(0, 0, 9, now), ErrorKind::invalid_argument);
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{0, 1, 2})
    ASSERT_OK(client->open_stream(id, id, 10, now));
  EXPECT_FAILS(client->open_stream(3, 3, 10, now), ErrorKind::refused);
  EXPECT_FAILS(client->open_stream(2, 3, 10, now), ErrorKind::refused);
  EXPECT_FAILS(provision(1), ErrorKind::refused);  // not confirmed yet
}

TEST_F(EcmgClientTest, ProvisionsTheWordsOfTheWindowOnly) {
  settings.version = 2;
  open();
  const Bytes word = hex("0102030405060708");
  const Bytes too_long(257);
  CwProvisionRequest request;
  request.cp_number = 65535;
  const auto outcome = [&](std::vector<ecmg::ControlWord> words) {
    request.words = words;
    return client->provision(0, request, now);
  };
  EXPECT_FAILS(outcome({}), ErrorKind::invalid_argument);
  EXPECT_FAILS(outcome({{65535, word}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(outcome({{0, word}, {65535, word}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(outcome({{65535, word}, {1, word}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(outcome({{65535, word}, {0, word}, {1, word}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(outcome({{65535, word}, {0, {}}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(outcome({{65535, word}, {0, too_long}}), ErrorKind::invalid_argument);
  request.cp_duration = 9;
  EXPECT_FAILS(outcome({{65535, word}, {0, word}}), ErrorKind::invalid_argument);
  request.cp_duration = 10;
  request.cw_encryption = ByteView(word);  // not before version 3
  EXPECT_FAILS(outcome({{65535, word}, {0, word}}), ErrorKind::invalid_argument);
  request.cw_encryption.reset();
  const Bytes criteria(65500);
  request.access_criteria = criteria;
  EXPECT_FAILS(outcome({{65535, word}, {0, word}}), ErrorKind::exhausted);
  EXPECT_EQ(sent(), "");
  request.access_criteria = {};
  EXPECT_OK(outcome({{65535, word}, {0, word}}));
}

TEST_F(EcmgClientTest, AsksForOneEcmOfAStreamAtATime) {
  open(2);
  ASSERT_OK(provision(1));
  EXPECT_FAILS(provision(2), ErrorKind::refused);
  EXPECT_OK(provision(2, 1));
  say(ecm(1));
  EXPECT_OK(provision(2));
}

// TS 103 197, 5.3: access_criteria_transfer_mode.
TEST_F(EcmgClientTest, SendsAccessCriteriaWhenTheEcmgWantsThem) {
  open();
  std::uint16_t cp = 0;
  const auto has_criteria = [&](const char* criteria) {
    EXPECT_OK(provision(++cp, 0, criteria));
    const bool has = last_provision_has_criteria();
    say(ecm(cp));
    return has;
  };
  // The ECMG may have its own for who has none.
  EXPECT_FALSE(has_criteria(""));
  ASSERT_OK(provision(++cp, 0, ""));
  say(error(0x000d, 0));
  sent();
  EXPECT_FALSE(has_criteria(""));
  EXPECT_TRUE(has_criteria("A"));
  EXPECT_FALSE(has_criteria("A"));
  EXPECT_TRUE(has_criteria("B"));
  EXPECT_FALSE(has_criteria("B"));
  // Whether the ECMG kept those of a provision that failed is not known.
  ASSERT_OK(provision(++cp, 0, "B"));
  say(error(0x000d, 0));
  sent();
  EXPECT_TRUE(has_criteria("B"));
  each_time = true;
  open();
  EXPECT_TRUE(has_criteria("A"));
  EXPECT_TRUE(has_criteria("A"));
}

TEST_F(EcmgClientTest, DropsEcmsOfOtherCryptoPeriods) {
  open();
  say(ecm(1));
  EXPECT_EQ(events.take(), "wrong-crypto-period");
  ASSERT_OK(provision(5));
  say(ecm(4));
  EXPECT_EQ(events.take(), "wrong-crypto-period");
  say(ecm(5));
  say(ecm(5));
  EXPECT_EQ(events.take(), "ECM 0/5; wrong-crypto-period");
}

TEST_F(EcmgClientTest, RefusesAnEcmOfTheWrongForm) {
  for (const int flag : {0, 1}) {
    status.parameters.section_tspkt_flag = static_cast<std::uint8_t>(flag);
    open();
    Bytes damaged = packet(), scrambled = packet(), too_long = packet();
    damaged[1] |= 0x80;
    scrambled[3] |= 0x80;
    too_long[3] |= 0x20;
    Bytes half = section(0x80, 20);
    half.pop_back();
    for (const Bytes& datagram : {Bytes{0x80}, half, Bytes(188), Bytes(187, 0x47), section(0x80, 20), section(0xff, 20),
                                  packet(), damaged, scrambled, too_long, Bytes{}}) {
      const bool fits = datagram.empty() || (flag == 0 ? datagram == section(0x80, 20) : datagram == packet());
      ASSERT_OK(provision(1));
      say(wire(ecmg::EcmResponse{1, 0, 1, datagram}, 3));
      EXPECT_EQ(events.take(), fits ? "ECM 0/1" : "failed 0/1 invalid-message") << to_hex(datagram);
    }
  }
}

TEST_F(EcmgClientTest, GivesUpALateEcmAndThenTheChannel) {
  open();
  const milliseconds limit(100 + 500);  // max_comp_time and answer_slack
  for (const int round : {1, 2}) {
    ASSERT_OK(provision(5));
    EXPECT_EQ(client->next_deadline(), now + limit);
    pass(limit - milliseconds(1));
    EXPECT_EQ(events.take(), "") << round;
    pass(milliseconds(1));
    EXPECT_EQ(events.take(), "failed 0/5 no-answer") << round;
  }
  sent();
  ASSERT_OK(provision(6));
  say(ecm(5));  // at last
  EXPECT_EQ(events.take(), "wrong-crypto-period");
  pass(limit);
  EXPECT_EQ(events.take(), "failed 0/6 no-answer; channel closed no-answer");
  EXPECT_EQ(sent(), "CW_provision, channel_close");
}

TEST_F(EcmgClientTest, AnEcmInTimeEndsTheCountOfLateOnes) {
  open();
  for (int round = 0; round < 5; ++round) {
    ASSERT_OK(provision(1));
    pass(milliseconds(600));
    ASSERT_OK(provision(2));
    say(ecm(2));
    EXPECT_EQ(events.take(), "failed 0/1 no-answer; ECM 0/2");
  }
}

TEST_F(EcmgClientTest, GivesUpASetUpThatIsNotAnswered) {
  begin();
  EXPECT_EQ(client->next_deadline(), now + settings.set_up_time_out);
  pass(milliseconds(5000));
  EXPECT_EQ(events.take(), "channel closed no-answer");
  begin();
  say(wire(status, 3));
  ASSERT_OK(client->open_stream(0, 0, 10, now));
  events.take();
  pass(milliseconds(5000));
  EXPECT_EQ(events.take(), "stream 0 closed no-answer");
  EXPECT_TRUE(client->is_open());
}

TEST_F(EcmgClientTest, TestsAChannelOnWhichNothingComes) {
  open();
  EXPECT_EQ(client->next_deadline(), now + settings.test_interval);
  pass(milliseconds(9999));
  EXPECT_EQ(sent(), "");
  pass(milliseconds(1));
  EXPECT_EQ(sent(), "channel_test");
  pass(milliseconds(4999));
  say(wire(status, 3));
  pass(milliseconds(9999));
  EXPECT_EQ(sent() + events.take(), "");
  pass(milliseconds(1));
  EXPECT_EQ(sent(), "channel_test");
  pass(milliseconds(5000));
  EXPECT_EQ(events.take(), "channel closed no-answer");
}

TEST_F(EcmgClientTest, AnswersTestsOfTheEcmg) {
  open();
  say(wire(ecmg::ChannelMessage{1}, 3, ecmg::channel_test));
  EXPECT_EQ(client->output().size(), wire(status, 3).size());
  EXPECT_EQ(test::take_output(*client), wire(status, 3));
  say(wire(ecmg::StreamMessage{1, 0}, 3, ecmg::stream_test));
  EXPECT_EQ(test::take_output(*client), wire(ecmg::StreamStatus{1, 0, 0, false}, 3));
  EXPECT_EQ(events.take(), "");
}

TEST_F(EcmgClientTest, KeepsTheParametersOfTheSetUp) {
  open();
  ecmg::ChannelStatus changed = status;
  changed.parameters.cw_per_msg = 1;
  say(wire(changed, 3));
  EXPECT_EQ(events.take(), "unexpected-message");
  EXPECT_EQ(client->parameters(), status.parameters);
}

TEST_F(EcmgClientTest, ReportsErrorsOfAStream) {
  open();
  say(error(0x000c, 0));
  EXPECT_EQ(events.take(), "reported-error");
  ASSERT_OK(provision(1));
  say(error(0x000d, 0));
  EXPECT_EQ(events.take(), "failed 0/1 reported-error");
  ASSERT_OK(provision(1));
  say(error(0x0007, 0));
  EXPECT_EQ(events.take(), "failed 0/1 reported-error; stream 0 closed reported-error");
  ASSERT_OK(client->open_stream(0, 0, 100, now));
  say(error(0x0015, 0));
  EXPECT_EQ(events.take(), "stream 0 closed reported-error");
}

TEST_F(EcmgClientTest, ReportsErrorsOfTheChannel) {
  for (const std::uint16_t code :
       std::initializer_list<std::uint16_t>{0x0002, 0x0005, 0x0006, 0x0008, 0x0013, 0x7001}) {
    open();
    say(error(code));
    EXPECT_EQ(events.take(), "channel closed reported-error") << code;
    EXPECT_EQ(events.last_problem.error_status, code);
  }
  for (const std::uint16_t code : std::initializer_list<std::uint16_t>{0x0001, 0x000c, 0x7000, 0x8001}) {
    open();
    say(error(code));
    EXPECT_EQ(events.take(), "reported-error") << code;
  }
  begin();
  say(error(0x8001));
  EXPECT_EQ(events.take(), "channel closed reported-error");
}

TEST_F(EcmgClientTest, TakesOnlyWhatAnEcmgMaySend) {
  open();
  const std::pair<Bytes, std::string> cases[] = {
      {wire(ecmg::ChannelSetup{1, 2}, 3), "unexpected-message"},
      {wire(ecmg::StreamSetup{1, 0, 0, 10}, 3), "unexpected-message"},
      {wire(ecmg::CwProvision{.channel_id = 1}, 3), "unexpected-message"},
      {wire(ecmg::StreamMessage{1, 0}, 3, ecmg::stream_close_request), "unexpected-message"},
      {wire(ecmg::StreamMessage{1, 0}, 3, ecmg::stream_close_response), "unexpected-message"},
      {wire(ecmg::StreamMessage{1, 77}, 3, ecmg::stream_test), "unexpected-message"},
      {ecm(1, 77), "unexpected-message"},
      {hex("03 0777 0000"), "unexpected-message"}};
  for (const auto& [bytes, expected] : cases) {
    say(bytes);
    EXPECT_EQ(events.take(), expected) << to_hex(bytes);
    EXPECT_EQ(sent(), "") << to_hex(bytes);
  }
  begin();
  sent();
  say(ecm(1));
  EXPECT_EQ(events.take() + sent(), "unexpected-message");
}

TEST_F(EcmgClientTest, AnswersWhatIsInvalidAndThenGivesUp) {
  open();
  say(hex("03 0002 0000"));
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 0010; invalid-message");
  say(hex("03 0002 0005 000e000101"));
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 000f; invalid-message");
  say(wire(status, 3));  // one that is good: counted from the beginning again
  say(hex("03 0002 0003 000e00"));
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 0001; invalid-message");
  say(wire(ecmg::ChannelMessage{2}, 3, ecmg::channel_test));
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 0006; invalid-message");
  say(hex("07 0002 0000"));
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 0002; channel closed invalid-message");
}

TEST_F(EcmgClientTest, NeverAnswersAnErrorWithAnError) {
  open();
  say(hex("03 0005 0000"));
  EXPECT_EQ(events.take(), "invalid-message");
  say(hex("03 0106 0003 000000"));
  EXPECT_EQ(events.take(), "invalid-message");
  EXPECT_EQ(sent(), "");
}

TEST_F(EcmgClientTest, PassesOverAMessageThatIsTooLong) {
  settings.longest_message = 100;
  open();
  Bytes bytes = hex("03 0202 0065");
  bytes.resize(5 + 0x65);
  say(bytes);
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 0004; invalid-message");
  ASSERT_OK(provision(1));
  say(ecm(1));
  EXPECT_EQ(events.take(), "ECM 0/1");
}

TEST_F(EcmgClientTest, TellsHowTheChannelEnded) {
  open();
  say(wire(ecmg::ChannelMessage{1}, 3, ecmg::channel_close));
  EXPECT_EQ(events.take(), "channel closed closed");
  open();
  say(hex("0302"));
  client->connection_lost();
  EXPECT_EQ(events.take(), "channel closed connection-lost");
  EXPECT_NE(events.last_problem.message.find("within a message"), std::string::npos);
  EXPECT_EQ(client->version(), 3);
  client->connection_lost();
  EXPECT_EQ(events.take(), "");
}

TEST_F(EcmgClientTest, ReportsAnotherEcmIdThanTheOneAskedFor) {
  begin();
  say(wire(status, 3));
  ASSERT_OK(client->open_stream(0, 9, 10, now));
  say(wire(ecmg::StreamStatus{1, 0, 8, false}, 3));
  EXPECT_EQ(events.take(), "channel opened; unexpected-message; stream 0 opened");
}

TEST_F(EcmgClientTest, AnEcmThatCrossesTheRequestToCloseIsNoOffence) {
  open();
  ASSERT_OK(provision(1));
  ASSERT_OK(client->close_stream(0, now));
  say(ecm(1));
  EXPECT_EQ(events.take(), "");
  say(wire(ecmg::StreamMessage{1, 0}, 3, ecmg::stream_close_response));
  EXPECT_EQ(events.take(), "failed 0/1 closed; stream 0 closed");
}

// As the synchroniser does it: everything from within the events.
TEST_F(EcmgClientTest, IsDrivenFromWithinItsEvents) {
  begin();
  events.on_event = [&](const std::string& event) {
    if (event == "channel opened")
      for (const std::uint16_t id : std::initializer_list<std::uint16_t>{0, 1, 2})
        EXPECT_OK(client->open_stream(id, id, 10, now));
    if (event == "stream 1 opened") EXPECT_OK(provision(1, 1));
    if (event == "ECM 1/1") EXPECT_OK(provision(2, 1));
    if (event == "failed 1/2 no-answer") EXPECT_OK(client->close_stream(1, now));
    if (event == "stream 0 closed no-answer") EXPECT_OK(client->open_stream(0, 0, 10, now));
  };
  Bytes all = wire(status, 3);
  append(all, wire(ecmg::StreamStatus{1, 1, 1, false}, 3));
  append(all, ecm(1, 1));
  say(all);
  EXPECT_EQ(sent(), "channel_setup, stream_setup, stream_setup, stream_setup, CW_provision, CW_provision");
  pass(milliseconds(5000));
  EXPECT_EQ(sent(), "stream_setup, stream_close_request");
  EXPECT_EQ(events.take(),
            "channel opened; stream 1 opened; ECM 1/1; stream 0 closed no-answer; failed 1/2 no-answer; "
            "stream 2 closed no-answer");
  events.on_event = [&](const std::string&) { client->close_channel(); };
  ASSERT_OK(client->open_stream(2, 2, 10, now));
  pass(milliseconds(5000));
  EXPECT_EQ(events.take(), "stream 0 closed no-answer");
  EXPECT_TRUE(client->is_closed());
}

}  // namespace
}  // namespace cas::simulcrypt
