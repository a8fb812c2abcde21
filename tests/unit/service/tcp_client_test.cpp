// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/tcp_client.hpp"

#include <functional>
#include <vector>

#include "service/reconnect_delay.hpp"
#include "service/tcp_server.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/unit/service/loop_fixture.hpp"

namespace cas::service {
namespace {

using namespace std::chrono_literals;

TEST(ReconnectDelay, GrowsToItsLimitAndItsSecondHalfIsRandom) {
  test::SeededRandom random(1);
  ReconnectDelay delay(random, 1000ms, 10'000ms);
  bool differed = false;
  for (const int whole : {1000, 2000, 4000, 8000, 10'000, 10'000, 10'000}) {
    const auto next = delay.next();
    EXPECT_LE(next.count(), whole);
    EXPECT_GT(next.count(), whole / 2 - 1);
    differed = differed || next.count() != whole;
  }
  EXPECT_TRUE(differed);
  delay.reset();
  EXPECT_LE(delay.next(), 1000ms);
}

TEST(ReconnectDelay, IsNeverZeroAndNeedsNoRandomness) {
  class NoRandom final : public Random {
    Status fill(MutableByteView) override { return fail(ErrorKind::io, "none"); }
    static tl::unexpected<Error> fail(ErrorKind kind, const char* text) { return cas::fail(kind, text); }
  } random;
  ReconnectDelay delay(random, 0ms, -5ms);
  EXPECT_EQ(delay.next(), 1ms);
  EXPECT_EQ(delay.next(), 1ms);
  ReconnectDelay other(random, 3ms, 5ms);
  EXPECT_EQ(other.next(), 3ms);
  EXPECT_EQ(other.next(), 5ms);
}

/// A server that says hello if it is told to, and keeps its connections or closes them.
class Greeter final : public TcpHandler {
 public:
  explicit Greeter(bool stay) : stay_(stay) {}
  void on_receive(TcpConnection& connection, ByteView bytes) override {
    EXPECT_OK(connection.send(bytes));
    if (!stay_) connection.close();
  }
  void on_close(TcpConnection&, const Status&) override {}

 private:
  bool stay_;
};

class TcpClientTest : public test::LoopFixture, public TcpClientHandler {
 protected:
  void on_connect(TcpConnection& connection) override {
    ++connects_;
    if (!greeting_.empty()) EXPECT_OK(connection.send(as_bytes(greeting_)));
    happened();
  }
  void on_receive(TcpConnection&, ByteView bytes) override {
    received_ += as_text(bytes);
    happened();
  }
  void on_disconnect(const Status& why, std::chrono::milliseconds next_try) override {
    why_.push_back(why);
    delays_.push_back(next_try);
    happened();
  }
  void on_connect_failed(const Error& error, std::chrono::milliseconds next_try) override {
    failures_.push_back(error);
    delays_.push_back(next_try);
    happened();
  }

  void listen(bool stay, std::uint16_t port = 0, bool refuse = false) {
    TcpListening listening;
    listening.port = port;
    auto server = TcpServer::listen(*loop_, listening, [stay, refuse](TcpConnection&) {
      return refuse ? std::unique_ptr<TcpHandler>() : std::make_unique<Greeter>(stay);
    });
    ASSERT_OK(server);
    server_ = std::move(*server);
    connecting_.host = "127.0.0.1";
    connecting_.port = server_->port();
  }
  void start() { client_ = TcpClient::start(*loop_, random_, connecting_, *this); }
  /// Lets the delay before the next try pass.
  void pass_delay() { advance(std::chrono::duration_cast<std::chrono::seconds>(delays_.back()) + 1s); }

  test::SeededRandom random_{4};
  TcpConnecting connecting_;
  std::string greeting_ = "hello", received_;
  int connects_ = 0;
  std::vector<Status> why_;
  std::vector<Error> failures_;
  std::vector<std::chrono::milliseconds> delays_;
  std::unique_ptr<TcpServer> server_;
  std::unique_ptr<TcpClient> client_;
};

TEST_F(TcpClientTest, ConnectsAndTalks) {
  listen(true);
  start();
  EXPECT_EQ(client_->connection(), nullptr);
  run_until([&] { return received_ == "hello"; });
  ASSERT_NE(client_->connection(), nullptr);
  EXPECT_EQ(client_->connection()->peer(), server_->local());
}

TEST_F(TcpClientTest, LooksNamesUp) {
  listen(true);
  connecting_.host = "localhost";
  start();
  run_until([&] { return received_ == "hello" || !failures_.empty(); });
  EXPECT_EQ(received_, "hello");
}

TEST_F(TcpClientTest, ConnectsAgainWhenTheServerCloses) {
  listen(false);
  start();
  for (int i = 1; i <= 5; ++i) {
    run_until([&] { return static_cast<int>(why_.size()) == i; });
    EXPECT_EQ(connects_, i);
    EXPECT_OK(why_.back());
    EXPECT_EQ(client_->connection(), nullptr);
    EXPECT_LE(delays_.back(), 500ms);  // it had answered
    pass_delay();
  }
}

TEST_F(TcpClientTest, AServerThatOnlyClosesIsNotHammeredAt) {
  listen(false, 0, true);
  greeting_.clear();
  start();
  for (std::size_t i = 1; i <= 8; ++i) {
    run_until([&] { return why_.size() == i; });
    pass_delay();
  }
  EXPECT_LE(delays_.front(), 500ms);
  EXPECT_GE(delays_.back(), 15'000ms);
  EXPECT_LE(delays_.back(), 30'000ms);
}

TEST_F(TcpClientTest, AServerThatIsNotThereIsWaitedFor) {
  listen(true);
  server_.reset();
  start();
  for (std::size_t i = 1; i <= 3; ++i) {
    run_until([&] { return failures_.size() == i; });
    EXPECT_EQ(failures_.back().kind, ErrorKind::io);
    EXPECT_NE(failures_.back().message.find("127.0.0.1"), std::string::npos);
    if (i < 3) pass_delay();
  }
  EXPECT_GT(delays_[2], delays_[0]);
  listen(true, connecting_.port);
  pass_delay();
  run_until([&] { return received_ == "hello"; });
}

TEST_F(TcpClientTest, ATryThatTakesTooLongFails) {
  listen(true);
  connecting_.host = "localhost";
  start();
  // Due before the answer of the resolver's thread can be taken, and before any connection stands.
  loop_->post([this] {
    clock_.advance(10s);
    loop_->stop();
  });
  loop_->run();
  run_until([&] { return !failures_.empty(); });
  EXPECT_EQ(failures_.back().kind, ErrorKind::expired);
  EXPECT_EQ(connects_, 0);
  pass_delay();
  run_until([&] { return received_ == "hello"; });
}

TEST_F(TcpClientTest, ANameThatIsNoneFails) {
  connecting_.host = "no such host";
  connecting_.port = 1;
  start();
  run_until([&] { return !failures_.empty(); });
  EXPECT_EQ(failures_.back().kind, ErrorKind::not_found);
}

TEST_F(TcpClientTest, AClientThatGoesCallsNothingMore) {
  listen(true);
  start();
  run_until([&] { return received_ == "hello"; });
  client_.reset();
  run_ready();
  EXPECT_TRUE(why_.empty());
  start();
  client_.reset();
  run_ready();
  EXPECT_EQ(connects_, 1);
  start();
  loop_->stop();
  loop_->run();  // the try is under way
  client_.reset();
  run_ready();
  EXPECT_TRUE(failures_.empty());
}

}  // namespace
}  // namespace cas::service
