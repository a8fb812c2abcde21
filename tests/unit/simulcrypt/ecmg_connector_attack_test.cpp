// SPDX-License-Identifier: LGPL-2.1-or-later
// ECMGs that die, hang, flood and lie, and connectors that go with work in flight.
#include <gtest/gtest.h>

#include <map>

#include "support/result_matchers.hpp"
#include "unit/simulcrypt/connector_fixture.hpp"

namespace cas::simulcrypt {
namespace {

using namespace std::chrono_literals;

class EcmgConnectorAttackTest : public test::ConnectorFixture {
 protected:
  /// A second, in which all that two ends on one machine have to say to each other is said.
  void pass_second() {
    for (int i = 0; i < 20; ++i) run_ready();
    advance(1s);
  }
  /// The second address is an ECMG that works: the connector must get there, whatever the first does.
  void expect_refuge(const std::string& before) {
    const auto refuge = ecmg();
    connect();
    open(1, 11);
    for (int i = 0; i < 500 && !connector_->has_events(); ++i) {
      pass_second();
    }
    ASSERT_TRUE(connector_->has_events()) << log_ << why_;
    EXPECT_EQ(next_event(), "opened 1");
    EXPECT_EQ(log_, before + "; lost 0; connecting 1; connected 1 v3");
    request(1, 7);
    EXPECT_EQ(next_event(), "ecm 1/7");
    connector_->drop();
  }
};

TEST_F(EcmgConnectorAttackTest, Garbage) {
  const auto server =
      scripted([](const MessageHeader&, ByteView, service::TcpConnection&) { return Bytes(4096, 0x5a); });
  expect_refuge("connecting 0");
}

TEST_F(EcmgConnectorAttackTest, NeverAnAnswer) {
  const auto server = scripted(nullptr);
  expect_refuge("connecting 0");
  EXPECT_NE(why_.find("did not answer the set-up"), std::string::npos) << why_;
}

TEST_F(EcmgConnectorAttackTest, HalfAnAnswer) {
  const auto server = scripted([](const MessageHeader& header, ByteView body, service::TcpConnection&) {
    Bytes whole = test::polite_answer(header, body);
    whole.resize(whole.size() / 2);
    return whole;
  });
  expect_refuge("connecting 0");
}

TEST_F(EcmgConnectorAttackTest, HalfAnAnswerAndTheEnd) {
  const auto server = scripted([](const MessageHeader& header, ByteView body, service::TcpConnection& connection) {
    Bytes whole = test::polite_answer(header, body);
    whole.resize(whole.size() / 2);
    EXPECT_OK(connection.send(whole));
    connection.close();
    return Bytes();
  });
  expect_refuge("connecting 0; connecting 0");
  EXPECT_NE(why_.find("within a message"), std::string::npos) << why_;
}

TEST_F(EcmgConnectorAttackTest, NoStreamIsEverConfirmed) {
  const auto server = scripted([](const MessageHeader& header, ByteView body, service::TcpConnection&) {
    return header.type == ecmg::stream_setup ? Bytes() : test::polite_answer(header, body);
  });
  expect_refuge("connecting 0; connected 0 v3");
  EXPECT_NE(why_.find("answers no stream_setup"), std::string::npos) << why_;
}

TEST_F(EcmgConnectorAttackTest, TheChannelFallsSilent) {
  const auto server = scripted([](const MessageHeader& header, ByteView body, service::TcpConnection&) {
    return header.type == ecmg::channel_setup ? test::polite_answer(header, body) : Bytes();
  });
  const auto refuge = ecmg();
  connect();
  run_until_logged("connected 0");
  for (int i = 0; i < 15; ++i) pass_second();
  run_until_logged("connected 1");
  EXPECT_NE(why_.find("test of the channel"), std::string::npos) << why_;
}

TEST_F(EcmgConnectorAttackTest, AFloodIsToldOfTwentyTimesASecondAndTakesNoMemory) {
  Bytes flood;
  while (flood.size() < 60'000) {
    const Bytes one = test::wire(ecmg::EcmResponse{1, 9, 9, {}}, 3);
    append(flood, one);
  }
  const auto server = scripted([&](const MessageHeader& header, ByteView body, service::TcpConnection& connection) {
    if (header.type == ecmg::channel_setup) {
      const Bytes status = test::polite_answer(header, body);
      EXPECT_OK(connection.send(status));
      return flood;
    }
    return test::polite_answer(header, body);
  });
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(problems_.size(), 20U);
}

// A peer that tests without end and reads none of the answers: what waits for it is bounded.
TEST_F(EcmgConnectorAttackTest, WhoReadsNothingIsGivenUp) {
  Bytes flood;
  while (flood.size() < 900'000) {
    const Bytes one = test::wire(ecmg::ChannelMessage{1}, 3, ecmg::channel_test);
    append(flood, one);
  }
  const auto server = scripted([&](const MessageHeader& header, ByteView body, service::TcpConnection& connection) {
    if (header.type != ecmg::channel_setup) return Bytes();
    const Bytes status = test::polite_answer(header, body);
    EXPECT_OK(connection.send(status));
    connection.pause_receiving();
    return flood;
  });
  server->more = [&] { return flood; };
  connect();
  run_until_logged("lost 0");
  EXPECT_NE(why_.find("cannot be sent"), std::string::npos) << why_;
}

// TS 103 197, 5.1: streams first, then the channel; when the ECMG answers, that is all there is to wait for.
TEST_F(EcmgConnectorAttackTest, ClosesGracefully) {
  const auto server = scripted([](const MessageHeader& header, ByteView body, service::TcpConnection& connection) {
    if (header.type == ecmg::channel_close) connection.close();
    return test::polite_answer(header, body);
  });
  connect();
  open(1, 11);
  open(2, 12);
  EXPECT_EQ(next_event(), "opened 1");
  EXPECT_EQ(next_event(), "opened 2");
  int done = 0;
  connector_->close([&] {
    ++done;
    happened();
  });
  connector_->close([&] { ++done; });
  EXPECT_EQ(next_event(), "lost 1");
  EXPECT_EQ(next_event(), "lost 2");
  run_until([&] { return done != 0; });
  run_ready();
  EXPECT_EQ(done, 2);
  const std::vector<std::uint16_t> said{ecmg::channel_setup,        ecmg::stream_setup,         ecmg::stream_setup,
                                        ecmg::stream_close_request, ecmg::stream_close_request, ecmg::channel_close};
  EXPECT_EQ(server->received, said);
  EXPECT_EQ(log_, "connecting 0; connected 0 v3");
  connector_->close([&] { ++done; });
  run_ready();
  EXPECT_EQ(done, 3);
}

TEST_F(EcmgConnectorAttackTest, AGracefulCloseWaitsNoLongerThanItsLimit) {
  const auto server = scripted([](const MessageHeader& header, ByteView body, service::TcpConnection&) {
    return header.type == ecmg::stream_close_request ? Bytes() : test::polite_answer(header, body);
  });
  connect();
  open(1, 11);
  EXPECT_EQ(next_event(), "opened 1");
  bool done = false;
  connector_->close([&] { done = true; });
  run_ready();
  EXPECT_FALSE(done);
  advance(1s);
  EXPECT_TRUE(done);
}

TEST_F(EcmgConnectorAttackTest, GoesAtAnyMoment) {
  const auto server = ecmg();
  for (int turns = 0; turns < 40; ++turns) {
    connect();
    for (std::uint16_t i = 1; i <= 3; ++i) open(i, i);
    for (int i = 0; i < turns; ++i) {
      loop_->stop();
      loop_->run();
      if (connector_->has_events()) connector_->take(events_);
      request(1, static_cast<std::uint16_t>(i));
    }
    if (turns % 3 == 0) connector_->close([] {});
    if (turns % 3 == 1) connector_->drop();
    connector_.reset();
    run_ready();
  }
  poll_until([&] { return server->listener->connection_count() == 0; });
  EXPECT_TRUE(server->generator.open_handles.empty());
  // Work in flight goes with the loop.
  connect();
  open(1, 1);
  run_until_logged("connected 0");
  request(1, 1);
  connector_->drop();
  EXPECT_FALSE(connector_->has_events());
  const auto outlives = connector_;
  server->kill();
  loop_.reset();
  outlives->close_stream(1);
  outlives->open_stream({1, 1, 10s});
}

TEST_F(EcmgConnectorAttackTest, ACloseWhileConnectingEndsAtOnce) {
  add_dead_address();
  connect();
  bool done = false;
  connector_->close([&] {
    done = true;
    happened();
  });
  run_until([&] { return done; });
  run_ready();
  EXPECT_EQ(log_, "connecting 0");
}

/// The packets' thread of a service of several streams, which holds the supply to its contract.
class Checker {
 public:
  struct Stream {
    bool wanted = false, open = false;
    std::optional<std::uint16_t> asked;
    std::uint16_t next_cp = 0;
    unsigned ecms = 0;
  };
  explicit Checker(EcmSupply& supply) : supply_(supply) {}
  void take() {
    std::vector<EcmEvent> events;
    if (supply_.has_events()) supply_.take(events);
    for (const EcmEvent& event : events) {
      Stream& stream = streams[event.stream_id];
      ASSERT_TRUE(stream.wanted) << "an event of a stream that was closed";
      switch (event.kind) {
        case EcmEvent::Kind::opened:
          EXPECT_FALSE(stream.open);
          stream.open = true;
          break;
        case EcmEvent::Kind::lost:
          EXPECT_TRUE(stream.open);
          ++losses;
          stream.asked.reset();  // it may have crossed the loss
          stream.open = false;
          break;
        case EcmEvent::Kind::ecm: ++stream.ecms; [[fallthrough]];
        case EcmEvent::Kind::refused:
          EXPECT_TRUE(stream.open);
          EXPECT_EQ(stream.asked, event.cp_number);
          stream.asked.reset();
          break;
      }
    }
  }
  std::map<std::uint16_t, Stream> streams;
  unsigned losses = 0;

 private:
  EcmSupply& supply_;
};

// The ECMG is killed at a hundred moments that a seed chooses, with provisions in flight, and starts again.
TEST_F(EcmgConnectorAttackTest, AHundredKills) {
  const auto primary = ecmg();
  const auto back_up = ecmg();
  primary->generator.parameters.max_streams = back_up->generator.parameters.max_streams = 10;
  connect();
  Checker checker(*connector_);
  cas::test::SeededRandom random(20261125);
  const auto step = [&] {
    const auto id = static_cast<std::uint16_t>(1 + random.below(6));
    Checker::Stream& stream = checker.streams[id];
    if (!stream.wanted) {
      open(id, id);
      stream = Checker::Stream{true, false, {}, 0, stream.ecms};
    } else if (random.below(40) == 0) {
      connector_->close_stream(id);
      stream.wanted = stream.open = false;
      stream.asked.reset();
    } else if (stream.open && !stream.asked) {
      if (random.below(10) == 0) primary->generator.next_answer = EcmAnswer::later();
      stream.asked = stream.next_cp;
      request(id, stream.next_cp++);
    }
    loop_->stop();
    loop_->run();
    checker.take();
  };
  for (int kills = 0; kills < 100; ++kills) {
    const auto moments = random.below(120);
    for (std::uint64_t i = 0; i < moments; ++i) step();
    test::EcmgOnSocket& victim = kills % 3 == 0 ? *back_up : *primary;
    victim.kill();
    for (std::uint64_t i = random.below(10); i > 0; --i) step();
    victim.start();
    for (int i = 0; i < 10; ++i) step();
    if (random.below(4) == 0) advance(std::chrono::seconds(random.below(40)));
    checker.take();
    if (HasFatalFailure() || HasNonfatalFailure()) FAIL() << "at kill " << kills;
  }
  unsigned ecms = 0;
  for (const auto& [id, stream] : checker.streams) ecms += stream.ecms;
  EXPECT_GT(ecms, 300U);
  EXPECT_GT(checker.losses, 100U);
  // In the end, each stream that is wanted comes back and is answered.
  for (auto& [id, stream] : checker.streams) {
    if (!stream.wanted) continue;
    const unsigned before = stream.ecms;
    for (int i = 0; i < 200 && stream.ecms == before; ++i) {
      if (stream.open && !stream.asked) {
        stream.asked = stream.next_cp;
        request(id, stream.next_cp++);
      }
      pass_second();
      checker.take();
    }
    ASSERT_GT(stream.ecms, before) << "stream " << id << " never came back: " << log_.substr(log_.size() - 300) << why_
                                   << (problems_.empty() ? "" : problems_.back().message);
  }
}

}  // namespace
}  // namespace cas::simulcrypt
