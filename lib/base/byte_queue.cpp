// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/byte_queue.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/secret.hpp"

namespace cas {

namespace {

constexpr std::size_t first_capacity = 1024;

}  // namespace

ByteQueue::~ByteQueue() { cleanse(buffer_); }

ByteQueue::ByteQueue(ByteQueue&& other) noexcept
    : buffer_(std::move(other.buffer_)), begin_(std::exchange(other.begin_, 0)), end_(std::exchange(other.end_, 0)) {
  other.buffer_.clear();
}

ByteQueue& ByteQueue::operator=(ByteQueue&& other) noexcept {
  // The old bytes go with the other one, which cleanses them.
  std::swap(buffer_, other.buffer_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  return *this;
}

MutableByteView ByteQueue::prepare(std::size_t count) {
  if (count > buffer_.size() - end_) {
    const std::size_t waiting = size();
    if (count > buffer_.size() - waiting) {
      // By hand, since a vector that grows leaves a copy behind.
      Bytes longer(std::max({first_capacity, waiting + count, 2 * buffer_.size()}));
      if (waiting > 0) std::memcpy(longer.data(), buffer_.data() + begin_, waiting);
      cleanse(buffer_);
      buffer_ = std::move(longer);
    } else if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, waiting);
      cleanse(MutableByteView(buffer_).subspan(waiting, begin_));
    }
    begin_ = 0;
    end_ = waiting;
  }
  return MutableByteView(buffer_).subspan(end_, count);
}

void ByteQueue::commit(std::size_t count) { end_ += std::min(count, buffer_.size() - end_); }

void ByteQueue::append(ByteView bytes) {
  if (bytes.empty()) return;
  const MutableByteView room = prepare(bytes.size());
  std::memcpy(room.data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

void ByteQueue::consume(std::size_t count) {
  count = std::min(count, size());
  cleanse(MutableByteView(buffer_).subspan(begin_, count));
  begin_ += count;
  if (begin_ == end_) begin_ = end_ = 0;
}

void ByteQueue::truncate(std::size_t size) {
  if (size >= this->size()) return;
  cleanse(from(size));
  end_ = begin_ + size;
}

MutableByteView ByteQueue::from(std::size_t position) {
  position = std::min(position, size());
  return MutableByteView(buffer_).subspan(begin_ + position, size() - position);
}

}  // namespace cas
