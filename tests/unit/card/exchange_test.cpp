// SPDX-License-Identifier: LGPL-2.1-or-later
#include "card/exchange.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "support/result_matchers.hpp"

namespace cas::card {
namespace {

using test::hex;

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 13 + 5);
  return bytes;
}

/// Answers in turn, and keeps what it was asked.
struct ScriptedCard {
  std::deque<Bytes> answers;
  std::vector<Bytes> commands;

  RawTransmit link() {
    return [this](ByteView command) -> Result<Bytes> {
      commands.push_back(copy_of(command));
      if (answers.empty()) return fail(ErrorKind::io, "the script has no further answer");
      Bytes answer = std::move(answers.front());
      answers.pop_front();
      return answer;
    };
  }
};

/// A card of 2005: short APDUs only, puts chains together, and hands long answers out in parts of 256 bytes.
struct ShortCard {
  StatusWord refusal = sw::wrong_length;
  Bytes received;
  Bytes answer;
  Bytes pending;
  std::size_t extended_seen = 0;
  std::size_t parts = 0;

  Bytes take(std::size_t ne) {
    const std::size_t given = std::min(ne, pending.size());
    ResponseApdu response{Bytes(pending.begin(), pending.begin() + given), sw::ok};
    pending.erase(pending.begin(), pending.begin() + given);
    if (!pending.empty())
      response.status = static_cast<StatusWord>(0x6100 | (pending.size() >= 256 ? 0 : pending.size()));
    return response.encode();
  }

  RawTransmit link() {
    return [this](ByteView wire) -> Result<Bytes> {
      if (wire.size() > 5 && wire[4] == 0) {
        ++extended_seen;
        return ResponseApdu{{}, refusal}.encode();
      }
      const auto command = CommandApdu::parse(wire);
      if (!command) return ResponseApdu{{}, sw::wrong_length}.encode();
      if (command->ins == ins_get_response) return take(*command->ne);
      ++parts;
      append(received, command->data);
      if (command->cla & cla_chaining_bit) return ResponseApdu{}.encode();
      pending = answer;
      return take(command->ne.value_or(0));
    };
  }
};

TEST(Exchange, ShortCommandGoesAsItIs) {
  ScriptedCard card{{hex("01029000")}, {}};
  ExchangeLimits limits;
  const auto response = exchange(card.link(), {0x80, 0x10, 1, 2, hex("AA"), 2}, limits);
  ASSERT_OK(response);
  EXPECT_EQ(response->data, hex("0102"));
  EXPECT_TRUE(response->ok());
  EXPECT_EQ(card.commands, std::vector<Bytes>{hex("8010010201AA02")});
}

TEST(Exchange, StatusWordsAreTheCallers) {
  for (const int status : {0x6985, 0x6700, 0x6e00, 0x63c2, 0x6f00}) {
    ScriptedCard card{{ResponseApdu{{}, static_cast<StatusWord>(status)}.encode()}, {}};
    ExchangeLimits limits;
    const auto response = exchange(card.link(), {0x80, 0x10, 0, 0, {}, {}}, limits);
    ASSERT_OK(response);
    EXPECT_EQ(response->status, status);
    EXPECT_TRUE(limits.extended);
  }
}

TEST(Exchange, ExtendedWhereTheCardTakesIt) {
  ScriptedCard card{{hex("9000"), hex("6700")}, {}};
  ExchangeLimits limits;
  const CommandApdu command{0x84, 0x10, 0, 0, pattern(256), {}};
  EXPECT_OK(exchange(card.link(), command, limits));
  EXPECT_TRUE(limits.extended_proven);
  // From now on 6700 is about the command.
  const auto refused = exchange(card.link(), command, limits);
  ASSERT_OK(refused);
  EXPECT_EQ(refused->status, sw::wrong_length);
  EXPECT_TRUE(limits.extended);
  EXPECT_EQ(card.commands.size(), 2U);
  EXPECT_EQ(card.commands[0], command.encode());
}

TEST(Exchange, LearnsThatTheCardTakesShortCommandsOnly) {
  for (const StatusWord refusal : {sw::wrong_length, sw::class_not_supported, sw::instruction_not_supported}) {
    ShortCard card;
    card.refusal = refusal;
    ExchangeLimits limits;
    for (int round = 0; round < 3; ++round)
      EXPECT_OK(exchange(card.link(), {0x80, 0x10, 0, 0, pattern(600), {}}, limits));
    EXPECT_FALSE(limits.extended);
    EXPECT_EQ(card.extended_seen, 1U);  // asked once
    EXPECT_EQ(card.parts, 9U);          // 255 + 255 + 90, three times
  }
}

TEST(Exchange, ChainsAtTheBorders) {
  struct Border {
    std::size_t nc;
    std::size_t parts;
  };
  for (const Border border : {Border{1, 1}, {254, 1}, {255, 1}, {256, 2}, {510, 2}, {511, 3}, {65535, 257}}) {
    ShortCard card;
    ExchangeLimits limits{.extended = false};
    const Bytes data = pattern(border.nc);
    EXPECT_OK(exchange(card.link(), {0x84, 0x10, 0, 0, data, {}}, limits));
    EXPECT_EQ(card.received, data);
    EXPECT_EQ(card.parts, border.parts) << border.nc;
  }
}

TEST(Exchange, PartsOfAChainKeepTheClassAndTheLastHasTheExpectedLength) {
  ScriptedCard card{{hex("9000"), hex("9000")}, {}};
  ExchangeLimits limits{.extended = false};
  EXPECT_OK(exchange(card.link(), {0x84, 0x10, 3, 4, pattern(256), 300}, limits));
  ASSERT_EQ(card.commands.size(), 2U);
  EXPECT_EQ(card.commands[0].size(), 5U + 255);
  EXPECT_EQ(Bytes(card.commands[0].begin(), card.commands[0].begin() + 5), hex("94100304FF"));
  EXPECT_EQ(Bytes(card.commands[1].begin(), card.commands[1].begin() + 5), hex("8410030401"));
  EXPECT_EQ(card.commands[1].back(), 0x00);  // 256
}

TEST(Exchange, RefusedPartOfAChainEndsIt) {
  ScriptedCard card{{hex("9000"), hex("6A84"), hex("9000")}, {}};
  ExchangeLimits limits{.extended = false};
  const auto response = exchange(card.link(), {0x80, 0x10, 0, 0, pattern(900), {}}, limits);
  ASSERT_OK(response);
  EXPECT_EQ(response->status, sw::not_enough_memory);
  EXPECT_EQ(card.commands.size(), 2U);
}

TEST(Exchange, DataInTheMiddleOfAChainIsMalformed) {
  ScriptedCard card{{hex("019000")}, {}};
  ExchangeLimits limits{.extended = false};
  EXPECT_FAILS(exchange(card.link(), {0x80, 0x10, 0, 0, pattern(300), {}}, limits), ErrorKind::malformed);
}

TEST(Exchange, RefusalOfTheCommandItselfTeachesNothing) {
  // Extended: 6700. As a chain: 6700 as well. So it was the command.
  ScriptedCard card{{hex("6700"), hex("9000"), hex("6700")}, {}};
  ExchangeLimits limits;
  const auto response = exchange(card.link(), {0x80, 0x10, 0, 0, pattern(300), {}}, limits);
  ASSERT_OK(response);
  EXPECT_EQ(response->status, sw::wrong_length);
  EXPECT_TRUE(limits.extended);
}

TEST(Exchange, CrashOfAnAppletIsNotTakenForAMissingForm) {
  // 6F00 promises nothing about the card's memory: the command may not be given again.
  ScriptedCard card{{hex("6F00"), hex("9000")}, {}};
  ExchangeLimits limits;
  const auto response = exchange(card.link(), {0x80, 0x10, 0, 0, pattern(300), {}}, limits);
  ASSERT_OK(response);
  EXPECT_EQ(response->status, sw::no_precise_diagnosis);
  EXPECT_EQ(card.commands.size(), 1U);
}

TEST(Exchange, CardWithoutChainingTeachesNothing) {
  ScriptedCard card{{hex("6700"), hex("6884")}, {}};
  ExchangeLimits limits;
  const auto response = exchange(card.link(), {0x80, 0x10, 0, 0, pattern(300), {}}, limits);
  ASSERT_OK(response);
  EXPECT_EQ(response->status, sw::wrong_length);
  EXPECT_TRUE(limits.extended);
}

TEST(Exchange, ProtectedRefusalIsNotTakenForAMissingForm) {
  // Under secure messaging the applet's own 6700 carries data objects. Giving that command again would be a replay.
  ScriptedCard card{{hex("990267006700")}, {}};
  ExchangeLimits limits;
  const auto response = exchange(card.link(), {0x84, 0x10, 0, 0, pattern(300), 256}, limits);
  ASSERT_OK(response);
  EXPECT_EQ(response->status, sw::wrong_length);
  EXPECT_EQ(card.commands.size(), 1U);
}

TEST(Exchange, LongAnswersComeWholeFromAShortCard) {
  for (const std::size_t size : {0U, 1U, 255U, 256U, 257U, 512U, 513U, 65535U, 65536U}) {
    ShortCard card;
    card.answer = pattern(size);
    ExchangeLimits limits;
    const auto response = exchange(card.link(), {0x80, 0x10, 0, 0, {}, 65536}, limits);
    ASSERT_OK(response);
    EXPECT_EQ(response->data, card.answer) << size;
    EXPECT_TRUE(response->ok());
  }
}

TEST(Exchange, GetResponseIsPlainAndInTheChannelOfTheCommand) {
  for (const auto& [cla, expected] : {std::pair<int, const char*>{0x84, "00C0000003"},
                                      {0x80, "00C0000003"},
                                      {0x02, "02C0000003"},
                                      {0x06, "02C0000003"}}) {
    ScriptedCard card{{hex("AABB6103"), hex("CCDDEE6985")}, {}};
    ExchangeLimits limits;
    const auto response = exchange(card.link(), {static_cast<std::uint8_t>(cla), 0x10, 0, 0, {}, 256}, limits);
    ASSERT_OK(response);
    EXPECT_EQ(response->data, hex("AABBCCDDEE"));
    EXPECT_EQ(response->status, sw::conditions_not_satisfied);  // the last part's
    EXPECT_EQ(card.commands[1], hex(expected));
  }
}

TEST(Exchange, EndlessAnswerIsStopped) {
  std::size_t asked = 0;
  const RawTransmit link = [&](ByteView) -> Result<Bytes> {
    ++asked;
    return ResponseApdu{pattern(256), 0x6100}.encode();
  };
  ExchangeLimits limits;
  EXPECT_FAILS(exchange(link, {0x80, 0x10, 0, 0, {}, 256}, limits), ErrorKind::exhausted);
  EXPECT_EQ(asked, 257U);
  limits.max_response = 100;
  EXPECT_FAILS(exchange(link, {0x80, 0x10, 0, 0, {}, 256}, limits), ErrorKind::exhausted);
}

TEST(Exchange, AnnouncedDataThatNeverComesIsMalformed) {
  const RawTransmit link = [](ByteView) -> Result<Bytes> { return hex("6110"); };
  ExchangeLimits limits;
  EXPECT_FAILS(exchange(link, {0x80, 0x10, 0, 0, {}, 256}, limits), ErrorKind::malformed);
}

TEST(Exchange, RepeatsWithTheLengthThatTheCardNames) {
  ScriptedCard card{{hex("6C02"), hex("AABB9000")}, {}};
  ExchangeLimits limits;
  const auto response = exchange(card.link(), {0x80, 0x10, 0, 0, hex("01"), 5}, limits);
  ASSERT_OK(response);
  EXPECT_EQ(response->data, hex("AABB"));
  EXPECT_EQ(card.commands[0], hex("80100000010105"));
  EXPECT_EQ(card.commands[1], hex("80100000010102"));

  ScriptedCard whole{{hex("6C00"), hex("9000")}, {}};
  EXPECT_OK(exchange(whole.link(), {0x80, 0x10, 0, 0, {}, 5}, limits));
  EXPECT_EQ(whole.commands[1], hex("8010000000"));
}

TEST(Exchange, RepeatsOnlyOnce) {
  ScriptedCard card{{hex("6C02"), hex("6C03"), hex("9000")}, {}};
  ExchangeLimits limits;
  const auto response = exchange(card.link(), {0x80, 0x10, 0, 0, {}, 5}, limits);
  ASSERT_OK(response);
  EXPECT_EQ(response->status, 0x6c03);
  EXPECT_EQ(card.commands.size(), 2U);

  ScriptedCard fetching{{hex("6105"), hex("6C02"), hex("6C03"), hex("9000")}, {}};
  const auto fetched = exchange(fetching.link(), {0x80, 0x10, 0, 0, {}, 5}, limits);
  ASSERT_OK(fetched);
  EXPECT_EQ(fetched->status, 0x6c03);
  EXPECT_EQ(fetching.commands.size(), 3U);
  EXPECT_EQ(fetching.commands[2], hex("00C0000002"));
}

TEST(Exchange, CardThatDiesIsReset) {
  for (const char* answer : {"", "90"}) {
    ScriptedCard at_once{{hex(answer)}, {}};
    ExchangeLimits limits;
    EXPECT_FAILS(exchange(at_once.link(), {0x80, 0x10, 0, 0, {}, {}}, limits), ErrorKind::card_reset);
    ScriptedCard in_chain{{hex("9000"), hex(answer)}, {}};
    ExchangeLimits chained{.extended = false};
    EXPECT_FAILS(exchange(in_chain.link(), {0x80, 0x10, 0, 0, pattern(300), {}}, chained), ErrorKind::card_reset);
    ScriptedCard in_fetch{{hex("6110"), hex(answer)}, {}};
    EXPECT_FAILS(exchange(in_fetch.link(), {0x80, 0x10, 0, 0, {}, 256}, limits), ErrorKind::card_reset);
  }
}

TEST(Exchange, FailureOfTheLinkComesBackUnchanged) {
  ScriptedCard card;
  ExchangeLimits limits;
  EXPECT_FAILS(exchange(card.link(), {0x80, 0x10, 0, 0, {}, {}}, limits), ErrorKind::io);
}

TEST(Exchange, CommandWithoutAnEncodingIsRefused) {
  ScriptedCard card{{hex("9000")}, {}};
  ExchangeLimits limits;
  EXPECT_FAILS(exchange(card.link(), {0x90, 0x10, 0, 0, {}, {}}, limits), ErrorKind::invalid_argument);
  EXPECT_FAILS(exchange(card.link(), {0x80, 0x10, 0, 0, {}, 0}, limits), ErrorKind::invalid_argument);
  EXPECT_FAILS(exchange(card.link(), {0x80, 0x10, 0, 0, {}, 65537}, limits), ErrorKind::invalid_argument);
  EXPECT_FAILS(exchange(card.link(), {0x80, 0x10, 0, 0, Bytes(65536), {}}, limits), ErrorKind::invalid_argument);
  EXPECT_TRUE(card.commands.empty());
}

}  // namespace
}  // namespace cas::card
