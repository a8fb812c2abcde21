// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/segment_cipher.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "crypto/kdf.hpp"
#include "protected_file_fixture.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::must;

constexpr std::uint32_t segment_size = 1024;
constexpr std::size_t tag_size = 16;

struct SegmentCipherTest : testing::Test {
  SegmentCipherTest() {
    must(random.fill(header.file_id));
    header.segment_size = segment_size;
    control_word = must(random_secret(random, control_word_size));
    content = test::random_bytes(random, segment_size);
  }

  [[nodiscard]] SegmentCipher cipher(std::uint32_t period = 0) const {
    return must(SegmentCipher::create(header, control_word, period));
  }

  [[nodiscard]] Bytes seal(SegmentCipher& by, std::uint64_t segment, bool last, ByteView plain) const {
    Bytes stored(plain.size() + (header.cipher == ContentCipher::aes_128_gcm ? tag_size : 0));
    must(by.seal(segment, last, std::span(&plain, 1), stored));
    return stored;
  }

  test::SeededRandom random{5};
  FileHeader header;
  SecretBytes control_word;
  Bytes content;
};

/// Cuts bytes into pieces of random sizes, some of them empty.
std::vector<ByteView> random_pieces(test::SeededRandom& random, ByteView bytes, std::size_t largest) {
  std::vector<ByteView> pieces;
  while (!bytes.empty()) {
    const std::size_t size = std::min<std::size_t>(bytes.size(), random.below(largest + 1));
    pieces.push_back(bytes.first(size));
    bytes = bytes.subspan(size);
  }
  return pieces;
}

TEST_F(SegmentCipherTest, PiecesMakeNoDifference) {
  for (const ContentCipher kind : {ContentCipher::aes_128_gcm, ContentCipher::aes_128_ctr}) {
    header.cipher = kind;
    auto one = cipher();
    const Bytes expected = seal(one, 3, false, content);
    // Pieces of at most one byte are far more than 64, and the tag lies across many.
    for (const std::size_t largest : {1U, 3U, 15U, 16U, 17U, 500U, 2000U}) {
      auto sealer = cipher();
      Bytes stored(expected.size());
      ASSERT_OK(sealer.seal(3, false, random_pieces(random, content, largest), stored));
      EXPECT_EQ(stored, expected);
      Bytes plain(content.size());
      ASSERT_OK(sealer.open(3, false, random_pieces(random, stored, largest), plain));
      EXPECT_EQ(plain, content);
    }
  }
}

TEST_F(SegmentCipherTest, WorksInPlace) {
  for (const ContentCipher kind : {ContentCipher::aes_128_gcm, ContentCipher::aes_128_ctr}) {
    header.cipher = kind;
    auto apart = cipher();
    const Bytes expected = seal(apart, 0, true, ByteView(content).first(777));
    Bytes memory(expected.size());
    std::ranges::copy(ByteView(content).first(777), memory.begin());
    const ByteView plain = ByteView(memory).first(777);
    auto in_place = cipher();
    ASSERT_OK(in_place.seal(0, true, std::span(&plain, 1), memory));
    EXPECT_EQ(memory, expected);
    const ByteView stored = memory;
    ASSERT_OK(in_place.open(0, true, std::span(&stored, 1), MutableByteView(memory).first(777)));
    EXPECT_TRUE(equal(ByteView(memory).first(777), ByteView(content).first(777)));
  }
}

TEST_F(SegmentCipherTest, EveryChangedBitIsFound) {
  auto by = cipher();
  const Bytes stored = seal(by, 0, true, ByteView(content).first(20));
  for (std::size_t bit = 0; bit < stored.size() * 8; ++bit) {
    Bytes changed = stored;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const ByteView piece = changed;
    Bytes plain(20, 0xee);
    EXPECT_FAILS(by.open(0, true, std::span(&piece, 1), plain), ErrorKind::authentication_failed);
    EXPECT_EQ(plain, Bytes(20, 0)) << "what was not authenticated was left in the buffer";
  }
}

TEST_F(SegmentCipherTest, PositionLastFlagPeriodAndFileAreBound) {
  header.period_segments = 10;
  auto by = cipher();
  const Bytes stored = seal(by, 4, false, content);
  const ByteView piece = stored;
  Bytes plain(content.size());
  ASSERT_OK(by.open(4, false, std::span(&piece, 1), plain));
  EXPECT_FAILS(by.open(5, false, std::span(&piece, 1), plain), ErrorKind::authentication_failed);
  EXPECT_FAILS(by.open(4, true, std::span(&piece, 1), plain), ErrorKind::authentication_failed);

  // The same segment number in a file whose second period has the same control word.
  header.period_segments = 4;
  auto other_period = cipher(1);
  EXPECT_FAILS(other_period.open(4, false, std::span(&piece, 1), plain), ErrorKind::authentication_failed);
  header.period_segments = 10;
  header.file_id[0] ^= 1;
  auto other_file = cipher();
  EXPECT_FAILS(other_file.open(4, false, std::span(&piece, 1), plain), ErrorKind::authentication_failed);
}

TEST_F(SegmentCipherTest, OpenEitherTellsWhatTheWriterMeant) {
  auto by = cipher();
  for (const bool last : {false, true}) {
    const Bytes stored = seal(by, last ? 1 : 0, last, content);
    const ByteView piece = stored;
    for (const bool expected : {false, true}) {
      Bytes plain(content.size());
      EXPECT_EQ(must(by.open_either(last ? 1 : 0, expected, std::span(&piece, 1), plain)), last);
      EXPECT_EQ(plain, content);
    }
    Bytes damaged = stored;
    damaged[100] ^= 0x40;
    const ByteView damaged_piece = damaged;
    Bytes plain(content.size());
    EXPECT_FAILS(by.open_either(last ? 1 : 0, last, std::span(&damaged_piece, 1), plain),
                 ErrorKind::authentication_failed);
    EXPECT_EQ(plain, Bytes(content.size(), 0));
  }
}

TEST_F(SegmentCipherTest, NoSegmentIsSealedTwice) {
  auto by = cipher();
  ASSERT_EQ(seal(by, 2, false, content).size(), segment_size + tag_size);
  const ByteView plain = content;
  Bytes stored(segment_size + tag_size);
  EXPECT_FAILS(by.seal(2, false, std::span(&plain, 1), stored), ErrorKind::invalid_argument);
  EXPECT_FAILS(by.seal(1, false, std::span(&plain, 1), stored), ErrorKind::invalid_argument);
  EXPECT_OK(by.seal(3, false, std::span(&plain, 1), stored));
}

TEST_F(SegmentCipherTest, SizesThatNoSegmentHasAreRefused) {
  header.period_segments = 4;
  auto by = cipher(1);
  const auto try_seal = [&](std::uint64_t segment, bool last, std::size_t size, std::size_t room) {
    const Bytes bytes(size);
    const ByteView plain = bytes;
    Bytes stored(room);
    return by.seal(segment, last, std::span(&plain, 1), stored);
  };
  EXPECT_FAILS(try_seal(4, false, 1023, 1039), ErrorKind::invalid_argument);  // short, and not the last
  EXPECT_FAILS(try_seal(4, true, 1025, 1041), ErrorKind::invalid_argument);   // too long
  EXPECT_FAILS(try_seal(4, true, 0, 16), ErrorKind::invalid_argument);        // empty, in a file that is not
  EXPECT_FAILS(try_seal(4, true, 100, 115), ErrorKind::invalid_argument);     // no room for the tag
  EXPECT_FAILS(try_seal(3, false, 1024, 1040), ErrorKind::invalid_argument);  // the period before
  EXPECT_FAILS(try_seal(8, false, 1024, 1040), ErrorKind::invalid_argument);  // the period behind
  EXPECT_OK(try_seal(7, true, 100, 116));

  Bytes plain(100);
  for (const std::size_t size : {0U, 15U, 115U, 117U}) {
    const Bytes bytes(size);
    const ByteView stored = bytes;
    EXPECT_FAILS(by.open(7, true, std::span(&stored, 1), plain), ErrorKind::invalid_argument);
  }
}

TEST_F(SegmentCipherTest, RefusesWhatItCannotWorkWith) {
  EXPECT_FAILS(SegmentCipher::create(header, SecretBytes(15), 0), ErrorKind::invalid_argument);
  EXPECT_FAILS(SegmentCipher::create(header, SecretBytes(32), 0), ErrorKind::invalid_argument);
  EXPECT_FAILS(SegmentCipher::create(header, control_word, 1), ErrorKind::invalid_argument);
  header.segment_size = 100;
  EXPECT_FAILS(SegmentCipher::create(header, control_word, 0), ErrorKind::invalid_argument);
}

/// The documented derivation and counter block, put together from primitives.
TEST_F(SegmentCipherTest, CtrIsOneKeyStreamAPeriod) {
  header.cipher = ContentCipher::aes_128_ctr;
  header.period_segments = 3;
  for (const std::uint32_t period : {0U, 1U, 70'000U, UINT32_MAX}) {
    const Bytes context = ByteWriter().bytes(header.file_id).u32(period).u8(2).take();
    const SecretBytes key = must(crypto::kbkdf_cmac(control_word, "SmartPRO content", context, 16));
    const SecretBytes iv = must(crypto::kbkdf_cmac(control_word, "SmartPRO counter", context, 8));
    std::array<std::uint8_t, 16> counter{};
    std::ranges::copy(iv.reveal(), counter.begin());
    auto stream = must(crypto::AesCtr::create(key, counter));

    auto by = cipher(period);
    const Bytes in_period = test::random_bytes(random, 2 * segment_size + 333);
    Bytes expected(in_period.size());
    must(stream.apply(in_period, expected));
    Bytes stored;
    const std::uint64_t first = std::uint64_t{period} * 3;
    append(stored, seal(by, first, false, ByteView(in_period).first(segment_size)));
    append(stored, seal(by, first + 1, false, ByteView(in_period).subspan(segment_size, segment_size)));
    append(stored, seal(by, first + 2, true, ByteView(in_period).last(333)));
    EXPECT_EQ(stored, expected);
  }
}

TEST_F(SegmentCipherTest, NoTwoKeyStreamsAreAlike) {
  header.period_segments = 2;
  const Bytes zeros(segment_size);
  std::set<Bytes> seen;
  for (const ContentCipher kind : {ContentCipher::aes_128_gcm, ContentCipher::aes_128_ctr}) {
    header.cipher = kind;
    for (int file = 0; file < 3; ++file) {
      must(random.fill(header.file_id));
      for (const std::uint32_t period : {0U, 1U, 2U}) {
        auto by = cipher(period);
        for (std::uint64_t segment = 2 * period; segment < 2 * period + 2; ++segment) {
          Bytes stored = seal(by, segment, false, zeros);
          stored.resize(64);
          EXPECT_TRUE(seen.insert(std::move(stored)).second);
        }
      }
    }
  }
}

}  // namespace
}  // namespace cas::smartpro
