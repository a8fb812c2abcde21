// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_connector.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"
#include "unit/simulcrypt/connector_fixture.hpp"

namespace cas::simulcrypt {
namespace {

using namespace std::chrono_literals;

class EcmgConnectorTest : public test::ConnectorFixture {};

TEST_F(EcmgConnectorTest, NeedsAnAddress) {
  EXPECT_FAILS(EcmgConnector::create(*loop_, random_, settings_, nullptr), ErrorKind::invalid_argument);
  settings_.addresses = {{"", 2000}};
  EXPECT_FAILS(EcmgConnector::create(*loop_, random_, settings_, nullptr), ErrorKind::invalid_argument);
  settings_.addresses = {{"127.0.0.1", 0}};
  EXPECT_FAILS(EcmgConnector::create(*loop_, random_, settings_, nullptr), ErrorKind::invalid_argument);
}

TEST_F(EcmgConnectorTest, HasEcmsOfTwoStreamsMade) {
  const auto server = ecmg();
  server->generator.parameters.delay_start = -400;
  server->generator.parameters.transition_delay_stop = 70;
  server->generator.parameters.min_cp_duration = 50;
  connect();
  open(1, 11);
  open(2, 12);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(last_event().terms.delay_start, -400ms);
  EXPECT_EQ(last_event().terms.transition_delay_stop, 70ms);
  EXPECT_FALSE(last_event().terms.ac_delay_start);
  EXPECT_EQ(last_event().terms.min_cp_duration, 5s);
  EXPECT_EQ(last_event().terms.cw_per_msg, 2);
  EXPECT_EQ(last_event().section_tspkt_flag, ecmg::sections);
  EXPECT_EQ(next_event(), "opened 2");
  EXPECT_EQ(log_, "connecting 0; connected 0 v3");
  for (std::uint16_t cp = 65534; cp != 4; ++cp) {
    request(1, cp);
    request(2, cp);
    EXPECT_EQ(next_event(), "ecm 1/" + std::to_string(cp));
    EXPECT_EQ(last_event().ecm[4], cp & 0xff);
    EXPECT_EQ(next_event(), "ecm 2/" + std::to_string(cp));
  }
  EXPECT_TRUE(no_event_waits());
  EXPECT_TRUE(problems_.empty()) << problems_.front().message;
}

TEST_F(EcmgConnectorTest, StreamsThatAreWantedBeforeAndAfterTheChannelIsThereAreOpened) {
  const auto server = ecmg();
  connect();
  run_until_logged("connected");
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  open(1, 11);  // as it is
  open(2, 12);
  EXPECT_EQ(next_event(), "opened 2");
  EXPECT_TRUE(no_event_waits());
}

// TS 103 197, 5.3, min_CP_duration: the synchroniser lengthens its periods, so the stream is set up with what it allows.
TEST_F(EcmgConnectorTest, AWishForShorterPeriodsThanTheEcmgAllowsIsLengthened) {
  const auto server = ecmg();
  server->generator.parameters.min_cp_duration = 200;
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  EcmRequest none;
  none.duration = 10s;
  connector_->request(1, none);
  EXPECT_EQ(next_event(), "refused 1/0");
  EXPECT_EQ(problems_.size(), 1U);
}

TEST_F(EcmgConnectorTest, LooksNamesUp) {
  const auto server = ecmg();
  settings_.addresses.front().host = "localhost";
  connect();
  run_until_logged("connected 0");
}

TEST_F(EcmgConnectorTest, TakesTheBackUpAtOnceAndStaysWithIt) {
  add_dead_address();
  const auto server = ecmg();
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(log_, "connecting 0; lost 0; connecting 1; connected 1 v3");
  EXPECT_EQ(next_try_, 0ms);
  for (int i = 0; i < 20; ++i) advance(5s);
  EXPECT_EQ(log_, "connecting 0; lost 0; connecting 1; connected 1 v3");
}

TEST_F(EcmgConnectorTest, WaitsLongerAndLongerWhenNoneIsThereAndComesBack) {
  const auto primary = ecmg();
  const auto back_up = ecmg();
  primary->kill();
  back_up->kill();
  connect();
  open(1, 11);
  std::chrono::milliseconds last{0};
  for (int round = 0; round < 5; ++round) {
    run_until_logged("lost 1");
    EXPECT_EQ(log_, "connecting 0; lost 0; connecting 1; lost 1");
    EXPECT_GT(next_try_, last / 2);
    last = next_try_;
    log_.clear();
    if (round < 4) pass_delay();
  }
  EXPECT_GE(last, 4s);
  primary->start();
  pass_delay();
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(log_, "connecting 0; connected 0 v3");
}

TEST_F(EcmgConnectorTest, ALostChannelIsOpenedElsewhereAtOnce) {
  const auto primary = ecmg();
  const auto back_up = ecmg();
  connect();
  open(1, 11);
  open(2, 12);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(next_event(), "opened 2");
  primary->generator.next_answer = EcmAnswer::later();
  request(1, 7);
  poll_until([&] { return primary->generator.orders == 1; });
  primary->kill();
  EXPECT_EQ(next_event(), "refused 1/7");
  EXPECT_EQ(next_event(), "lost 1");
  EXPECT_EQ(next_event(), "lost 2");
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(next_event(), "opened 2");
  EXPECT_NE(log_.find("lost 0; connecting 1; connected 1"), std::string::npos);
  request(1, 7);
  EXPECT_EQ(next_event(), "ecm 1/7");
}

// Both take the channel and end it again: without the wait, they would be asked as fast as the network is.
TEST_F(EcmgConnectorTest, AddressesThatOnlyTakeTheChannelAreNotHammeredAt) {
  const auto hang_up = [](const MessageHeader& header, ByteView body, service::TcpConnection& connection) {
    const Bytes said = test::polite_answer(header, body);
    EXPECT_OK(connection.send(said));
    connection.close();
    return Bytes();
  };
  const auto one = scripted(hang_up);
  const auto other = scripted(hang_up);
  connect();
  for (int round = 0; round < 4; ++round) {
    run_until([&] { return next_try_ > 0ms; });
    EXPECT_EQ(one->connections, round + 1);
    EXPECT_EQ(other->connections, round + 1);
    const auto waited = next_try_;
    pass_delay();
    if (next_try_ == waited) next_try_ = 0ms;
  }
}

TEST_F(EcmgConnectorTest, ARefusedChannelLeadsToTheNextAddress) {
  const auto wrong = ecmg();
  const auto right = ecmg();
  wrong->generator.parameters.max_streams = 0;
  settings_.client.super_cas_id = 0x4adc0002;
  connect();
  run_until_logged("lost 1");
  EXPECT_EQ(log_, "connecting 0; lost 0; connecting 1; lost 1");
  EXPECT_NE(why_.find("Super_CAS_id"), std::string::npos) << why_;
}

TEST_F(EcmgConnectorTest, TermsThatCannotBeServedAreNamed) {
  const auto wrong = ecmg();
  const auto right = ecmg();
  wrong->generator.parameters.ecm_rep_period = 0;
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(log_, "connecting 0; lost 0; connecting 1; connected 1 v3");
  EXPECT_TRUE(was_told(Misbehaviour::unusable_parameters));
  EXPECT_EQ(wrong->channels_closed, 1);
}

TEST_F(EcmgConnectorTest, SpeaksVersionTwoWhenTheEcmgKnowsNoOther) {
  const auto old = scripted([](const MessageHeader& header, ByteView body, service::TcpConnection&) {
    if (header.version != 2) {
      ecmg::ErrorMessage error;
      error.channel_id = 1;
      error.statuses[0] = 2;
      error.status_count = 1;
      return test::wire(error, 2);
    }
    return test::polite_answer(header, body, 2);
  });
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(log_, "connecting 0; connected 0 v2");
}

TEST_F(EcmgConnectorTest, TriesVersionTwoWhenTheEcmgHangsUp) {
  const auto old = scripted([](const MessageHeader& header, ByteView body, service::TcpConnection& connection) {
    if (header.version == 2) return test::polite_answer(header, body, 2);
    connection.abort();
    return Bytes();
  });
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(log_, "connecting 0; connecting 0; connected 0 v2");
}

TEST_F(EcmgConnectorTest, OneThatHangsUpInEachVersionHasFailed) {
  const auto rude = scripted([](const MessageHeader&, ByteView, service::TcpConnection& connection) {
    connection.abort();
    return Bytes();
  });
  connect();
  run_until_logged("lost 0");
  EXPECT_EQ(rude->connections, 2);
  EXPECT_GT(next_try_, 0ms);
}

TEST_F(EcmgConnectorTest, StreamsBeyondMaxStreamsAreNamedAndWaitForRoom) {
  const auto server = ecmg();  // takes three
  connect();
  for (std::uint16_t i = 1; i <= 5; ++i) open(i, i);
  for (const char* each : {"opened 1", "opened 2", "opened 3"}) EXPECT_EQ(next_event(), each);
  run_until([&] { return problems_.size() == 2; });
  EXPECT_EQ(problems_[0].error_status, 0x0009);
  EXPECT_NE(problems_[0].message.find("ECM stream 4"), std::string::npos) << problems_[0].message;
  EXPECT_NE(problems_[1].message.find("ECM stream 5"), std::string::npos) << problems_[1].message;
  connector_->close_stream(2);
  EXPECT_EQ(next_event(), "opened 4");
  connector_->close_stream(5);
  connector_->close_stream(4);
  poll_until([&] { return server->generator.open_handles.size() == 2; });
  EXPECT_TRUE(no_event_waits());
  EXPECT_EQ(problems_.size(), 2U);
}

TEST_F(EcmgConnectorTest, AStreamThatIsRefusedIsAskedForAgainLaterAndLater) {
  int setups = 0;
  const auto server = scripted([&](const MessageHeader& header, ByteView body, service::TcpConnection&) {
    if (header.type != ecmg::stream_setup) return test::polite_answer(header, body);
    if (++setups == 5) return test::polite_answer(header, body);
    ecmg::ErrorMessage error{1, 1};
    error.statuses[0] = 0x0012;
    error.status_count = 1;
    return test::wire(error, 3);
  });
  connect();
  open(1, 11);
  std::chrono::seconds waited{0};
  for (std::size_t i = 1; i <= 4; ++i) {
    run_until([&] { return problems_.size() == i; });
    EXPECT_EQ(setups, static_cast<int>(i));
    run_ready();
    EXPECT_EQ(setups, static_cast<int>(i));
    for (; problems_.size() == i && setups == static_cast<int>(i); waited += 1s) advance(1s);
  }
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_GE(waited, 3s);
  EXPECT_EQ(problems_.front().error_status, 0x0012);
}

TEST_F(EcmgConnectorTest, OneWhoIsRefusedEachTimeIsToldLaterAndLater) {
  const auto server = ecmg();
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  for (std::uint16_t cp = 0; cp < 8; ++cp) {
    server->generator.next_answer = EcmAnswer::refused(ecmg::Error::out_of_computation);
    request(1, cp);
    run_until([&] { return problems_.size() == cp + 1U; });
    if (cp > 0) {
      run_ready();
      EXPECT_TRUE(no_event_waits());
      advance(2s);
    }
    EXPECT_EQ(next_event(), "refused 1/" + std::to_string(cp));
  }
  request(1, 9);
  EXPECT_EQ(next_event(), "ecm 1/9");
  server->generator.next_answer = EcmAnswer::refused(ecmg::Error::out_of_computation);
  request(1, 10);
  EXPECT_EQ(next_event(), "refused 1/10");
}

TEST_F(EcmgConnectorTest, ALateEcmIsRefusedAndWhatComesAfterIsNoAnswer) {
  const auto server = ecmg();
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  server->generator.next_answer = EcmAnswer::later();
  request(1, 7);
  poll_until([&] { return server->generator.orders == 1; });
  advance(1s);
  EXPECT_EQ(next_event(), "refused 1/7");
  server->listener->complete(server->generator.last_ticket, test::section(0x80, 4));
  request(1, 8);
  EXPECT_EQ(next_event(), "ecm 1/8");
}

TEST_F(EcmgConnectorTest, AnEcmOfAnotherPeriodIsNoAnswer) {
  bool wrong = true;
  const auto server = scripted([&](const MessageHeader& header, ByteView body, service::TcpConnection&) {
    if (header.type != ecmg::cw_provision) return test::polite_answer(header, body);
    const Bytes ecm = test::section(0x80, 4);
    const auto cp = static_cast<std::uint16_t>(wrong ? 8 : 7);
    wrong = false;
    return test::wire(ecmg::EcmResponse{1, 1, cp, ecm}, 3);
  });
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  request(1, 7);
  run_until([&] { return was_told(Misbehaviour::wrong_crypto_period); });
  EXPECT_TRUE(no_event_waits());
  advance(1s);
  EXPECT_EQ(next_event(), "refused 1/7");
  request(1, 7);
  EXPECT_EQ(next_event(), "ecm 1/7");
}

TEST_F(EcmgConnectorTest, OfAClosedStreamNothingIsHeard) {
  const auto server = ecmg();
  connect();
  open(1, 11);
  open(2, 12);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(next_event(), "opened 2");
  request(1, 7);
  connector_->close_stream(1);
  request(2, 7);
  EXPECT_EQ(next_event(), "ecm 2/7");
  request(1, 8);
  // What waits to be taken goes with it.
  request(2, 8);
  run_until([&] { return connector_->has_events(); });
  connector_->close_stream(2);
  EXPECT_TRUE(no_event_waits());
  poll_until([&] { return server->generator.open_handles.empty(); });
  EXPECT_TRUE(no_event_waits());
}

TEST_F(EcmgConnectorTest, AStreamOfTheSameNumberTakesTheOthersPlace) {
  const auto server = ecmg();
  connect();
  for (std::uint16_t round = 0; round < 20; ++round) {
    open(1, static_cast<std::uint16_t>(100 + round));
    if (round % 3 == 0) {
      EXPECT_EQ(next_event(), "opened 1");
    }
    if (round % 4 == 0) request(1, round);
    if (round % 5 == 0) connector_->close_stream(1);
    if (round % 7 == 0) run_ready();
  }
  open(1, 500);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(server->generator.open_handles.size(), 1U);
  request(1, 77);
  EXPECT_EQ(next_event(), "ecm 1/77");
  EXPECT_TRUE(no_event_waits());
}

TEST_F(EcmgConnectorTest, ARequestThatCrossesALossFallsAside) {
  const auto server = ecmg();
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  server->listener->abort_all();
  run_until_logged("lost 0");
  request(1, 7);  // has not looked
  pass_delay();
  poll_until([&] { return log_.ends_with("connected 0 v3") && server->generator.open_handles.size() == 1; });
  run_ready();
  request(1, 8);  // has still not looked
  run_ready();
  EXPECT_EQ(next_event(), "lost 1");
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_TRUE(no_event_waits());
  EXPECT_EQ(server->generator.orders, 0U);
  request(1, 9);
  EXPECT_EQ(next_event(), "ecm 1/9");
}

TEST_F(EcmgConnectorTest, WhoAsksOfAStreamThatIsNotOpenIsToldSo) {
  const auto server = ecmg();
  connect();
  open(1, 11);
  request(1, 7);
  EXPECT_EQ(next_event(), "refused 1/7");
  EXPECT_EQ(next_event(), "opened 1");
  request(1, 8);
  request(1, 9);  // two at a time
  EXPECT_EQ(next_event(), "refused 1/9");
  EXPECT_EQ(next_event(), "ecm 1/8");
}

// Nobody takes events while the pipeline is paused; what was opened and lost again meanwhile is not kept.
TEST_F(EcmgConnectorTest, EventsThatNobodyTakesDoNotHeapUp) {
  const auto server = ecmg();
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  for (int i = 0; i < 30; ++i) {
    log_.clear();
    server->listener->abort_all();
    run_until_logged("lost 0");
    pass_delay();
    run_until_logged("connected 0");
    run_ready();
  }
  connector_->take(events_);
  EXPECT_LE(events_.size(), 3U);
  EXPECT_EQ(next_event(), "lost 1");
  if (next_ < events_.size()) {
    EXPECT_EQ(next_event(), "opened 1");
  }
}

}  // namespace
}  // namespace cas::simulcrypt
