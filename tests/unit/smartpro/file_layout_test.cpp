// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/file_layout.hpp"

#include <gtest/gtest.h>

#include <map>

#include "protected_file_fixture.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::must;

FileHeader header_of(ContentCipher cipher, std::uint32_t segment_size, std::uint32_t period_segments,
                     std::uint32_t slot_size = 100) {
  FileHeader header;
  header.cipher = cipher;
  header.segment_size = segment_size;
  header.period_segments = period_segments;
  header.licence_slot_size = slot_size;
  return header;
}

constexpr ContentCipher ciphers[] = {ContentCipher::aes_128_gcm, ContentCipher::aes_128_ctr};

TEST(FileLayout, PartsFollowOneAnotherWithoutAGap) {
  for (const ContentCipher cipher : ciphers) {
    for (const std::uint32_t period_segments : {0U, 1U, 2U, 5U}) {
      const FileLayout layout(header_of(cipher, 1024, period_segments), 77);
      std::uint64_t position = 77;
      for (std::uint64_t segment = 0; segment < 23; ++segment) {
        if (layout.starts_period(segment)) {
          EXPECT_EQ(layout.slot_offset(layout.period_of(segment)), position);
          position += layout.slot_size();
        }
        EXPECT_EQ(layout.segment_offset(segment), position);
        position += layout.stored_segment_size();
      }
    }
  }
}

/// Every size of file near the borders of the first periods: it is the size of exactly one content, or it is called
/// cut.
TEST(FileLayout, SizesOfFilesAndContentsMatchOneToOne) {
  for (const ContentCipher cipher : ciphers) {
    for (const std::uint32_t period_segments : {0U, 1U, 3U}) {
      const FileLayout layout(header_of(cipher, 1024, period_segments), 77);
      std::map<std::uint64_t, std::uint64_t> content_of;
      for (std::uint64_t plain = 0; plain <= 8 * 1024 + 5; ++plain) content_of[must(layout.file_size(plain))] = plain;
      ASSERT_EQ(content_of.size(), 8 * 1024 + 6U) << "two contents in one size";
      for (std::uint64_t size = 0; size <= content_of.rbegin()->first; ++size) {
        const FileLayout::Extent extent = layout.extent(size);
        const auto content = content_of.find(size);
        ASSERT_EQ(extent.cut, content == content_of.end()) << size;
        if (extent.cut) {
          ASSERT_EQ(extent.plain_size, extent.segments * 1024) << size;
          // What is counted is there in full.
          if (extent.segments != 0) {
            ASSERT_LE(layout.segment_offset(extent.segments - 1) + layout.stored_segment_size(), size);
          }
          // And the next segment is not.
          ASSERT_GT(layout.segment_offset(extent.segments) + layout.stored_segment_size(), size);
        } else {
          ASSERT_EQ(extent.plain_size, content->second) << size;
          ASSERT_EQ(extent.plain_size, (extent.segments - 1) * 1024 + extent.last_plain_size) << size;
          ASSERT_EQ(layout.segment_offset(extent.segments - 1) + extent.last_plain_size + layout.tag_size(), size);
        }
      }
    }
  }
}

TEST(FileLayout, RoundTripsAroundBordersOfEverySegmentSize) {
  for (const ContentCipher cipher : ciphers)
    for (const std::uint32_t segment_size : {min_segment_size, 1040U, default_segment_size, max_segment_size})
      for (const std::uint32_t period_segments : {0U, 1U, 7U, 1000U, UINT32_MAX})
        for (const std::uint64_t segments : {0ULL, 1ULL, 2ULL, 7ULL, 8ULL, 1000ULL, 4'000'000ULL, 4'294'967'295ULL})
          for (const std::int64_t around : {-17, -16, -15, -1, 0, 1, 15, 16, 17}) {
            const std::uint64_t plain = segments * segment_size + around;
            if (segments == 0 && around < 0) continue;
            const FileLayout layout(header_of(cipher, segment_size, period_segments, default_licence_slot_size), 200);
            const auto extent = layout.extent(must(layout.file_size(plain)));
            EXPECT_FALSE(extent.cut);
            EXPECT_EQ(extent.plain_size, plain);
          }
}

TEST(FileLayout, PeriodsAreLimitedToTheirNumbers) {
  const FileLayout layout(header_of(ContentCipher::aes_128_gcm, 1024, 2), 77);
  const std::uint64_t most = (std::uint64_t{1} << 33) * 1024;
  const std::uint64_t largest_file = must(layout.file_size(most));
  EXPECT_EQ(layout.extent(largest_file).plain_size, most);
  EXPECT_FALSE(layout.extent(largest_file).cut);
  EXPECT_FAILS(layout.file_size(most + 1), ErrorKind::exhausted);
  for (const std::uint64_t more : {1ULL, 100ULL, 117ULL, 100'000ULL}) {
    const auto extent = layout.extent(largest_file + more);
    EXPECT_TRUE(extent.cut);
    EXPECT_EQ(extent.plain_size, most);
  }
  EXPECT_EQ(layout.period_of((std::uint64_t{1} << 33) - 1), UINT32_MAX);
}

TEST(FileLayout, HugeNumbersStayOutsideEveryFile) {
  for (const ContentCipher cipher : ciphers)
    for (const std::uint32_t segment_size : {min_segment_size, max_segment_size})
      for (const std::uint32_t period_segments : {0U, 1U, UINT32_MAX}) {
        const FileLayout layout(header_of(cipher, segment_size, period_segments, max_licence_slot_size),
                                preamble_size + max_header_size);
        EXPECT_EQ(layout.segment_offset(UINT64_MAX), UINT64_MAX);
        EXPECT_GT(layout.segment_offset(UINT64_MAX / segment_size), std::uint64_t{1} << 62);
        EXPECT_FAILS(layout.file_size(UINT64_MAX), ErrorKind::exhausted);
        EXPECT_FAILS(layout.file_size(std::uint64_t{INT64_MAX}), ErrorKind::exhausted);
        EXPECT_TRUE(layout.extent(UINT64_MAX).cut);
        EXPECT_TRUE(layout.extent(std::uint64_t{1} << 63).cut);
        const auto extent = layout.extent(std::uint64_t{INT64_MAX});
        EXPECT_LE(extent.plain_size, std::uint64_t{INT64_MAX});
        EXPECT_LE(extent.segments, std::uint64_t{INT64_MAX} / segment_size + 1);
        EXPECT_GE(layout.slot_offset(UINT32_MAX), layout.slot_offset(0));
      }
}

}  // namespace
}  // namespace cas::smartpro
