// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace cas {

/// Bytes that wait: received and not yet understood, or written and not yet sent. Control words pass through both ways,
/// so what leaves is cleansed, and so is memory that is given back. Memory grows to the most that ever waited and is
/// kept: a session that has been running asks for none.
class ByteQueue {
 public:
  ByteQueue() = default;
  ~ByteQueue();
  ByteQueue(ByteQueue&& other) noexcept;
  ByteQueue& operator=(ByteQueue&& other) noexcept;
  ByteQueue(const ByteQueue&) = delete;
  ByteQueue& operator=(const ByteQueue&) = delete;

  /// What waits, oldest byte first; good until the queue is changed.
  [[nodiscard]] ByteView view() const { return {buffer_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }

  /// Puts a copy of `bytes` behind what waits; they may not point into the queue.
  void append(ByteView bytes);
  /// Room for `count` bytes behind what waits, for commit() to take up. Good until the queue is changed.
  [[nodiscard]] MutableByteView prepare(std::size_t count);
  /// Takes up the first `count` bytes of the room that prepare() gave.
  void commit(std::size_t count);
  /// Takes the oldest `count` bytes, at most size(), away.
  void consume(std::size_t count);
  /// Takes the newest bytes away, so that `size`, at most size(), are left.
  void truncate(std::size_t size);
  /// The bytes from `position` on, to be changed in place.
  [[nodiscard]] MutableByteView from(std::size_t position);
  void clear() { consume(size()); }

 private:
  Bytes buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace cas
