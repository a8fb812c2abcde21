// SPDX-License-Identifier: LGPL-2.1-or-later
// tests/vectors/smartpro/protected_files.json: written by this code once, computed again by check_protected_files.py
// beside it.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "protected_file_fixture.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using nlohmann::json;
using test::must;

json vectors() {
  std::ifstream file(CAS_VECTORS "/smartpro/protected_files.json");
  return json::parse(file).at("files");
}

Bytes bytes_of(const json& value) {
  if (value.is_string()) return test::hex(value);
  Bytes bytes;
  for (const json& line : value) append(bytes, test::hex(line));
  return bytes;
}

FileHeader header_of(const json& vector) {
  FileHeader header;
  header.file_id = to_array<FileId>(bytes_of(vector.at("file_id")));
  header.content_id = to_array<ContentId>(bytes_of(vector.at("content_id")));
  header.cipher = must(parse_content_cipher(vector.at("cipher").get<std::string>()));
  header.segment_size = vector.at("segment_size");
  header.period_segments = vector.at("period_segments");
  header.media_type = vector.at("media_type");
  header.licence_slot_size = vector.at("licence_slot_size");
  if (!vector.at("stated_size").is_null()) header.plain_size = vector.at("stated_size").get<std::uint64_t>();
  if (vector.contains("key_origin")) {
    const json& origin = vector.at("key_origin");
    header.key_origin =
        KeyOrigin{must(parse_key_id(origin.at("key_id").get<std::string>())),
                  origin.at("content_id").get<std::string>(), origin.at("period_index").get<std::uint64_t>()};
  }
  return header;
}

Bytes content_of(const json& vector) {
  Bytes content(vector.at("content_size").get<std::size_t>());
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(i * 7 % 251);
  return content;
}

/// Gives the control word of the vector, if the licence is the one that stands there.
class VectorOpener final : public LicenceOpener {
 public:
  explicit VectorOpener(const json& vector) : vector_(vector) {}
  Result<SecretBytes> control_word(std::uint32_t period, ByteView lecm, const ReadHeader& /*header*/) override {
    if (!equal(lecm, bytes_of(vector_.at("licences").at(period)))) return fail(ErrorKind::refused, "another licence");
    return SecretBytes::copy_of(bytes_of(vector_.at("control_words").at(period)));
  }

 private:
  const json& vector_;
};

TEST(FileVectors, AreWrittenByteForByte) {
  for (const json& vector : vectors()) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    const FileHeader header = header_of(vector);
    Bytes file = must(header.encode());
    EXPECT_EQ(file, bytes_of(vector.at("preamble_and_header")));
    EXPECT_EQ(to_hex(must(header.digest())), vector.at("header_digest").get<std::string>());
    const FileLayout layout(header, file.size());
    const Bytes content = content_of(vector);
    std::optional<SegmentCipher> cipher;
    ByteView left = content;
    for (std::uint64_t segment = 0; segment == 0 || !left.empty(); ++segment) {
      if (layout.starts_period(segment)) {
        const std::uint32_t period = layout.period_of(segment);
        append(file, must(encode_licence_slot(bytes_of(vector.at("licences").at(period)), header.licence_slot_size)));
        const auto control_word = SecretBytes::copy_of(bytes_of(vector.at("control_words").at(period)));
        cipher.emplace(must(SegmentCipher::create(header, control_word, period)));
      }
      const ByteView plain = left.first(std::min<std::size_t>(left.size(), header.segment_size));
      left = left.subspan(plain.size());
      Bytes stored(plain.size() + layout.tag_size());
      ASSERT_OK(cipher->seal(segment, left.empty(), std::span(&plain, 1), stored));
      append(file, stored);
    }
    EXPECT_EQ(file, bytes_of(vector.at("file")));
  }
}

TEST(FileVectors, AreRead) {
  std::size_t count = 0;
  for (const json& vector : vectors()) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    const Bytes file = bytes_of(vector.at("file"));
    test::MemorySource source(file);
    VectorOpener opener(vector);
    const auto reader = must(ProtectedReader::open(source, opener));
    EXPECT_EQ(reader->header().header, header_of(vector));
    Bytes out(5000);
    const std::size_t size = must(reader->read(0, out));
    EXPECT_TRUE(equal(ByteView(out).first(size), content_of(vector)));
    EXPECT_EQ(must(reader->read(size, out)), 0U);
    ++count;
  }
  EXPECT_EQ(count, 6U);
}

}  // namespace
}  // namespace cas::smartpro
