// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/cas/held_buffers.hpp>

#include "element_test.hpp"

namespace cas::test {
namespace {

gst::BufferPtr buffer_of(ByteView bytes) { return gst::BufferPtr(gst_buffer_new_memdup(bytes.data(), bytes.size())); }

Bytes joined(std::span<const ByteView> pieces) {
  Bytes all;
  for (const ByteView piece : pieces) append(all, piece);
  return all;
}

TEST(HeldBuffers, GivesTheBytesInOrderWhateverTheBufferSizes) {
  SeededRandom random(7);
  const Bytes content = noise(400'000);
  gst::HeldBuffers held;
  std::size_t pushed = 0;
  std::size_t dropped = 0;
  while (dropped < content.size()) {
    if (pushed < content.size()) {
      const std::size_t size =
          std::min<std::size_t>(content.size() - pushed, 1 + random.below(random.below(2) == 0 ? 40 : 5000));
      ASSERT_TRUE(held.push(buffer_of(ByteView(content).subspan(pushed, size))));
      pushed += size;
    }
    ASSERT_EQ(held.size(), pushed - dropped);
    const std::size_t looked_at = random.below(held.size() + 1);
    ASSERT_TRUE(equal(joined(held.front(looked_at)), ByteView(content).subspan(dropped, looked_at)));
    const std::size_t let_go = pushed == content.size() ? held.size() : random.below(held.size() + 1);
    held.drop(let_go);
    dropped += let_go;
  }
  EXPECT_EQ(held.size(), 0U);
}

TEST(HeldBuffers, HoldsLargeBuffersByReference) {
  const Bytes content = noise(10'000);
  gst::HeldBuffers held;
  const gst::BufferPtr buffer = buffer_of(content);
  {
    const gst::MappedBuffer map(buffer.get(), GST_MAP_READ);
    ASSERT_TRUE(held.push(gst::BufferPtr(gst_buffer_ref(buffer.get()))));
    EXPECT_EQ(held.front(10).front().data(), map.bytes().data());
  }
  EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(buffer.get()), 2);
  held.drop(10'000);
  EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(buffer.get()), 1);
}

TEST(HeldBuffers, PutsSmallBuffersTogether) {
  gst::HeldBuffers held;
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(held.push(buffer_of(Bytes{static_cast<std::uint8_t>(i)})));
  EXPECT_EQ(held.front(10'000).size(), 1U);
}

TEST(HeldBuffers, TakesABufferOfSeveralMemoriesWithoutMerging) {
  const Bytes content = noise(3000);
  gst::BufferPtr buffer = buffer_of(ByteView(content).first(1000));
  gst_buffer_append(buffer.get(), buffer_of(ByteView(content).subspan(1000)).release());
  ASSERT_EQ(gst_buffer_n_memory(buffer.get()), 2U);
  gst::HeldBuffers held;
  ASSERT_TRUE(held.push(std::move(buffer)));
  EXPECT_EQ(held.front(3000).size(), 2U);
  EXPECT_TRUE(equal(joined(held.front(3000)), content));
}

}  // namespace
}  // namespace cas::test
