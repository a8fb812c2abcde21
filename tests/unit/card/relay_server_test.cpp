// SPDX-License-Identifier: LGPL-2.1-or-later
// What a card relay does with its clients.
#include "relay_fixture.hpp"

namespace cas::card {
namespace {

using namespace std::chrono_literals;
using test::hex;
using Kind = RelayEvent::Kind;

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
  for (const char* wrong : {"0400010009", "04ffffffff", "0c00000000", "0500000002 9000", "0700000000",
                            "0400000006 801000000501", "0100000001 01"}) {
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
  ASSERT_EQ(::send(slow.get(), beginning.data(), beginning.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(beginning.size()));
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
