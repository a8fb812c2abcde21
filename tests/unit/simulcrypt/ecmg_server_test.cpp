// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_server.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "simulcrypt/ecmg_client.hpp"
#include "support/allocation_count.hpp"
#include "support/result_matchers.hpp"
#include "unit/simulcrypt/ecmg_events.hpp"
#include "unit/simulcrypt/fake_generator.hpp"
#include "unit/simulcrypt/wire.hpp"

namespace cas::simulcrypt {
namespace {

using cas::test::hex;
using std::chrono::milliseconds;
using test::wire;

constexpr std::uint32_t super_cas_id = 0x4adc0001;

struct Listener final : EcmgServerListener {
  void channel_opened(std::uint64_t, std::uint32_t, std::uint16_t id) override { text += "+" + std::to_string(id); }
  void channel_closed(std::uint64_t, std::uint16_t id) override { text += "-" + std::to_string(id); }
  void peer_misbehaved(std::uint64_t, const Problem& problem, bool ends) override {
    last = problem;
    text += ends ? "!" : "?";
  }
  std::string text;
  Problem last;
};

// A server whose synchroniser is the test.
class EcmgServerTest : public ::testing::Test {
 protected:
  void begin() { session = connect(); }
  std::unique_ptr<EcmgSession> connect() {
    if (!server) server.emplace(settings, generator, &listener);
    return std::make_unique<EcmgSession>(*server, now);
  }
  // Gives what the server answers.
  std::string ask(EcmgSession& of, ByteView bytes) {
    of.receive(bytes, now);
    return test::names_in(ecmg_grammar(), test::take_output(of));
  }
  std::string ask(ByteView bytes) { return ask(*session, bytes); }
  void open(std::uint16_t streams = 1) {
    begin();
    EXPECT_EQ(ask(wire(ecmg::ChannelSetup{1, super_cas_id}, 3)), "channel_status");
    for (std::uint16_t id = 0; id < streams; ++id)
      EXPECT_EQ(ask(wire(ecmg::StreamSetup{1, id, id, 100}, 3)), "stream_status");
  }
  std::string pass(milliseconds time) {
    now += time;
    session->tick(now);
    return test::names_in(ecmg_grammar(), test::take_output(*session));
  }
  Bytes provision(std::uint16_t cp, std::vector<std::uint16_t> words, std::optional<const char*> criteria = "AC",
                  std::uint16_t stream = 0) {
    const Bytes word = hex("0102030405060708");
    ecmg::CwProvision made;
    made.channel_id = 1;
    made.stream_id = stream;
    made.cp_number = cp;
    for (const std::uint16_t each : words) made.word_list[made.word_count++] = {each, word};
    if (criteria) made.access_criteria = as_bytes(*criteria);
    return wire(made, 3);
  }
  Bytes provision(std::uint16_t cp, std::optional<const char*> criteria = "AC", std::uint16_t stream = 0) {
    return provision(cp, {cp, static_cast<std::uint16_t>(cp + 1)}, criteria, stream);
  }

  EcmgServerSettings settings;
  test::FakeGenerator generator;
  Listener listener;
  std::optional<EcmgServer> server;
  std::unique_ptr<EcmgSession> session;
  Instant now{std::chrono::hours(5)};
};

TEST_F(EcmgServerTest, AnswersWithAnEcm) {
  open();
  session->receive(provision(0x1234), now);
  EXPECT_EQ(to_hex(session->output()),
            to_hex(hex("03 0202 001b 000e00020001 000f00020000 001200021234 00150005 8070021234")));
  session->sent(session->output().size());
  EXPECT_TRUE(generator.criteria_changed);
  EXPECT_EQ(generator.last_cp_duration, 100);
  EXPECT_EQ(ask(wire(ecmg::StreamMessage{1, 0}, 3, ecmg::stream_test)), "stream_status");
  EXPECT_EQ(ask(wire(ecmg::ChannelMessage{1}, 3, ecmg::channel_test)), "channel_status");
  EXPECT_EQ(ask(wire(ecmg::StreamMessage{1, 0}, 3, ecmg::stream_close_request)), "stream_close_response");
  EXPECT_TRUE(generator.open_handles.empty());
  EXPECT_EQ(ask(wire(ecmg::ChannelMessage{1}, 3, ecmg::channel_close)), "");
  EXPECT_TRUE(session->is_closed());
  EXPECT_EQ(server->channel_count(), 0U);
  EXPECT_EQ(listener.text, "+1-1");
}

TEST_F(EcmgServerTest, SpeaksTheVersionOfTheSynchroniser) {
  begin();
  session->receive(wire(ecmg::ChannelSetup{1, super_cas_id}, 2), now);
  EXPECT_EQ(session->output()[0], 2);
  session->sent(session->output().size());
  EXPECT_EQ(ask(wire(ecmg::ChannelMessage{1}, 3, ecmg::channel_test)), "channel_error 0002");
  for (const auto& [asked, answered] : std::vector<std::pair<int, int>>{{1, 2}, {4, 3}, {5, 3}, {255, 3}}) {
    begin();
    session->receive(wire(ecmg::ChannelSetup{2, super_cas_id}, static_cast<std::uint8_t>(asked)), now);
    EXPECT_EQ(session->output()[0], answered);
    EXPECT_EQ(ask({}), "channel_error 0002");
  }
}

TEST_F(EcmgServerTest, RefusesChannels) {
  settings.max_channels = 2;
  begin();
  EXPECT_EQ(ask(wire(ecmg::ChannelMessage{1}, 3, ecmg::channel_test)), "channel_error 0006");
  EXPECT_EQ(ask(wire(ecmg::StreamSetup{1, 0, 0, 100}, 3)), "channel_error 0006");
  EXPECT_EQ(ask(wire(ecmg::ChannelSetup{1, 0x4adc0002}, 3)), "channel_error 0005");
  EXPECT_EQ(ask(wire(ecmg::ChannelSetup{1, super_cas_id}, 3)), "channel_status");
  EXPECT_EQ(ask(wire(ecmg::ChannelSetup{1, super_cas_id}, 3)), "channel_error 0013");
  EXPECT_EQ(ask(wire(ecmg::ChannelSetup{2, super_cas_id}, 3)), "channel_error 0008");
  EXPECT_EQ(ask(wire(ecmg::ChannelMessage{2}, 3, ecmg::channel_test)), "channel_error 0006");
  const auto second = connect();
  EXPECT_EQ(ask(*second, wire(ecmg::ChannelSetup{1, super_cas_id}, 3)), "channel_error 0013");
  EXPECT_EQ(ask(*second, wire(ecmg::ChannelSetup{2, super_cas_id}, 3)), "channel_status");
  const auto third = connect();
  EXPECT_EQ(ask(*third, wire(ecmg::ChannelSetup{3, super_cas_id}, 3)), "channel_error 0008");
  session.reset();
  EXPECT_EQ(server->channel_count(), 1U);
  EXPECT_EQ(ask(*third, wire(ecmg::ChannelSetup{1, super_cas_id}, 3)), "channel_status");
}

TEST_F(EcmgServerTest, LetsTwoSynchronisersNumberAlikeWhenToldTo) {
  settings.channel_ids_unique = false;
  settings.ecm_ids_unique = false;
  begin();
  const auto second = connect();
  for (EcmgSession* each : {session.get(), second.get()}) {
    EXPECT_EQ(ask(*each, wire(ecmg::ChannelSetup{1, super_cas_id}, 3)), "channel_status");
    EXPECT_EQ(ask(*each, wire(ecmg::StreamSetup{1, 0, 7, 100}, 3)), "stream_status");
  }
  session.reset();
  EXPECT_EQ(server->stream_count(), 1U);
  EXPECT_EQ(generator.open_handles.size(), 1U);
}

TEST_F(EcmgServerTest, RefusesStreams) {
  settings.max_streams = 4;
  open(2);
  EXPECT_EQ(ask(wire(ecmg::StreamSetup{1, 0, 9, 100}, 3)), "stream_error 0014");
  EXPECT_EQ(ask(wire(ecmg::StreamSetup{1, 2, 1, 100}, 3)), "stream_error 0015");
  EXPECT_EQ(ask(wire(ecmg::StreamSetup{1, 2, 2, 9}, 3)), "stream_error 0011");
  EXPECT_EQ(ask(wire(ecmg::StreamSetup{1, 2, 0xffff, 100}, 3)), "stream_error 0012");
  EXPECT_EQ(ask(wire(ecmg::StreamSetup{1, 2, 2, 10}, 3)), "stream_status");
  EXPECT_EQ(ask(wire(ecmg::StreamSetup{1, 3, 3, 100}, 3)), "stream_error 0009");
  const auto second = connect();
  EXPECT_EQ(ask(*second, wire(ecmg::ChannelSetup{2, super_cas_id}, 3)), "channel_status");
  EXPECT_EQ(ask(*second, wire(ecmg::StreamSetup{2, 0, 10, 100}, 3)), "stream_status");
  EXPECT_EQ(ask(*second, wire(ecmg::StreamSetup{2, 1, 11, 100}, 3)), "stream_error 000a");
  session.reset();
  EXPECT_EQ(ask(*second, wire(ecmg::StreamSetup{2, 1, 1, 100}, 3)), "stream_status");
}

TEST_F(EcmgServerTest, RefusesWhatAsksForAStreamThatIsNotThere) {
  open();
  EXPECT_EQ(ask(provision(1, "AC", 5)), "stream_error 0007");
  EXPECT_EQ(ask(wire(ecmg::StreamMessage{1, 5}, 3, ecmg::stream_test)), "stream_error 0007");
  EXPECT_EQ(ask(wire(ecmg::StreamMessage{1, 5}, 3, ecmg::stream_close_request)), "stream_error 0007");
  EXPECT_EQ(ask(wire(ecmg::StreamMessage{1, 0}, 3, ecmg::stream_close_response)), "stream_error 0001");
  EXPECT_EQ(generator.orders, 0U);
}

TEST_F(EcmgServerTest, WantsTheWordsOfTheWindow) {
  open();
  EXPECT_EQ(ask(provision(65535, std::vector<std::uint16_t>{})), "stream_error 000b");
  EXPECT_EQ(ask(provision(65535, {65535})), "stream_error 000b");
  EXPECT_EQ(ask(provision(65535, {65535, 0, 1})), "stream_error 0011");
  EXPECT_EQ(ask(provision(65535, {65535, 65535})), "stream_error 0011");
  EXPECT_EQ(ask(provision(65535, {0, 1})), "stream_error 0011");
  EXPECT_EQ(ask(provision(65535, {65534, 65535})), "stream_error 0011");
  EXPECT_EQ(generator.orders, 0U);
  EXPECT_EQ(ask(provision(65535, {65535, 0})), "ECM_response");
  EXPECT_EQ(ask(provision(65535, {0, 65535})), "ECM_response");
  EXPECT_EQ(generator.first_word, 65535);
}

TEST_F(EcmgServerTest, WantsAccessCriteria) {
  open();
  EXPECT_EQ(ask(provision(1, std::nullopt)), "stream_error 0010");
  EXPECT_EQ(ask(provision(1, "A")), "ECM_response");
  EXPECT_TRUE(generator.criteria_changed);
  EXPECT_EQ(ask(provision(2, std::nullopt)), "ECM_response");
  EXPECT_FALSE(generator.criteria_changed);
  EXPECT_EQ(ask(provision(3, "A")), "ECM_response");
  EXPECT_FALSE(generator.criteria_changed);
  EXPECT_EQ(ask(provision(4, "B")), "ECM_response");
  EXPECT_TRUE(generator.criteria_changed);
  session.reset();
  generator.each_time = true;
  open();
  EXPECT_EQ(ask(provision(1, "A")), "ECM_response");
  EXPECT_EQ(ask(provision(2, std::nullopt)), "stream_error 0010");
}

TEST_F(EcmgServerTest, TheGeneratorMayHaveAccessCriteriaOfItsOwn) {
  generator.criteria_optional = true;
  open();
  EXPECT_EQ(ask(provision(1, std::nullopt)), "ECM_response");
  EXPECT_FALSE(generator.criteria_changed);
  EXPECT_EQ(ask(provision(2, "A")), "ECM_response");
  EXPECT_TRUE(generator.criteria_changed);
}

TEST_F(EcmgServerTest, RefusesACryptoPeriodThatIsTooShort) {
  open();
  const Bytes word(8);
  ecmg::CwProvision made;
  made.channel_id = 1;
  made.word_list = {ecmg::ControlWord{0, word}, ecmg::ControlWord{1, word}};
  made.word_count = 2;
  made.access_criteria = as_bytes("A");
  made.cp_duration = 9;
  EXPECT_EQ(ask(wire(made, 3)), "stream_error 0011");
  made.cp_duration = 10;
  EXPECT_EQ(ask(wire(made, 3)), "ECM_response");
  EXPECT_EQ(generator.last_cp_duration, 10);
}

TEST_F(EcmgServerTest, PassesOnWhatTheGeneratorRefuses) {
  open();
  generator.next_answer = EcmAnswer::refused(ecmg::Error::out_of_storage);
  EXPECT_EQ(ask(provision(1)), "stream_error 000c");
  generator.next_answer = EcmAnswer::ready(65);  // more than there is room for
  EXPECT_EQ(ask(provision(1)), "stream_error 7000");
  EXPECT_EQ(ask(provision(1)), "ECM_response");
}

TEST_F(EcmgServerTest, AnswersLater) {
  open();
  generator.next_answer = EcmAnswer::later();
  EXPECT_EQ(ask(provision(1)), "");
  EXPECT_EQ(ask(provision(2)), "stream_error 0001");  // one at a time
  const EcmTicket ticket = generator.last_ticket;
  EXPECT_EQ(server->complete(ticket, hex("80700100")), session.get());
  EXPECT_EQ(ask({}), "ECM_response");
  EXPECT_EQ(server->complete(ticket, hex("80700100")), nullptr);
  generator.next_answer = EcmAnswer::later();
  EXPECT_EQ(ask(provision(2)), "");
  EXPECT_EQ(server->refuse(ticket, ecmg::Error::out_of_storage), nullptr);
  EXPECT_EQ(server->refuse(generator.last_ticket, ecmg::Error::out_of_storage), session.get());
  EXPECT_EQ(ask({}), "stream_error 000c");
  generator.next_answer = EcmAnswer::later();
  EXPECT_EQ(ask(provision(3)), "");
  EXPECT_EQ(server->complete(generator.last_ticket, Bytes(65535)), session.get());
  EXPECT_EQ(ask({}), "stream_error 7000");  // fits into no message
}

TEST_F(EcmgServerTest, ForgetsAnAnswerThatNobodyWaitsFor) {
  open();
  const auto put_off = [&](std::uint16_t cp) {
    generator.next_answer = EcmAnswer::later();
    EXPECT_EQ(ask(provision(cp)), "");
    return generator.last_ticket;
  };
  EcmTicket ticket = put_off(1);
  EXPECT_EQ(session->next_deadline(), now + milliseconds(100));
  EXPECT_EQ(pass(milliseconds(99)), "");
  EXPECT_EQ(pass(milliseconds(1)), "stream_error 000d");
  EXPECT_EQ(server->complete(ticket, {}), nullptr);
  ticket = put_off(1);
  EXPECT_EQ(ask(wire(ecmg::StreamMessage{1, 0}, 3, ecmg::stream_close_request)), "stream_close_response");
  EXPECT_EQ(ask(wire(ecmg::StreamSetup{1, 0, 0, 100}, 3)), "stream_status");
  const EcmTicket other = put_off(1);
  EXPECT_EQ(server->complete(ticket, {}), nullptr);
  session.reset();
  EXPECT_EQ(server->complete(other, {}), nullptr);
  EXPECT_EQ(server->refuse(other, ecmg::Error::unknown), nullptr);
}

TEST_F(EcmgServerTest, EndsASessionOfInvalidMessages) {
  open();
  EXPECT_EQ(ask(hex("03 0777 0000")), "channel_error 0003");
  EXPECT_EQ(ask(hex("03 0002 0000")), "channel_error 0010");
  EXPECT_EQ(ask(provision(1)), "ECM_response");
  EXPECT_EQ(ask(hex("03 0201 0003 000000")), "channel_error 0001");
  EXPECT_EQ(ask(hex("03 0002 0005 000e000101")), "channel_error 000f");
  listener.text.clear();
  EXPECT_EQ(ask(hex("03 0005 0000")), "");  // an error is never answered with one
  EXPECT_EQ(listener.text, "?-1!");
  EXPECT_TRUE(session->is_closed());
  EXPECT_FALSE(session->wants_input());
  EXPECT_TRUE(generator.open_handles.empty());
  EXPECT_EQ(ask(provision(1)), "");
}

TEST_F(EcmgServerTest, RefusesWhatIsTooLong) {
  settings.longest_message = 100;
  open();
  Bytes bytes = hex("03 0201 0065");
  bytes.resize(5 + 0x65);
  EXPECT_EQ(ask(bytes), "channel_error 0004");
  EXPECT_EQ(ask(provision(1)), "ECM_response");
}

TEST_F(EcmgServerTest, TellsOfErrorsOfTheSynchroniser) {
  open();
  ecmg::ErrorMessage error;
  error.channel_id = 1;
  error.statuses[0] = 0x8002;
  error.status_count = 1;
  EXPECT_EQ(ask(wire(error, 3)), "");
  EXPECT_EQ(listener.last.what, Misbehaviour::reported_error);
  EXPECT_EQ(listener.last.error_status, 0x8002);
}

TEST_F(EcmgServerTest, WaitsForTheSetUpAndTestsAfterwards) {
  begin();
  EXPECT_EQ(session->next_deadline(), now + settings.set_up_time_out);
  now += milliseconds(9000);
  EXPECT_EQ(ask(wire(ecmg::ChannelMessage{1}, 3, ecmg::channel_test)), "channel_error 0006");
  EXPECT_EQ(pass(milliseconds(1000)), "");
  EXPECT_TRUE(session->is_closed());
  open();
  EXPECT_EQ(pass(milliseconds(29999)), "");
  EXPECT_EQ(pass(milliseconds(1)), "channel_test");
  EXPECT_EQ(ask(wire(ecmg::ChannelStatus{1, {}}, 3)), "");
  EXPECT_EQ(pass(milliseconds(30000)), "channel_test");
  EXPECT_EQ(session->next_deadline(), now + settings.test_time_out);
  EXPECT_EQ(pass(milliseconds(10000)), "");
  EXPECT_TRUE(session->is_closed());
  EXPECT_FALSE(session->next_deadline());
  EXPECT_EQ(server->channel_count(), 0U);
}

TEST_F(EcmgServerTest, ReadsNoMoreFromAPeerThatDoesNotRead) {
  settings.output_limit = 100;
  open();
  while (session->wants_input()) session->receive(provision(1), now);
  EXPECT_GE(session->output().size(), 100U);
  EXPECT_LT(session->output().size(), 200U);
  session->sent(session->output().size());
  EXPECT_TRUE(session->wants_input());
}

TEST_F(EcmgServerTest, TakesNoMemoryForAnEcm) {
  open();
  Bytes many;
  for (std::uint16_t cp = 0; cp < 100; ++cp) append(many, provision(cp, cp % 2 == 0 ? "sport" : "films"));
  std::string warm_up = ask(many);
  EXPECT_EQ(warm_up.find("error"), std::string::npos);
  const std::size_t before = cas::test::allocation_count();
  session->receive(many, now);
  EXPECT_EQ(cas::test::allocation_count(), before);
  EXPECT_EQ(generator.orders, 200U);
}

// Our client against our server, over a connection that delivers a few bytes at a time.
TEST_F(EcmgServerTest, ServesOurClient) {
  for (const std::uint8_t version : {std::uint8_t{2}, std::uint8_t{3}}) {
    begin();
    test::EcmgEvents events;
    EcmgClient client({.channel_id = 5, .super_cas_id = super_cas_id, .version = version}, events);
    const auto exchange = [&] {
      while (!client.output().empty() || !session->output().empty()) {
        const Bytes up = copy_of(client.output().first(std::min<std::size_t>(client.output().size(), 7)));
        client.sent(up.size());
        session->receive(up, now);
        const Bytes down = copy_of(session->output().first(std::min<std::size_t>(session->output().size(), 11)));
        session->sent(down.size());
        client.receive(down, now);
      }
    };
    const Bytes word(16, 7);
    const auto provide = [&](std::uint16_t cp, std::uint16_t stream) {
      const ecmg::ControlWord words[] = {{cp, word}, {static_cast<std::uint16_t>(cp + 1), word}};
      CwProvisionRequest request;
      request.cp_number = cp;
      request.words = words;
      request.access_criteria = as_bytes("AC");
      return client.provision(stream, request, now);
    };
    client.start(now);
    exchange();
    for (const std::uint16_t id : {std::uint16_t{0}, std::uint16_t{1}}) ASSERT_OK(client.open_stream(id, id, 100, now));
    exchange();
    EXPECT_EQ(events.take(), "channel opened; stream 0 opened; stream 1 opened");
    EXPECT_EQ(client.parameters(), generator.parameters);
    for (std::uint16_t cp = 65500; cp != 50; ++cp) {
      ASSERT_OK(provide(cp, 0));
      ASSERT_OK(provide(cp, 1));
      exchange();
      ASSERT_EQ(events.take(), "ECM 0/" + std::to_string(cp) + "; ECM 1/" + std::to_string(cp));
    }
    ASSERT_OK(client.close_stream(0, now));
    exchange();
    EXPECT_EQ(events.take(), "stream 0 closed");
    now += std::chrono::seconds(10);
    client.tick(now);
    exchange();
    client.close_channel();
    exchange();
    EXPECT_TRUE(session->is_closed());
    EXPECT_TRUE(generator.open_handles.empty());
    EXPECT_EQ(events.take(), "");
    EXPECT_EQ(listener.text, "+5-5");
    listener.text.clear();
  }
}

}  // namespace
}  // namespace cas::simulcrypt
