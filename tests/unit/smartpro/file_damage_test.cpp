// SPDX-License-Identifier: LGPL-2.1-or-later
// What a protected file still gives when it was cut, extended or changed.
#include <gtest/gtest.h>

#include "protected_file_fixture.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::describe;
using test::FileShape;
using test::make_protected;
using test::must;
using test::ProtectedFixture;
using test::read_out;

constexpr auto gcm = ContentCipher::aes_128_gcm;
constexpr auto ctr = ContentCipher::aes_128_ctr;

/// Content bytes before the part of the file (start, slot or segment) that file byte `position` lies in.
std::size_t content_before(const ProtectedFixture& made, std::uint64_t position) {
  const FileLayout layout = made.layout();
  const std::uint64_t segments = layout.extent(made.file.size()).segments;
  std::uint64_t whole = 0;
  while (whole < segments && layout.segment_offset(whole) + layout.stored_segment_size() <= position) ++whole;
  return std::min<std::size_t>(made.content.size(), whole * layout.segment_size());
}

void expect_content_then_error(const ProtectedFixture& made, ByteView file, std::size_t content_size,
                               std::size_t step) {
  const auto out = read_out(file, made.domain_key, step);
  ASSERT_TRUE(out.error.has_value()) << "the damage was not found";
  ASSERT_EQ(out.content.size(), content_size) << out.error->message;
  ASSERT_TRUE(equal(out.content, ByteView(made.content).first(content_size)));
}

struct Damage : testing::TestWithParam<FileShape> {};

TEST_P(Damage, ACutAtAnyByteGivesTheSegmentsBeforeIt) {
  const ProtectedFixture made = make_protected(GetParam());
  for (std::size_t size = 0; size < made.file.size(); ++size) {
    SCOPED_TRACE("cut to " + std::to_string(size) + " of " + std::to_string(made.file.size()));
    expect_content_then_error(made, ByteView(made.file).first(size), content_before(made, size),
                              size % 2 == 0 ? 700 : 4096);
    if (HasFatalFailure()) return;
  }
}

TEST_P(Damage, AChangedBitAnywhereGivesTheSegmentsBeforeIt) {
  const ProtectedFixture made = make_protected(GetParam());
  test::SeededRandom random(11);
  Bytes changed = made.file;
  for (std::size_t byte = 0; byte < made.file.size(); ++byte) {
    // Every bit of the start and of the sizes in the slot, one bit of each other byte.
    const bool each_bit = byte < made.read_header().body_offset + licence_slot_overhead;
    const unsigned first = each_bit ? 0 : static_cast<unsigned>(random.below(8));
    for (unsigned bit = first; bit <= (each_bit ? 7 : first); ++bit) {
      SCOPED_TRACE("bit " + std::to_string(bit) + " of byte " + std::to_string(byte));
      changed[byte] ^= static_cast<std::uint8_t>(1U << bit);
      expect_content_then_error(made, changed, content_before(made, byte), byte % 2 == 0 ? 700 : 4096);
      changed[byte] = made.file[byte];
      if (HasFatalFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Damage,
                         testing::Values(FileShape{gcm, 0}, FileShape{gcm, 1}, FileShape{gcm, 1024},
                                         FileShape{gcm, 2048, 1024, 0, true}, FileShape{gcm, 3000, 1024, 0, true},
                                         FileShape{gcm, 3072, 1024, 1}, FileShape{gcm, 4096, 1024, 2},
                                         FileShape{gcm, 4500, 1024, 2, true}, FileShape{gcm, 0, 1024, 3, true}));

/// The same on files of usual sizes, at random.
TEST(FileDamage, AThousandCutsAndChangesOfLargerFiles) {
  const FileShape shapes[] = {{gcm, 300'000, 16'384, 0, false, default_licence_slot_size},
                              {gcm, 262'144, 65'536, 0, true, default_licence_slot_size},
                              {gcm, 200'000, 1024, 7, false, default_licence_slot_size}};
  test::SeededRandom random(13);
  for (const FileShape& shape : shapes) {
    SCOPED_TRACE(describe(shape));
    const ProtectedFixture made = make_protected(shape);
    for (int i = 0; i < 1000; ++i) {
      const std::size_t position = random.below(made.file.size());
      SCOPED_TRACE((i % 2 == 0 ? "cut at byte " : "change at byte ") + std::to_string(position));
      if (i % 2 == 0) {
        expect_content_then_error(made, ByteView(made.file).first(position), content_before(made, position), 50'000);
      } else {
        Bytes changed = made.file;
        changed[position] ^= static_cast<std::uint8_t>(1U << random.below(8));
        expect_content_then_error(made, changed, content_before(made, position), 50'000);
      }
      if (HasFatalFailure()) return;
    }
  }
}

TEST(FileDamage, ACutBetweenSegmentsIsCalledThat) {
  for (const bool states_size : {false, true}) {
    const ProtectedFixture made = make_protected({gcm, 5000, 1024, 2, states_size});
    const FileLayout layout = made.layout();
    for (const std::uint64_t segment : {1U, 2U, 3U, 4U}) {
      for (const std::uint64_t cut : {layout.segment_offset(segment), layout.slot_offset(layout.period_of(segment))}) {
        if (cut < layout.segment_offset(segment - 1)) continue;
        const auto out = read_out(ByteView(made.file).first(cut), made.domain_key);
        EXPECT_EQ(out.content.size(), segment * 1024);
        EXPECT_EQ(out.error->kind, ErrorKind::truncated) << out.error->message;
      }
    }
  }
}

TEST(FileDamage, TheEndIsNotGivenBeforeItIsVerified) {
  const ProtectedFixture made = make_protected({gcm, 4096, 1024});
  const Bytes cut = copy_of(ByteView(made.file).first(made.layout().segment_offset(3)));
  test::MemorySource source(cut);
  test::DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  Bytes out(10);
  // The first read of all is one behind the end: the last segment has to be asked.
  EXPECT_FAILS(reader->read(3072, out), ErrorKind::truncated);
  EXPECT_EQ(must(reader->read(0, out)), 10U);
}

TEST(FileDamage, OtherPlacesCanStillBeRead) {
  const ProtectedFixture made = make_protected({gcm, 10'000, 1024, 4});
  Bytes changed = made.file;
  changed[made.layout().segment_offset(5) + 100] ^= 1;
  test::MemorySource source(changed);
  test::DomainOpener opener(made.domain_key);
  const auto reader = must(ProtectedReader::open(source, opener));
  Bytes out(10'000);
  EXPECT_EQ(must(reader->read(4000, MutableByteView(out).first(6000))), 5 * 1024 - 4000U);
  EXPECT_FAILS(reader->read(5 * 1024, out), ErrorKind::authentication_failed);
  EXPECT_FAILS(reader->read(5 * 1024 + 7, MutableByteView(out).first(4)), ErrorKind::authentication_failed);
  EXPECT_FAILS(reader->read(5 * 1024, out), ErrorKind::authentication_failed);
  ASSERT_EQ(must(reader->read(6 * 1024, out)), 10'000 - 6 * 1024U);
  EXPECT_TRUE(equal(ByteView(out).first(10'000 - 6 * 1024), ByteView(made.content).subspan(6 * 1024)));
  EXPECT_EQ(must(reader->read(10'000, out)), 0U) << "the end is intact";
}

/// Bytes behind the end: all content where its end is known without them (the last segment is full, or the size is
/// stated), else all but the last segment; then an error.
TEST(FileDamage, BytesBehindTheEndAreFound) {
  test::SeededRandom random(17);
  for (const std::uint32_t period_segments : {0U, 1U, 2U})
    for (const bool states_size : {false, true})
      for (const std::size_t size : {0U, 1U, 1024U, 1500U, 2048U, 4096U})
        for (const std::size_t more : {1U, 16U, 17U, 319U, 320U, 321U, 1040U, 1360U, 5000U}) {
          const FileShape shape{gcm, size, 1024, period_segments, states_size};
          SCOPED_TRACE(describe(shape) + " and " + std::to_string(more) + " more bytes");
          const ProtectedFixture made = make_protected(shape);
          Bytes longer = made.file;
          append(longer, test::random_bytes(random, more));
          const bool end_is_known = states_size || (size != 0 && size % 1024 == 0);
          expect_content_then_error(made, longer, end_is_known ? size : size / 1024 * 1024, 700);
          if (end_is_known) {
            EXPECT_EQ(read_out(longer, made.domain_key).error->kind, ErrorKind::malformed);
          }
        }
}

/// Two files one behind the other are the first one with bytes behind it.
TEST(FileDamage, ASegmentOfTheSameFileBehindTheEndIsFound) {
  const ProtectedFixture made = make_protected({gcm, 3072, 1024});
  const FileLayout layout = made.layout();
  Bytes longer = made.file;
  append(longer, ByteView(made.file).subspan(layout.segment_offset(2), layout.stored_segment_size()));
  expect_content_then_error(made, longer, 3072, 700);
}

/// A writer that stated a wrong size: all that is authentic is given, then an error.
TEST(FileDamage, AWrongStatedSizeIsAnError) {
  for (const std::size_t stated : {2000U, 2999U, 3001U, 4000U, 100'000U}) {
    FileShape shape{gcm, 3000, 1024, 0, true};
    ProtectedFixture made = make_protected(shape);
    made.header.plain_size = stated;
    Bytes file = must(made.header.encode());
    LicenceTerms terms;
    terms.content_id = made.header.content_id;
    terms.cipher = gcm;
    terms.header_digest = must(made.header.digest());
    const Bytes lecm = must(seal_licence(made.domain_key, terms, made.control_words[0]));
    append(file, must(encode_licence_slot(lecm, shape.slot_size)));
    append(file, ByteView(made.file).subspan(made.layout().segment_offset(0)));
    const auto out = read_out(file, made.domain_key);
    ASSERT_TRUE(out.error.has_value());
    EXPECT_TRUE(equal(out.content, ByteView(made.content).first(out.content.size())));
    EXPECT_EQ(out.content.size(), stated > 3000 ? 3000U : stated / 1024 * 1024);
    if (stated > 3000) {
      EXPECT_EQ(out.error->kind, ErrorKind::truncated);
    }
  }
}

/// aes-128-ctr finds a cut only where the sizes tell, as docs/formats/smartpro-file.md says.
TEST(FileDamage, CtrFindsWhatSizesTellAndNoMore) {
  const ProtectedFixture silent = make_protected({ctr, 5000, 1024, 2});
  const FileLayout layout = silent.layout();
  const auto cut_silently = read_out(ByteView(silent.file).first(silent.file.size() - 1), silent.domain_key);
  EXPECT_FALSE(cut_silently.error.has_value());
  EXPECT_EQ(cut_silently.content.size(), 4999U);
  const auto in_slot = read_out(ByteView(silent.file).first(layout.slot_offset(2) + 10), silent.domain_key);
  EXPECT_EQ(in_slot.content.size(), 4096U);
  EXPECT_EQ(in_slot.error->kind, ErrorKind::truncated);
  const auto behind_slot = read_out(ByteView(silent.file).first(layout.segment_offset(4)), silent.domain_key);
  EXPECT_EQ(behind_slot.content.size(), 4096U);
  EXPECT_EQ(behind_slot.error->kind, ErrorKind::truncated);

  const ProtectedFixture stating = make_protected({ctr, 5000, 1024, 2, true});
  const auto cut = read_out(ByteView(stating.file).first(stating.file.size() - 1), stating.domain_key);
  EXPECT_EQ(cut.content.size(), 4999U);
  EXPECT_EQ(cut.error->kind, ErrorKind::truncated);
  Bytes longer = stating.file;
  longer.push_back(0);
  const auto extended = read_out(longer, stating.domain_key);
  EXPECT_EQ(extended.content, stating.content);
  EXPECT_EQ(extended.error->kind, ErrorKind::malformed);
}

/// The slot size is outside the header digest; with ctr only the slot itself can tell that it is wrong.
TEST(FileDamage, AWrongSlotSizeIsFoundWithEveryCipher) {
  for (const ContentCipher cipher : {gcm, ctr}) {
    const ProtectedFixture made = make_protected({cipher, 5000, 1024, 0, false, default_licence_slot_size});
    for (std::size_t bit = 0; bit < 32; ++bit) {
      Bytes changed = made.file;
      changed[16 + bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      expect_content_then_error(made, changed, 0, 700);
    }
  }
}

}  // namespace
}  // namespace cas::smartpro
