// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/cas/held_buffers.hpp"

#include <algorithm>
#include <cstring>

namespace cas::gst {

bool HeldBuffers::push(BufferPtr buffer) {
  const std::size_t size = gst_buffer_get_size(buffer.get());
  if (size == 0) return true;
  if (size < small_size) {
    push_copy(buffer.get(), size);
    return true;
  }
  return push_memories(std::move(buffer));
}

// Memory by memory: mapping the whole buffer would copy its memories together.
bool HeldBuffers::push_memories(BufferPtr buffer) {
  const guint count = gst_buffer_n_memory(buffer.get());
  for (guint i = 0; i < count; ++i) {
    Entry entry;
    if (!gst_memory_map(gst_buffer_peek_memory(buffer.get(), i), &entry.map, GST_MAP_READ)) return false;
    entry.owner.reset(gst_buffer_ref(buffer.get()));
    entry.rest = {entry.map.data, entry.map.size};
    size_ += entry.rest.size();
    entries_.push_back(std::move(entry));
  }
  return true;
}

void HeldBuffers::push_copy(GstBuffer* buffer, std::size_t size) {
  if (entries_.size() == first_ || !entries_.back().block || block_size - entries_.back().filled < size) {
    Entry entry;
    entry.block = spare_ ? std::move(spare_) : std::make_unique<Block>();
    entry.rest = {entry.block->data(), 0};
    entries_.push_back(std::move(entry));
  }
  Entry& last = entries_.back();
  gst_buffer_extract(buffer, 0, last.block->data() + last.filled, size);
  last.filled += size;
  last.rest = {last.rest.data(), last.rest.size() + size};
  size_ += size;
}

std::span<const ByteView> HeldBuffers::front(std::size_t count) {
  pieces_.clear();
  for (std::size_t i = first_; count > 0 && i < entries_.size(); ++i) {
    const ByteView piece = entries_[i].rest.first(std::min(count, entries_[i].rest.size()));
    count -= piece.size();
    if (!piece.empty()) pieces_.push_back(piece);
  }
  return pieces_;
}

void HeldBuffers::copy_front(MutableByteView out) {
  for (const ByteView piece : front(out.size())) {
    std::memcpy(out.data(), piece.data(), piece.size());
    out = out.subspan(piece.size());
  }
}

void HeldBuffers::drop(std::size_t count) {
  while (count > 0 && first_ < entries_.size()) {
    Entry& entry = entries_[first_];
    const std::size_t taken = std::min(count, entry.rest.size());
    entry.rest = entry.rest.subspan(taken);
    size_ -= taken;
    count -= taken;
    if (entry.rest.empty()) {
      release(entry);
      ++first_;
    }
  }
  // Moving the rest down only when at least half is gone costs each entry one move on average.
  if (first_ == entries_.size() || first_ > entries_.size() / 2) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void HeldBuffers::release(Entry& entry) {
  if (entry.owner) {
    gst_memory_unmap(entry.map.memory, &entry.map);
    entry.owner.reset();
  }
  if (entry.block) spare_ = std::move(entry.block);
}

void HeldBuffers::clear() {
  for (std::size_t i = first_; i < entries_.size(); ++i) release(entries_[i]);
  entries_.clear();
  first_ = 0;
  size_ = 0;
}

}  // namespace cas::gst
