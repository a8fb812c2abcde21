// SPDX-License-Identifier: LGPL-2.1-or-later
// Segments are scrambled on streaming threads: no memory is taken for one.
#include <gtest/gtest.h>

#include "protected_file_fixture.hpp"
#include "support/allocation_count.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::must;

TEST(SegmentCipherMemory, SealAndOpenTakeNone) {
  test::SeededRandom random(19);
  const SecretBytes control_word = must(random_secret(random, control_word_size));
  for (const ContentCipher kind : {ContentCipher::aes_128_gcm, ContentCipher::aes_128_ctr}) {
    FileHeader header;
    header.cipher = kind;
    auto cipher = must(SegmentCipher::create(header, control_word, 0));
    const Bytes content = test::random_bytes(random, header.segment_size);
    std::vector<ByteView> pieces;
    for (std::size_t i = 0; i < 64; ++i) pieces.push_back(ByteView(content).subspan(i * 1024, 1024));
    Bytes stored(content.size() + segment_tag_size(kind));
    Bytes plain(content.size());
    const ByteView whole = stored;
    const std::size_t before = test::allocation_count();
    bool succeeded = true;
    for (std::uint64_t segment = 0; segment < 10; ++segment) {
      succeeded = cipher.seal(segment, false, pieces, stored).has_value() && succeeded;
      succeeded = cipher.open(segment, false, std::span(&whole, 1), plain).has_value() && succeeded;
    }
    EXPECT_EQ(test::allocation_count(), before);
    EXPECT_TRUE(succeeded);
    EXPECT_EQ(plain, content);
  }
}

}  // namespace
}  // namespace cas::smartpro
