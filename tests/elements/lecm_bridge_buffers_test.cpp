// SPDX-License-Identifier: LGPL-2.1-or-later
// What lecm-bridge does with buffers, memories and lists.
#include "lecm_bridge_test.hpp"

#include <atomic>

namespace cas::test {
namespace {

// --- Content by reference ---

/// One buffer for each part of the file: start and slot, then segments.
std::vector<gst::BufferPtr> in_parts(const Bytes& file, const FileLayout& layout) {
  std::vector<gst::BufferPtr> parts;
  std::uint64_t at = 0;
  for (std::uint64_t segment = 0; at < file.size(); ++segment) {
    for (const std::uint64_t end :
         {layout.segment_offset(segment), layout.segment_offset(segment) + layout.stored_segment_size()}) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(end, file.size()) - at);
      if (size == 0) continue;
      parts.emplace_back(gst_buffer_new_memdup(file.data() + at, size));
      GST_BUFFER_OFFSET(parts.back().get()) = at;
      GST_BUFFER_OFFSET_END(parts.back().get()) = at + size;
      at += size;
    }
  }
  return parts;
}

TEST_F(LecmBridge, PassesTheVeryBuffersOfContentOn) {
  BridgeHarness bridge;
  bridge.start();
  const std::vector<gst::BufferPtr> sent = in_parts(file, layout);
  for (const gst::BufferPtr& part : sent) ASSERT_EQ(gst_harness_push(*bridge, gst_buffer_ref(part.get())), GST_FLOW_OK);
  std::size_t same = 0;
  std::uint64_t offset = 0;
  while (const gst::BufferPtr buffer = bridge.next()) {
    if (std::any_of(sent.begin(), sent.end(), [&](const gst::BufferPtr& part) { return part.get() == buffer.get(); }))
      ++same;
    EXPECT_EQ(GST_BUFFER_OFFSET(buffer.get()), offset);
    offset += gst_buffer_get_size(buffer.get());
    EXPECT_EQ(GST_BUFFER_OFFSET_END(buffer.get()), offset);
  }
  EXPECT_EQ(same, 10U) << "each segment";
  EXPECT_EQ(offset, file.size());
}

TEST_F(LecmBridge, KeepsTheMemoryOfContentThatMoves) {
  fake_bridge().growth = 1000;
  BridgeHarness bridge;
  bridge.start();
  std::vector<gst::BufferPtr> parts = in_parts(file, layout);
  std::vector<GstMemory*> sent;
  for (const gst::BufferPtr& part : parts) {
    sent.push_back(gst_buffer_peek_memory(part.get(), 0));
    // Held by us too: its metadata cannot be changed in place.
    ASSERT_EQ(gst_harness_push(*bridge, gst_buffer_ref(part.get())), GST_FLOW_OK);
  }
  std::size_t same = 0;
  std::uint64_t offset = 0;
  while (const gst::BufferPtr buffer = bridge.next()) {
    if (std::find(sent.begin(), sent.end(), gst_buffer_peek_memory(buffer.get(), 0)) != sent.end()) ++same;
    EXPECT_EQ(GST_BUFFER_OFFSET(buffer.get()), offset);
    offset += gst_buffer_get_size(buffer.get());
    EXPECT_EQ(GST_BUFFER_OFFSET_END(buffer.get()), offset);
  }
  EXPECT_EQ(same, 10U);
  EXPECT_EQ(GST_BUFFER_OFFSET(parts.back().get()), file.size() - gst_buffer_get_size(parts.back().get()))
      << "what others hold stays as it is";
}

TEST_F(LecmBridge, DividesABufferAroundTheSameMemory) {
  BridgeHarness bridge;
  bridge.start();
  const gst::BufferPtr whole(gst_buffer_new_memdup(file.data(), file.size()));
  const gst::MappedBuffer map(whole.get(), GST_MAP_READ);
  const guint8* data = map.bytes().data();
  GST_BUFFER_FLAG_SET(whole.get(), GST_BUFFER_FLAG_DISCONT);
  ASSERT_EQ(gst_harness_push(*bridge, gst_buffer_ref(whole.get())), GST_FLOW_OK);
  std::size_t inside = 0;
  while (const gst::BufferPtr buffer = bridge.next()) {
    const gst::MappedBuffer part(buffer.get(), GST_MAP_READ);
    if (part.bytes().data() >= data && part.bytes().data() < data + file.size()) ++inside;
    EXPECT_FALSE(GST_BUFFER_FLAG_IS_SET(buffer.get(), GST_BUFFER_FLAG_DISCONT)) << "nothing is missing within a buffer";
  }
  EXPECT_EQ(inside, 3U) << "the content of each period";
}

/// Memory that nobody can map, and that tells when somebody tries.
class SealedMemory {
 public:
  SealedMemory() : allocator_(GST_ALLOCATOR(g_object_new(type(), nullptr))) { gst_object_ref_sink(allocator_.get()); }
  GstBuffer* buffer(std::size_t size) {
    auto* memory = g_new0(GstMemory, 1);
    gst_memory_init(memory, GST_MEMORY_FLAG_READONLY, allocator_.get(), nullptr, size, 0, 0, size);
    GstBuffer* made = gst_buffer_new();
    gst_buffer_append_memory(made, memory);
    return made;
  }
  static inline std::atomic<int> attempts{0};  ///< To map it.

 private:
  struct Class {
    GstAllocatorClass parent;
  };
  struct Instance {
    GstAllocator parent;
  };
  static GType type() {
    static const GType made = g_type_register_static_simple(
        GST_TYPE_ALLOCATOR, "CasTestSealedAllocator", sizeof(Class),
        [](gpointer klass, gpointer) {
          GST_ALLOCATOR_CLASS(klass)->free = [](GstAllocator*, GstMemory* memory) { g_free(memory); };
        },
        sizeof(Instance),
        [](GTypeInstance* instance, gpointer) {
          auto* allocator = reinterpret_cast<GstAllocator*>(instance);
          allocator->mem_type = "sealed";
          allocator->mem_map = [](GstMemory*, gsize, GstMapFlags) -> gpointer {
            ++attempts;
            return nullptr;
          };
          allocator->mem_unmap = [](GstMemory*) {};
          allocator->mem_share = [](GstMemory* memory, gssize offset, gssize size) -> GstMemory* {
            auto* shared = g_new0(GstMemory, 1);
            const gsize part = size < 0 ? memory->size - static_cast<gsize>(offset) : static_cast<gsize>(size);
            const gsize from = memory->offset + static_cast<gsize>(offset);
            gst_memory_init(shared, GST_MEMORY_FLAG_READONLY, memory->allocator, memory, memory->maxsize, 0, from,
                            part);
            return shared;
          };
        },
        static_cast<GTypeFlags>(0));
    return made;
  }
  gst::ObjectPtr<GstAllocator> allocator_;
};

TEST_F(LecmBridge, NeverMapsContent) {
  SealedMemory sealed;
  SealedMemory::attempts = 0;
  fake_bridge().growth = 700;
  BridgeHarness bridge;
  bridge.start();
  const auto push_content = [&](int segments) {
    for (int i = 0; i < segments; ++i)
      ASSERT_EQ(gst_harness_push(*bridge, sealed.buffer(layout.stored_segment_size())), GST_FLOW_OK);
  };
  ASSERT_EQ(bridge.push(ByteView(file).first(static_cast<std::size_t>(layout.segment_offset(0)))), GST_FLOW_OK);
  push_content(3);
  // The last one of the period, and in a memory of its own the next slot's start.
  const ByteView slot = ByteView(file).subspan(static_cast<std::size_t>(layout.slot_offset(1)), layout.slot_size());
  GstBuffer* both = sealed.buffer(layout.stored_segment_size());
  gst_buffer_append(both, gst_buffer_new_memdup(slot.data(), 100));
  ASSERT_EQ(gst_harness_push(*bridge, both), GST_FLOW_OK);
  ASSERT_EQ(bridge.push(slot.subspan(100)), GST_FLOW_OK);
  push_content(4);
  EXPECT_EQ(SealedMemory::attempts, 0);
  EXPECT_EQ(stat(bridge.element(), "licences"), 2U);
  std::size_t buffers = 0;
  while (bridge.next()) ++buffers;
  EXPECT_EQ(buffers, 1U + 4 + 1 + 4);
}

TEST_F(LecmBridge, TellsOfALicenceThatCannotBeRead) {
  SealedMemory sealed;
  BridgeHarness bridge;
  bridge.start();
  EXPECT_EQ(gst_harness_push(*bridge, sealed.buffer(1000)), GST_FLOW_ERROR);
  EXPECT_POSTED(bridge.bus(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "io");
}

// --- Lists ---

struct PulledLists {
  std::vector<GstBufferList*> lists;
  std::size_t buffers = 0;
};

GstPadProbeReturn note_lists(GstPad*, GstPadProbeInfo* info, gpointer data) {
  auto* noted = static_cast<PulledLists*>(data);
  if ((info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0)
    noted->lists.push_back(gst_pad_probe_info_get_buffer_list(info));
  else
    ++noted->buffers;
  return GST_PAD_PROBE_OK;
}

TEST_F(LecmBridge, KeepsListsLists) {
  for (const std::size_t growth : {0U, 900U}) {
    fake_bridge().growth = growth;
    BridgeHarness bridge;
    PulledLists noted;
    const gst::ObjectPtr<GstPad> src(gst_element_get_static_pad(bridge.element(), "src"));
    constexpr auto data = static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST);
    gst_pad_add_probe(src.get(), data, note_lists, &noted, nullptr);
    bridge.start();
    ASSERT_EQ(gst_pad_push_list((*bridge)->srcpad, list_of(ByteView(file).first(2500), 188)), GST_FLOW_OK);
    GstBufferList* content = list_of(ByteView(file).subspan(2500, 564), 188);
    gst_buffer_list_ref(content);
    ASSERT_EQ(gst_pad_push_list((*bridge)->srcpad, content), GST_FLOW_OK);
    EXPECT_EQ(noted.lists.back() == content, growth == 0)
        << "a list of content goes on as it is, if nothing in it moves";
    gst_buffer_list_unref(content);
    ASSERT_EQ(gst_pad_push_list((*bridge)->srcpad, list_of(ByteView(file).subspan(3064), 188)), GST_FLOW_OK);
    ASSERT_TRUE(bridge.end());
    EXPECT_EQ(noted.buffers, 0U);
    EXPECT_TRUE(equal(bridge.output(), bridged(file, growth)));
  }
}

TEST_F(LecmBridge, GivesWhatIsRightOfAListBeforeAnError) {
  fake_bridge().convert = [](std::uint32_t period, ByteView content) -> Result<Bytes> {
    if (period == 1) return fail(ErrorKind::wrong_domain, "the licence of this period is of another domain");
    return copy_of(content);
  };
  BridgeHarness bridge;
  bridge.start();
  EXPECT_EQ(gst_pad_push_list((*bridge)->srcpad, list_of(file, 100)), GST_FLOW_ERROR);
  EXPECT_EQ(bridge.output().size(), layout.slot_offset(1));
  EXPECT_POSTED(bridge.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_DECRYPT_NOKEY, "wrong-domain");
  EXPECT_EQ(bridge.push(file), GST_FLOW_ERROR);
  EXPECT_TRUE(bridge.end());
  EXPECT_FALSE(next_error(bridge.bus()).has_value()) << "an error is told once";
}

}  // namespace
}  // namespace cas::test
