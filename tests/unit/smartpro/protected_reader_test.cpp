// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/protected_reader.hpp"

#include <gtest/gtest.h>

#include "protected_file_fixture.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::DomainOpener;
using test::FileShape;
using test::make_protected;
using test::MemorySource;
using test::must;
using test::ProtectedFixture;

constexpr auto gcm = ContentCipher::aes_128_gcm;
constexpr auto ctr = ContentCipher::aes_128_ctr;

TEST(ProtectedReader, GivesBackContentOfEveryShape) {
  for (const ContentCipher cipher : {gcm, ctr})
    for (const std::uint32_t period_segments : {0U, 1U, 3U})
      for (const bool states_size : {false, true})
        for (const std::size_t size :
             {0U, 1U, 15U, 16U, 17U, 1023U, 1024U, 1025U, 2048U, 3072U, 3073U, 6144U, 10'000U}) {
          const FileShape shape{cipher, size, 1024, period_segments, states_size};
          SCOPED_TRACE(describe(shape));
          const ProtectedFixture made = make_protected(shape);
          for (const std::size_t step : {7U, 1024U, 1500U, 20'000U}) {
            const auto out = test::read_out(made.file, made.domain_key, step);
            EXPECT_FALSE(out.error.has_value()) << out.error->message;
            EXPECT_EQ(out.content, made.content);
          }
        }
}

struct Seeks : testing::TestWithParam<FileShape> {};

/// The design's figure: 1,000 random seeks give the bytes of the original, each without reading more than two segments.
TEST_P(Seeks, AThousandAreExactAndReadAtMostTwoSegments) {
  const ProtectedFixture made = make_protected(GetParam());
  MemorySource source(made.file);
  DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  const FileLayout& layout = reader->layout();
  Bytes out(layout.segment_size());
  // The one licence of a file without periods.
  ASSERT_OK(reader->read(0, MutableByteView(out).first(1)));
  test::SeededRandom random(7);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t offset = random.below(made.content.size());
    const std::size_t size = 1 + random.below(out.size());
    const std::size_t there = std::min<std::size_t>(size, made.content.size() - offset);
    const std::uint64_t read_before = source.bytes_read;
    const std::size_t licences_before = opener.periods.size();
    ASSERT_EQ(must(reader->read(offset, MutableByteView(out).first(size))), there);
    ASSERT_TRUE(equal(ByteView(out).first(there), ByteView(made.content).subspan(offset, there))) << offset;
    const std::uint64_t slots = opener.periods.size() - licences_before;
    ASSERT_LE(source.bytes_read - read_before, 2 * layout.stored_segment_size() + slots * layout.slot_size());
    ASSERT_LE(slots, GetParam().period_segments == 0 ? 0U : 2U);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Seeks,
                         testing::Values(FileShape{gcm, 3'000'001, 65'536, 0, true},
                                         FileShape{gcm, 1'000'000, 16'384, 5, false},
                                         FileShape{ctr, 3'000'001, 65'536, 0, false},
                                         FileShape{ctr, 1'048'576, 16'384, 1, true}));

TEST(ProtectedReader, SmallReadsDecryptEachSegmentOnce) {
  const ProtectedFixture made = make_protected({gcm, 5 * 4096 + 100, 4096, 2});
  MemorySource source(made.file);
  DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  Bytes out(4);
  const std::uint64_t at_start = source.bytes_read;
  for (std::uint64_t offset = 0; offset < made.content.size(); offset += 4) ASSERT_OK(reader->read(offset, out));
  EXPECT_EQ(must(reader->read(made.content.size(), out)), 0U);
  EXPECT_EQ(source.bytes_read - at_start, made.file.size() - reader->header().body_offset);
}

/// What a demuxer does that reads an index at the end and media at the start.
TEST(ProtectedReader, TwoPlacesInTurnStayCached) {
  const ProtectedFixture made = make_protected({gcm, 40'000, 4096});
  MemorySource source(made.file);
  DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  Bytes out(4);
  ASSERT_OK(reader->read(10, out));
  ASSERT_OK(reader->read(30'000, out));
  const std::uint64_t read = source.bytes_read;
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_OK(reader->read(20 + 4 * i, out));
    ASSERT_OK(reader->read(30'004 + 4 * i, out));
  }
  EXPECT_EQ(source.bytes_read, read);
}

TEST(ProtectedReader, OneLicenceRequestAKeyPeriod) {
  const ProtectedFixture made = make_protected({gcm, 20 * 1024, 1024, 4});
  MemorySource source(made.file);
  DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  EXPECT_TRUE(opener.periods.empty()) << "a licence was opened before anybody read";
  Bytes out(500);
  for (std::uint64_t offset = 0; offset < made.content.size(); offset += 500) ASSERT_OK(reader->read(offset, out));
  EXPECT_EQ(opener.periods, (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));
  // Back over the border to the previous period and on again.
  ASSERT_OK(reader->read(15 * 1024, out));
  ASSERT_OK(reader->read(17 * 1024, out));
  EXPECT_EQ(opener.periods.size(), 5U);
}

TEST(ProtectedReader, FailuresOfSourceAndTokenPass) {
  const ProtectedFixture made = make_protected({gcm, 3000, 1024, 1});
  MemorySource source(made.file);
  DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  Bytes out(3000);
  opener.failure = Error{ErrorKind::card_absent, "no card"};
  EXPECT_FAILS(reader->read(0, out), ErrorKind::card_absent);
  opener.failure.reset();
  ASSERT_EQ(must(reader->read(0, MutableByteView(out).first(1024))), 1024U);
  opener.failure = Error{ErrorKind::card_absent, "no card"};
  EXPECT_EQ(must(reader->read(0, out)), 1024U) << "what was right before the failure is given";
  EXPECT_FAILS(reader->read(1024, out), ErrorKind::card_absent);
  opener.failure.reset();
  source.failure = Error{ErrorKind::io, "no network"};
  EXPECT_FAILS(reader->read(1024, out), ErrorKind::io);
  source.failure.reset();
  EXPECT_EQ(must(reader->read(0, out)), 3000U);
  EXPECT_EQ(out, made.content);
}

TEST(ProtectedReader, ASourceThatShrinksIsTruncated) {
  const ProtectedFixture made = make_protected({gcm, 3000, 1024});
  MemorySource source(ByteView(made.file).first(made.file.size() - 100));
  source.claimed_size = made.file.size();
  DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  Bytes out(3000);
  EXPECT_EQ(must(reader->read(0, out)), 2048U);
  EXPECT_FAILS(reader->read(2048, out), ErrorKind::truncated);
}

TEST(ProtectedReader, ReadsBehindTheEndAndOfNothing) {
  const ProtectedFixture made = make_protected({gcm, 3000, 1024});
  MemorySource source(made.file);
  DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  Bytes out(10);
  EXPECT_EQ(reader->plain_size(), 3000U);
  EXPECT_EQ(must(reader->read(3000, out)), 0U);
  EXPECT_EQ(must(reader->read(1'000'000, out)), 0U);
  EXPECT_EQ(must(reader->read(UINT64_MAX, out)), 0U);
  EXPECT_EQ(must(reader->read(0, {})), 0U);
  EXPECT_EQ(must(reader->read(2995, out)), 5U);
}

/// Licences and segments of files of one domain cannot be exchanged.
TEST(ProtectedReader, PartsOfOtherFilesAreRefused) {
  const FileShape shape{gcm, 4096, 1024, 2};
  const ProtectedFixture made = make_protected(shape, 1);
  ProtectedFixture other = make_protected(shape, 2);
  const FileLayout layout = made.layout();
  const auto copy_range = [](Bytes& to, ByteView from, std::uint64_t offset, std::size_t size) {
    std::ranges::copy(from.subspan(offset, size), to.begin() + static_cast<std::ptrdiff_t>(offset));
  };

  Bytes mixed = made.file;
  copy_range(mixed, other.file, layout.slot_offset(0), layout.slot_size());
  EXPECT_EQ(test::read_out(mixed, made.domain_key).error->kind, ErrorKind::authentication_failed)
      << "another domain's licence";

  // One domain: the same random numbers gave the same domain key, another content.
  const ProtectedFixture sibling = make_protected({gcm, 4096, 1024, 2, true}, 1);
  ASSERT_TRUE(equal(sibling.domain_key.reveal(), made.domain_key.reveal()));
  mixed = made.file;
  const ByteView sibling_slot = ByteView(sibling.file).subspan(sibling.read_header().body_offset, layout.slot_size());
  std::ranges::copy(sibling_slot, mixed.begin() + static_cast<std::ptrdiff_t>(layout.slot_offset(0)));
  EXPECT_EQ(test::read_out(mixed, made.domain_key).error->kind, ErrorKind::refused) << "another file's licence";

  mixed = made.file;
  std::ranges::copy(ByteView(made.file).subspan(layout.slot_offset(0), layout.slot_size()),
                    mixed.begin() + static_cast<std::ptrdiff_t>(layout.slot_offset(1)));
  const auto out = test::read_out(mixed, made.domain_key);
  EXPECT_EQ(out.content.size(), 2048U);
  EXPECT_EQ(out.error->kind, ErrorKind::refused) << "another period's licence";

  mixed = made.file;
  std::swap_ranges(mixed.begin() + static_cast<std::ptrdiff_t>(layout.segment_offset(0)),
                   mixed.begin() + static_cast<std::ptrdiff_t>(layout.segment_offset(1)),
                   mixed.begin() + static_cast<std::ptrdiff_t>(layout.segment_offset(1)));
  EXPECT_EQ(test::read_out(mixed, made.domain_key).error->kind, ErrorKind::authentication_failed)
      << "segments exchanged";
}

TEST(ProtectedReader, ABridgeMayChangeTheSlots) {
  const FileShape shape{gcm, 4000, 1024, 2};
  const ProtectedFixture made = make_protected(shape);
  const FileLayout layout = made.layout();
  Preamble preamble = must(Preamble::parse(made.file));
  preamble.licence_slot_size = 5000;
  Bytes bridged = preamble.encode();
  append(bridged, ByteView(made.file).subspan(preamble_size, preamble.header_size));
  for (const std::uint32_t period : {0U, 1U}) {
    const ByteView slot = ByteView(made.file).subspan(layout.slot_offset(period), layout.slot_size());
    append(bridged, must(encode_licence_slot(must(parse_licence_slot(slot)), 5000)));
    const std::uint64_t from = layout.segment_offset(2 * period);
    append(bridged, ByteView(made.file).subspan(
                        from, std::min<std::uint64_t>(2 * layout.stored_segment_size(), made.file.size() - from)));
  }
  const auto out = test::read_out(bridged, made.domain_key);
  EXPECT_FALSE(out.error.has_value()) << out.error->message;
  EXPECT_EQ(out.content, made.content);
}

TEST(ProtectedReader, CtrIsReadAtOddOffsets) {
  const ProtectedFixture made = make_protected({ctr, 10'007, 1024, 3});
  MemorySource source(made.file);
  DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  Bytes out(37);
  for (std::uint64_t offset = 0; offset + out.size() <= made.content.size(); ++offset) {
    ASSERT_EQ(must(reader->read(offset, out)), out.size());
    ASSERT_TRUE(equal(out, ByteView(made.content).subspan(offset, out.size()))) << offset;
  }
}

}  // namespace
}  // namespace cas::smartpro
