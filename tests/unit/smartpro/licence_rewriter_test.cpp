// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/licence_rewriter.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "protected_file_fixture.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::describe;
using test::FileShape;
using test::make_protected;
using test::must;
using test::ProtectedFixture;

constexpr auto gcm = ContentCipher::aes_128_gcm;
constexpr auto ctr = ContentCipher::aes_128_ctr;

/// Turns a slot's content over and makes it longer: what comes out tells what went in.
class TurningConverter final : public LicenceConverter {
 public:
  explicit TurningConverter(std::size_t growth = 0) : growth_(growth) {}

  Result<Bytes> convert(std::uint32_t period, ByteView slot_content, const ReadHeader& header) override {
    periods.push_back(period);
    digest = header.digest;
    if (failure) return fail(*failure);
    return turned(slot_content, growth_ + (period == longer_period ? 1 : 0));
  }
  static Bytes turned(ByteView content, std::size_t growth) {
    Bytes out(content.rbegin(), content.rend());
    out.resize(out.size() + growth, 0x5a);
    return out;
  }

  std::vector<std::uint32_t> periods;
  HeaderDigest digest{};
  std::optional<Error> failure;
  std::optional<std::uint32_t> longer_period;

 private:
  std::size_t growth_;
};

struct Rewritten {
  Bytes file;
  Bytes passed;  ///< What went on without being seen.
  std::optional<Error> error;
};

/// Gives the file in pieces of sizes that `piece_size` says.
Rewritten rewrite(ByteView file, LicenceRewriter& rewriter, const std::function<std::size_t()>& piece_size) {
  Rewritten result;
  const auto give_piece = [&](ByteView piece) -> Status {
    while (!piece.empty()) {
      CAS_TRY_ASSIGN(const LicenceRewriter::Run run, rewriter.next());
      const ByteView part = piece.first(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), run.size)));
      if (run.action == LicenceRewriter::Action::pass) {
        CAS_TRY(rewriter.pass(part.size()));
        append(result.passed, part);
        append(result.file, part);
      } else {
        CAS_TRY_ASSIGN(const Bytes out, rewriter.see(part));
        append(result.file, out);
      }
      piece = piece.subspan(part.size());
    }
    return {};
  };
  while (!file.empty()) {
    const ByteView piece = file.first(std::min(file.size(), piece_size()));
    file = file.subspan(piece.size());
    if (const Status given = give_piece(piece); !given) {
      result.error = given.error();
      return result;
    }
  }
  if (const Status end = rewriter.finish(); !end) result.error = end.error();
  return result;
}

Rewritten rewrite(ByteView file, LicenceConverter& converter, std::size_t piece_size = SIZE_MAX,
                  std::uint32_t least_slot_size = 0) {
  LicenceRewriter rewriter(converter, least_slot_size);
  return rewrite(file, rewriter, [&] { return piece_size; });
}

/// The same without a stream: places from the layout, one file beside the other.
Bytes rewritten_in_place(const ProtectedFixture& made, std::size_t growth, std::uint32_t slot_size) {
  const FileLayout layout = made.layout();
  const auto body = static_cast<std::size_t>(made.read_header().body_offset);
  FileHeader changed = made.header;
  changed.licence_slot_size = slot_size;
  Bytes out = must(changed.encode());
  EXPECT_EQ(out.size(), body);
  std::uint64_t at = body;
  for (std::uint32_t period = 0; at < made.file.size(); ++period) {
    const ByteView slot = ByteView(made.file).subspan(static_cast<std::size_t>(at), layout.slot_size());
    append(out, must(encode_licence_slot(TurningConverter::turned(must(parse_licence_slot(slot)), growth), slot_size)));
    const std::uint64_t begin = at + layout.slot_size();
    const std::uint64_t size = made.file.size();
    const std::uint64_t end = made.header.period_segments == 0 ? size : std::min(layout.slot_offset(period + 1), size);
    append(out, ByteView(made.file).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
    at = end;
  }
  return out;
}

// --- Whole files ---

struct Rewriting : testing::TestWithParam<FileShape> {};

TEST_P(Rewriting, GivesTheSameFileHoweverItComes) {
  const ProtectedFixture made = make_protected(GetParam());
  for (const std::uint32_t growth : {0U, 1000U}) {
    const std::uint32_t slot_size = growth == 0 ? made.header.licence_slot_size : 0;
    TurningConverter probe(growth);
    const Rewritten once = rewrite(made.file, probe);
    ASSERT_FALSE(once.error.has_value()) << once.error->message;
    const std::uint32_t slot_size_out = must(Preamble::parse(once.file)).licence_slot_size;
    if (growth == 0) {
      EXPECT_EQ(slot_size_out, slot_size) << "slots grow only when they have to";
    }
    const Bytes expected = rewritten_in_place(made, growth, slot_size_out);
    EXPECT_TRUE(equal(once.file, expected));
    EXPECT_EQ(probe.digest, made.read_header().digest);
    for (const std::size_t piece_size : {1U, 2U, 31U, 33U, 1000U, 1024U, 4096U}) {
      TurningConverter converter(growth);
      const Rewritten again = rewrite(made.file, converter, piece_size);
      EXPECT_FALSE(again.error.has_value());
      EXPECT_TRUE(equal(again.file, expected)) << "in pieces of " << piece_size;
      EXPECT_EQ(converter.periods, probe.periods) << "each licence is converted once, in its order";
    }
    test::SeededRandom random(3);
    for (int i = 0; i < 20; ++i) {
      TurningConverter converter(growth);
      LicenceRewriter rewriter(converter);
      EXPECT_TRUE(equal(rewrite(made.file, rewriter, [&] { return 1 + random.below(1500); }).file, expected));
    }
  }
}

TEST_P(Rewriting, SeesNoContent) {
  const ProtectedFixture made = make_protected(GetParam());
  TurningConverter converter(7);
  const Rewritten rewritten = rewrite(made.file, converter, 700);
  const FileLayout layout = made.layout();
  Bytes content;
  for (std::uint64_t segment = 0; layout.segment_offset(segment) < made.file.size(); ++segment) {
    const ByteView rest = ByteView(made.file).subspan(static_cast<std::size_t>(layout.segment_offset(segment)));
    append(content, rest.first(std::min<std::size_t>(rest.size(), layout.stored_segment_size())));
  }
  EXPECT_TRUE(equal(rewritten.passed, content));
  EXPECT_EQ(converter.periods.size(), made.control_words.size());
}

/// How much of the new file is right when the old one ends at `cut`.
std::size_t right_before(const ProtectedFixture& made, const FileLayout& new_layout, std::uint64_t cut) {
  const FileLayout layout = made.layout();
  std::uint64_t right = 0;
  for (std::uint32_t period = 0; period < made.control_words.size(); ++period) {
    const std::uint64_t content = layout.slot_offset(period) + layout.slot_size();
    if (cut < content) break;
    const std::uint64_t end = made.header.period_segments == 0 ? UINT64_MAX : layout.slot_offset(period + 1);
    right = new_layout.slot_offset(period) + new_layout.slot_size() + std::min<std::uint64_t>(cut, end) - content;
  }
  return static_cast<std::size_t>(right);
}

TEST_P(Rewriting, GivesWhatIsRightBeforeEveryCutAndTellsOfIt) {
  const ProtectedFixture made = make_protected(GetParam());
  constexpr std::size_t growth = 100;
  TurningConverter probe(growth);
  const Bytes whole = rewrite(made.file, probe).file;
  const ReadHeader header = must(ReadHeader::parse(whole));
  const FileLayout new_layout(header.header, header.body_offset);
  for (std::size_t cut = 0; cut < made.file.size(); ++cut) {
    SCOPED_TRACE("cut to " + std::to_string(cut) + " of " + std::to_string(made.file.size()));
    TurningConverter converter(growth);
    const Rewritten rewritten = rewrite(ByteView(made.file).first(cut), converter, cut % 2 == 0 ? 333 : SIZE_MAX);
    ASSERT_EQ(rewritten.file.size(), right_before(made, new_layout, cut));
    ASSERT_TRUE(equal(rewritten.file, ByteView(whole).first(rewritten.file.size())));
    // Without keys, a cut is seen in the sizes alone.
    const bool shows = GetParam().states_size || made.layout().extent(cut).cut;
    ASSERT_EQ(rewritten.error.has_value(), shows);
    if (shows) {
      ASSERT_EQ(rewritten.error->kind, ErrorKind::truncated) << rewritten.error->message;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Rewriting,
                         testing::Values(FileShape{gcm, 0}, FileShape{ctr, 0}, FileShape{gcm, 0, 1024, 2, true},
                                         FileShape{ctr, 0, 1024, 2, true}, FileShape{gcm, 1}, FileShape{gcm, 3000},
                                         FileShape{ctr, 2048, 1024, 0, true}, FileShape{gcm, 3072, 1024, 1},
                                         FileShape{ctr, 3072, 1024, 1, true}, FileShape{gcm, 4096, 1024, 2, true},
                                         FileShape{gcm, 4500, 1024, 2}, FileShape{ctr, 4500, 1024, 3, true}));

/// As tokens do: what opens in the one domain becomes what opens in the other.
class Resealing final : public LicenceConverter {
 public:
  Resealing(const SecretBytes& from, const SecretBytes& to) : from_(from), to_(to) {}
  Result<Bytes> convert(std::uint32_t, ByteView slot_content, const ReadHeader&) override {
    CAS_TRY_ASSIGN(const LicenceView view, LicenceView::parse(slot_content));
    CAS_TRY_ASSIGN(const UnsealedLicence licence, unseal_licence(from_, view));
    return seal_licence(to_, licence.terms, licence.control_word);
  }

 private:
  const SecretBytes& from_;
  const SecretBytes& to_;
};

TEST(LicenceRewriter, MakesAFileOfAnotherDomainWithTheSameContent) {
  test::SeededRandom random(8);
  const SecretBytes other_domain = must(random_secret(random, domain_key_size));
  for (const FileShape& shape :
       {FileShape{gcm, 50'000, 1024, 7}, FileShape{ctr, 50'000, 4096, 3, true}, FileShape{gcm, 1024, 1024, 0, true}}) {
    SCOPED_TRACE(describe(shape));
    const ProtectedFixture made = make_protected(shape);
    Resealing converter(made.domain_key, other_domain);
    const Rewritten rewritten = rewrite(made.file, converter, 1400, 2000);
    ASSERT_FALSE(rewritten.error.has_value()) << rewritten.error->message;
    EXPECT_EQ(must(Preamble::parse(rewritten.file)).licence_slot_size, 2000U);
    const auto there = test::read_out(rewritten.file, other_domain);
    EXPECT_FALSE(there.error.has_value()) << there.error->message;
    EXPECT_TRUE(equal(there.content, made.content));
    EXPECT_TRUE(test::read_out(rewritten.file, made.domain_key).error.has_value());
  }
}

// --- Sizes of slots ---

TEST(LicenceRewriter, MakesSlotsAsLargeAsTheFirstLicenceNeeds) {
  const ProtectedFixture made = make_protected({gcm, 3000, 1024, 1});
  const auto first_slot = static_cast<std::size_t>(made.read_header().body_offset);
  const std::size_t licence = must(parse_licence_slot(ByteView(made.file).subspan(first_slot, 320))).size();
  const std::size_t fills = 320 - licence_slot_overhead - licence;
  for (const auto& [growth, least, expected] :
       {std::tuple<std::size_t, std::uint32_t, std::size_t>{fills, 0, 320},
        {fills + 1, 0, 321},
        {fills + 1, 320, 321},
        {fills + 1, 4000, 4000},
        {0, 100, 320},
        {max_licence_slot_size - licence_slot_overhead - licence, 0, max_licence_slot_size}}) {
    TurningConverter converter(growth);
    const Rewritten rewritten = rewrite(made.file, converter, SIZE_MAX, least);
    ASSERT_FALSE(rewritten.error.has_value()) << rewritten.error->message;
    EXPECT_EQ(must(Preamble::parse(rewritten.file)).licence_slot_size, expected);
    EXPECT_TRUE(equal(rewritten.file, rewritten_in_place(made, growth, static_cast<std::uint32_t>(expected))));
  }
}

TEST(LicenceRewriter, RefusesALicenceThatNoSlotTakes) {
  const ProtectedFixture made = make_protected({gcm, 3000});
  TurningConverter converter(max_licence_slot_size);
  const Rewritten rewritten = rewrite(made.file, converter);
  ASSERT_TRUE(rewritten.error.has_value());
  EXPECT_EQ(rewritten.error->kind, ErrorKind::exhausted) << rewritten.error->message;
  EXPECT_TRUE(rewritten.file.empty());
}

TEST(LicenceRewriter, RefusesALaterLicenceThatIsTooLongForTheFirstOnesSlots) {
  const ProtectedFixture made = make_protected({gcm, 5000, 1024, 2});
  TurningConverter converter(1000);
  converter.longer_period = 1;
  const Rewritten rewritten = rewrite(made.file, converter);
  ASSERT_TRUE(rewritten.error.has_value());
  EXPECT_EQ(rewritten.error->kind, ErrorKind::exhausted);
  const std::uint32_t slot_size = must(Preamble::parse(rewritten.file)).licence_slot_size;
  EXPECT_NE(rewritten.error->message.find(std::to_string(slot_size + 1)), std::string::npos)
      << "it says which size would do: " << rewritten.error->message;
  EXPECT_EQ(rewritten.passed.size(), 2U * (1024 + 16)) << "what is before the second licence went out";

  const Rewritten again = rewrite(made.file, converter, SIZE_MAX, slot_size + 1);
  EXPECT_FALSE(again.error.has_value());
}

TEST(LicenceRewriter, RefusesSlotsThatMakeTheFileTooLarge) {
  FileHeader header;
  header.cipher = ctr;
  header.licence_slot_size = 320;
  header.plain_size = (std::uint64_t{1} << 63) - 1 - preamble_size - max_header_size - 320;
  Bytes file = must(header.encode());
  append(file, must(encode_licence_slot(Bytes(300, 1), 320)));
  TurningConverter larger(13);
  const Rewritten rewritten = rewrite(file, larger);
  ASSERT_TRUE(rewritten.error.has_value());
  EXPECT_EQ(rewritten.error->kind, ErrorKind::exhausted) << rewritten.error->message;
  TurningConverter same(12);
  EXPECT_EQ(rewrite(file, same).error->kind, ErrorKind::truncated) << "the content is missing, and nothing else";
}

TEST(LicenceRewriter, KnowsTheSizeOfTheNewFile) {
  for (const FileShape& shape :
       {FileShape{gcm, 5000, 1024, 2}, FileShape{ctr, 4096, 1024, 1}, FileShape{gcm, 0}, FileShape{gcm, 10'000}}) {
    SCOPED_TRACE(describe(shape));
    const ProtectedFixture made = make_protected(shape);
    TurningConverter converter(777);
    LicenceRewriter rewriter(converter);
    EXPECT_FALSE(rewriter.size_out(made.file.size()).has_value());
    const Rewritten rewritten = rewrite(made.file, rewriter, [] { return SIZE_MAX; });
    EXPECT_EQ(rewriter.size_out(made.file.size()), rewritten.file.size());
    EXPECT_EQ(rewriter.position_in(), made.file.size());
    EXPECT_EQ(rewriter.position_out(), rewritten.file.size());
    EXPECT_EQ(rewriter.licences(), made.control_words.size());
    EXPECT_FALSE(rewriter.size_out(made.read_header().body_offset).has_value()) << "no file has that size";
  }
}

// --- Damage ---

TEST(LicenceRewriter, FindsBytesBehindAStatedEnd) {
  for (const FileShape& shape : {FileShape{gcm, 3000, 1024, 0, true}, FileShape{gcm, 4096, 1024, 2, true},
                                 FileShape{ctr, 4100, 1024, 2, true}, FileShape{ctr, 0, 1024, 0, true}}) {
    SCOPED_TRACE(describe(shape));
    const ProtectedFixture made = make_protected(shape);
    Bytes longer = made.file;
    append(longer, Bytes(1000, 0x11));
    TurningConverter converter;
    for (const std::size_t piece_size : {std::size_t{1}, SIZE_MAX}) {
      const Rewritten rewritten = rewrite(longer, converter, piece_size);
      ASSERT_TRUE(rewritten.error.has_value());
      EXPECT_EQ(rewritten.error->kind, ErrorKind::malformed);
      EXPECT_EQ(rewritten.file.size(), made.file.size()) << "all that belongs to the file went out";
    }
  }
}

TEST(LicenceRewriter, PassesOnWhatItCannotKnowToBeBehindTheEnd) {
  const ProtectedFixture made = make_protected({gcm, 3000});
  Bytes longer = made.file;
  append(longer, Bytes(1000, 0x11));
  TurningConverter converter;
  EXPECT_TRUE(equal(ByteView(rewrite(longer, converter).file).last(1000), Bytes(1000, 0x11)));
}

TEST(LicenceRewriter, RefusesADamagedStart) {
  const ProtectedFixture made = make_protected({gcm, 3000});
  const auto body = static_cast<std::size_t>(made.read_header().body_offset);
  const struct {
    std::size_t byte;
    ErrorKind kind;
  } places[] = {
      {0, ErrorKind::malformed},        {9, ErrorKind::unsupported},      {13, ErrorKind::malformed},
      {17, ErrorKind::malformed},       {25, ErrorKind::malformed},       {preamble_size, ErrorKind::malformed},
      {body + 3, ErrorKind::malformed}, {body + 5, ErrorKind::malformed}, {body + 319, ErrorKind::malformed}};
  for (const auto& [byte, kind] : places) {
    SCOPED_TRACE("byte " + std::to_string(byte));
    Bytes damaged = made.file;
    damaged[byte] ^= 0x40;
    TurningConverter converter;
    const Rewritten rewritten = rewrite(damaged, converter, 50);
    ASSERT_TRUE(rewritten.error.has_value());
    EXPECT_EQ(rewritten.error->kind, kind) << rewritten.error->message;
    EXPECT_TRUE(rewritten.file.empty());
    EXPECT_TRUE(converter.periods.empty()) << "nothing of it comes to a card";
  }
}

TEST(LicenceRewriter, RefusesADamagedLaterSlot) {
  const ProtectedFixture made = make_protected({gcm, 5000, 1024, 2});
  Bytes damaged = made.file;
  damaged[static_cast<std::size_t>(made.layout().slot_offset(1)) + 2] ^= 1;
  TurningConverter converter;
  const Rewritten rewritten = rewrite(damaged, converter);
  ASSERT_TRUE(rewritten.error.has_value());
  EXPECT_EQ(rewritten.error->kind, ErrorKind::malformed);
  EXPECT_EQ(converter.periods, std::vector<std::uint32_t>{0});
}

TEST(LicenceRewriter, TellsOfInputThatIsNoFile) {
  TurningConverter converter;
  EXPECT_EQ(rewrite({}, converter).error->kind, ErrorKind::truncated);
  EXPECT_EQ(rewrite(as_bytes("RIFF"), converter).error->kind, ErrorKind::malformed);
}

// --- The converter and the driver ---

TEST(LicenceRewriter, GivesTheConvertersErrorAndKeepsIt) {
  const ProtectedFixture made = make_protected({gcm, 3000});
  TurningConverter converter;
  converter.failure = Error{ErrorKind::wrong_domain, "the licence is of another domain"};
  LicenceRewriter rewriter(converter);
  const Rewritten rewritten = rewrite(made.file, rewriter, [] { return SIZE_MAX; });
  ASSERT_TRUE(rewritten.error.has_value());
  EXPECT_EQ(rewritten.error->kind, ErrorKind::wrong_domain);
  EXPECT_TRUE(rewritten.file.empty());
  converter.failure.reset();
  EXPECT_FAILS(rewriter.next(), ErrorKind::wrong_domain);
  EXPECT_FAILS(rewriter.see(made.file), ErrorKind::wrong_domain);
  EXPECT_FAILS(rewriter.pass(1), ErrorKind::wrong_domain);
  EXPECT_FAILS(rewriter.finish(), ErrorKind::wrong_domain);
  EXPECT_EQ(converter.periods.size(), 1U);
}

TEST(LicenceRewriter, SaysWhenALicenceIsConverted) {
  const ProtectedFixture made = make_protected({gcm, 3000});
  TurningConverter converter;
  LicenceRewriter rewriter(converter);
  ASSERT_OK(rewriter.see(ByteView(made.file).first(preamble_size)));
  EXPECT_FALSE(rewriter.converts(1'000'000)) << "that is the header";
  const std::size_t header = must(rewriter.next()).size;
  ASSERT_OK(rewriter.see(ByteView(made.file).subspan(preamble_size, header)));
  EXPECT_FALSE(rewriter.converts(319));
  EXPECT_TRUE(rewriter.converts(320));
}

TEST(LicenceRewriter, HoldsItsDriverToTheRuns) {
  const ProtectedFixture made = make_protected({gcm, 3000, 1024, 1});
  const auto content = static_cast<std::size_t>(made.layout().segment_offset(0));
  TurningConverter converter;
  {
    LicenceRewriter rewriter(converter);
    EXPECT_FAILS(rewriter.pass(1), ErrorKind::invalid_argument);
  }
  {
    LicenceRewriter rewriter(converter);
    EXPECT_FAILS(rewriter.see(ByteView(made.file).first(preamble_size + 1)), ErrorKind::invalid_argument);
  }
  const auto before_content = [&](const std::function<void(LicenceRewriter&)>& use) {
    LicenceRewriter rewriter(converter);
    std::size_t at = 0;
    while (at < content) {
      const auto size = static_cast<std::size_t>(must(rewriter.next()).size);
      ASSERT_OK(rewriter.see(ByteView(made.file).subspan(at, size)));
      at += size;
    }
    use(rewriter);
  };
  before_content([&](LicenceRewriter& rewriter) {
    EXPECT_FAILS(rewriter.see(ByteView(made.file).subspan(content, 1)), ErrorKind::invalid_argument);
  });
  before_content([&](LicenceRewriter& rewriter) {
    EXPECT_EQ(must(rewriter.next()).size, 1040U);
    EXPECT_FAILS(rewriter.pass(1041), ErrorKind::invalid_argument);
  });
}

}  // namespace
}  // namespace cas::smartpro
