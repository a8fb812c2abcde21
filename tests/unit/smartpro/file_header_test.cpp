// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/file_header.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/digest.hpp"
#include "protected_file_fixture.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::must;

FileHeader full_header() {
  FileHeader header;
  header.file_id.fill(0x11);
  header.content_id.fill(0x22);
  header.cipher = ContentCipher::aes_128_ctr;
  header.segment_size = 4096;
  header.period_segments = 7;
  header.media_type = "video/x-matroska, systemstream=(boolean)true";
  header.plain_size = 123'456'789;
  header.licence_slot_size = 1000;
  return header;
}

KeyOrigin some_origin() {
  KeyOrigin origin;
  origin.key_id.fill(0x44);
  origin.content_id = "channel-1";
  origin.period_index = 9;
  return origin;
}

/// What a control word from outside scrambles.
FileHeader header_with_origin() {
  FileHeader header = full_header();
  header.period_segments = 0;
  header.key_origin = some_origin();
  return header;
}

/// Header fields with one of them replaced, left out (`with` empty) or added.
Bytes fields_with(TlvTag changed, ByteView with) {
  const Bytes id(16, 0x33);
  const std::pair<TlvTag, Bytes> fields[] = {
      {0x80, id}, {0x81, id}, {0x82, Bytes{1}}, {0x83, Bytes{0, 1, 0, 0}}, {0x84, Bytes{0, 0, 0, 0}}};
  TlvWriter writer;
  bool found = false;
  for (const auto& [tag, value] : fields) {
    found = found || tag == changed;
    if (tag != changed) writer.field(tag, value);
    if (tag == changed && !with.empty()) writer.field(tag, with);
  }
  if (!found) writer.field(changed, with);
  return writer.take();
}

Bytes file_start(ByteView fields) {
  return ByteWriter()
      .bytes(protected_file_magic)
      .u16(1)
      .u16(0)
      .u32(static_cast<std::uint32_t>(fields.size()))
      .u32(4104)
      .zeros(12)
      .bytes(fields)
      .take();
}

TEST(FileHeader, ComesBackAsItWasWritten) {
  for (const FileHeader& header : {FileHeader{}, full_header(), header_with_origin()}) {
    const Bytes bytes = must(header.encode());
    const ReadHeader read = must(ReadHeader::parse(bytes));
    EXPECT_EQ(read.header, header);
    EXPECT_EQ(read.body_offset, bytes.size());
    EXPECT_EQ(read.digest, must(header.digest()));
  }
}

TEST(FileHeader, IsReadFromBytesThatGoOn) {
  Bytes bytes = must(full_header().encode());
  const std::size_t size = bytes.size();
  bytes.resize(size + 5000, 0xaa);
  const ReadHeader read = must(ReadHeader::parse(bytes));
  EXPECT_EQ(read.body_offset, size);
  EXPECT_EQ(read.digest, must(full_header().digest()));
}

TEST(FileHeader, DigestIsOfVersionAndHeaderBytes) {
  const Bytes bytes = must(full_header().encode());
  const Bytes covered = ByteWriter().u16(1).bytes(ByteView(bytes).subspan(preamble_size)).take();
  EXPECT_EQ(must(full_header().digest()), must(crypto::sha256(covered)));
}

TEST(FileHeader, DigestCoversAllButTheSlotSize) {
  const HeaderDigest digest = must(full_header().digest());
  const std::function<void(FileHeader&)> changes[] = {
      [](FileHeader& h) { h.file_id[15] ^= 1; },
      [](FileHeader& h) { h.content_id[0] ^= 1; },
      [](FileHeader& h) { h.cipher = ContentCipher::aes_128_gcm; },
      [](FileHeader& h) { h.segment_size += 16; },
      [](FileHeader& h) { h.period_segments = 0; },
      [](FileHeader& h) { h.media_type += " "; },
      [](FileHeader& h) { h.media_type.clear(); },
      [](FileHeader& h) { h.plain_size = 1; },
      [](FileHeader& h) { h.plain_size.reset(); },
      [](FileHeader& h) { h.key_origin = some_origin(), h.period_segments = 0; },
  };
  for (const auto& change : changes) {
    FileHeader header = full_header();
    change(header);
    EXPECT_NE(must(header.digest()), digest);
  }
  FileHeader bridged = full_header();
  bridged.licence_slot_size = 9000;
  EXPECT_EQ(must(bridged.digest()), digest);
}

TEST(FileHeader, DigestCoversTheKeyOrigin) {
  const HeaderDigest digest = must(header_with_origin().digest());
  const std::function<void(KeyOrigin&)> changes[] = {
      [](KeyOrigin& o) { o.key_id[15] ^= 1; },
      [](KeyOrigin& o) { o.content_id += "0"; },
      [](KeyOrigin& o) { o.period_index = 10; },
  };
  for (const auto& change : changes) {
    FileHeader header = header_with_origin();
    change(*header.key_origin);
    EXPECT_NE(must(header.digest()), digest);
  }
  FileHeader without = header_with_origin();
  without.key_origin.reset();
  EXPECT_NE(must(without.digest()), digest);
}

TEST(FileHeader, NamesAKeyOfTheWholeFileAlone) {
  FileHeader header = header_with_origin();
  header.period_segments = 1;
  EXPECT_FAILS(header.check(), ErrorKind::invalid_argument);
  Bytes fields = fields_with(0x84, Bytes{0, 0, 0, 1});
  append(fields, TlvWriter().field(0xc2, some_origin().encode()).take());
  EXPECT_FAILS(ReadHeader::parse(file_start(fields)), ErrorKind::malformed);
}

TEST(FileHeader, EveryPrefixIsTruncated) {
  const Bytes bytes = must(full_header().encode());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FAILS(ReadHeader::parse(ByteView(bytes).first(size)), ErrorKind::truncated);
}

TEST(FileHeader, WriterIsToldWhatItMayNotWrite) {
  const std::function<void(FileHeader&)> changes[] = {
      [](FileHeader& h) { h.cipher = static_cast<ContentCipher>(3); },
      [](FileHeader& h) { h.cipher = ContentCipher::transport_stream; },
      [](FileHeader& h) { h.segment_size = 0; },
      [](FileHeader& h) { h.segment_size = min_segment_size - 16; },
      [](FileHeader& h) { h.segment_size = min_segment_size + 8; },
      [](FileHeader& h) { h.segment_size = max_segment_size + 16; },
      [](FileHeader& h) { h.licence_slot_size = licence_slot_overhead; },
      [](FileHeader& h) { h.licence_slot_size = max_licence_slot_size + 1; },
      [](FileHeader& h) { h.media_type = std::string(max_media_type_size + 1, 'a'); },
      [](FileHeader& h) { h.media_type = "video/\033[2J"; },
      [](FileHeader& h) { h.media_type = std::string("a\0b", 3); },
      [](FileHeader& h) { h.media_type = "vid\xc3\xa9o/mp4"; },
      [](FileHeader& h) { h.plain_size = UINT64_MAX; },
      [](FileHeader& h) { h.plain_size = std::uint64_t{1} << 63; },
      [](FileHeader& h) { h.segment_size = 1024, h.period_segments = 1, h.plain_size = (std::uint64_t{1} << 42) + 1; },
      [](FileHeader& h) { h = header_with_origin(), h.key_origin->content_id = "\033[2J"; },
      [](FileHeader& h) { h = header_with_origin(), h.key_origin->content_id = std::string(257, 'a'); },
  };
  for (const auto& change : changes) {
    FileHeader header = full_header();
    change(header);
    EXPECT_FAILS(header.check(), ErrorKind::invalid_argument);
    EXPECT_FAILS(header.encode(), ErrorKind::invalid_argument);
    EXPECT_FAILS(header.digest(), ErrorKind::invalid_argument);
  }
}

TEST(FileHeader, LargestOfEverythingFits) {
  FileHeader header = full_header();
  header.media_type = std::string(max_media_type_size, 'a');
  header.segment_size = max_segment_size;
  header.licence_slot_size = max_licence_slot_size;
  header.period_segments = UINT32_MAX;
  header.plain_size = std::uint64_t{1} << 62;
  EXPECT_EQ(must(ReadHeader::parse(must(header.encode()))).header, header);
}

TEST(ReadHeader, RefusesFieldsThatCannotBe) {
  ASSERT_OK(ReadHeader::parse(file_start(fields_with(0xc5, Bytes{1}))));
  const struct {
    TlvTag tag;
    const char* value;
    ErrorKind kind;
  } cases[] = {
      {0x80, "", ErrorKind::malformed},
      {0x80, "33333333333333333333333333333333ff", ErrorKind::malformed},
      {0x81, "", ErrorKind::malformed},
      {0x81, "3333", ErrorKind::malformed},
      {0x82, "", ErrorKind::malformed},
      {0x82, "00", ErrorKind::unsupported},
      {0x82, "03", ErrorKind::unsupported},
      {0x82, "10", ErrorKind::unsupported},  // a stream's own, which no file has
      {0x82, "0001", ErrorKind::malformed},
      {0x83, "", ErrorKind::malformed},
      {0x83, "00000000", ErrorKind::malformed},
      {0x83, "ffffffff", ErrorKind::malformed},
      {0x83, "fffffff0", ErrorKind::malformed},
      {0x83, "00010001", ErrorKind::malformed},
      {0x83, "0000000000010000", ErrorKind::malformed},
      {0x84, "", ErrorKind::malformed},
      {0x84, "01", ErrorKind::malformed},
      {0xc0, "766964656f2f0a", ErrorKind::malformed},
      {0xc0, "80", ErrorKind::malformed},
      {0xc1, "ffffffffffffffff", ErrorKind::malformed},
      {0xc1, "00", ErrorKind::malformed},
      {0xc1, "7fffffffffffffff", ErrorKind::malformed},
      {0xc2, "", ErrorKind::malformed},
      {0xc2, "8010", ErrorKind::malformed},
      {0xc2, "801044444444444444444444444444444444810161", ErrorKind::malformed},
      {0xc2, "80104444444444444444444444444444444481011b82080000000000000000", ErrorKind::malformed},
      {0xc2, "80104444444444444444444444444444444481016182080000000000000000830100", ErrorKind::unsupported},
      {0x85, "01", ErrorKind::unsupported},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string("field ") + to_hex(Bytes{static_cast<std::uint8_t>(c.tag)}) + " = " + c.value);
    EXPECT_FAILS(ReadHeader::parse(file_start(fields_with(c.tag, test::hex(c.value)))), c.kind);
  }
  Bytes twice = fields_with(0xc5, Bytes{1});
  append(twice, tlv_header(0xc5, 0));
  EXPECT_FAILS(ReadHeader::parse(file_start(twice)), ErrorKind::malformed);
}

TEST(ReadHeader, UnknownOptionalFieldIsSkippedAndStaysInTheDigest) {
  const ReadHeader plain = must(ReadHeader::parse(file_start(fields_with(0x82, Bytes{1}))));
  const ReadHeader more = must(ReadHeader::parse(file_start(fields_with(0xc7, Bytes{1, 2, 3}))));
  EXPECT_EQ(more.header, plain.header);
  EXPECT_NE(more.digest, plain.digest);
}

TEST(ReadHeader, GarbageBehindTheFieldsIsRefused) {
  Bytes fields = fields_with(0x82, Bytes{1});
  fields.push_back(0xc9);
  EXPECT_FALSE(ReadHeader::parse(file_start(fields)).has_value());
}

TEST(Preamble, RefusesEveryChangeButThatOfTheSlotSize) {
  const Bytes good = must(full_header().encode());
  for (std::size_t bit = 0; bit < preamble_size * 8; ++bit) {
    Bytes changed = good;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto read = ReadHeader::parse(changed);
    if (!read) continue;
    // The slots repeat their size; the digest does not cover it.
    EXPECT_TRUE(bit / 8 >= 16 && bit / 8 < 20) << "bit " << bit;
  }
}

TEST(Preamble, TellsOtherFilesFromShortOnes) {
  EXPECT_FAILS(Preamble::parse(as_bytes("RIFF")), ErrorKind::malformed);
  EXPECT_FAILS(Preamble::parse(Bytes(preamble_size, 0)), ErrorKind::malformed);
  EXPECT_FAILS(Preamble::parse({}), ErrorKind::truncated);
  Bytes later = must(full_header().encode());
  later[9] = 2;
  EXPECT_FAILS(Preamble::parse(later), ErrorKind::unsupported);
}

TEST(Preamble, LimitsSizesBeforeAnyMemoryIsTaken) {
  for (const char* sizes : {"00000000 00001008", "00010001 00001008", "ffffffff 00001008", "00000040 00000000",
                            "00000040 00000008", "00000040 00100001", "00000040 ffffffff"}) {
    Bytes bytes = must(full_header().encode());
    const Bytes changed = test::hex(sizes);
    std::ranges::copy(changed, bytes.begin() + 12);
    EXPECT_FAILS(Preamble::parse(bytes), ErrorKind::malformed);

    test::MemorySource source(bytes);
    const SecretBytes key(domain_key_size);
    test::DomainOpener opener(key);
    EXPECT_FAILS(ProtectedReader::open(source, opener), ErrorKind::malformed);
    EXPECT_LE(source.largest_request, preamble_size);
  }
}

}  // namespace
}  // namespace cas::smartpro
