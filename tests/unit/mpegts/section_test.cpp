// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/section.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

using test::hex;

// A PAT with program 1 on PID 1000; the CRC is FFmpeg's, whose muxer writes these bytes.
const Bytes pat = hex("00 b00d 0001 c1 00 00 0001 f000 2ab104b2");

Bytes with_crc(Bytes section) {
  const std::uint32_t crc = crc32_mpeg2(section);
  for (const int shift : {24, 16, 8, 0}) section.push_back(static_cast<std::uint8_t>(crc >> shift));
  return section;
}

TEST(SectionCrc, IsThatOfTheCatalogueOfCrcs) {
  // CRC-32/MPEG-2 of "123456789" in the catalogue of parametrised CRC algorithms.
  EXPECT_EQ(crc32_mpeg2(as_bytes("123456789")), 0x0376e6e7U);
  EXPECT_EQ(crc32_mpeg2({}), 0xffffffffU);
  EXPECT_EQ(crc32_mpeg2(pat), 0U);
}

TEST(LongSection, IsReadAndWrittenAsItWas) {
  const auto section = LongSection::parse(pat);
  ASSERT_OK(section);
  EXPECT_EQ(section->table_id, pat_table_id);
  EXPECT_FALSE(section->private_indicator);
  EXPECT_EQ(section->table_id_extension, 1);
  EXPECT_EQ(section->version, 0);
  EXPECT_TRUE(section->current);
  EXPECT_EQ(section->section_number, 0);
  EXPECT_EQ(section->last_section_number, 0);
  EXPECT_TRUE(equal(section->payload, hex("0001f000")));
  EXPECT_EQ(section->encode(), pat);
}

TEST(LongSection, KeepsReservedBits) {
  for (const char* text : {"42 c00a 1234 00 01 02 55", "42 f00a 1234 7f 02 02 55", "02 900a ffff be 00 ff 55"}) {
    SCOPED_TRACE(text);
    const Bytes bytes = with_crc(hex(text));
    const auto section = LongSection::parse(bytes);
    ASSERT_OK(section);
    EXPECT_EQ(section->encode(), bytes);
  }
}

TEST(LongSection, AWrongCrcIsRefused) {
  for (std::size_t i = 3; i < pat.size(); ++i) {
    SCOPED_TRACE(i);
    Bytes damaged = pat;
    damaged[i] ^= 0x10;
    EXPECT_FAILS(LongSection::parse(damaged), ErrorKind::authentication_failed);
  }
}

TEST(LongSection, ALengthThatIsNotItsOwnIsRefused) {
  EXPECT_FAILS(LongSection::parse({}), ErrorKind::truncated);
  for (std::size_t size = 1; size < pat.size(); ++size)
    EXPECT_FAILS(LongSection::parse(ByteView(pat).first(size)), ErrorKind::truncated);
  Bytes longer = pat;
  longer.push_back(0xff);
  EXPECT_FAILS(LongSection::parse(longer), ErrorKind::malformed);
  EXPECT_FAILS(LongSection::parse(with_crc(hex("00 b008 0001 c1 00"))), ErrorKind::malformed);
  EXPECT_FAILS(LongSection::parse(hex("00 b000")), ErrorKind::malformed);
}

TEST(LongSection, TheShortFormIsRefused) {
  EXPECT_FAILS(LongSection::parse(with_crc(hex("00 300d 0001 c1 00 00 0001 f000"))), ErrorKind::malformed);
}

TEST(LongSection, BehindTheLastIsRefused) {
  EXPECT_FAILS(LongSection::parse(with_crc(hex("00 b00d 0001 c1 02 01 0001 f000"))), ErrorKind::malformed);
}

TEST(LongSection, OfMoreThanItsTableAllowsIsRefused) {
  const Bytes payload(max_psi_payload_size, 7);
  LongSection section;
  section.payload = payload;
  const auto most = section.encode();
  ASSERT_OK(most);
  EXPECT_EQ(most->size(), max_psi_section_size);
  EXPECT_OK(LongSection::parse(*most));
  const Bytes too_long(max_psi_payload_size + 1, 7);
  section.payload = too_long;
  EXPECT_FAILS(section.encode(), ErrorKind::exhausted);
  const auto private_section = section.encode(max_section_size);
  ASSERT_OK(private_section);
  EXPECT_FAILS(LongSection::parse(*private_section), ErrorKind::malformed);
  EXPECT_OK(LongSection::parse(*private_section, max_section_size));
  const Bytes far_too_long(5000, 7);
  section.payload = far_too_long;
  EXPECT_FAILS(section.encode(10000), ErrorKind::exhausted);
}

TEST(LongSection, VersionsCountModulo32) {
  EXPECT_EQ(next_version(0), 1);
  EXPECT_EQ(next_version(30), 31);
  EXPECT_EQ(next_version(31), 0);
}

class TableSections : public testing::Test {
 protected:
  static Result<std::vector<LongSection>> parse(const std::vector<Bytes>& sections) {
    return parse_table_sections(std::vector<ByteView>(sections.begin(), sections.end()), 0x42, "an SDT");
  }
  static std::vector<Bytes> three() {
    LongSection header;
    header.table_id = 0x42;
    header.version = 5;
    auto sections = encode_table_sections(header, {hex("01"), hex("02"), hex("03")});
    return sections ? std::move(*sections) : std::vector<Bytes>();
  }
};

TEST_F(TableSections, BelongTogether) {
  const auto sections = three();
  ASSERT_EQ(sections.size(), 3U);
  const auto parsed = parse(sections);
  ASSERT_OK(parsed);
  ASSERT_EQ(parsed->size(), 3U);
  EXPECT_TRUE(equal((*parsed)[2].payload, hex("03")));
  EXPECT_EQ((*parsed)[2].section_number, 2);
  EXPECT_EQ((*parsed)[0].last_section_number, 2);
}

TEST_F(TableSections, ThatDoNotBelongTogetherAreRefused) {
  EXPECT_FAILS(parse({}), ErrorKind::truncated);
  const auto good = three();
  EXPECT_FAILS(parse({good[0], good[1]}), ErrorKind::malformed);
  EXPECT_FAILS(parse({good[0], good[2], good[1]}), ErrorKind::malformed);
  EXPECT_FAILS(parse({good[0], good[0], good[2]}), ErrorKind::malformed);
  const auto with_second = [&](auto change) {
    LongSection second = *LongSection::parse(good[1]);
    change(second);
    return parse({good[0], *second.encode(), good[2]});
  };
  EXPECT_OK(with_second([](LongSection&) {}));
  EXPECT_FAILS(with_second([](LongSection& s) { s.version = 6; }), ErrorKind::malformed);
  EXPECT_FAILS(with_second([](LongSection& s) { s.table_id_extension = 6; }), ErrorKind::malformed);
  EXPECT_FAILS(with_second([](LongSection& s) { s.current = false; }), ErrorKind::malformed);
  EXPECT_FAILS(with_second([](LongSection& s) { s.table_id = 0x46; }), ErrorKind::malformed);
  EXPECT_FAILS(with_second([](LongSection& s) { s.last_section_number = 3; }), ErrorKind::malformed);
}

TEST_F(TableSections, AreAtMost256) {
  EXPECT_OK(encode_table_sections({}, std::vector<Bytes>(256)));
  EXPECT_FAILS(encode_table_sections({}, std::vector<Bytes>(257)), ErrorKind::exhausted);
  EXPECT_FAILS(encode_table_sections({}, {}), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::mpegts
