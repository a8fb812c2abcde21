// SPDX-License-Identifier: LGPL-2.1-or-later
// What the client of a card relay sees.
#include "relay_fixture.hpp"

namespace cas::card {
namespace {

using namespace std::chrono_literals;
using test::hex;
using Kind = RelayEvent::Kind;

TEST_F(RelayTest, ASoftCardElsewhereIsAsOneHere) {
  auto local = create_soft_card(folder.path() / "a.card", SecretBytes::copy_of(as_bytes("secret")),
                                {test::notebook_factory()}, nullptr, {16, 1, 1});
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
  const std::string files = "cert=" + authority.certificate_file("desk") + "&key=" + authority.key_file("desk") +
                            "&ca=" + authority.authority_file();
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
  // What no card can be told does not leave the machine, and an answer that is too long does not leave the other; the
  // session goes on after the first.
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
  const Case cases[] = {{ErrorKind::card_absent, ErrorKind::card_absent, ErrorKind::card_absent},
                        {ErrorKind::card_reset, ErrorKind::card_reset, ErrorKind::card_reset},
                        {ErrorKind::io, ErrorKind::io, ErrorKind::card_reset},
                        {ErrorKind::exhausted, ErrorKind::exhausted, ErrorKind::card_reset}};
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
  // What it sends in place of an answer, before it closes: nothing, half a frame, frames that cannot be, one that has
  // no place there.
  const std::pair<Bytes, ErrorKind> endings[] = {{{}, ErrorKind::card_reset},
                                                 {hex("0500000010 90"), ErrorKind::card_reset},
                                                 {hex("05ffffffff"), ErrorKind::card_reset},
                                                 {hex("0500000001 90"), ErrorKind::card_reset},
                                                 {hex("7700000000"), ErrorKind::card_reset},
                                                 {hex("0700000000"), ErrorKind::malformed},
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

}  // namespace
}  // namespace cas::card
