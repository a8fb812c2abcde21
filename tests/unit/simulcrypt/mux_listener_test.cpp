// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/mux_listener.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "service/tcp_attempt.hpp"
#include "service/udp_socket.hpp"
#include "simulcrypt/emmg_client.hpp"
#include "support/result_matchers.hpp"
#include "tests/unit/service/loop_fixture.hpp"
#include "unit/simulcrypt/emmg_events.hpp"
#include "unit/simulcrypt/wire.hpp"

namespace cas::simulcrypt {
namespace {

using namespace std::chrono_literals;
using test::packet;
using test::section;

/// A generator on a socket.
class Generator final : public service::TcpHandler {
 public:
  Generator(service::EventLoop& loop, std::uint16_t port, const emmg::ChannelId& channel,
            std::function<void()> happened, std::uint8_t flag = emmg::sections)
      : loop_(loop), happened_(std::move(happened)) {
    EmmgClientSettings settings;
    settings.channel = channel;
    settings.section_tspkt_flag = flag;
    client = std::make_unique<EmmgClient>(settings, events);
    attempt_ = service::TcpAttempt::start(
        loop, {"127.0.0.1", port}, 5s, {},
        [this](const std::shared_ptr<service::TcpConnection>& made) {
          connection = made;
          client->start(loop_.now());
          flush();
          return std::make_unique<Forward>(*this);
        },
        [](const Error& error) { FAIL() << error.message; });
  }
  ~Generator() override {
    if (connection) connection->drop();
  }
  void on_receive(service::TcpConnection&, ByteView bytes) override {
    client->receive(bytes, loop_.now());
    told += events.take() + "\n";
    flush();
    happened_();
  }
  void on_close(service::TcpConnection&, const Status&) override {
    connection.reset();
    client->connection_lost();
    told += events.take() + "\n";
    happened_();
  }
  void flush() {
    const ByteView out = client->output();
    if (!connection || out.empty()) return;
    EXPECT_OK(connection->send(out));
    client->sent(out.size());
  }
  void open(std::uint16_t stream_id, std::uint16_t data_id, std::uint8_t type = emmg::emm) {
    EXPECT_OK(client->open_stream(stream_id, data_id, type, loop_.now()));
    flush();
  }
  void ask_for(std::uint16_t stream_id, std::uint16_t kbit) {
    EXPECT_OK(client->request_bandwidth(stream_id, kbit, loop_.now()));
    flush();
  }
  void provide(std::uint16_t stream_id, const Bytes& datagram) {
    const ByteView view = datagram;
    EXPECT_OK(client->provide(stream_id, {&view, 1}));
    flush();
  }

  test::EmmgEvents events;
  std::unique_ptr<EmmgClient> client;
  std::shared_ptr<service::TcpConnection> connection;
  std::string told;

 private:
  class Forward final : public service::TcpHandler {
   public:
    explicit Forward(Generator& to) : to_(to) {}
    void on_receive(service::TcpConnection& on, ByteView bytes) override { to_.on_receive(on, bytes); }
    void on_close(service::TcpConnection& on, const Status& why) override { to_.on_close(on, why); }

   private:
    Generator& to_;
  };

  service::EventLoop& loop_;
  std::function<void()> happened_;
  std::unique_ptr<service::TcpAttempt> attempt_;
};

class MuxListenerTest : public cas::test::LoopFixture, public MuxListenerObserver {
 protected:
  void client_connected(const service::Endpoint&) override { log("+"); }
  void client_disconnected(const service::Endpoint&, const Status&) override { log("-"); }
  void channel_opened(const emmg::ChannelId& channel) override { log("C" + std::to_string(channel.channel_id)); }
  void channel_closed(const emmg::ChannelId& channel) override { log("c" + std::to_string(channel.channel_id)); }
  void stream_opened(const DataStreamIdentity& stream, std::optional<std::uint16_t> bandwidth) override {
    log("S" + std::to_string(stream.data_id) + (bandwidth ? "=" + std::to_string(*bandwidth) : ""));
  }
  void bandwidth_allocated(const DataStreamIdentity& stream, std::uint16_t wanted, std::uint16_t granted) override {
    log("B" + std::to_string(stream.data_id) + ":" + std::to_string(wanted) + ">" + std::to_string(granted));
  }
  void stream_closed(const DataStreamIdentity& stream) override { log("s" + std::to_string(stream.data_id)); }
  void misbehaved(const emmg::ChannelId&, const Problem& problem, bool ends) override {
    problem_ = problem;
    ++problems_;
    if (ends) log("!");
    happened();
  }
  void data_lost(std::uint64_t datagrams, std::uint64_t bytes) override {
    lost_datagrams_ += datagrams;
    lost_bytes_ += bytes;
    ++times_told_;
    happened();
  }
  void log(const std::string& text) {
    log_ += (log_.empty() ? "" : " ") + text;
    happened();
  }
  void run_until_logged(const std::string& text) {
    run_until([&] { return (" " + log_ + " ").find(" " + text + " ") != std::string::npos; });
  }

  void listen() {
    queue_ = std::make_shared<DataQueue>(settings_);
    auto made = MuxListener::listen(*loop_, listening_, queue_, this);
    ASSERT_OK(made);
    mux_ = std::move(*made);
  }
  std::unique_ptr<Generator> generator(std::uint32_t client_id, std::uint16_t channel_id = 1,
                                       std::uint8_t flag = emmg::sections) {
    auto made = std::make_unique<Generator>(
        *loop_, mux_->port(), emmg::ChannelId{client_id, channel_id}, [this] { happened(); }, flag);
    run_until([&] { return made->told.find("channel") != std::string::npos; });
    return made;
  }
  void run_until_told(Generator& to, const std::string& text) {
    run_until([&] { return to.told.find(text) != std::string::npos; });
  }
  std::vector<DataDatagram> take() {
    std::vector<DataDatagram> taken;
    queue_->take(taken);
    return taken;
  }
  void poll_until(const std::function<bool()>& done) {
    while (!done()) run_ready();
  }

  MuxListening listening_;
  DataQueueSettings settings_;
  std::shared_ptr<DataQueue> queue_;
  std::string log_;
  Problem problem_;
  int problems_ = 0, times_told_ = 0;
  std::uint64_t lost_datagrams_ = 0, lost_bytes_ = 0;
  std::unique_ptr<MuxListener> mux_;  // last: tells the others when it goes
};

TEST_F(MuxListenerTest, TakesDataOfTwoGeneratorsAndFromUdp) {
  listening_.udp = true;
  listen();
  EXPECT_EQ(mux_->udp_port(), mux_->port());
  const auto first = generator(0x4adc0001);
  const auto second = generator(0x4adc0002, 7, emmg::transport_packets);
  first->open(3, 30);
  second->open(4, 40, emmg::private_data);
  run_until_logged("S30");
  run_until_logged("S40");
  run_until_told(*first, "stream 3 opened");
  run_until_told(*second, "stream 4 opened");
  EXPECT_FALSE(queue_->has_data());
  first->provide(3, section(0x82, 20));
  second->provide(4, packet());
  poll_until([&] { return queue_->counts().datagrams == 2; });
  EXPECT_TRUE(queue_->has_data());
  auto taken = take();
  EXPECT_FALSE(queue_->has_data());
  ASSERT_EQ(taken.size(), 2U);
  if (taken[0].stream->data_id == 40) std::swap(taken[0], taken[1]);
  EXPECT_EQ(taken[0].stream->client_id, 0x4adc0001U);
  EXPECT_EQ(taken[0].stream->channel_id, 1);
  EXPECT_EQ(taken[0].stream->stream_id, 3);
  EXPECT_EQ(taken[0].stream->data_type, emmg::emm);
  EXPECT_EQ(taken[0].stream->section_tspkt_flag, emmg::sections);
  EXPECT_EQ(taken[0].bytes, section(0x82, 20));
  EXPECT_EQ(taken[1].stream->data_type, emmg::private_data);
  EXPECT_EQ(taken[1].stream->section_tspkt_flag, emmg::transport_packets);
  EXPECT_EQ(taken[1].bytes, packet());
  EXPECT_NE(taken[0].stream->handle, taken[1].stream->handle);

  auto sender = service::UdpSocket::bind(*loop_, {}, [](ByteView, const service::Endpoint&) {});
  ASSERT_OK(sender);
  const auto to = service::Endpoint::create("127.0.0.1", mux_->udp_port());
  const Bytes emm = section(0x83, 9);
  const ByteView view = emm;
  const Bytes known = test::wire(emmg::DataProvision{0x4adc0001, {}, {}, 30}, 3, std::span(&view, 1));
  const Bytes unknown = test::wire(emmg::DataProvision{0x4adc0009, {}, {}, 90}, 3, std::span(&view, 1));
  ASSERT_OK((*sender)->send(known, *to));
  ASSERT_OK((*sender)->send(unknown, *to));
  ASSERT_OK((*sender)->send(emm, *to));
  run_until([&] { return problems_ == 1; });
  EXPECT_EQ(mux_->udp_counts().taken, 2U);
  EXPECT_EQ(mux_->udp_counts().malformed, 1U);
  taken = take();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].stream->stream_id, 3);  // the stream that was set up
  EXPECT_EQ(taken[1].stream->data_id, 90);
  EXPECT_FALSE(taken[1].stream->stream_id);
  EXPECT_NE(log_.find("S90=100"), std::string::npos) << log_;
}

TEST_F(MuxListenerTest, SharesTheBandwidthOutAndTakesItBack) {
  settings_.total_bandwidth = 1000;
  listen();
  const auto first = generator(1);
  const auto second = generator(2);
  first->open(3, 30);
  run_until_logged("S30=100");
  run_until_told(*first, "stream 3 opened");
  first->ask_for(3, 800);
  run_until_logged("B30:800>800");
  second->open(4, 40);
  run_until_logged("S40=100");
  run_until_told(*second, "stream 4 opened");
  second->ask_for(4, 500);
  run_until_logged("B40:500>200");
  run_until_told(*second, "bandwidth 4 200");
  EXPECT_EQ(queue_->counts().granted_bandwidth, 1000U);
  // The element changes the pool: both are told, the older one has it first.
  mux_->set_total_bandwidth(900);
  run_until_told(*second, "bandwidth 4 100");
  mux_->set_total_bandwidth(2000);
  run_until_told(*second, "bandwidth 4 500");
  mux_->set_total_bandwidth(300);
  run_until_told(*first, "bandwidth 3 300");
  run_until_told(*second, "bandwidth 4 0");
  // Who goes frees what he had.
  first->connection->abort();
  run_until_logged("s30");
  second->ask_for(4, 500);
  run_until_logged("B40:500>300");
  EXPECT_EQ(queue_->counts().granted_bandwidth, 300U);
  EXPECT_EQ(mux_->connection_count(), 1U);
}

TEST_F(MuxListenerTest, WithoutATotalWhoNeverAsksIsNotSlowedDown) {
  listen();
  const auto client = generator(1);
  client->open(3, 30);
  run_until_logged("S30");
  run_until_told(*client, "stream 3 opened");
  for (int i = 0; i < 200; ++i) client->provide(3, section(0x82, 250));
  poll_until([&] { return queue_->counts().datagrams == 200; });
  EXPECT_EQ(problems_, 0);
  // Now there is one.
  mux_->set_total_bandwidth(50);
  run_until_told(*client, "bandwidth 3 50");
  for (int i = 0; i < 200; ++i) client->provide(3, section(0x82, 250));
  run_until_told(*client, "error 3");
  EXPECT_EQ(problem_.error_status, 0x000f);
  EXPECT_LT(queue_->counts().datagrams, 300U);
  mux_->set_total_bandwidth(std::nullopt);
  run_until_told(*client, "bandwidth 3 65535");
}

TEST_F(MuxListenerTest, CountsWhatHasNoRoom) {
  settings_.capacity = 10 * (100 + DataQueue::queue_overhead);
  listen();
  const auto client = generator(1);
  client->open(3, 30);
  run_until_told(*client, "stream 3 opened");
  for (int i = 0; i < 25; ++i) client->provide(3, section(0x82, 97));
  poll_until([&] { return queue_->counts().datagrams + queue_->counts().lost_datagrams == 25; });
  EXPECT_EQ(queue_->counts().datagrams, 10U);
  EXPECT_EQ(queue_->counts().lost_datagrams, 15U);
  EXPECT_EQ(queue_->counts().lost_bytes, 1500U);
  EXPECT_EQ(queue_->counts().waiting_bytes, settings_.capacity);
  advance(2s);
  EXPECT_EQ(lost_datagrams_, 15U);
  EXPECT_EQ(lost_bytes_, 1500U);
  EXPECT_LE(times_told_, 2);
  std::vector<DataDatagram> taken;
  queue_->take(taken, 250);
  EXPECT_EQ(taken.size(), 3U);
  EXPECT_TRUE(queue_->has_data());
  client->provide(3, section(0x83, 97));
  poll_until([&] { return queue_->counts().datagrams == 11; });
  queue_->take(taken);
  ASSERT_EQ(taken.size(), 11U);
  EXPECT_EQ(taken.back().bytes[0], 0x83);
  EXPECT_EQ(queue_->counts().waiting_bytes, 0U);
  EXPECT_FALSE(queue_->has_data());
}

TEST_F(MuxListenerTest, ServesOnlyThoseItIsToldTo) {
  settings_.client_ids = {1};
  settings_.private_data = false;
  settings_.udp = false;
  listening_.udp = true;
  listen();
  const auto stranger = generator(2);
  EXPECT_NE(stranger->told.find("channel closed"), std::string::npos) << stranger->told;
  EXPECT_EQ(problem_.error_status, static_cast<std::uint16_t>(emmg::Error::unknown_client_id));
  const auto client = generator(1);
  client->open(3, 30, emmg::private_data);
  run_until_told(*client, "stream 3 closed");
  client->open(3, 30, emmg::ecm);
  run_until([&] { return problems_ == 3; });
  auto sender = service::UdpSocket::bind(*loop_, {}, [](ByteView, const service::Endpoint&) {});
  ASSERT_OK(sender);
  const Bytes emm = section(0x83, 9);
  const ByteView view = emm;
  const Bytes provision = test::wire(emmg::DataProvision{1, {}, {}, 30}, 3, std::span(&view, 1));
  ASSERT_OK((*sender)->send(provision, *service::Endpoint::create("127.0.0.1", mux_->udp_port())));
  run_until([&] { return problems_ == 4; });
  EXPECT_EQ(mux_->udp_counts().refused, 1U);
  EXPECT_FALSE(queue_->has_data());
}

TEST_F(MuxListenerTest, AGeneratorThatSendsGarbageIsHungUpOn) {
  listen();
  const auto client = generator(1);
  client->open(3, 30);
  run_until_logged("S30");
  const Bytes garbage(100, 0x03);
  ASSERT_OK(client->connection->send(garbage));
  ASSERT_OK(client->connection->send(Bytes(8 * 800, 0x03)));
  run_until_logged("-");
  EXPECT_NE(log_.find("s30"), std::string::npos) << log_;
  EXPECT_GT(problems_, 0);
  EXPECT_EQ(mux_->connection_count(), 0U);
}

TEST_F(MuxListenerTest, AFloodIsToldOfTwentyTimesASecond) {
  listening_.udp = true;
  listen();
  auto sender = service::UdpSocket::bind(*loop_, {}, [](ByteView, const service::Endpoint&) {});
  ASSERT_OK(sender);
  const auto to = service::Endpoint::create("127.0.0.1", mux_->udp_port());
  for (int i = 0; i < 60; ++i) ASSERT_OK((*sender)->send(Bytes{1, 2, 3}, *to));
  poll_until([&] { return mux_->udp_counts().malformed == 60; });
  EXPECT_EQ(problems_, 20);
  advance(2s);
  ASSERT_OK((*sender)->send(Bytes{1, 2, 3}, *to));
  run_until([&] { return problems_ == 21; });
  EXPECT_NE(problem_.message.find("40 other"), std::string::npos) << problem_.message;
}

TEST_F(MuxListenerTest, StopsGracefullyAndGoesWithConnectionsOpen) {
  listen();
  const auto client = generator(1);
  client->open(3, 30);
  run_until_told(*client, "stream 3 opened");
  client->provide(3, section(0x82, 9));
  poll_until([&] { return queue_->has_data(); });
  bool stopped = false;
  mux_->stop([&] {
    stopped = true;
    happened();
  });
  run_until([&] { return client->connection == nullptr; });
  run_until([&] { return stopped; });
  EXPECT_EQ(log_, "+ C1 S30 - s30 c1");
  mux_.reset();
  EXPECT_EQ(take().size(), 1U);
  listen();
  const auto other = generator(1);
  other->open(3, 30);
  run_until_told(*other, "stream 3 opened");
  mux_.reset();
  EXPECT_EQ(queue_->counts().granted_bandwidth, 0U);
  run_until([&] { return other->connection == nullptr; });
}

TEST_F(MuxListenerTest, AStreamThatIsGoneLeavesItsDataBehind) {
  DataQueue queue({});
  const auto grant = queue.open_stream({1, 2, 3, 4, emmg::emm, emmg::sections});
  ASSERT_TRUE(grant.has_value());
  EXPECT_FALSE(grant->bandwidth);
  queue.take_datagram(grant->handle, section(0x82, 9));
  queue.close_stream(grant->handle);
  queue.close_stream(grant->handle);
  queue.take_datagram(grant->handle, section(0x82, 9));
  EXPECT_EQ(queue.counts().lost_datagrams, 1U);
  EXPECT_EQ(queue.allocate_bandwidth(grant->handle, 5), 0);
  std::vector<DataDatagram> taken;
  queue.take(taken);
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].stream->data_id, 4);
}

}  // namespace
}  // namespace cas::simulcrypt
