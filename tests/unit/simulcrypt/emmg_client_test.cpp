// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/emmg_client.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "unit/simulcrypt/emmg_events.hpp"
#include "unit/simulcrypt/wire.hpp"

namespace cas::simulcrypt {
namespace {

using cas::test::hex;
using std::chrono::milliseconds;
using test::section;
using test::wire;

constexpr emmg::ChannelId channel{0x4adc0001, 2};

// A client whose MUX is the test.
class EmmgClientTest : public ::testing::Test {
 protected:
  void begin() {
    client.emplace(settings, events);
    client->start(now);
  }
  void open() {
    begin();
    say(status());
    ASSERT_OK(client->open_stream(3, 4, emmg::emm, now));
    say(stream(emmg::stream_status));
    sent();
    events.take();
  }
  Bytes status(std::uint8_t version = 3, std::uint8_t flag = 0) const {
    return wire(emmg::ChannelSetup{channel, flag}, version, emmg::channel_status);
  }
  Bytes stream(emmg::MessageType type, std::uint16_t id = 3) const {
    return type == emmg::stream_status ? wire(emmg::StreamSetup{channel, id, 4, emmg::emm}, 3, type)
                                       : wire(emmg::StreamMessage{channel, id}, 3, type);
  }
  Bytes error(std::uint16_t code, std::optional<std::uint16_t> stream_id = {}, std::uint8_t version = 3) {
    emmg::ErrorMessage message;
    message.channel = channel;
    message.stream_id = stream_id;
    message.statuses[0] = code;
    message.status_count = 1;
    return wire(message, version);
  }
  void say(ByteView bytes) { client->receive(bytes, now); }
  std::string sent() { return test::names_in(emmg_grammar(), test::take_output(*client)); }
  void pass(milliseconds time) {
    now += time;
    client->tick(now);
  }

  EmmgClientSettings settings{.channel = channel};
  test::EmmgEvents events;
  std::optional<EmmgClient> client;
  Instant now{std::chrono::hours(5)};
};

TEST_F(EmmgClientTest, ProvidesData) {
  begin();
  EXPECT_EQ(sent(), "channel_setup");
  say(status());
  EXPECT_EQ(events.take(), "channel opened");
  ASSERT_OK(client->open_stream(3, 4, emmg::emm, now));
  EXPECT_EQ(sent(), "stream_setup");
  say(stream(emmg::stream_status));
  EXPECT_EQ(events.take(), "stream 3 opened");
  ASSERT_OK(client->request_bandwidth(3, 500, now));
  EXPECT_FAILS(client->request_bandwidth(3, 500, now), ErrorKind::refused);
  EXPECT_EQ(sent(), "stream_BW_request");
  say(wire(emmg::StreamBandwidth{channel, 3, 400}, 3, emmg::stream_bw_allocation));
  EXPECT_EQ(events.take(), "bandwidth 3 400");
  const Bytes emm = section(0x82, 2);
  const ByteView datagrams[] = {emm, {}};
  ASSERT_OK(client->provide(3, datagrams));
  EXPECT_EQ(
      to_hex(client->output()),
      to_hex(hex("03 0211 0027 000100044adc0001 000300020002 000400020003 000800020004 000500058270028282 00050000")));
  sent();
  ASSERT_OK(client->close_stream(3, now));
  EXPECT_EQ(sent(), "stream_close_request");
  EXPECT_FAILS(client->provide(3, datagrams), ErrorKind::refused);
  say(stream(emmg::stream_close_response));
  EXPECT_EQ(events.take(), "stream 3 closed");
  client->close_channel();
  EXPECT_EQ(sent(), "channel_close");
  EXPECT_TRUE(client->is_closed());
}

TEST_F(EmmgClientTest, ProvidesOnlyWhatTheChannelIsFor) {
  settings.output_limit = 100;
  open();
  const Bytes emm = section(0x82, 20);
  const Bytes cut(emm.begin(), emm.end() - 1);
  EXPECT_FAILS(client->provide(3, {}), ErrorKind::invalid_argument);
  EXPECT_FAILS(client->provide(3, std::vector<ByteView>{emm, cut}), ErrorKind::invalid_argument);
  EXPECT_FAILS(client->provide(3, std::vector<ByteView>(4093)), ErrorKind::invalid_argument);
  EXPECT_FAILS(client->provide(3, std::vector<ByteView>(3000, emm)), ErrorKind::exhausted);
  EXPECT_FAILS(client->provide(5, std::vector<ByteView>{emm}), ErrorKind::refused);
  EXPECT_EQ(sent(), "");
  ASSERT_OK(client->provide(3, std::vector<ByteView>{emm, emm, emm}));
  EXPECT_FAILS(client->provide(3, std::vector<ByteView>{emm}), ErrorKind::exhausted);  // the MUX does not read
  EXPECT_EQ(sent(), "data_provision");
  EXPECT_OK(client->provide(3, std::vector<ByteView>{emm}));
}

TEST_F(EmmgClientTest, OpensStreamsOnAnOpenChannelOnly) {
  begin();
  EXPECT_FAILS(client->open_stream(3, 4, emmg::emm, now), ErrorKind::refused);
  EXPECT_FAILS(client->request_bandwidth(3, 1, now), ErrorKind::refused);
  EXPECT_FAILS(client->close_stream(3, now), ErrorKind::refused);
  say(status());
  ASSERT_OK(client->open_stream(3, 4, emmg::emm, now));
  EXPECT_FAILS(client->open_stream(3, 5, emmg::emm, now), ErrorKind::refused);
  EXPECT_FAILS(client->request_bandwidth(3, 1, now), ErrorKind::refused);
}

TEST_F(EmmgClientTest, FallsBackVersionByVersion) {
  settings.version = 5;
  begin();
  for (const int version : {4, 3, 2, 1}) {
    sent();
    say(error(0x0002, {}, static_cast<std::uint8_t>(version == 4 ? 0 : 5)));
    ASSERT_FALSE(client->output().empty());
    EXPECT_EQ(client->output()[0], version);
  }
  say(error(0x0002, {}, 1));
  EXPECT_EQ(events.take(), "channel closed reported-error");
  begin();
  say(status(2));
  EXPECT_EQ(events.take(), "channel opened");
  EXPECT_EQ(client->version(), 2);
  begin();
  client->connection_lost();
  EXPECT_EQ(client->version(), 4);
  EXPECT_EQ(events.take(), "channel closed connection-lost");
}

TEST_F(EmmgClientTest, TakesWhatTheMuxReports) {
  open();
  say(error(0x000f, 3));
  EXPECT_EQ(events.take(), "error 3 reported-error");
  EXPECT_EQ(events.last_problem.error_status, 0x000f);
  say(error(0x000d));
  EXPECT_EQ(events.take(), "reported-error");
  say(error(0x0005, 3));
  EXPECT_EQ(events.take(), "stream 3 closed reported-error");
  ASSERT_OK(client->open_stream(3, 4, emmg::emm, now));
  say(error(0x0013, 3));
  EXPECT_EQ(events.take(), "stream 3 closed reported-error");
  for (const int code : {0x0002, 0x0006, 0x0007, 0x000e, 0x0011, 0x0014, 0x7001}) {
    open();
    say(error(static_cast<std::uint16_t>(code)));
    EXPECT_EQ(events.take(), "channel closed reported-error") << code;
  }
  open();
  say(stream(emmg::stream_close_request));
  EXPECT_EQ(sent() + "; " + events.take(), "stream_close_response; stream 3 closed closed");
  say(wire(emmg::ChannelMessage{channel}, 3, emmg::channel_close));
  EXPECT_EQ(events.take(), "channel closed closed");
}

TEST_F(EmmgClientTest, AnswersTests) {
  open();
  say(wire(emmg::ChannelMessage{channel}, 3, emmg::channel_test));
  say(stream(emmg::stream_test));
  Bytes expected = status();
  append(expected, stream(emmg::stream_status));
  EXPECT_EQ(test::take_output(*client), expected);
}

TEST_F(EmmgClientTest, TestsTheChannelAndGivesUp) {
  open();
  EXPECT_EQ(client->next_deadline(), now + settings.test_interval);
  pass(milliseconds(10000));
  EXPECT_EQ(sent(), "channel_test");
  say(status());
  pass(milliseconds(10000));
  EXPECT_EQ(sent(), "channel_test");
  pass(milliseconds(5000));
  EXPECT_EQ(events.take(), "channel closed no-answer");
  begin();
  pass(milliseconds(5000));
  EXPECT_EQ(events.take(), "channel closed no-answer");
}

TEST_F(EmmgClientTest, GivesUpWhatIsNotAnswered) {
  open();
  ASSERT_OK(client->request_bandwidth(3, {}, now));
  ASSERT_OK(client->open_stream(4, 5, emmg::private_data, now));
  EXPECT_EQ(client->next_deadline(), now + settings.answer_time_out);
  pass(milliseconds(5000));
  EXPECT_EQ(events.take(), "error 3 no-answer; stream 4 closed no-answer");
  EXPECT_OK(client->request_bandwidth(3, {}, now));
}

TEST_F(EmmgClientTest, RefusesWhatAMuxMustNotSend) {
  open();
  for (const Bytes& bytes : {wire(emmg::ChannelSetup{channel, 0}, 3, emmg::channel_setup),
                             wire(emmg::StreamSetup{channel, 3, 4, 0}, 3, emmg::stream_setup),
                             wire(emmg::StreamBandwidth{channel, 3, 1}, 3, emmg::stream_bw_request),
                             stream(emmg::stream_close_response), stream(emmg::stream_test, 77), hex("03 0777 0000")}) {
    say(bytes);
    EXPECT_EQ(events.take() + sent(), "unexpected-message") << to_hex(bytes);
  }
  begin();
  sent();
  say(stream(emmg::stream_status));
  EXPECT_EQ(events.take() + sent(), "unexpected-message");
  say(status(3, 1));  // another form than was asked for
  EXPECT_EQ(events.take(), "channel closed unusable-parameters");
}

TEST_F(EmmgClientTest, AnswersWhatIsInvalidAndThenGivesUp) {
  settings.longest_message = 64;
  open();
  say(hex("03 0012 0000"));
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 000c; invalid-message");
  say(hex("03 0015 0000"));  // an error is never answered with one
  EXPECT_EQ(sent() + "; " + events.take(), "; invalid-message");
  say(status());
  say(wire(emmg::ChannelMessage{{channel.client_id, 9}}, 3, emmg::channel_test));
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 0006; invalid-message");
  say(wire(emmg::ChannelMessage{{9, channel.channel_id}}, 3, emmg::channel_test));
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 000e; invalid-message");
  Bytes bytes = hex("03 0012 0041");
  bytes.resize(5 + 0x41);
  say(bytes);
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 0004; channel closed invalid-message");
  open();
  say(status(2));
  EXPECT_EQ(sent() + "; " + events.take(), "channel_error 0002; invalid-message");
}

TEST_F(EmmgClientTest, IsDrivenFromWithinItsEvents) {
  begin();
  events.on_event = [&](const std::string& event) {
    if (event == "channel opened") EXPECT_OK(client->open_stream(3, 4, emmg::emm, now));
    if (event == "stream 3 opened") EXPECT_OK(client->request_bandwidth(3, 100, now));
    if (event == "error 3 no-answer") client->close_channel();
  };
  Bytes both = status();
  append(both, stream(emmg::stream_status));
  say(both);
  pass(milliseconds(5000));
  EXPECT_EQ(sent(), "channel_setup, stream_setup, stream_BW_request, channel_close");
}

}  // namespace
}  // namespace cas::simulcrypt
