// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "gst/cas/pointers.hpp"

namespace cas::gst {

/// A byte stream as it came in buffers, held by reference and mapped, to be worked on in runs of any size without being
/// copied together. Only buffers below `small_size` are copied (into blocks), since holding one would take more memory
/// than its bytes do. One thread at a time.
class HeldBuffers {
 public:
  static constexpr std::size_t small_size = 512;

  HeldBuffers() = default;
  ~HeldBuffers() { clear(); }
  HeldBuffers(const HeldBuffers&) = delete;
  HeldBuffers& operator=(const HeldBuffers&) = delete;

  /// Adds a buffer at the end. False when its memory cannot be mapped.
  [[nodiscard]] bool push(BufferPtr buffer);
  /// Bytes held.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// The first `count` bytes (at most size()), in the pieces that they lie in; good until the next change.
  [[nodiscard]] std::span<const ByteView> front(std::size_t count);
  /// Copies the first bytes (at most size()) to `out`.
  void copy_front(MutableByteView out);
  /// Lets go of the first `count` bytes (at most size()).
  void drop(std::size_t count);
  void clear();

 private:
  static constexpr std::size_t block_size = 16 * 1024;
  using Block = std::array<std::uint8_t, block_size>;

  struct Entry {
    ByteView rest;    // What has not been dropped yet.
    BufferPtr owner;  // Nothing: in `block`.
    GstMapInfo map = GST_MAP_INFO_INIT;
    std::unique_ptr<Block> block;
    std::size_t filled = 0;  // Of `block`.
  };

  [[nodiscard]] bool push_memories(BufferPtr buffer);
  void push_copy(GstBuffer* buffer, std::size_t size);
  void release(Entry& entry);

  std::vector<Entry> entries_;
  std::size_t first_ = 0;  // Entries before it have been dropped.
  std::size_t size_ = 0;
  std::vector<ByteView> pieces_;
  std::unique_ptr<Block> spare_;
};

}  // namespace cas::gst
