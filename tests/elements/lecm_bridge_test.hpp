// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <string>

#include "element_test.hpp"
#include "tests/support/fake_bridge.hpp"
#include "tests/unit/smartpro/protected_file_fixture.hpp"

/// What the tests of lecm-bridge share: the element around a converter of the test.
namespace cas::test {

using smartpro::FileLayout;
using smartpro::ReadHeader;

inline constexpr auto gcm = smartpro::ContentCipher::aes_128_gcm;
inline constexpr const char* caps_text = "application/x-smartpro";

/// The new file, made without a stream.
inline Bytes bridged(const Bytes& file, std::size_t growth) {
  const ReadHeader header = must(ReadHeader::parse(file));
  const FileLayout layout(header.header, header.body_offset);
  Bytes out;
  std::uint32_t slot_size = layout.slot_size();
  for (std::uint32_t period = 0; layout.slot_offset(period) < file.size(); ++period) {
    const auto place = static_cast<std::size_t>(layout.slot_offset(period));
    const ByteView slot = ByteView(file).subspan(place, layout.slot_size());
    const Bytes licence = FakeBridge::turned(must(smartpro::parse_licence_slot(slot)), growth);
    if (period == 0) {
      slot_size = std::max(slot_size, static_cast<std::uint32_t>(licence.size()) + smartpro::licence_slot_overhead);
      smartpro::FileHeader changed = header.header;
      changed.licence_slot_size = slot_size;
      out = must(changed.encode());
    }
    append(out, must(smartpro::encode_licence_slot(licence, slot_size)));
    const ByteView rest = ByteView(file).subspan(place + slot.size());
    if (header.header.period_segments == 0) {
      append(out, rest);
      break;
    }
    append(out, rest.first(std::min<std::size_t>(
                    rest.size(), std::size_t{layout.stored_segment_size()} * header.header.period_segments)));
  }
  return out;
}

/// A counter of the element's.
inline guint64 stat(GstElement* element, const char* name) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  const gst::StructurePtr owned(stats);
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(owned.get(), name, &value)) << name;
  return value;
}

/// Bytes as a list of buffers of `piece` bytes.
inline GstBufferList* list_of(ByteView bytes, std::size_t piece) {
  GstBufferList* list = gst_buffer_list_new();
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(piece, bytes.size())))
    gst_buffer_list_add(list, gst_buffer_new_memdup(bytes.data(), std::min(piece, bytes.size())));
  return list;
}

/// An element on pads, as ElementHarness, with the card of the test.
class BridgeHarness {
 public:
  explicit BridgeHarness(Properties properties = {}) {
    element_ = make_element("lecm-bridge", {{"destinations", "b.bridge"}});
    for (const auto& [name, value] : properties) gst_util_set_object_arg(G_OBJECT(element_.get()), name, value.c_str());
    give_fake_card(element_.get());
    bus_.reset(gst_bus_new());
    gst_element_set_bus(element_.get(), bus_.get());
    harness_.reset(gst_harness_new_with_element(element_.get(), "sink", "src"));
  }
  ~BridgeHarness() {
    harness_.reset();
    gst_element_set_bus(element_.get(), nullptr);
  }
  BridgeHarness(const BridgeHarness&) = delete;
  BridgeHarness& operator=(const BridgeHarness&) = delete;

  void start(std::uint64_t first_byte = 0) {
    gst_harness_push_event(harness_.get(), gst_event_new_stream_start("test"));
    const gst::CapsPtr caps(gst_caps_from_string(caps_text));
    gst_harness_push_event(harness_.get(), gst_event_new_caps(caps.get()));
    segment(first_byte);
  }
  void segment(std::uint64_t first_byte) {
    GstSegment bytes;
    gst_segment_init(&bytes, GST_FORMAT_BYTES);
    bytes.start = bytes.position = bytes.time = first_byte;
    gst_harness_push_event(harness_.get(), gst_event_new_segment(&bytes));
  }
  GstFlowReturn push(ByteView bytes) {
    return gst_harness_push(harness_.get(), gst_buffer_new_memdup(bytes.data(), bytes.size()));
  }
  GstFlowReturn push_in_pieces(ByteView bytes, std::size_t size) {
    GstFlowReturn flow = GST_FLOW_OK;
    for (; !bytes.empty() && flow == GST_FLOW_OK; bytes = bytes.subspan(std::min(size, bytes.size())))
      flow = push(bytes.first(std::min(size, bytes.size())));
    return flow;
  }
  bool end() { return gst_harness_push_event(harness_.get(), gst_event_new_eos()) != FALSE; }
  gst::BufferPtr next() { return gst::BufferPtr(gst_harness_try_pull(harness_.get())); }
  Bytes output() {
    Bytes all;
    while (const gst::BufferPtr buffer = next()) {
      const gst::MappedBuffer map(buffer.get(), GST_MAP_READ);
      append(all, map.bytes());
    }
    return all;
  }
  GstHarness* operator*() const { return harness_.get(); }
  [[nodiscard]] GstElement* element() const { return element_.get(); }
  [[nodiscard]] GstBus* bus() const { return bus_.get(); }

 private:
  gst::ObjectPtr<GstElement> element_;
  gst::ObjectPtr<GstBus> bus_;
  HarnessPtr harness_;
};

class LecmBridge : public testing::Test {
 protected:
  LecmBridge() {
    register_lecm_bridge();
    reset_fake_bridge();
  }
  const Bytes file = make_protected({gcm, 9 * 1024 + 100, 1024, 4}).file;  // Three periods.
  const FileLayout layout{must(ReadHeader::parse(file)).header, must(ReadHeader::parse(file)).body_offset};
};

}  // namespace cas::test
