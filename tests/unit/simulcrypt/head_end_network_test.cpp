// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/head_end_network.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "simulcrypt/ecmg_listener.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "tests/unit/service/tcp_peer.hpp"
#include "unit/simulcrypt/fake_generator.hpp"
#include "unit/simulcrypt/wire.hpp"

namespace cas::simulcrypt {
namespace {

using namespace std::chrono_literals;

/// An ECMG in a thread of its own.
class EcmgThread {
 public:
  EcmgThread() : loop_(cas::test::value_or_throw(service::EventLoop::create(system_clock()))) {
    generator_.parameters.max_streams = 100;
    generator_.criteria_optional = true;  // Asker has none.
    listener_ = cas::test::value_or_throw(EcmgListener::listen(*loop_, {}, generator_));
    address = {"127.0.0.1", listener_->port()};
    thread_ = std::jthread([this] { loop_->run(); });
  }
  ~EcmgThread() {
    loop_->stop();
    thread_.join();
  }
  void abort_connections() {
    loop_->post([this] { listener_->abort_all(); });
  }
  service::TcpAddress address;

 private:
  std::unique_ptr<service::EventLoop> loop_;
  test::FakeGenerator generator_;
  std::unique_ptr<EcmgListener> listener_;
  std::jthread thread_;
};

/// Sleeps until it is rung.
class Bell {
 public:
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

/// What the packets' thread does with a supply, in as far as it waits.
class Asker {
 public:
  explicit Asker(std::shared_ptr<EcmSupply> supply) : supply_(std::move(supply)) {
    supply_->on_events([this] { bell_.ring(); });
  }
  ~Asker() { supply_->on_events(nullptr); }
  EcmEvent next() {
    while (next_ == events_.size()) {
      if (!supply_->has_events()) bell_.wait();
      supply_->take(events_);
    }
    return events_[next_++];
  }
  void request(std::uint16_t stream_id, std::uint16_t cp_number) {
    EcmRequest request;
    request.cp_number = cp_number;
    request.words.push_back({cp_number, SecretBytes(8)});
    request.words.push_back({static_cast<std::uint16_t>(cp_number + 1), SecretBytes(8)});
    request.duration = 10s;
    supply_->request(stream_id, request);
  }
  EcmSupply& supply() { return *supply_; }

 private:
  std::shared_ptr<EcmSupply> supply_;
  Bell bell_;
  std::vector<EcmEvent> events_;
  std::size_t next_ = 0;
};

class HeadEndNetworkTest : public ::testing::Test {
 protected:
  HeadEndNetworkTest() { network_ = cas::test::value_or_throw(HeadEndNetwork::create(system_clock(), random_)); }
  EcmgConnectorSettings settings_for(const EcmgThread& server) {
    EcmgConnectorSettings settings;
    settings.addresses = {server.address};
    settings.client.super_cas_id = 0x4adc0001;
    settings.first_delay = 1ms;
    settings.longest_delay = 2ms;
    return settings;
  }
  std::shared_ptr<EcmSupply> add(const EcmgThread& server, EcmgConnectorListener* listener = nullptr) {
    return cas::test::value_or_throw(network_->add_ecmg(settings_for(server), listener));
  }

  cas::test::SeededRandom random_{5};
  std::unique_ptr<HeadEndNetwork> network_;
};

TEST_F(HeadEndNetworkTest, TwoEcmgsAnswerTwoThreadsWhileConnectionsBreak) {
  EcmgThread servers[2];
  std::vector<std::jthread> threads;
  for (EcmgThread& server : servers) {
    threads.emplace_back([this, &server] {
      Asker asker(add(server));
      for (std::uint16_t stream = 0; stream < 8; ++stream) asker.supply().open_stream({stream, stream, 10s});
      std::uint16_t cp = 0;
      for (int ecms = 0; ecms < 2000;) {
        const EcmEvent event = asker.next();
        if (event.kind == EcmEvent::Kind::lost) continue;
        if (event.kind == EcmEvent::Kind::ecm && ++ecms % 500 == 0) server.abort_connections();
        asker.request(event.stream_id, ++cp);
      }
    });
  }
  threads.clear();
  network_->stop(1s);
}

TEST_F(HeadEndNetworkTest, WhatOutlivesTheNetworkIsSilent) {
  EcmgThread server;
  Asker asker(add(server));
  asker.supply().open_stream({1, 1, 10s});
  EXPECT_EQ(asker.next().kind, EcmEvent::Kind::opened);
  const auto input = network_->listen_for_data({}, {});
  ASSERT_OK(input);
  network_->stop(1s);
  EXPECT_EQ(asker.next().kind, EcmEvent::Kind::lost);
  EXPECT_FAILS(network_->add_ecmg(settings_for(server)), ErrorKind::refused);
  EXPECT_FAILS(network_->listen_for_data({}, {}), ErrorKind::refused);
  network_->set_total_bandwidth(5);
  network_->stop(1s);
  network_.reset();
  asker.request(1, 1);
  asker.supply().open_stream({2, 2, 10s});
  asker.supply().close_stream(1);
  EXPECT_FALSE(asker.supply().has_events());
  EXPECT_FALSE(input->queue->has_data());
}

TEST_F(HeadEndNetworkTest, OneIsRemovedAndTheOtherGoesOn) {
  EcmgThread servers[2];
  Asker first(add(servers[0]));
  auto supply = add(servers[1]);
  Asker second(supply);
  for (Asker* const each : {&first, &second}) {
    each->supply().open_stream({1, 1, 10s});
    EXPECT_EQ(each->next().kind, EcmEvent::Kind::opened);
  }
  network_->remove(supply);
  network_->remove(supply);
  EXPECT_EQ(second.next().kind, EcmEvent::Kind::lost);
  second.request(1, 7);
  first.request(1, 7);
  EXPECT_EQ(first.next().kind, EcmEvent::Kind::ecm);
  EXPECT_FALSE(second.supply().has_events());
}

TEST_F(HeadEndNetworkTest, AListenerMayRemoveWhatItListensTo) {
  struct Remover final : EcmgConnectorListener {
    void connected(const service::TcpAddress&, std::uint8_t, const ecmg::ChannelParameters&) override {
      ++calls;
      ready.wait();
      network->remove(supply);
      done.ring();
    }
    void lost(const service::TcpAddress&, const std::string&, std::chrono::milliseconds) override { ++calls; }
    HeadEndNetwork* network = nullptr;
    std::shared_ptr<EcmSupply> supply;
    Bell ready, done;
    int calls = 0;
  } remover;
  EcmgThread server;
  remover.network = network_.get();
  remover.supply = add(server, &remover);
  remover.ready.ring();
  remover.done.wait();
  network_->stop(1s);
  EXPECT_EQ(remover.calls, 1);
}

TEST_F(HeadEndNetworkTest, WrongSettingsAreRefused) {
  EXPECT_FAILS(network_->add_ecmg({}), ErrorKind::invalid_argument);
  MuxListening listening;
  listening.address = "nowhere";
  EXPECT_FAILS(network_->listen_for_data(listening, {}), ErrorKind::invalid_argument);
  const auto input = network_->listen_for_data({}, {});
  ASSERT_OK(input);
  EXPECT_NE(input->port, 0);
  EXPECT_EQ(input->udp_port, 0);
  EXPECT_FAILS(network_->listen_for_data({}, {}), ErrorKind::refused);
  network_->stop_listening();
  EXPECT_OK(network_->listen_for_data({}, {}));
}

TEST_F(HeadEndNetworkTest, DataReachesAnotherThread) {
  struct Observer final : MuxListenerObserver {
    void stream_opened(const DataStreamIdentity&, std::optional<std::uint16_t>) override { bell.ring(); }
    Bell bell;
  } observer;
  const auto input = network_->listen_for_data({}, {}, &observer);
  ASSERT_OK(input);
  cas::test::TcpPeer peer(input->port);
  const emmg::ChannelId channel{1, 2};
  peer.send(as_text(test::wire(emmg::ChannelSetup{channel, 0}, 3, emmg::channel_setup)));
  peer.send(as_text(test::wire(emmg::StreamSetup{channel, 3, 4, 0}, 3, emmg::stream_setup)));
  observer.bell.wait();
  const Bytes emm = test::section(0x82, 30);
  const ByteView view = emm;
  const Bytes provision = test::wire(emmg::DataProvision{1, 2, 3, 4}, 3, std::span(&view, 1));
  std::vector<DataDatagram> taken;
  for (int i = 0; i < 1000; ++i) {
    peer.send(as_text(provision));
    if (input->queue->has_data()) input->queue->take(taken, 100);
  }
  while (taken.size() < 1000) {
    if (input->queue->has_data()) input->queue->take(taken);
    std::this_thread::yield();
  }
  EXPECT_EQ(taken.back().bytes, emm);
  network_->set_total_bandwidth(10);
  network_->stop(1s);  // before its observer
}

// An ECMG that never answers holds nothing up for longer than the limit.
TEST_F(HeadEndNetworkTest, StopsWithinItsLimit) {
  auto loop = cas::test::value_or_throw(service::EventLoop::create(system_clock()));
  struct Mute final : service::TcpHandler {
    void on_receive(service::TcpConnection&, ByteView) override {}
    void on_close(service::TcpConnection&, const Status&) override {}
  };
  Bell connected;
  auto server = cas::test::value_or_throw(service::TcpServer::listen(*loop, {}, [&](service::TcpConnection&) {
    connected.ring();
    return std::make_unique<Mute>();
  }));
  std::jthread thread([&] { loop->run(); });
  EcmgConnectorSettings settings;
  settings.addresses = {{"127.0.0.1", server->port()}};
  settings.close_limit = 1h;
  ASSERT_OK(network_->add_ecmg(settings));
  connected.wait();
  network_->stop(20ms);
  loop->stop();
}

TEST_F(HeadEndNetworkTest, ABrokenHandlerDoesNotEndTheNetwork) {
  Bell failed;
  std::string what;
  network_ = cas::test::value_or_throw(HeadEndNetwork::create(system_clock(), random_, [&](const Error& error) {
    what = error.message;
    failed.ring();
  }));
  struct Thrower final : EcmgConnectorListener {
    void connecting(const service::TcpAddress&) override { throw std::runtime_error("thrown by the test"); }
  } thrower;
  EcmgThread server;
  static_cast<void>(network_->add_ecmg(settings_for(server), &thrower));
  failed.wait();
  EXPECT_NE(what.find("thrown by the test"), std::string::npos) << what;
  Asker asker(add(server));
  asker.supply().open_stream({1, 1, 10s});
  EXPECT_EQ(asker.next().kind, EcmEvent::Kind::opened);
  network_->stop(1s);  // before its listener
}

}  // namespace
}  // namespace cas::simulcrypt
