// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/file_layout.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

#include "crypto/aes.hpp"

namespace cas::smartpro {

namespace {

constexpr std::uint64_t nowhere = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t max_periods = std::uint64_t{1} << 32;
/// off_t, gint64 and the C library's seeks are signed.
constexpr std::uint64_t max_file_size = std::numeric_limits<std::int64_t>::max();

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? nowhere : sum;
}

std::uint64_t saturating_multiply(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? nowhere : product;
}

std::uint64_t divide_rounding_up(std::uint64_t a, std::uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace

std::uint32_t segment_tag_size(ContentCipher cipher) {
  return cipher == ContentCipher::aes_128_gcm ? static_cast<std::uint32_t>(crypto::gcm_tag_size) : 0;
}

FileLayout::FileLayout(const FileHeader& header, std::uint64_t body_offset)
    : segment_size_(header.segment_size),
      stored_size_(header.segment_size + segment_tag_size(header.cipher)),
      period_segments_(header.period_segments),
      slot_size_(header.licence_slot_size),
      body_offset_(body_offset) {
  assert(segment_size_ >= min_segment_size && segment_size_ <= max_segment_size);
}

std::uint32_t FileLayout::period_of(std::uint64_t segment) const {
  if (period_segments_ == 0) return 0;
  return static_cast<std::uint32_t>(std::min(segment / period_segments_, max_periods - 1));
}

bool FileLayout::starts_period(std::uint64_t segment) const {
  return period_segments_ == 0 ? segment == 0 : segment % period_segments_ == 0;
}

std::uint64_t FileLayout::segment_offset(std::uint64_t segment) const {
  const std::uint64_t slots = period_segments_ == 0 ? 1 : segment / period_segments_ + 1;
  return saturating_add(saturating_add(body_offset_, saturating_multiply(slots, slot_size_)),
                        saturating_multiply(segment, stored_size_));
}

std::uint64_t FileLayout::slot_offset(std::uint32_t period) const {
  const std::uint64_t period_bytes = slot_size_ + std::uint64_t{stored_size_} * period_segments_;
  return saturating_add(body_offset_, saturating_multiply(period_bytes, period));
}

Result<std::uint64_t> FileLayout::file_size(std::uint64_t plain_size) const {
  const std::uint64_t segments = std::max<std::uint64_t>(1, divide_rounding_up(plain_size, segment_size_));
  const std::uint64_t periods = period_segments_ == 0 ? 1 : divide_rounding_up(segments, period_segments_);
  if (periods > max_periods)
    return fail(ErrorKind::exhausted, "content of " + std::to_string(plain_size) +
                                          " bytes needs more than 2^32 key periods: make the periods longer");
  const std::uint64_t around =
      saturating_add(saturating_multiply(periods, slot_size_), saturating_multiply(segments, tag_size()));
  const std::uint64_t size = saturating_add(saturating_add(body_offset_, around), plain_size);
  if (size > max_file_size)
    return fail(ErrorKind::exhausted,
                "content of " + std::to_string(plain_size) + " bytes makes a protected file of more than 2^63 bytes");
  return size;
}

FileLayout::Extent FileLayout::extent(std::uint64_t file_size) const {
  Extent extent;
  const auto count_whole = [&](std::uint64_t segments) {
    extent.segments = segments;
    extent.last_plain_size = segments == 0 ? 0 : segment_size_;
    extent.plain_size = segments * segment_size_;
  };
  const auto cut_behind = [&](std::uint64_t segments) {
    count_whole(segments);
    extent.cut = true;
    return extent;
  };

  if (file_size < body_offset_ || file_size > max_file_size) return cut_behind(0);
  const std::uint64_t body = file_size - body_offset_;
  std::uint64_t whole_periods = 0;
  std::uint64_t in_period = body;
  if (period_segments_ != 0) {
    const std::uint64_t period_bytes = slot_size_ + std::uint64_t{stored_size_} * period_segments_;
    whole_periods = body / period_bytes;
    in_period = body % period_bytes;
    if (whole_periods > max_periods || (whole_periods == max_periods && in_period != 0))
      return cut_behind(max_periods * period_segments_);
  }
  const std::uint64_t before = whole_periods * period_segments_;
  if (in_period == 0 && whole_periods != 0) {
    count_whole(before);
    return extent;
  }
  if (in_period < slot_size_) return cut_behind(before);

  const std::uint64_t stored = in_period - slot_size_;
  const std::uint64_t whole = before + stored / stored_size_;
  const std::uint64_t rest = stored % stored_size_;
  count_whole(whole);
  if (rest == 0 && stored != 0) return extent;
  // A segment without content is written in one case: it is the only one. Any other would be a second form of the same
  // content.
  if (rest < tag_size() || (rest == tag_size() && whole != 0)) return cut_behind(whole);
  extent.segments = whole + 1;
  extent.last_plain_size = static_cast<std::uint32_t>(rest - tag_size());
  extent.plain_size += extent.last_plain_size;
  return extent;
}

}  // namespace cas::smartpro
