// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace cas::mpegts {

/// First in, first out. Takes memory only when it grows beyond what it ever held.
template <typename Item>
class PacketQueue {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Item& front() { return ring_[first_]; }
  /// One more at the end, to be filled: it may hold what it held before.
  Item& push() {
    if (size_ == ring_.size()) grow();
    return ring_[(first_ + size_++) % ring_.size()];
  }
  void pop() {
    first_ = (first_ + 1) % ring_.size();
    --size_;
  }
  void clear() { first_ = size_ = 0; }

 private:
  void grow() {
    constexpr std::size_t at_first = 8;
    std::vector<Item> wider(ring_.empty() ? at_first : 2 * ring_.size());
    for (std::size_t number = 0; number < size_; ++number) wider[number] = ring_[(first_ + number) % ring_.size()];
    ring_ = std::move(wider);
    first_ = 0;
  }

  std::vector<Item> ring_;
  std::size_t first_ = 0, size_ = 0;
};

}  // namespace cas::mpegts
