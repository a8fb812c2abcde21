// SPDX-License-Identifier: LGPL-2.1-or-later
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
namespace {

using namespace std::chrono_literals;
using test::hex;
using Kind = RelayEvent::Kind;

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

sockaddr_in loopback(std::uint16_t port) {
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
  RawRelay(const RelayServing& serving) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
    auto made = crypto::TlsContext::create(crypto::TlsRole::server, {serving.certificate_file, serving.key_file, {}, serving.authority_file});
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
    return {"127.0.0.1", server ? server->port() : std::uint16_t{1}, {}, authority.certificate_file("desk"), authority.key_file("desk"), {}, authority.authority_file()};
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
    const auto context = crypto::TlsContext::create(crypto::TlsRole::client, {authority.certificate_file("desk"), authority.key_file("desk"), {}, authority.authority_file()});
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

TEST_F(RelayTest, ASoftCardElsewhereIsAsOneHere) {
  auto local = create_soft_card(folder.path() / "a.card", SecretBytes::copy_of(as_bytes("secret")), {test::notebook_factory()}, nullptr, {16, 1, 1});
  ASSERT_OK(local);
  serve(*local);
  const auto card = open();
  EXPECT_FAILS(echo(*card, 1), ErrorKind::card_reset);  // not connected
  ASSERT_OK(card->connect());
  EXPECT_EQ(card->description(), (*local)->description() + " relayed from 127.0.0.1:" + std::to_string(server->port()));
  ASSERT_OK(select_applet(*card, test::notebook_aid));
  EXPECT_FAILS(select_applet(*card, hex("F099999999")), ErrorKind::not_found);
  for (const std::size_t size : {0U, 1U, 255U, 256U, 4096U}) {
    for (const std::uint32_t ne : {16U, 256U, 65536U}) {
      const auto response = echo(*card, size, ne);
      ASSERT_OK(response);
      EXPECT_EQ(response->data, Bytes(size, 0x5a));
      EXPECT_TRUE(response->ok());
    }
  }
  const auto longest = card->transmit({0x80, 0x12, 0xff, 0xff, {}, 65536});
  ASSERT_OK(longest);
  EXPECT_EQ(longest->data.size(), 65535U);
  // A new session: nothing is selected any more, over the same connection and after a pause.
  ASSERT_OK(card->connect());
  EXPECT_EQ(echo(*card, 1)->status, sw::instruction_not_supported);
  card->disconnect();
  EXPECT_FAILS(echo(*card, 1), ErrorKind::card_reset);
  ASSERT_OK(card->connect());
  EXPECT_EQ(echo(*card, 1)->status, sw::instruction_not_supported);

  const RelayEvent connected = wait_for(Kind::connected);
  EXPECT_EQ(connected.subject, "CN=desk");
  EXPECT_TRUE(connected.peer.starts_with("127.0.0.1:")) << connected.peer;
  EXPECT_EQ(wait_for(Kind::left).subject, "CN=desk");
}

TEST_F(RelayTest, IsOpenedByItsUri) {
  const auto puppet = serve_puppet();
  const std::string files = "cert=" + authority.certificate_file("desk") + "&key=" + authority.key_file("desk") + "&ca=" + authority.authority_file();
  const std::string place = "127.0.0.1:" + std::to_string(server->port());
  const auto card = open_card("relay:" + place + "?" + files, {});
  ASSERT_OK(card);
  EXPECT_OK((*card)->connect());
  EXPECT_EQ(puppet->connects, 1);
  EXPECT_FAILS(open_card("relay:" + place + "?cert=/no/such/file&key=k&ca=c", {}), ErrorKind::not_found);
  const auto renamed = open_card("relay:" + place + "?" + files + "&name=vault.example", {});
  ASSERT_OK(renamed);
  EXPECT_FAILS((*renamed)->connect(), ErrorKind::authentication_failed);
}

TEST_F(RelayTest, TheLongestCommandsAndAnswersPass) {
  const auto puppet = serve_puppet();
  puppet->response = {Bytes(65536, 0xa5), sw::ok};
  const auto card = open();
  ASSERT_OK(card->connect());
  const CommandApdu longest{0x84, 0x10, 1, 2, Bytes(65535, 0x5a), 65536};
  const auto response = card->transmit(longest);
  ASSERT_OK(response);
  EXPECT_EQ(response->data, puppet->response.data);
  EXPECT_EQ(puppet->last.data, longest.data);
  EXPECT_EQ(puppet->last.cla, 0x84);
  EXPECT_EQ(puppet->last.ne, longest.ne);
  // What no card can be told does not leave the machine, and an answer that is too long does not leave the other; the session goes on after the first.
  EXPECT_FAILS(card->transmit({0x80, 0x10, 0, 0, Bytes(65536), {}}), ErrorKind::invalid_argument);
  puppet->response = {{}, sw::ok};
  EXPECT_OK(echo(*card, 1));
  puppet->response = {Bytes(65537), sw::ok};
  EXPECT_FAILS(echo(*card, 1), ErrorKind::exhausted);
  EXPECT_FAILS(echo(*card, 1), ErrorKind::card_reset);
}

TEST_F(RelayTest, WhatTheCardSaysOfItselfIsToldOn) {
  const auto puppet = serve_puppet();
  const auto card = open();
  struct Case {
    ErrorKind told;
    ErrorKind heard;
    ErrorKind later;
  };
  const Case cases[] = {{ErrorKind::card_absent, ErrorKind::card_absent, ErrorKind::card_absent}, {ErrorKind::card_reset, ErrorKind::card_reset, ErrorKind::card_reset},
                        {ErrorKind::io, ErrorKind::io, ErrorKind::card_reset}, {ErrorKind::exhausted, ErrorKind::exhausted, ErrorKind::card_reset}};
  for (const Case& each : cases) {
    ASSERT_OK(card->connect());
    puppet->failure = Error{each.told, "the puppet says so"};
    const auto response = echo(*card, 1);
    EXPECT_FAILS(response, each.heard);
    EXPECT_NE(response.error().message.find("the puppet says so"), std::string::npos) << response.error().message;
    puppet->failure.reset();
    EXPECT_FAILS(echo(*card, 1), each.later);
  }
  ASSERT_OK(card->connect());
  puppet->failure = Error{ErrorKind::invalid_argument, "no such command"};
  EXPECT_FAILS(echo(*card, 1), ErrorKind::invalid_argument);
  puppet->failure.reset();
  EXPECT_OK(echo(*card, 1));  // nothing was lost by that
  puppet->remove();
  EXPECT_FAILS(card->connect(), ErrorKind::card_absent);
  EXPECT_FAILS(echo(*card, 1), ErrorKind::card_absent);
}

TEST_F(RelayTest, WithoutARelayThereIsNoCard) {
  serve_puppet();
  const RelayTarget gone = target();
  stop_serving();
  const auto card = open(gone);
  const Status connected = card->connect();
  EXPECT_FAILS(connected, ErrorKind::card_absent);
  EXPECT_NE(connected.error().message.find("cas-card relay"), std::string::npos) << connected.error().message;
  RelayTarget nowhere = gone;
  nowhere.host = "no such host";
  EXPECT_FAILS(open(nowhere)->connect(), ErrorKind::not_found);
  nowhere.port = 0;
  EXPECT_FAILS(open_relay_card(nowhere), ErrorKind::invalid_argument);
}

TEST_F(RelayTest, EachSideProvesItself) {
  const auto puppet = serve_puppet();
  test::TlsAuthority stranger(folder.path(), "stranger");
  stranger.issue("intruder", {{}, "clientAuth"});
  RelayTarget intruder = target();
  intruder.certificate_file = stranger.certificate_file("intruder");
  intruder.key_file = stranger.key_file("intruder");
  const Status refused = open(intruder)->connect();
  EXPECT_FAILS(refused, ErrorKind::authentication_failed);
  EXPECT_NE(refused.error().message.find("refuses"), std::string::npos) << refused.error().message;
  EXPECT_EQ(wait_for(Kind::rejected).subject, "");

  RelayTarget deceived = target();
  deceived.authority_file = stranger.authority_file();
  EXPECT_FAILS(open(deceived)->connect(), ErrorKind::authentication_failed);

  RelayTarget wrong_name = target();
  wrong_name.server_name = "vault.example";
  EXPECT_FAILS(open(wrong_name)->connect(), ErrorKind::authentication_failed);
  // Nor does waiting help.
  EXPECT_FAILS(open(wrong_name)->wait_for_card({}), ErrorKind::authentication_failed);
  EXPECT_EQ(puppet->connects, 0);
}

TEST_F(RelayTest, AConnectionCutWithinACommandLeavesItsOutcomeUnknown) {
  const RawRelay relay(serving);
  RelayTarget cutting = target();
  cutting.port = relay.port;
  const auto card = open(cutting);
  // What it sends in place of an answer, before it closes: nothing, half a frame, frames that cannot be, one that has no place there.
  const std::pair<Bytes, ErrorKind> endings[] = {{{}, ErrorKind::card_reset}, {hex("0500000010 90"), ErrorKind::card_reset},
                                                 {hex("05ffffffff"), ErrorKind::card_reset}, {hex("0500000001 90"), ErrorKind::card_reset},
                                                 {hex("7700000000"), ErrorKind::card_reset}, {hex("0700000000"), ErrorKind::malformed},
                                                 {hex("0a00000002 001b"), ErrorKind::malformed}};
  for (const auto& [ending, kind] : endings) {
    SCOPED_TRACE(to_hex(ending));
    auto cut = std::async(std::launch::async, [&relay, &ending = ending] {
      const auto client = relay.accept_client();
      RawRelay::greet(*client);
      RawRelay::expect(*client, RelayFrameType::connect);
      client->say(RelayFrameType::connected);
      RawRelay::expect(*client, RelayFrameType::command);
      client->send(ending);
    });
    ASSERT_OK(card->connect());
    const auto response = echo(*card, 1);
    EXPECT_FAILS(response, kind);
    const bool says_so = response.error().message.find("not known") != std::string::npos;
    EXPECT_EQ(says_so, kind == ErrorKind::card_reset) << response.error().message;
    EXPECT_FAILS(echo(*card, 1), ErrorKind::card_reset);
    cut.get();
  }
}

TEST_F(RelayTest, ARelayThatStopsAnsweringIsGivenUp) {
  const RawRelay relay(serving);
  RelayTarget mute = target();
  mute.port = relay.port;
  RelayTimes times;
  times.answer = 300ms;
  const auto card = open(mute, times);
  auto listening = std::async(std::launch::async, [&] {
    const auto client = relay.accept_client();
    RawRelay::greet(*client);
    RawRelay::expect(*client, RelayFrameType::connect);
    client->say(RelayFrameType::connected);
    client->listen_to_the_end();
  });
  ASSERT_OK(card->connect());
  EXPECT_FAILS(echo(*card, 1), ErrorKind::card_reset);
  listening.get();

  // One that takes the connection and says nothing at all, and one that speaks another language or another version.
  times.connect = 20ms;
  EXPECT_FAILS(open(mute, times)->connect(), ErrorKind::card_absent);
  auto talking = std::async(std::launch::async, [&] {
    (void)relay.accept();
    const FileDescriptor other = relay.accept();
    const std::string answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
    EXPECT_EQ(::send(other.get(), answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
    const auto newer = relay.accept_client();
    RawRelay::expect(*newer, RelayFrameType::hello);
    newer->say(RelayFrameType::hello, hex("02"));
    newer->listen_to_the_end();
  });
  EXPECT_FAILS(open(mute)->connect(), ErrorKind::malformed);
  EXPECT_FAILS(open(mute)->connect(), ErrorKind::unsupported);
  talking.get();
}

TEST_F(RelayTest, OneClientAtATime) {
  serving.busy_patience = 0ms;
  serve_puppet();
  const auto first = open();
  ASSERT_OK(first->connect());
  const auto second = open();
  const Status refused = second->connect();
  EXPECT_FAILS(refused, ErrorKind::io);
  EXPECT_NE(refused.error().message.find("another client has the card"), std::string::npos) << refused.error().message;
  EXPECT_EQ(wait_for(Kind::refused).subject, "CN=desk");
  EXPECT_OK(echo(*first, 1));  // the first has not felt it
  first->disconnect();
  wait_for(Kind::left);
  while (!second->connect()) {  // the card is free soon after that line
  }
  EXPECT_OK(echo(*second, 1));
}

TEST_F(RelayTest, ANewClientWaitsForTheOldOneToLeave) {
  serving.busy_patience = 1h;
  const auto puppet = serve_puppet();
  auto first = open();
  ASSERT_OK(first->connect());
  auto second = open();
  auto connecting = std::async(std::launch::async, [&] { return second->connect(); });
  first.reset();
  EXPECT_OK(connecting.get());
  EXPECT_GE(puppet->disconnects, 1);
}

TEST_F(RelayTest, WaitsForACardOverTheRelay) {
  const auto puppet = serve_puppet();
  puppet->remove();
  const auto card = open();
  EXPECT_FAILS(card->connect(), ErrorKind::card_absent);
  auto waiting = std::async(std::launch::async, [&] { return card->wait_for_card({}); });
  puppet->wait_until_waited_for();
  puppet->insert();
  EXPECT_OK(waiting.get());
  EXPECT_OK(card->wait_for_card({}));  // it is there still
  EXPECT_OK(card->connect());
  EXPECT_OK(card->wait_for_card({}));
  EXPECT_OK(echo(*card, 1));
}

TEST_F(RelayTest, WaitingEndsWhenItIsGivenUp) {
  const auto puppet = serve_puppet();
  puppet->remove();
  const auto card = open();
  std::stop_source give_up;
  auto waiting = std::async(std::launch::async, [&] { return card->wait_for_card(give_up.get_token()); });
  puppet->wait_until_waited_for();
  give_up.request_stop();
  EXPECT_FAILS(waiting.get(), ErrorKind::cancelled);
  EXPECT_EQ(wait_for(Kind::left).subject, "CN=desk");  // and the relay gives up, too
  EXPECT_FAILS(card->wait_for_card(give_up.get_token()), ErrorKind::cancelled);

  // While no relay answers.
  const RelayTarget gone = target();
  stop_serving();
  RelayTimes times;
  times.look_again = 1h;
  const auto lost = open(gone, times);
  std::stop_source second;
  waiting = std::async(std::launch::async, [&] { return lost->wait_for_card(second.get_token()); });
  second.request_stop();
  EXPECT_FAILS(waiting.get(), ErrorKind::cancelled);
}

TEST_F(RelayTest, WaitingOutlastsTheRelay) {
  const auto puppet = serve_puppet();
  puppet->remove();
  RelayTimes times;
  times.look_again = 1ms;
  const auto card = open(target(), times);
  auto waiting = std::async(std::launch::async, [&] { return card->wait_for_card({}); });
  puppet->wait_until_waited_for();
  serving.port = server->port();
  stop_serving();
  puppet->insert();
  serve(puppet);
  EXPECT_OK(waiting.get());
  EXPECT_OK(card->connect());

  // What waiting does not mend ends it.
  card->disconnect();
  puppet->failure = Error{ErrorKind::permission_denied, "pcscd does not let this user"};
  const Status denied = card->wait_for_card({});
  ASSERT_FALSE(denied.has_value());
  EXPECT_NE(denied.error().message.find("pcscd does not let"), std::string::npos) << denied.error().message;
}

TEST_F(RelayTest, ARelayThatDiesWhileACardIsWaitedForIsNoticed) {
  const RawRelay relay(serving);
  RelayTarget dying = target();
  dying.port = relay.port;
  RelayTimes times;
  times.ping = 1ms;
  times.look_again = 1ms;
  auto card = open(dying, times);
  auto waiting = std::async(std::launch::async, [&] { return card->wait_for_card({}); });
  {
    const auto client = relay.accept_client();
    RawRelay::greet(*client);
    RawRelay::expect(*client, RelayFrameType::wait);
    RawRelay::expect(*client, RelayFrameType::ping);
    client->say(RelayFrameType::ping);
    RawRelay::expect(*client, RelayFrameType::ping);
  }
  const auto again = relay.accept_client();
  RawRelay::greet(*again);
  RawRelay::expect(*again, RelayFrameType::wait);
  again->say(RelayFrameType::card_present);
  EXPECT_OK(waiting.get());
}

TEST_F(RelayTest, PingsAreAnsweredWhileTheCardIsWaitedFor) {
  const auto puppet = serve_puppet();
  puppet->remove();
  const auto client = raw_user();
  client->say(RelayFrameType::ping);
  EXPECT_EQ(client->hear()->type, RelayFrameType::ping);
  client->say(RelayFrameType::wait);
  client->say(RelayFrameType::ping);
  EXPECT_EQ(client->hear()->type, RelayFrameType::ping);
  puppet->insert();
  EXPECT_EQ(client->hear()->type, RelayFrameType::card_present);
  puppet->remove();
  client->say(RelayFrameType::wait);
  puppet->wait_until_waited_for();
  client->say(RelayFrameType::connect);
  expect_error(*client, RelayErrorCode::unexpected);
}

TEST_F(RelayTest, WhoeverBreaksTheProtocolIsThrownOut) {
  const auto puppet = serve_puppet();
  // Before the hello.
  for (const char* first : {"0200000000", "0400000004 00100000", "01000000021b1b", "0100000002011b"}) {
    SCOPED_TRACE(first);
    const auto client = raw_client();
    client->send(hex(first));
    const auto frame = client->hear();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->type, RelayFrameType::error);
    EXPECT_FALSE(client->hear());
  }
  const auto future = raw_client();
  future->say(RelayFrameType::hello, hex("02"));
  expect_error(*future, RelayErrorCode::version);
  // Behind it: an oversize frame, types that are none or not a client's, an APDU that is none.
  for (const char* wrong : {"0400010009", "04ffffffff", "0c00000000", "0500000002 9000", "0700000000", "0400000006 801000000501", "0100000001 01"}) {
    SCOPED_TRACE(wrong);
    const auto client = raw_user();
    client->send(hex(wrong));
    expect_error(*client, RelayErrorCode::unexpected);
  }
  EXPECT_TRUE(puppet->last.data.empty());
  // A frame that is cut off is no command, and the card is free again.
  raw_user()->send(hex("0400000005 8010"));
  EXPECT_OK(open()->connect());
}

TEST_F(RelayTest, WhoeverDoesNotProveItselfInTimeIsDropped) {
  serving.handshake_limit = 20ms;
  serve_puppet();
  // Silent; garbage; the beginning of a handshake and no more; a handshake and no hello.
  const FileDescriptor silent = raw_socket();
  const FileDescriptor babbling = raw_socket();
  const FileDescriptor slow = raw_socket();
  const std::string garbage = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(::send(babbling.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL), static_cast<ssize_t>(garbage.size()));
  const Bytes beginning = hex("1603010200");
  ASSERT_EQ(::send(slow.get(), beginning.data(), beginning.size(), MSG_NOSIGNAL), static_cast<ssize_t>(beginning.size()));
  for (const FileDescriptor* each : {&silent, &babbling, &slow}) {
    Bytes rest(64);
    ssize_t got = 1;
    while (got > 0) got = ::recv(each->get(), rest.data(), rest.size(), 0);  // ends when the relay closes
    EXPECT_LE(got, 0);
  }
  const std::lock_guard lock(events_mutex);
  EXPECT_EQ(std::ranges::count(events, Kind::rejected, &RelayEvent::kind), 3);
}

TEST_F(RelayTest, WhoeverIsSlowKeepsNobodyOut) {
  serving.handshake_limit = 1h;
  serve_puppet();
  const FileDescriptor slow = raw_socket();
  const auto proven = raw_client();  // and says no hello
  const auto card = open();
  EXPECT_OK(card->connect());
  EXPECT_OK(echo(*card, 1));
}

TEST_F(RelayTest, MoreConnectionsThanAreAllowedAreClosed) {
  serving.handshake_limit = 1h;
  serving.max_connections = 2;
  serve_puppet();
  const FileDescriptor first = raw_socket();
  const FileDescriptor second = raw_socket();
  const FileDescriptor third = raw_socket();
  std::uint8_t byte = 0;
  EXPECT_LE(::recv(third.get(), &byte, 1, 0), 0);
  EXPECT_NE(wait_for(Kind::rejected).text.find("too many"), std::string::npos);
}

TEST_F(RelayTest, AClientThatFallsSilentLosesTheCard) {
  serving.silence_limit = 20ms;
  serve_puppet();
  const auto card = open();
  while (!card->connect()) {  // a machine that is busy may be slower than that
  }
  EXPECT_NE(wait_for(Kind::left).text.find("said nothing"), std::string::npos);
  const auto response = echo(*card, 1);
  EXPECT_FAILS(response, ErrorKind::card_reset);
  EXPECT_NE(response.error().message.find("said nothing"), std::string::npos) << response.error().message;
  stop_serving();
  serving.silence_limit = 1h;
  serve_puppet();
  const auto other = open();
  EXPECT_OK(other->connect());
}

TEST_F(RelayTest, ANewSessionIsMadeWhenTheRelayHasLetGo) {
  const auto puppet = serve_puppet();
  const auto card = open();
  ASSERT_OK(card->connect());
  serving.port = server->port();
  stop_serving();
  serve(puppet);
  EXPECT_OK(card->connect());
  EXPECT_OK(echo(*card, 1));
}

TEST_F(RelayTest, StopsWhereverItIs) {
  // Before anything; with one in its handshake, one with the card, and one that waits for it to be free.
  serve_puppet();
  stop_serving();
  serving.handshake_limit = serving.busy_patience = 1h;
  const auto puppet = serve_puppet();
  const FileDescriptor slow = raw_socket();
  const auto card = open();
  ASSERT_OK(card->connect());
  const auto second = raw_client();
  second->say(RelayFrameType::hello, encode_relay_hello({}));
  stop_serving();
  EXPECT_GE(puppet->disconnects, 1);
  const auto response = echo(*card, 1);
  EXPECT_FAILS(response, ErrorKind::card_reset);
  EXPECT_NE(response.error().message.find("is ending"), std::string::npos) << response.error().message;

  // While a card is waited for.
  puppet->remove();
  serve(puppet);
  auto waiting_client = raw_user();
  waiting_client->say(RelayFrameType::wait);
  puppet->wait_until_waited_for();
  stop_serving();
  waiting_client->listen_to_the_end();

  // Within a command: the card finishes it first.
  puppet->insert();
  puppet->entered.emplace();
  puppet->go_on.emplace();
  serve(puppet);
  auto entered = puppet->entered->get_future();
  const auto busy = open();
  ASSERT_OK(busy->connect());
  auto answer = std::async(std::launch::async, [&] { return echo(*busy, 1); });
  entered.wait();
  stop.request_stop();
  puppet->go_on->set_value();
  EXPECT_OK(served.get());
  served = {};
  (void)answer.get();
  EXPECT_EQ(puppet->last.ins, 0x10);
}

TEST_F(RelayTest, ListeningFailsWithAReason) {
  const auto puppet = serve_puppet();
  RelayServing taken = serving;
  taken.port = server->port();
  EXPECT_FAILS(RelayServer::listen(puppet, taken), ErrorKind::io);
  RelayServing nowhere = serving;
  nowhere.host = "no such host";
  EXPECT_FAILS(RelayServer::listen(puppet, nowhere), ErrorKind::not_found);
  RelayServing keyless = serving;
  keyless.key_file = "/no/such/file";
  EXPECT_FAILS(RelayServer::listen(puppet, keyless), ErrorKind::not_found);
}

TEST_F(RelayTest, NothingOfACommandIsLogged) {
  const auto puppet = serve_puppet();
  puppet->failure = Error{ErrorKind::io, "broken"};
  {
    const auto card = open();
    ASSERT_OK(card->connect());
    EXPECT_FAILS(card->transmit({0x80, 0x77, 0, 0, copy_of(as_bytes("SESAME")), {}}), ErrorKind::io);
  }
  wait_for(Kind::left);
  const std::lock_guard lock(events_mutex);
  for (const RelayEvent& event : events) EXPECT_EQ((event.text + event.subject).find("SESAME"), std::string::npos);
}

}  // namespace
}  // namespace cas::card
