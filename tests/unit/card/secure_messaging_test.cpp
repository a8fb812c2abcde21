// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/secure_messaging.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "crypto/aes.hpp"
#include "crypto/mac.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/vector_file.hpp"

namespace cas::card {
namespace {

using test::hex;

SecretBytes key(std::uint8_t first) {
  SecretBytes made(16);
  for (std::size_t i = 0; i < 16; ++i) made.reveal_mutable()[i] = static_cast<std::uint8_t>(first + i);
  return made;
}

SecureMessagingKeys keys() { return {key(0x00), key(0x10), key(0x20), key(0x30)}; }

/// Both ends of a channel.
struct Channel {
  SecureMessaging host{keys()};
  SecureMessaging card{keys()};

  /// One exchange, which must succeed.
  void exchange() {
    const auto command = host.wrap_command({0x80, 0x01, 0, 0, hex("AA"), 16});
    ASSERT_OK(command);
    ASSERT_OK(card.unwrap_command(*command));
    const auto response = card.wrap_response({hex("BB"), sw::ok});
    ASSERT_OK(response);
    ASSERT_OK(host.unwrap_response(*response));
  }
};

void expect_closed(SecureMessaging& side) {
  EXPECT_TRUE(side.closed());
  EXPECT_FAILS(side.wrap_command({0x80, 0x01, 0, 0, {}, {}}), ErrorKind::authentication_failed);
  EXPECT_FAILS(side.unwrap_command({0x84, 0x01, 0, 0, {}, {}}), ErrorKind::authentication_failed);
  EXPECT_FAILS(side.wrap_response({{}, sw::ok}), ErrorKind::authentication_failed);
  EXPECT_FAILS(side.unwrap_response({{}, sw::ok}), ErrorKind::authentication_failed);
}

TEST(SecureMessaging, MatchesTheVectors) {
  std::optional<SecureMessaging> host;
  std::optional<SecureMessaging> card;
  std::uint64_t expected_counter = 0;
  test::for_each_vector("card/secure_messaging.txt", [&](test::Vector& vector) {
    (void)vector.text("case");
    const auto vector_keys = [&] {
      return SecureMessagingKeys{vector.secret("command_encryption"), vector.secret("command_mac"),
                                 vector.secret("response_encryption"), vector.secret("response_mac")};
    };
    EXPECT_EQ(vector.number("counter"), ++expected_counter);
    if (expected_counter == 1) {
      host.emplace(vector_keys());
      card.emplace(vector_keys());
    }
    (void)vector_keys();
    (void)vector.hex("command_iv");  // for people: what comes of them is in the cryptograms
    (void)vector.hex("response_iv");

    const Bytes header = vector.hex("header");
    CommandApdu command{header[0], header[1], header[2], header[3], vector.hex("data"), {}};
    if (const auto ne = vector.number("ne"); ne != 0) command.ne = static_cast<std::uint32_t>(ne);
    const auto wrapped = host->wrap_command(command);
    ASSERT_OK(wrapped);
    EXPECT_EQ(to_hex(wrapped->data), vector.text("protected_data"));
    EXPECT_EQ(to_hex(Bytes{wrapped->cla, wrapped->ins, wrapped->p1, wrapped->p2}), vector.text("protected_header"));
    const auto unwrapped = card->unwrap_command(*wrapped);
    ASSERT_OK(unwrapped);
    EXPECT_EQ(unwrapped->encode(), command.encode());

    const Bytes status = vector.hex("response_status");
    const ResponseApdu response{vector.hex("response_data"), static_cast<StatusWord>(status[0] << 8 | status[1])};
    const auto wrapped_response = card->wrap_response(response);
    ASSERT_OK(wrapped_response);
    EXPECT_EQ(to_hex(wrapped_response->data), vector.text("protected_response_data"));
    EXPECT_EQ(wrapped_response->status, response.status);
    const auto unwrapped_response = host->unwrap_response(*wrapped_response);
    ASSERT_OK(unwrapped_response);
    EXPECT_EQ(unwrapped_response->encode(), response.encode());
  });
}

TEST(SecureMessaging, CarriesAllSizes) {
  Channel channel;
  for (const std::size_t size :
       {0U, 1U, 14U, 15U, 16U, 17U, 31U, 32U, 111U, 112U, 239U, 240U, 255U, 256U, 4096U, 65000U}) {
    for (const std::optional<std::uint32_t> ne :
         {std::optional<std::uint32_t>(), {1U}, {255U}, {256U}, {257U}, {65535U}, {65536U}}) {
      const CommandApdu command{0x80, 0x10, 3, 4, Bytes(size, 0x00), ne};  // data that ends with zeros, like padding
      const auto wrapped = channel.host.wrap_command(command);
      ASSERT_OK(wrapped);
      const auto unwrapped = channel.card.unwrap_command(*wrapped);
      ASSERT_OK(unwrapped);
      EXPECT_EQ(unwrapped->encode(), command.encode());
      const ResponseApdu response{Bytes(size, 0x80), sw::ok};
      const auto protected_response = channel.card.wrap_response(response);
      ASSERT_OK(protected_response);
      // The outer command leaves room for the response to the inner one.
      if (ne && size <= *ne) {
        EXPECT_LE(protected_response->data.size(), *wrapped->ne);
      }
      const auto received = channel.host.unwrap_response(*protected_response);
      ASSERT_OK(received);
      EXPECT_EQ(received->encode(), response.encode());
    }
  }
}

TEST(SecureMessaging, SameMessageLooksDifferentEachTime) {
  Channel channel;
  const auto first = channel.host.wrap_command({0x80, 0x01, 0, 0, hex("AABB"), {}});
  ASSERT_OK(first);
  ASSERT_OK(channel.card.unwrap_command(*first));
  const auto response = channel.card.wrap_response({hex("AABB"), sw::ok});
  ASSERT_OK(response);
  ASSERT_OK(channel.host.unwrap_response(*response));
  const auto second = channel.host.wrap_command({0x80, 0x01, 0, 0, hex("AABB"), {}});
  ASSERT_OK(second);
  EXPECT_NE(Bytes(first->data.begin() + 3, first->data.begin() + 19),
            Bytes(second->data.begin() + 3, second->data.begin() + 19));
  EXPECT_NE(Bytes(first->data.begin() + 3, first->data.begin() + 19),
            Bytes(response->data.begin() + 3, response->data.begin() + 19));
}

TEST(SecureMessaging, FlippedBitInACommandCloses) {
  const auto original =
      Channel().host.wrap_command({0x80, 0x01, 2, 3, hex("00112233445566778899AABBCCDDEEFF0011"), 64});
  ASSERT_OK(original);
  for (std::size_t place = 0; place < 4 + original->data.size(); ++place) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      CommandApdu changed = *original;
      const auto flip = static_cast<std::uint8_t>(1U << bit);
      std::uint8_t* const bytes[] = {&changed.cla, &changed.ins, &changed.p1, &changed.p2};
      if (place < 4)
        *bytes[place] = static_cast<std::uint8_t>(*bytes[place] ^ flip);
      else
        changed.data[place - 4] ^= flip;
      SecureMessaging card(keys());
      EXPECT_FAILS(card.unwrap_command(changed), ErrorKind::authentication_failed);
      expect_closed(card);
      EXPECT_FAILS(card.unwrap_command(*original), ErrorKind::authentication_failed);
    }
  }
}

TEST(SecureMessaging, FlippedBitInAResponseCloses) {
  Channel made;
  const auto command = made.host.wrap_command({0x80, 0x01, 2, 3, {}, 64});
  ASSERT_OK(command);
  ASSERT_OK(made.card.unwrap_command(*command));
  const auto original = made.card.wrap_response({hex("00112233445566778899AABBCCDDEEFF0011"), sw::ok});
  ASSERT_OK(original);
  const Bytes wire = original->encode();  // status word and all
  for (std::size_t place = 0; place < wire.size(); ++place) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes changed = wire;
      changed[place] ^= static_cast<std::uint8_t>(1U << bit);
      SecureMessaging host(keys());
      ASSERT_OK(host.wrap_command({0x80, 0x01, 2, 3, {}, 64}));
      EXPECT_FAILS(host.unwrap_response(*ResponseApdu::parse(changed)), ErrorKind::authentication_failed);
      expect_closed(host);
    }
  }
}

TEST(SecureMessaging, TruncationAtEachByteCloses) {
  const auto command = Channel().host.wrap_command({0x80, 0x01, 0, 0, hex("AABBCC"), 5});
  ASSERT_OK(command);
  for (std::size_t size = 0; size < command->data.size(); ++size) {
    CommandApdu front = *command;
    front.data.resize(size);
    SecureMessaging card(keys());
    EXPECT_FAILS(card.unwrap_command(front), ErrorKind::authentication_failed);
    expect_closed(card);
    CommandApdu back = *command;
    back.data.erase(back.data.begin(), back.data.begin() + static_cast<std::ptrdiff_t>(command->data.size() - size));
    SecureMessaging other(keys());
    EXPECT_FAILS(other.unwrap_command(back), ErrorKind::authentication_failed);
  }
  CommandApdu longer = *command;
  longer.data.push_back(0);
  SecureMessaging card(keys());
  EXPECT_FAILS(card.unwrap_command(longer), ErrorKind::authentication_failed);
}

TEST(SecureMessaging, TruncatedResponseCloses) {
  Channel channel;
  const auto command = channel.host.wrap_command({0x80, 0x01, 0, 0, {}, 5});
  ASSERT_OK(command);
  ASSERT_OK(channel.card.unwrap_command(*command));
  const auto response = channel.card.wrap_response({hex("AABB"), sw::ok});
  ASSERT_OK(response);
  for (std::size_t size = 0; size < response->data.size(); ++size) {
    SecureMessaging host(keys());
    ASSERT_OK(host.wrap_command({0x80, 0x01, 0, 0, {}, 5}));
    EXPECT_FAILS(
        host.unwrap_response(
            {Bytes(response->data.begin(), response->data.begin() + static_cast<std::ptrdiff_t>(size)), sw::ok}),
        ErrorKind::authentication_failed);
    expect_closed(host);
  }
}

TEST(SecureMessaging, ReplayedCommandCloses) {
  Channel channel;
  const auto command = channel.host.wrap_command({0x80, 0x01, 0, 0, hex("AA"), 16});
  ASSERT_OK(command);
  ASSERT_OK(channel.card.unwrap_command(*command));
  ASSERT_OK(channel.card.wrap_response({{}, sw::ok}));
  EXPECT_FAILS(channel.card.unwrap_command(*command), ErrorKind::authentication_failed);
  expect_closed(channel.card);
}

TEST(SecureMessaging, ReplayedResponseCloses) {
  Channel channel;
  const auto command = channel.host.wrap_command({0x80, 0x01, 0, 0, {}, 16});
  ASSERT_OK(command);
  ASSERT_OK(channel.card.unwrap_command(*command));
  const auto response = channel.card.wrap_response({hex("01"), sw::ok});
  ASSERT_OK(response);
  ASSERT_OK(channel.host.unwrap_response(*response));
  ASSERT_OK(channel.host.wrap_command({0x80, 0x01, 0, 0, {}, 16}));
  EXPECT_FAILS(channel.host.unwrap_response(*response), ErrorKind::authentication_failed);
  expect_closed(channel.host);
}

TEST(SecureMessaging, SkippedCommandCloses) {
  // Somebody takes a command out: the next one has a counter that the card does not expect.
  Channel channel;
  SecureMessaging second_host(keys());
  ASSERT_OK(second_host.wrap_command({0x80, 0x01, 0, 0, hex("01"), {}}));
  Channel other;
  other.exchange();
  const auto second = other.host.wrap_command({0x80, 0x01, 0, 0, hex("02"), {}});
  ASSERT_OK(second);
  EXPECT_FAILS(channel.card.unwrap_command(*second), ErrorKind::authentication_failed);
  expect_closed(channel.card);
}

TEST(SecureMessaging, CommandWithoutAResponseIsTheLast) {
  // The response to the first command could still come, and would verify as that to the second.
  SecureMessaging host(keys());
  ASSERT_OK(host.wrap_command({0x80, 0x01, 0, 0, {}, 16}));
  EXPECT_FAILS(host.wrap_command({0x80, 0x02, 0, 0, {}, 16}), ErrorKind::authentication_failed);
  expect_closed(host);

  Channel channel;
  const auto first = channel.host.wrap_command({0x80, 0x01, 0, 0, {}, 16});
  ASSERT_OK(first);
  ASSERT_OK(channel.card.unwrap_command(*first));
  EXPECT_FAILS(channel.card.unwrap_command(*first), ErrorKind::authentication_failed);
  expect_closed(channel.card);
}

TEST(SecureMessaging, ResponseToNoCommandCloses) {
  Channel channel;
  channel.exchange();
  EXPECT_FAILS(channel.card.wrap_response({{}, sw::ok}), ErrorKind::authentication_failed);
  expect_closed(channel.card);
  EXPECT_FAILS(channel.host.unwrap_response({hex("00"), sw::ok}), ErrorKind::authentication_failed);
  expect_closed(channel.host);
}

TEST(SecureMessaging, ReflectionCloses) {
  // The host's own command as the response, and the card's response as a command.
  Channel channel;
  const auto command = channel.host.wrap_command({0x80, 0x01, 0, 0, {}, {}});
  ASSERT_OK(command);
  EXPECT_FAILS(channel.host.unwrap_response({command->data, sw::ok}), ErrorKind::authentication_failed);

  Channel other;
  const auto asked = other.host.wrap_command({0x80, 0x01, 0, 0, {}, {}});
  ASSERT_OK(asked);
  ASSERT_OK(other.card.unwrap_command(*asked));
  const auto response = other.card.wrap_response({hex("AA"), sw::ok});
  ASSERT_OK(response);
  EXPECT_FAILS(other.card.unwrap_command({0x84, 0x01, 0, 0, response->data, {}}), ErrorKind::authentication_failed);
  SecureMessaging fresh(keys());
  EXPECT_FAILS(fresh.unwrap_command({0x84, 0x01, 0, 0, response->data, {}}), ErrorKind::authentication_failed);
}

TEST(SecureMessaging, ReflectionClosesEvenUnderOneKeyPair) {
  // A careless key derivation with the same keys both ways still has no reflected message pass: the MACs cover other
  // things.
  const auto same = [] { return SecureMessagingKeys{key(0), key(1), key(0), key(1)}; };
  SecureMessaging host(same());
  const auto command = host.wrap_command({0x80, 0x01, 0, 0, hex("AA"), {}});
  ASSERT_OK(command);
  EXPECT_FAILS(host.unwrap_response({command->data, sw::ok}), ErrorKind::authentication_failed);
}

TEST(SecureMessaging, MovedHeaderOrStatusCloses) {
  // The same protected data under another instruction, and a refusal passed off as a success.
  Channel channel;
  auto command = channel.host.wrap_command({0x80, 0x01, 0, 0, hex("AA"), {}});
  ASSERT_OK(command);
  command->ins = 0x02;
  EXPECT_FAILS(channel.card.unwrap_command(*command), ErrorKind::authentication_failed);

  Channel other;
  const auto asked = other.host.wrap_command({0x80, 0x01, 0, 0, {}, {}});
  ASSERT_OK(asked);
  ASSERT_OK(other.card.unwrap_command(*asked));
  const auto refusal = other.card.wrap_response({{}, sw::security_status_not_satisfied});
  ASSERT_OK(refusal);
  EXPECT_FAILS(other.host.unwrap_response({refusal->data, sw::ok}), ErrorKind::authentication_failed);
  expect_closed(other.host);
}

TEST(SecureMessaging, PlainMessagesClose) {
  SecureMessaging card(keys());
  EXPECT_FAILS(card.unwrap_command({0x80, 0x01, 0, 0, hex("AA"), {}}), ErrorKind::authentication_failed);
  expect_closed(card);
  SecureMessaging host(keys());
  ASSERT_OK(host.wrap_command({0x80, 0x01, 0, 0, {}, {}}));
  const auto answer = host.unwrap_response({{}, sw::memory_failure});
  EXPECT_FAILS(answer, ErrorKind::authentication_failed);
  EXPECT_NE(answer.error().message.find("6581"), std::string::npos);  // people want to know
  expect_closed(host);
}

TEST(SecureMessaging, PlainCommandWithItsMacIsRefused) {
  // The class byte is under the MAC: taking the bit off, or chaining, does not go unseen.
  for (const int cla : {0x80, 0x94}) {
    auto command = SecureMessaging(keys()).wrap_command({0x80, 0x01, 0, 0, {}, {}});
    ASSERT_OK(command);
    command->cla = static_cast<std::uint8_t>(cla);
    SecureMessaging card(keys());
    EXPECT_FAILS(card.unwrap_command(*command), ErrorKind::authentication_failed);
  }
}

TEST(SecureMessaging, CommandThatIsProtectedAlreadyIsRefused) {
  for (const int cla : {0x84, 0x90, 0x94}) {
    SecureMessaging host(keys());
    EXPECT_FAILS(host.wrap_command({static_cast<std::uint8_t>(cla), 0x01, 0, 0, {}, {}}), ErrorKind::invalid_argument);
    expect_closed(host);
  }
}

TEST(SecureMessaging, MessageThatDoesNotFitIsRefused) {
  SecureMessaging host(keys());
  EXPECT_FAILS(host.wrap_command({0x80, 0x01, 0, 0, Bytes(65530), {}}), ErrorKind::invalid_argument);
  expect_closed(host);
  SecureMessaging barely(keys());
  EXPECT_FAILS(barely.wrap_command({0x80, 0x01, 0, 0, Bytes(65519), {}}), ErrorKind::invalid_argument);
  Channel channel;
  const auto command = channel.host.wrap_command({0x80, 0x01, 0, 0, {}, 65536});
  ASSERT_OK(command);
  ASSERT_OK(channel.card.unwrap_command(*command));
  EXPECT_FAILS(channel.card.wrap_response({Bytes(65536), sw::ok}), ErrorKind::invalid_argument);
  expect_closed(channel.card);
}

TEST(SecureMessaging, CounterEnds) {
  SecureMessaging host(keys(), 4);
  SecureMessaging card(keys(), 4);
  for (int message = 1; message <= 3; ++message) {
    const auto command = host.wrap_command({0x80, 0x01, 0, 0, {}, {}});
    ASSERT_OK(command);
    ASSERT_OK(card.unwrap_command(*command));
    const auto response = card.wrap_response({{}, sw::ok});
    ASSERT_OK(response);
    ASSERT_OK(host.unwrap_response(*response));
  }
  EXPECT_FAILS(host.wrap_command({0x80, 0x01, 0, 0, {}, {}}), ErrorKind::exhausted);
  expect_closed(host);
  EXPECT_FAILS(card.unwrap_command({0x84, 0x01, 0, 0, {}, {}}), ErrorKind::exhausted);
  expect_closed(card);
}

TEST(SecureMessaging, CounterCannotBeGivenMoreThanItsEnd) {
  EXPECT_EQ(SecureMessaging::counter_end, std::uint64_t{1} << 32);
}

TEST(SecureMessaging, ClosedByHandStaysClosed) {
  Channel channel;
  channel.host.close();
  expect_closed(channel.host);
}

TEST(SecureMessaging, OtherKeysClose) {
  Channel channel;
  const auto command = channel.host.wrap_command({0x80, 0x01, 0, 0, hex("AA"), {}});
  ASSERT_OK(command);
  SecureMessaging stranger({key(0), key(0x11), key(0x20), key(0x30)});
  EXPECT_FAILS(stranger.unwrap_command(*command), ErrorKind::authentication_failed);
  // The right MAC key with another encryption key: the padding tells, and the channel closes as well.
  SecureMessaging odd({key(0x01), key(0x10), key(0x20), key(0x30)});
  EXPECT_FAILS(odd.unwrap_command(*command), ErrorKind::authentication_failed);
  expect_closed(odd);
}

/// Objects with a right MAC: what only a peer that holds the keys could send.
Bytes with_mac(std::uint8_t mac_key, ByteView header, const char* objects) {
  Bytes counter(16);
  counter[15] = 1;
  Bytes data = hex(objects);
  const auto mac = crypto::aes_cmac(key(mac_key), {counter, header, data});
  append(data, hex("8E10"));
  append(data, *mac);
  return data;
}

/// 87 with one encrypted block that holds `padded`.
std::string cryptogram(std::uint8_t encryption_key, const char* padded) {
  Bytes counter(16);
  counter[15] = 1;
  std::array<std::uint8_t, 16> iv{};
  const auto encrypted = crypto::aes_cbc_encrypt(key(encryption_key), iv, counter);
  std::ranges::copy(*encrypted, iv.begin());
  return "871101" + to_hex(*crypto::aes_cbc_encrypt(key(encryption_key), iv, hex(padded)));
}

TEST(SecureMessaging, WrongObjectsUnderARightMacClose) {
  const Bytes header = hex("84010000 80 0000000000000000000000");
  const std::string good = cryptogram(0x00, "AA800000000000000000000000000000");
  const std::string ne = "970110";
  SecureMessaging accepts(keys());
  ASSERT_OK(accepts.unwrap_command({0x84, 0x01, 0, 0, with_mac(0x10, header, (good + ne).c_str()), {}}));
  const std::string wrong[] = {
      ne + good,  // another order
      good + good,
      ne + ne,
      good + ne + ne,  // twice
      good + "99029000",
      "99029000",
      good + "8001AA",
      "8101AA",  // others
      "9700",
      "9703000100",
      "97020100",
      "97020010",  // Ne of no byte or three, or longer than it needs
      "8700",
      "870101",
      "871102" + good.substr(6),                             // no blocks, another padding
      "87120100" + good.substr(6),                           // not of whole blocks
      cryptogram(0x00, "80000000000000000000000000000000"),  // no data in it
      cryptogram(0x00, "00000000000000000000000000000000"),  // no padding
      cryptogram(0x00, "AABBCCDDEEFF00112233445566778899"),
      cryptogram(0x00, "AA810000000000000000000000000000"),
      "87811101" + good.substr(6),  // a length in more bytes than it needs
      good + "97",
      "87",
      "FF",
  };
  for (const std::string& objects : wrong) {
    SCOPED_TRACE(objects);
    SecureMessaging card(keys());
    EXPECT_FAILS(card.unwrap_command({0x84, 0x01, 0, 0, with_mac(0x10, header, objects.c_str()), {}}),
                 ErrorKind::authentication_failed);
    expect_closed(card);
  }
}

TEST(SecureMessaging, WrongResponseObjectsUnderARightMacClose) {
  const auto answer = [](const std::string& objects) {
    SecureMessaging host(keys());
    EXPECT_TRUE(host.wrap_command({0x80, 0x01, 0, 0, {}, 16}).has_value());
    auto response = host.unwrap_response({with_mac(0x30, {}, objects.c_str()), sw::ok});
    EXPECT_EQ(host.closed(), !response.has_value());
    return response;
  };
  const std::string good = cryptogram(0x20, "AA800000000000000000000000000000");
  const std::string status = "99029000";
  EXPECT_OK(answer(status));
  EXPECT_OK(answer(good + status));
  for (const std::string& objects :
       {std::string(), good, status + good, status + status, good + status + status, std::string("990190"),
        std::string("9903900000"), std::string("99026985"), good + "970110" + status}) {
    SCOPED_TRACE(objects);
    EXPECT_FAILS(answer(objects), ErrorKind::authentication_failed);
  }
}

TEST(SecureMessaging, RandomBytesNeverPass) {
  test::SeededRandom dice(3);
  for (int round = 0; round < 2000; ++round) {
    Bytes data(dice.below(64));
    ASSERT_OK(dice.fill(data));
    if (data.size() > 18) {
      data[data.size() - 18] = 0x8e;
      data[data.size() - 17] = 0x10;
    }
    SecureMessaging card(keys());
    EXPECT_FAILS(card.unwrap_command({0x84, 0x01, 0, 0, data, {}}), ErrorKind::authentication_failed);
  }
}

}  // namespace
}  // namespace cas::card
