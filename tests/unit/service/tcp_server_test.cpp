// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/tcp_server.hpp"

#include <functional>
#include <optional>
#include <vector>

#include "tests/support/result_matchers.hpp"
#include "tests/unit/service/loop_fixture.hpp"
#include "tests/unit/service/tcp_peer.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;
using test::TcpPeer;

class TcpServerTest : public test::LoopFixture {
 protected:
  /// What happened to one connection.
  struct Seen {
    std::weak_ptr<TcpConnection> connection;
    std::string received;
    int drained = 0;
    std::optional<Status> closed;
  };
  class Handler final : public TcpHandler {
   public:
    Handler(TcpServerTest& test, std::shared_ptr<Seen> seen) : test_(test), seen_(std::move(seen)) {}
    void on_receive(TcpConnection& connection, ByteView bytes) override {
      seen_->received += as_text(bytes);
      if (test_.reply_) test_.reply_(connection, bytes);
      test_.happened();
    }
    void on_drained(TcpConnection&) override {
      ++seen_->drained;
      test_.happened();
    }
    void on_close(TcpConnection&, const Status& why) override {
      seen_->closed = why;
      test_.happened();
    }

   private:
    TcpServerTest& test_;
    std::shared_ptr<Seen> seen_;
  };

  void listen(const TcpListening& listening = {}) {
    auto server = TcpServer::listen(*loop_, listening, [this](TcpConnection& connection) {
      if (refuse_) return std::unique_ptr<TcpHandler>();
      seen_.push_back(std::make_shared<Seen>());
      seen_.back()->connection = connection.weak_from_this();
      happened();
      return std::unique_ptr<TcpHandler>(std::make_unique<Handler>(*this, seen_.back()));
    });
    ASSERT_OK(server);
    server_ = std::move(*server);
  }
  /// A peer whose connection the server has taken.
  std::unique_ptr<TcpPeer> connect(int receive_buffer = 0) {
    const std::size_t before = seen_.size();
    auto peer = std::make_unique<TcpPeer>(server_->port(), receive_buffer);
    run_until([&] { return seen_.size() > before; });
    return peer;
  }
  std::shared_ptr<TcpConnection> connection() { return seen_.back()->connection.lock(); }
  /// Lets the peer's kernel hear what the loop has done, and the other way round.
  std::string receive(TcpPeer& peer, const std::function<bool(const std::string&)>& enough) {
    std::string all;
    for (;;) {
      all += peer.receive();
      if (enough(all) || peer.at_end || peer.was_reset) return all;
      run_ready();
    }
  }
  void run_until_closed() {
    run_until([&] { return seen_.back()->closed.has_value(); });
  }

  bool refuse_ = false;
  std::function<void(TcpConnection&, ByteView)> reply_ = [](TcpConnection& connection, ByteView bytes) {
    EXPECT_OK(connection.send(bytes));
  };
  std::vector<std::shared_ptr<Seen>> seen_;
  std::unique_ptr<TcpServer> server_;
};

TEST_F(TcpServerTest, AnswersSeveralPeers) {
  listen();
  EXPECT_NE(server_->port(), 0);
  const auto one = connect(), other = connect();
  one->send("one");
  other->send("other");
  EXPECT_EQ(receive(*other, [](const auto& all) { return all.size() == 5; }), "other");
  EXPECT_EQ(receive(*one, [](const auto& all) { return all.size() == 3; }), "one");
  EXPECT_EQ(server_->counts().open, 2U);
  EXPECT_TRUE(connection()->peer().is_loopback());
  EXPECT_EQ(connection()->local(), server_->local());
  other->close();
  run_until_closed();
  EXPECT_OK(*seen_.back()->closed);
  run_ready();
  EXPECT_EQ(server_->counts().open, 1U);
  EXPECT_EQ(server_->counts().accepted, 2U);
  EXPECT_TRUE(seen_.back()->connection.expired());
}

TEST_F(TcpServerTest, ListensOnIpv6) {
  TcpListening listening;
  listening.address = "::1";
  auto server = TcpServer::listen(*loop_, listening, [](TcpConnection&) { return std::unique_ptr<TcpHandler>(); });
  if (!server) GTEST_SKIP() << "no IPv6 here: " << server.error().message;
  EXPECT_EQ((*server)->local().address(), "::1");
}

TEST_F(TcpServerTest, AddressesThatCannotBeListenedAtAreRefused) {
  listen();
  const auto try_at = [this](const char* address, std::uint16_t port) {
    TcpListening listening;
    listening.address = address;
    listening.port = port;
    return TcpServer::listen(*loop_, listening, [](TcpConnection&) { return std::unique_ptr<TcpHandler>(); });
  };
  EXPECT_FAILS(try_at("localhost", 0), ErrorKind::invalid_argument);
  EXPECT_FAILS(try_at("127.0.0.1", server_->port()), ErrorKind::io);
  EXPECT_FAILS(try_at("192.0.2.1", 0), ErrorKind::io);
}

TEST_F(TcpServerTest, TooManyConnectionsAreTurnedAway) {
  TcpListening listening;
  listening.max_connections = 1;
  listen(listening);
  const auto first = connect();
  TcpPeer second(server_->port());
  while (server_->counts().accepted + server_->counts().refused < 2) run_ready();
  ASSERT_EQ(server_->counts().refused, 1U);
  receive(second, [](const auto&) { return false; });
  EXPECT_TRUE(second.at_end);
  first->close();
  run_until_closed();
  run_ready();
  EXPECT_TRUE(connect());
}

TEST_F(TcpServerTest, AConnectionWithoutAHandlerIsClosed) {
  listen();
  refuse_ = true;
  TcpPeer peer(server_->port());
  receive(peer, [](const auto&) { return false; });
  EXPECT_TRUE(peer.at_end);
  EXPECT_EQ(server_->counts().refused, 1U);
  EXPECT_EQ(server_->counts().open, 0U);
}

TEST_F(TcpServerTest, WhatDoesNotFitIntoTheQueueIsRefusedWhole) {
  TcpListening listening;
  listening.limits.send_queue = 1000;
  listen(listening);
  const auto peer = connect();
  EXPECT_FAILS(connection()->send(Bytes(1001)), ErrorKind::exhausted);
  EXPECT_OK(connection()->send(Bytes(1000, 'x')));
  EXPECT_EQ(receive(*peer, [](const auto& all) { return all.size() >= 1000; }).size(), 1000U);
}

TEST_F(TcpServerTest, ASlowPeerSlowsTheSenderDown) {
  constexpr std::size_t total = 8 << 20, piece = 64 << 10;
  TcpListening listening;
  listening.limits.send_queue = 256 << 10;
  listen(listening);
  const auto peer = connect(4096);
  std::size_t sent = 0;
  // As much as there is room for; the rest when it has drained.
  const auto fill = [&] {
    while (sent < total && connection()->room() >= piece) {
      EXPECT_OK(connection()->send(Bytes(piece, static_cast<std::uint8_t>(sent / piece))));
      sent += piece;
    }
  };
  fill();
  EXPECT_LT(sent, total);
  EXPECT_GT(connection()->queued(), 0U);
  EXPECT_LE(connection()->queued(), listening.limits.send_queue);
  std::string all;
  int drained = 0;
  while (all.size() < total) {
    all += peer->receive();
    run_ready();
    if (seen_.back()->drained > drained) {
      drained = seen_.back()->drained;
      fill();
    }
  }
  EXPECT_GT(drained, 0);
  for (std::size_t i = 0; i < total; i += piece / 2) ASSERT_EQ(static_cast<std::uint8_t>(all[i]), i / piece % 256);
}

TEST_F(TcpServerTest, APausedConnectionTakesNothing) {
  listen();
  const auto peer = connect();
  connection()->pause_receiving();
  peer->send("first");
  advance(400s);  // longer than the idle limit
  peer->send("second");
  run_ready();
  EXPECT_EQ(seen_.back()->received, "");
  EXPECT_FALSE(seen_.back()->closed);
  connection()->resume_receiving();
  run_until([&] { return seen_.back()->received == "firstsecond"; });
  advance(301s);
  ASSERT_TRUE(seen_.back()->closed);
  EXPECT_FAILS(*seen_.back()->closed, ErrorKind::expired);
}

TEST_F(TcpServerTest, APeerThatSaysNothingIsLeft) {
  listen();
  const auto peer = connect();
  advance(200s);
  peer->send("here");
  run_until([&] { return seen_.back()->received == "here"; });
  advance(299s);
  EXPECT_FALSE(seen_.back()->closed);
  advance(1s);
  ASSERT_TRUE(seen_.back()->closed);
  EXPECT_FAILS(*seen_.back()->closed, ErrorKind::expired);
}

TEST_F(TcpServerTest, APeerThatTakesNothingIsLeft) {
  TcpListening listening;
  listening.limits.send_queue = 64 << 20;
  listening.limits.idle = 0ms;
  listen(listening);
  const auto peer = connect(4096);
  EXPECT_OK(connection()->send(Bytes(64 << 20)));
  advance(29s);
  EXPECT_FALSE(seen_.back()->closed);
  advance(2s);
  ASSERT_TRUE(seen_.back()->closed);
  EXPECT_FAILS(*seen_.back()->closed, ErrorKind::expired);
}

TEST_F(TcpServerTest, WithoutLimitsTimeDoesNothing) {
  TcpListening listening;
  listening.limits.idle = 0ms;
  listen(listening);
  const auto peer = connect();
  advance(1'000'000s);
  EXPECT_FALSE(seen_.back()->closed);
}

TEST_F(TcpServerTest, ClosingSendsWhatWaits) {
  constexpr std::size_t size = 4 << 20;
  TcpListening listening;
  listening.limits.send_queue = size;
  listen(listening);
  const auto peer = connect();
  EXPECT_OK(connection()->send(Bytes(size, 'x')));
  connection()->close();
  EXPECT_FAILS(connection()->send(Bytes(1)), ErrorKind::io);
  EXPECT_EQ(receive(*peer, [](const auto&) { return false; }).size(), size);
  EXPECT_TRUE(peer->at_end);
  EXPECT_FALSE(seen_.back()->closed);
  peer->send("ignored");
  peer->close();
  run_until_closed();
  EXPECT_OK(*seen_.back()->closed);
  EXPECT_EQ(seen_.back()->received, "");
}

TEST_F(TcpServerTest, APeerThatDoesNotCloseIsNotWaitedForLong) {
  listen();
  const auto peer = connect();
  connection()->close();
  run_ready();
  EXPECT_FALSE(seen_.back()->closed);
  advance(5s);
  ASSERT_TRUE(seen_.back()->closed);
  EXPECT_OK(*seen_.back()->closed);
}

TEST_F(TcpServerTest, APeerThatSaysNoMoreComesGetsItsAnswer) {
  listen();
  const auto peer = connect();
  peer->send("question");
  peer->say_no_more_comes();
  EXPECT_EQ(receive(*peer, [](const auto&) { return false; }), "question");
  EXPECT_TRUE(peer->at_end);
  run_until_closed();
  EXPECT_OK(*seen_.back()->closed);
}

TEST_F(TcpServerTest, ClosingWithinAHandlerSendsItsAnswer) {
  reply_ = [](TcpConnection& connection, ByteView bytes) {
    EXPECT_OK(connection.send(bytes));
    connection.close();
  };
  listen();
  const auto peer = connect();
  peer->send("bye");
  EXPECT_EQ(receive(*peer, [](const auto&) { return false; }), "bye");
  EXPECT_TRUE(peer->at_end);
}

TEST_F(TcpServerTest, AbortingResetsThePeer) {
  reply_ = [](TcpConnection& connection, ByteView) { connection.abort(); };
  listen();
  const auto peer = connect();
  peer->send("bye");
  run_until_closed();
  EXPECT_OK(*seen_.back()->closed);
  receive(*peer, [](const auto&) { return false; });
  EXPECT_TRUE(peer->was_reset);
}

TEST_F(TcpServerTest, StoppingWaitsForTheConnections) {
  listen();
  const auto peer = connect();
  const std::uint16_t port = server_->port();
  bool stopped = false;
  server_->stop([&] {
    stopped = true;
    happened();
  });
  EXPECT_THROW(TcpPeer{port}, std::runtime_error);
  receive(*peer, [](const auto&) { return false; });
  EXPECT_TRUE(peer->at_end);
  EXPECT_FALSE(stopped);
  peer->close();
  run_until([&] { return stopped; });
  EXPECT_TRUE(seen_.back()->closed);
}

TEST_F(TcpServerTest, StoppingWithNobodyThereIsDoneInTheRun) {
  listen();
  bool stopped = false;
  server_->stop([&] { stopped = true; });
  EXPECT_FALSE(stopped);
  run_ready();
  EXPECT_TRUE(stopped);
}

TEST_F(TcpServerTest, AServerThatGoesTakesItsConnectionsAlong) {
  listen();
  const auto peer = connect();
  server_.reset();
  run_ready();
  EXPECT_TRUE(seen_.back()->connection.expired());
  EXPECT_FALSE(seen_.back()->closed);
  receive(*peer, [](const auto&) { return false; });
  EXPECT_TRUE(peer->at_end || peer->was_reset);
}

}  // namespace
}  // namespace cas::service
