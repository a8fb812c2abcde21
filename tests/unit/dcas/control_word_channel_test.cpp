// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/control_word_channel.hpp"

#include <gtest/gtest.h>

#include "crypto/aes.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::dcas {
namespace {

using test::value_or_throw;

constexpr std::size_t cipher_text_at = 26;

ControlWordKeys keys(std::uint8_t fill = 1) {
  return {SecretBytes::copy_of(Bytes(cwek_size, fill)), SecretBytes::copy_of(Bytes(hmac_key_size, fill))};
}
ControlWord word(std::size_t size, std::uint8_t fill = 0x33) {
  return {0x1234, WordParity::odd, SecretBytes::copy_of(Bytes(size, fill))};
}

class ControlWords : public testing::Test {
 protected:
  /// A message with a right MAC over what the SM would never send.
  Bytes sealed(ByteView plain, std::uint64_t sequence) {
    const std::array<std::uint8_t, 16> iv{};
    Bytes covered(8);
    for (int i = 0; i < 8; ++i) covered[i] = static_cast<std::uint8_t>(sequence >> (56 - 8 * i));
    append(covered, iv);
    append(covered, value_or_throw(crypto::aes_cbc_encrypt(keys().cwek, iv, plain)));
    Bytes message{1, 10};
    append(message, covered);
    append(message, value_or_throw(crypto::hmac_sha1(keys().hmac_key, {covered})));
    return message;
  }
  test::SeededRandom random_{5};
  ControlWordSender sender_ = value_or_throw(ControlWordSender::create(keys(), random_));
  ControlWordReceiver receiver_ = value_or_throw(ControlWordReceiver::create(keys()));
};

TEST_F(ControlWords, GoThroughWithWhatTheyAreFor) {
  for (const std::size_t size : {std::size_t{8}, std::size_t{16}}) {
    const Bytes message = value_or_throw(sender_.seal(word(size)));
    EXPECT_EQ(message.size(), size == 8 ? 62U : 78U);
    const auto opened = receiver_.open(message);
    ASSERT_OK(opened);
    EXPECT_EQ(opened->service, 0x1234);
    EXPECT_EQ(opened->parity, WordParity::odd);
    EXPECT_TRUE(equal(opened->word.reveal(), Bytes(size, 0x33)));
  }
  EXPECT_FAILS(sender_.seal(word(7)), ErrorKind::invalid_argument);
  EXPECT_FAILS(sender_.seal(word(0)), ErrorKind::invalid_argument);
}

TEST_F(ControlWords, TwoOfThemNeverLookAlike) {
  const Bytes one = value_or_throw(sender_.seal(word(16))), two = value_or_throw(sender_.seal(word(16)));
  EXPECT_FALSE(equal(ByteView(one).subspan(cipher_text_at, 32), ByteView(two).subspan(cipher_text_at, 32)));
}

TEST_F(ControlWords, AForgeryIsDroppedAndCounted) {
  const Bytes genuine = value_or_throw(sender_.seal(word(16)));
  std::uint64_t forged = 0;
  for (std::size_t i = 2; i < genuine.size(); ++i) {
    Bytes changed = genuine;
    changed[i] ^= 0x80;
    EXPECT_FAILS(receiver_.open(changed), ErrorKind::authentication_failed);
    EXPECT_EQ(receiver_.counters().forged, ++forged);
  }
  auto other = value_or_throw(ControlWordReceiver::create(keys(2)));
  EXPECT_FAILS(other.open(genuine), ErrorKind::authentication_failed);
  EXPECT_OK(receiver_.open(genuine));
}

TEST_F(ControlWords, AReplayIsDroppedAndCounted) {
  const Bytes first = value_or_throw(sender_.seal(word(16)));
  ASSERT_OK(receiver_.open(first));
  EXPECT_FAILS(receiver_.open(first), ErrorKind::refused);
  EXPECT_FAILS(receiver_.open(first), ErrorKind::refused);
  EXPECT_EQ(receiver_.counters().replayed, 2U);
  EXPECT_EQ(receiver_.counters().accepted, 1U);
}

TEST_F(ControlWords, OutOfOrderIsAReplayAndAGapIsNone) {
  const Bytes first = value_or_throw(sender_.seal(word(16))), second = value_or_throw(sender_.seal(word(16)));
  const Bytes third = value_or_throw(sender_.seal(word(16)));
  ASSERT_OK(receiver_.open(third));
  EXPECT_FAILS(receiver_.open(second), ErrorKind::refused);
  EXPECT_FAILS(receiver_.open(first), ErrorKind::refused);
  EXPECT_OK(receiver_.open(value_or_throw(sender_.seal(word(16)))));
  EXPECT_FAILS(receiver_.open(sealed(Bytes(16), 0)), ErrorKind::refused);
}

TEST_F(ControlWords, AForgeryDoesNotMoveTheNumber) {
  Bytes far = value_or_throw(sender_.seal(word(16)));
  far[2] = 0xff;  // the sequence number
  EXPECT_FAILS(receiver_.open(far), ErrorKind::authentication_failed);
  EXPECT_OK(receiver_.open(value_or_throw(sender_.seal(word(16)))));
}

TEST_F(ControlWords, WhatIsNoWordIsCountedToo) {
  const Bytes genuine = value_or_throw(sender_.seal(word(16)));
  Bytes other_version = genuine, other_type = genuine;
  other_version[0] = 2;
  other_type[1] = 9;
  EXPECT_FAILS(receiver_.open(other_version), ErrorKind::unsupported);
  EXPECT_FAILS(receiver_.open(other_type), ErrorKind::malformed);
  std::uint64_t malformed = 2;
  for (std::size_t size = 0; size < genuine.size(); ++size) {
    if (size == 62) continue;  // a word of one block, whose MAC does not fit
    EXPECT_FALSE(receiver_.open(ByteView(genuine).first(size)).has_value());
    EXPECT_EQ(receiver_.counters().malformed, ++malformed) << size;
  }
  EXPECT_FAILS(receiver_.open(sealed(Bytes(48), 9)), ErrorKind::malformed);
}

TEST_F(ControlWords, WhatIsInItHasItsForm) {
  const auto plain = [](std::uint8_t parity, std::uint8_t size, std::size_t total) {
    Bytes bytes(total);
    bytes[2] = parity;
    bytes[3] = size;
    return bytes;
  };
  std::uint64_t sequence = 1;
  EXPECT_OK(receiver_.open(sealed(plain(0, 8, 16), sequence++)));
  EXPECT_OK(receiver_.open(sealed(plain(1, 16, 32), sequence++)));
  EXPECT_FAILS(receiver_.open(sealed(plain(2, 8, 16), sequence++)), ErrorKind::malformed);
  EXPECT_FAILS(receiver_.open(sealed(plain(0, 9, 16), sequence++)), ErrorKind::malformed);
  EXPECT_FAILS(receiver_.open(sealed(plain(0, 16, 16), sequence++)), ErrorKind::truncated);
  EXPECT_FAILS(receiver_.open(sealed(plain(0, 8, 32), sequence++)), ErrorKind::malformed);
  Bytes padded = plain(0, 8, 16);
  padded.back() = 1;
  EXPECT_FAILS(receiver_.open(sealed(padded, sequence++)), ErrorKind::malformed);
  EXPECT_EQ(receiver_.counters().malformed, 5U);
}

}  // namespace
}  // namespace cas::dcas
