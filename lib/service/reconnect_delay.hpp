// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <array>
#include <chrono>

#include "base/random.hpp"

namespace cas::service {

/// How long to wait before the next try: `first`, then twice as long each time up to `longest`; the second half of it
/// is random, so that those who lost the same server do not come back all at once.
class ReconnectDelay {
 public:
  /// Keeps `random`. 0 < first <= longest; others are brought there.
  ReconnectDelay(Random& random, std::chrono::milliseconds first, std::chrono::milliseconds longest)
      : random_(&random),
        first_(std::max(first, std::chrono::milliseconds(1))),
        longest_(std::max(first_, longest)),
        present_(first_) {}

  /// The delay before the next try. Without randomness, the whole of it.
  [[nodiscard]] std::chrono::milliseconds next() {
    const auto whole = present_;
    present_ = std::min(longest_, present_ * 2);
    std::array<std::uint8_t, 4> bytes{};
    if (!random_->fill(bytes)) return whole;
    std::uint64_t drawn = 0;
    for (const std::uint8_t byte : bytes) drawn = drawn << 8 | byte;
    const auto half = static_cast<std::uint64_t>(whole.count()) / 2;
    return whole - std::chrono::milliseconds(static_cast<std::int64_t>(drawn * half >> 32));
  }
  /// All is well: the next delay is `first` again.
  void reset() { present_ = first_; }

 private:
  Random* random_;
  std::chrono::milliseconds first_, longest_, present_;
};

}  // namespace cas::service
