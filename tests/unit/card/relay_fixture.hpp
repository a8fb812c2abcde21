// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Client and server of a card relay over the loopback interface, each with the other and with peers that misbehave.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "card/open.hpp"
#include "card/relay_card.hpp"
#include "card/relay_server.hpp"
#include "card/relay_stream.hpp"
#include "card/soft_card.hpp"
#include "support/notebook_applet.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"
#include "support/tls_certificates.hpp"

namespace cas::card {

/// A card that does what the test says, and can be waited for.
class PuppetCard final : public Card {
 public:
  Status connect() override {
    const std::lock_guard lock(mutex_);
    ++connects;
    if (!present_) return fail(ErrorKind::card_absent, "no card in the puppet's reader: insert it");
    return {};
  }
  void disconnect() override {
    const std::lock_guard lock(mutex_);
    ++disconnects;
  }
  Status wait_for_card(std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    changed_.notify_all();
    const bool there = changed_.wait(lock, stop, [this] { return present_; });
    waiting_ = false;
    if (!there) return fail(ErrorKind::cancelled, "given up");
    if (failure) return fail(*failure);
    return {};
  }
  Result<ResponseApdu> transmit(const CommandApdu& command) override {
    if (entered) entered->set_value();
    if (go_on) go_on->get_future().wait();
    const std::lock_guard lock(mutex_);
    last = command;
    if (failure) return fail(*failure);
    return response;
  }
  std::string description() const override { return "puppet"; }

  void insert() {
    const std::lock_guard lock(mutex_);
    present_ = true;
    changed_.notify_all();
  }
  void remove() {
    const std::lock_guard lock(mutex_);
    present_ = false;
  }
  void wait_until_waited_for() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_; });
  }

  std::atomic<int> connects = 0;
  std::atomic<int> disconnects = 0;
  CommandApdu last;
  ResponseApdu response;
  std::optional<Error> failure;
  std::optional<std::promise<void>> entered;
  std::optional<std::promise<void>> go_on;

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool present_ = true;
  bool waiting_ = false;
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// An end of a connection that says what the test wants. Waits without end.
class RawEnd {
 public:
  RawEnd(FileDescriptor socket, crypto::TlsSession tls) : socket_(std::move(socket)), tls_(std::move(tls)) {
    for (;;) {
      const auto done = tls_.handshake();
      EXPECT_OK(done);
      flush();
      if (!done || *done || !fill()) return;
    }
  }
  void send(ByteView bytes) {
    EXPECT_OK(tls_.write(bytes));
    flush();
  }
  void say(RelayFrameType type, ByteView payload = {}) { send(encode_relay_frame(type, payload)); }
  /// The next frame; nothing when the other end has closed.
  std::optional<RelayFrame> hear() {
    Bytes plain(16384);
    for (;;) {
      auto frame = parser_.next();
      EXPECT_OK(frame);
      if (!frame || *frame) return frame ? std::move(*frame) : std::nullopt;
      const auto got = tls_.read(plain);
      if (!got || (*got && **got == 0) || (!*got && !fill())) return std::nullopt;
      if (*got) parser_.append(ByteView(plain).first(**got));
    }
  }
  /// Until the other end closes.
  void listen_to_the_end() {
    while (hear()) {
    }
  }

 private:
  void flush() {
    const Bytes wire = tls_.take_output();
    if (!wire.empty()) {
      EXPECT_EQ(::send(socket_.get(), wire.data(), wire.size(), MSG_NOSIGNAL), static_cast<ssize_t>(wire.size()));
    }
  }
  bool fill() {
    Bytes wire(16384);
    const ssize_t got = ::recv(socket_.get(), wire.data(), wire.size(), 0);
    if (got > 0) tls_.receive(ByteView(wire).first(static_cast<std::size_t>(got)));
    return got > 0;
  }

  FileDescriptor socket_;
  crypto::TlsSession tls_;
  RelayFrameParser parser_;
};

/// A relay of the test's own on a free port, for one client after the other.
class RawRelay {
 public:
  explicit RawRelay(const RelayServing& serving) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
    auto made = crypto::TlsContext::create(crypto::TlsRole::server,
                                           {serving.certificate_file, serving.key_file, {}, serving.authority_file});
    EXPECT_OK(made);
    context_ = *made;
  }
  FileDescriptor accept() const { return FileDescriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  std::unique_ptr<RawEnd> accept_client() const {
    auto tls = crypto::TlsSession::server(*context_);
    EXPECT_OK(tls);
    return std::make_unique<RawEnd>(accept(), std::move(*tls));
  }
  /// Hears `type`.
  static void expect(RawEnd& client, RelayFrameType type) {
    const auto frame = client.hear();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->type, type);
  }
  static void greet(RawEnd& client) {
    expect(client, RelayFrameType::hello);
    client.say(RelayFrameType::hello, encode_relay_hello({}));
  }

  std::uint16_t port = 0;

 private:
  FileDescriptor listener_;
  std::optional<crypto::TlsContext> context_;
};

class RelayTest : public testing::Test {
 protected:
  RelayTest() {
    authority.issue("relay", {"IP:127.0.0.1", "serverAuth"});
    authority.issue("desk", {{}, "clientAuth"});
    serving.certificate_file = authority.certificate_file("relay");
    serving.key_file = authority.key_file("relay");
    serving.authority_file = authority.authority_file();
    serving.log = [this](const RelayEvent& event) {
      const std::lock_guard lock(events_mutex);
      events.push_back(event);
      events_changed.notify_all();
    };
  }
  ~RelayTest() override { stop_serving(); }

  void serve(std::shared_ptr<Card> card) {
    auto listening = RelayServer::listen(std::move(card), serving);
    ASSERT_OK(listening);
    server = std::move(*listening);
    stop = std::stop_source();
    served = std::async(std::launch::async, [this] { return server->run(stop.get_token()); });
  }
  void stop_serving() {
    if (!served.valid()) return;
    stop.request_stop();
    EXPECT_OK(served.get());
    server.reset();
  }
  std::shared_ptr<PuppetCard> serve_puppet() {
    auto puppet = std::make_shared<PuppetCard>();
    serve(puppet);
    return puppet;
  }

  RelayTarget target() const {
    return {"127.0.0.1",
            server ? server->port() : std::uint16_t{1},
            {},
            authority.certificate_file("desk"),
            authority.key_file("desk"),
            {},
            authority.authority_file()};
  }
  static std::shared_ptr<Card> open(const RelayTarget& at, RelayTimes times = {}) {
    auto card = open_relay_card(at, times);
    EXPECT_OK(card);
    return *card;
  }
  std::shared_ptr<Card> open() const { return open(target()); }
  static Result<ResponseApdu> echo(Card& card, std::size_t size, std::uint32_t ne = 65536) {
    return card.transmit({0x80, 0x10, 0, 0, Bytes(size, 0x5a), ne});
  }
  /// Until something of this kind is in the log.
  RelayEvent wait_for(RelayEvent::Kind kind) {
    std::unique_lock lock(events_mutex);
    const auto found = [&] { return std::ranges::find(events, kind, &RelayEvent::kind); };
    events_changed.wait(lock, [&] { return found() != events.end(); });
    return *found();
  }

  /// A connection to the server, without TLS.
  FileDescriptor raw_socket() const {
    FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(server->port());
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  /// One that has shown its certificate, and can say anything.
  std::unique_ptr<RawEnd> raw_client() const {
    const auto context = crypto::TlsContext::create(
        crypto::TlsRole::client,
        {authority.certificate_file("desk"), authority.key_file("desk"), {}, authority.authority_file()});
    EXPECT_OK(context);
    auto tls = crypto::TlsSession::client(*context, "127.0.0.1");
    EXPECT_OK(tls);
    return std::make_unique<RawEnd>(raw_socket(), std::move(*tls));
  }
  /// One that has the card.
  std::unique_ptr<RawEnd> raw_user() const {
    auto client = raw_client();
    client->say(RelayFrameType::hello, encode_relay_hello({}));
    const auto frame = client->hear();
    EXPECT_TRUE(frame && frame->type == RelayFrameType::hello);
    return client;
  }
  static void expect_error(RawEnd& client, RelayErrorCode code) {
    const auto frame = client.hear();
    ASSERT_TRUE(frame);
    ASSERT_EQ(frame->type, RelayFrameType::error);
    const auto error = parse_relay_error(frame->payload);
    ASSERT_OK(error);
    EXPECT_EQ(error->code, code) << error->why;
    EXPECT_FALSE(client.hear()) << "the relay has closed";
  }

  test::TemporaryFolder folder;
  test::TlsAuthority authority{folder.path(), "authority"};
  RelayServing serving;
  std::unique_ptr<RelayServer> server;
  std::stop_source stop;
  std::future<Status> served;
  std::mutex events_mutex;
  std::condition_variable events_changed;
  std::vector<RelayEvent> events;
};

}  // namespace cas::card
