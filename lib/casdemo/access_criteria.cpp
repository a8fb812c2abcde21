// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/access_criteria.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace cas::casdemo {

namespace {

constexpr std::size_t fixed_size = 4;

}  // namespace

AccessCriteria::AccessCriteria(ProductId product) {
  bytes_[0] = static_cast<std::uint8_t>(product >> 8);
  bytes_[1] = static_cast<std::uint8_t>(product);
}

Result<AccessCriteria> AccessCriteria::create(ProductId product, std::uint8_t minimum_age,
                                              std::span<const Region> regions) {
  if (regions.size() > max_blackout_regions)
    return fail(ErrorKind::invalid_argument,
                "access criteria black out at most 8 regions, not " + std::to_string(regions.size()));
  std::vector<Region> sorted(regions.begin(), regions.end());
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end() || (!sorted.empty() && sorted.front() == 0))
    return fail(ErrorKind::invalid_argument,
                "access criteria name each region with a blackout once, and region 0 never");
  AccessCriteria criteria(product);
  criteria.bytes_[2] = minimum_age;
  criteria.bytes_[3] = static_cast<std::uint8_t>(regions.size());
  for (std::size_t i = 0; i < regions.size(); ++i) {
    criteria.bytes_[fixed_size + 2 * i] = static_cast<std::uint8_t>(sorted[i] >> 8);
    criteria.bytes_[fixed_size + 2 * i + 1] = static_cast<std::uint8_t>(sorted[i]);
  }
  criteria.size_ = fixed_size + 2 * regions.size();
  return criteria;
}

Result<AccessCriteria> AccessCriteria::parse(ByteView bytes) {
  if (bytes.size() < fixed_size)
    return fail(ErrorKind::truncated,
                "access criteria of " + std::to_string(bytes.size()) + " bytes lack some of their 4");
  const std::size_t regions = bytes[3];
  if (regions > max_blackout_regions || bytes.size() != fixed_size + 2 * regions)
    return fail(ErrorKind::malformed, "access criteria of " + std::to_string(bytes.size()) + " bytes cannot name " +
                                          std::to_string(regions) + " regions with a blackout");
  AccessCriteria criteria;
  std::ranges::copy(bytes, criteria.bytes_.begin());
  criteria.size_ = bytes.size();
  // One encoding for what is meant.
  Region before = 0;
  for (std::size_t i = 0; i < regions; ++i) {
    const Region region = criteria.region_at(i);
    if (region <= before) return fail(ErrorKind::malformed, "the regions in access criteria do not ascend from 1");
    before = region;
  }
  return criteria;
}

Region AccessCriteria::region_at(std::size_t index) const {
  const std::size_t at = fixed_size + 2 * index;
  return static_cast<Region>(bytes_[at] << 8 | bytes_[at + 1]);
}

bool AccessCriteria::blacks_out(Region region) const {
  for (std::size_t i = 0; i < bytes_[3]; ++i)
    if (region_at(i) == region) return true;
  return false;
}

}  // namespace cas::casdemo
