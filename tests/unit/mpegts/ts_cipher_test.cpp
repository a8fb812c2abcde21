// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/ts_cipher.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "scrambling_fixture.hpp"
#include "support/allocation_count.hpp"

// What the scramblers do with packets, whichever the cipher is.

namespace cas::mpegts {
namespace {

class TsCipherOf : public testing::TestWithParam<TsCipher> {
 protected:
  void SetUp() override {
    for (const Parity parity : {Parity::even, Parity::odd}) {
      const SecretBytes word = word_of(scrambler.word_size(), parity == Parity::even ? 10 : 11);
      ASSERT_OK(scrambler.set_word(parity, word));
      ASSERT_OK(descrambler.set_word(parity, word));
    }
  }

  TsCipherCounts scramble(std::vector<Packet>& packets, Parity parity) {
    const auto counts = scrambler.scramble(pointers_to(packets), parity);
    EXPECT_OK(counts);
    return counts.value_or(TsCipherCounts{});
  }
  TsCipherCounts descramble(std::vector<Packet>& packets) {
    const auto counts = descrambler.descramble(pointers_to(packets));
    EXPECT_OK(counts);
    return counts.value_or(TsCipherCounts{});
  }
  /// This packet, scrambled alone.
  Packet alone(Packet packet, Parity parity) {
    std::uint8_t* const pointer = packet.data();
    EXPECT_OK(scrambler.scramble({&pointer, 1}, parity));
    return packet;
  }

  TsScrambler scrambler = std::move(TsScrambler::create(GetParam()).value());
  TsDescrambler descrambler = std::move(TsDescrambler::create(GetParam()).value());
};

INSTANTIATE_TEST_SUITE_P(Ciphers, TsCipherOf, testing::ValuesIn(ciphers_of_this_build()),
                         [](const auto& cipher) { return name_of(cipher.param); });

/// Packets of all payload sizes, in an order without order.
std::vector<Packet> many_packets(std::size_t count, std::uint64_t seed) {
  test::SeededRandom random(seed);
  std::vector<Packet> packets;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = random.below(2) == 0 ? 184 : 1 + static_cast<std::size_t>(random.below(184));
    packets.push_back(packet_with(random_bytes(size, seed + i)));
  }
  return packets;
}

TEST_P(TsCipherOf, MarksThePacketAndChangesItsPayloadAlone) {
  for (const Parity parity : {Parity::even, Parity::odd}) {
    for (std::size_t size = 16; size <= 184; ++size) {
      const Packet clear = packet_with(random_bytes(size, size));
      std::vector<Packet> packets = {clear};
      EXPECT_EQ(scramble(packets, parity), (TsCipherCounts{.done = 1}));
      // TS 100 289, table 1: 10 even, 11 odd. Counter and adaptation_field_control stay.
      EXPECT_EQ(packets[0][3], clear[3] | (parity == Parity::even ? 0x80 : 0xc0));
      EXPECT_TRUE(std::equal(clear.begin(), clear.begin() + 3, packets[0].begin()));
      EXPECT_TRUE(
          std::equal(clear.begin() + 4, clear.end() - static_cast<std::ptrdiff_t>(size), packets[0].begin() + 4));
      EXPECT_NE(payload_of(packets[0], size), payload_of(clear, size));
      EXPECT_EQ(descramble(packets), (TsCipherCounts{.done = 1}));
      EXPECT_EQ(to_hex(packets[0]), to_hex(clear));
    }
  }
}

TEST_P(TsCipherOf, ABatchOfAnySizeGivesWhatEachPacketAloneDoes) {
  const std::size_t full = scrambler.batch_size();
  for (const std::size_t count :
       {std::size_t{0}, std::size_t{1}, std::size_t{7}, full - 1, full, full + 1, 3 * full + 5}) {
    SCOPED_TRACE(count);
    const std::vector<Packet> clear = many_packets(count, 100 + count);
    std::vector<Packet> packets = clear;
    const TsCipherCounts counts = scramble(packets, Parity::odd);
    EXPECT_EQ(counts.done + counts.residue_only, count);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(to_hex(packets[i]), to_hex(alone(clear[i], Parity::odd))) << i;
    EXPECT_EQ(descramble(packets), counts);
    EXPECT_EQ(packets, clear);
  }
}

TEST_P(TsCipherOf, EachPacketIsDescrambledByItsOwnParity) {
  const std::vector<Packet> clear = many_packets(3 * scrambler.batch_size(), 200);
  std::vector<Packet> packets = clear;
  test::SeededRandom random(201);
  for (Packet& packet : packets) packet = alone(packet, random.below(2) == 0 ? Parity::even : Parity::odd);
  const TsCipherCounts counts = descramble(packets);
  EXPECT_EQ(counts.done + counts.residue_only, packets.size());
  EXPECT_EQ(packets, clear);
}

TEST_P(TsCipherOf, AShortPayloadIsMarkedAndStaysClear) {
  // CTR needs no whole block: one byte is enough.
  const std::size_t block = GetParam() == TsCipher::csa2 ? 8 : GetParam() == TsCipher::aes_128_ctr ? 1 : 16;
  for (std::size_t size = 1; size < block; ++size) {
    const Packet clear = packet_with(random_bytes(size, size));
    std::vector<Packet> packets = {clear};
    EXPECT_EQ(scramble(packets, Parity::even), (TsCipherCounts{.residue_only = 1}));
    EXPECT_EQ(packets[0][3] & 0xc0, 0x80);
    EXPECT_EQ(payload_of(packets[0], 184), payload_of(clear, 184));
    EXPECT_EQ(descramble(packets), (TsCipherCounts{.residue_only = 1}));
    EXPECT_EQ(packets[0], clear);
  }
}

TEST_P(TsCipherOf, WhatIsScrambledIsNotScrambledAgain) {
  for (const unsigned control : {0x40U, 0x80U, 0xc0U}) {
    Packet packet = packet_with(random_bytes(184, 1));
    packet[3] = static_cast<std::uint8_t>(packet[3] | control);
    std::vector<Packet> packets = {packet};
    EXPECT_EQ(scramble(packets, Parity::even), (TsCipherCounts{.other_state = 1}));
    EXPECT_EQ(packets[0], packet);
  }
  // Nor when it is given twice in one call.
  Packet packet = packet_with(random_bytes(184, 2));
  const Packet expected = alone(packet, Parity::even);
  std::uint8_t* const twice[] = {packet.data(), packet.data()};
  const auto counts = scrambler.scramble(twice, Parity::even);
  ASSERT_OK(counts);
  EXPECT_EQ(*counts, (TsCipherCounts{.done = 1, .other_state = 1}));
  EXPECT_EQ(packet, expected);
}

TEST_P(TsCipherOf, ClearPacketsAndTheReservedValueAreNotDescrambled) {
  const Packet clear = packet_with(random_bytes(184, 3));
  Packet reserved = clear;
  reserved[3] |= 0x40;
  std::vector<Packet> packets = {clear, reserved};
  EXPECT_EQ(descramble(packets), (TsCipherCounts{.other_state = 1, .damaged = 1}));
  EXPECT_EQ(packets[0], clear);
  EXPECT_EQ(packets[1], reserved);
}

/// Both directions leave it as it is and count it so.
void expect_untouched(TsScrambler& scrambler, TsDescrambler& descrambler, Packet packet,
                      const TsCipherCounts& expected) {
  std::uint8_t* const pointer = packet.data();
  packet[3] &= 0x3f;
  Packet before = packet;
  const auto scrambled = scrambler.scramble({&pointer, 1}, Parity::even);
  ASSERT_OK(scrambled);
  EXPECT_EQ(*scrambled, expected);
  EXPECT_EQ(packet, before);
  packet[3] |= 0x80;
  before = packet;
  const auto descrambled = descrambler.descramble({&pointer, 1});
  ASSERT_OK(descrambled);
  EXPECT_EQ(*descrambled, expected);
  EXPECT_EQ(packet, before);
}

TEST_P(TsCipherOf, PacketsWithoutPayloadAndNullPacketsAreLeft) {
  expect_untouched(scrambler, descrambler, packet_with({}), {.without_payload = 1});
  Packet null = packet_with(random_bytes(184, 4));
  null[1] = 0x1f;
  null[2] = 0xff;
  expect_untouched(scrambler, descrambler, null, {.without_payload = 1});
}

TEST_P(TsCipherOf, DamagedPacketsAreLeft) {
  const Packet good = packet_with(random_bytes(100, 5));
  for (const int length : {183, 184, 200, 255}) {  // an adaptation field that leaves no room for the payload
    Packet packet = good;
    packet[4] = static_cast<std::uint8_t>(length);
    expect_untouched(scrambler, descrambler, packet, {.damaged = 1});
  }
  Packet without_sync = good;
  without_sync[0] = 0x46;
  expect_untouched(scrambler, descrambler, without_sync, {.damaged = 1});
  Packet reserved = good;  // adaptation_field_control 00
  reserved[3] &= 0xcf;
  expect_untouched(scrambler, descrambler, reserved, {.damaged = 1});
}

TEST_P(TsCipherOf, TheLongestAdaptationFieldLeavesOneByte) {
  Packet packet = packet_with(random_bytes(1, 6));
  ASSERT_EQ(packet[4], 182);
  std::vector<Packet> packets = {packet};
  const TsCipherCounts counts = scramble(packets, Parity::even);
  EXPECT_EQ(counts.done + counts.residue_only, 1U);
  EXPECT_EQ(descramble(packets), counts);
  EXPECT_EQ(packets[0], packet);
}

TEST_P(TsCipherOf, NothingIsScrambledBeforeThereIsAWord) {
  auto fresh = TsScrambler::create(GetParam());
  ASSERT_OK(fresh);
  Packet packet = packet_with(random_bytes(184, 7));
  const Packet before = packet;
  std::uint8_t* const pointer = packet.data();
  EXPECT_FAILS(fresh->scramble({&pointer, 1}, Parity::even), ErrorKind::invalid_argument);
  ASSERT_OK(fresh->set_word(Parity::even, word_of(fresh->word_size(), 10)));
  EXPECT_FAILS(fresh->scramble({&pointer, 1}, Parity::odd), ErrorKind::invalid_argument);
  EXPECT_EQ(packet, before);
  EXPECT_OK(fresh->scramble({&pointer, 1}, Parity::even));
  EXPECT_EQ(packet, alone(before, Parity::even));
}

TEST_P(TsCipherOf, PacketsWithoutAWordWaitAsTheyAre) {
  auto fresh = TsDescrambler::create(GetParam());
  ASSERT_OK(fresh);
  ASSERT_OK(fresh->set_word(Parity::odd, word_of(fresh->word_size(), 11)));
  const Packet clear = packet_with(random_bytes(184, 8));
  std::vector<Packet> packets = {alone(clear, Parity::even), alone(clear, Parity::odd)};
  const Packet even = packets[0];
  const auto counts = fresh->descramble(pointers_to(packets));
  ASSERT_OK(counts);
  EXPECT_EQ(*counts, (TsCipherCounts{.done = 1, .without_word = 1}));
  EXPECT_EQ(packets[0], even);
  EXPECT_EQ(packets[1], clear);
}

TEST_P(TsCipherOf, ANewWordHoldsFromThenOnForItsParityAlone) {
  const Packet clear = packet_with(random_bytes(184, 9));
  const Packet even = alone(clear, Parity::even);
  const Packet odd = alone(clear, Parity::odd);
  EXPECT_NE(payload_of(even, 16), payload_of(odd, 16));
  ASSERT_OK(scrambler.set_word(Parity::even, word_of(scrambler.word_size(), 12)));
  EXPECT_NE(alone(clear, Parity::even), even);
  EXPECT_EQ(alone(clear, Parity::odd), odd);
  ASSERT_OK(scrambler.set_word(Parity::even, word_of(scrambler.word_size(), 10)));
  EXPECT_EQ(alone(clear, Parity::even), even);
}

TEST_P(TsCipherOf, RefusesWordsOfOtherSizesAndKeepsTheOneItHas) {
  const Packet clear = packet_with(random_bytes(184, 13));
  const Packet even = alone(clear, Parity::even);
  for (const std::size_t size : {0U, 7U, 9U, 15U, 17U, 24U, 32U}) {
    EXPECT_FAILS(scrambler.set_word(Parity::even, SecretBytes(size)), ErrorKind::invalid_argument);
    EXPECT_FAILS(descrambler.set_word(Parity::even, SecretBytes(size)), ErrorKind::invalid_argument);
  }
  EXPECT_EQ(alone(clear, Parity::even), even);
  EXPECT_EQ(scrambler.word_size(), GetParam() == TsCipher::csa2 ? 8U : 16U);
}

TEST_P(TsCipherOf, AsksForNoMemoryOnceItIsMade) {
  ASSERT_TRUE(test::counts_openssl());
  std::vector<Packet> packets = many_packets(3 * scrambler.batch_size() + 1, 300);
  const std::vector<Packet> clear = packets;
  const std::vector<std::uint8_t*> pointers = pointers_to(packets);
  const SecretBytes word = word_of(scrambler.word_size(), 14);
  const std::size_t before = test::allocation_count();
  bool good = true;
  for (int i = 0; i < 4; ++i) {
    const Parity parity = i % 2 == 0 ? Parity::even : Parity::odd;
    good = good && scrambler.set_word(parity, word) && descrambler.set_word(parity, word);
    good = good && scrambler.scramble(pointers, parity) && descrambler.descramble(pointers);
  }
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_TRUE(good);
  EXPECT_EQ(packets, clear);
}

TEST(TsCipherOptions, AnIvIsTakenWhereThereIsAChoiceOnly) {
  TsCipherOptions options;
  options.iv[15] = 1;
  EXPECT_OK(TsScrambler::create(TsCipher::aes_128_cbc, options));
  EXPECT_OK(TsScrambler::create(TsCipher::aes_128_ctr, options));
  EXPECT_FAILS(TsScrambler::create(TsCipher::cissa, options), ErrorKind::invalid_argument);
  EXPECT_FAILS(TsDescrambler::create(TsCipher::cissa, options), ErrorKind::invalid_argument);
  EXPECT_FAILS(TsScrambler::create(TsCipher::csa2, options), ErrorKind::invalid_argument);
  EXPECT_FAILS(TsScrambler::create(TsCipher{9}), ErrorKind::invalid_argument);
}

TEST(TsCipherOptions, TheCounterOfCtrMustNotCarryWithinAPacket) {
  TsCipherOptions options;
  options.iv.fill(0xff);
  for (const int last : {0xf5, 0xf6, 0xff}) {
    options.iv[15] = static_cast<std::uint8_t>(last);
    EXPECT_FAILS(TsScrambler::create(TsCipher::aes_128_ctr, options), ErrorKind::invalid_argument);
    EXPECT_FAILS(TsDescrambler::create(TsCipher::aes_128_ctr, options), ErrorKind::invalid_argument);
    EXPECT_OK(TsScrambler::create(TsCipher::aes_128_cbc, options));
  }
  options.iv[15] = 0xf4;
  EXPECT_OK(TsScrambler::create(TsCipher::aes_128_ctr, options));
}

TEST(TsCipherCountsOf, SeveralCallsAddUp) {
  TsCipherCounts sum{1, 2, 3, 4, 5, 6};
  sum += {10, 20, 30, 40, 50, 60};
  EXPECT_EQ(sum, (TsCipherCounts{11, 22, 33, 44, 55, 66}));
}

}  // namespace
}  // namespace cas::mpegts
