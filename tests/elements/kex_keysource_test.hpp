// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/cas/content_key.hpp>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/hex.hpp"
#include "element_test.hpp"
#include "support/loopback_kms.hpp"
#include "support/result_matchers.hpp"

/// What the tests of kex-keysource share.
namespace cas::test {

using PropertyList = std::vector<std::pair<std::string, std::string>>;
using std::chrono::milliseconds;

/// The element, playing, with a note of all that comes out of it, in order. Buffers are 40 ms long, and periods have 25
/// of them.
class KeySourceHarness {
 public:
  static constexpr GstClockTime frame = 40 * GST_MSECOND;
  static constexpr guint64 frames_of_period = 25;

  struct Out {
    enum class Kind { key, ahead, protection, buffer } kind = Kind::buffer;
    std::uint64_t period = 0;  ///< Of a key.
    std::string key, key_id;   ///< Hexadecimal; UUID.
    GstClockTime pts = GST_CLOCK_TIME_NONE;
    bool in_list = false;
  };

  explicit KeySourceHarness(const PropertyList& properties, const PropertyList& more = {})
      : element_(make_element("kex-keysource")), bus_(gst_bus_new()) {
    for (const auto* list : {&properties, &more})
      for (const auto& [name, value] : *list)
        gst_util_set_object_arg(G_OBJECT(element_.get()), name.c_str(), value.c_str());
    gst_element_set_bus(element_.get(), bus_.get());
    const gst::ObjectPtr<GstPad> src(gst_element_get_static_pad(element_.get(), "src"));
    gst_pad_add_probe(src.get(),
                      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                                                   GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
                      &KeySourceHarness::note, this, nullptr);
    harness_.reset(gst_harness_new_with_element(element_.get(), "sink", "src"));
    gst_harness_set_drop_buffers(harness_.get(), TRUE);
    gst_harness_set_src_caps_str(harness_.get(), "video/mpegts, systemstream=(boolean)true, packetsize=(int)188");
  }
  ~KeySourceHarness() {
    harness_.reset();
    gst_element_set_state(element_.get(), GST_STATE_NULL);
    gst_element_set_bus(element_.get(), nullptr);
  }
  KeySourceHarness(const KeySourceHarness&) = delete;
  KeySourceHarness& operator=(const KeySourceHarness&) = delete;

  static GstBuffer* buffer(guint64 number) {
    GstBuffer* made = gst_buffer_new_allocate(nullptr, 188, nullptr);
    GST_BUFFER_PTS(made) = number * frame;
    GST_BUFFER_DURATION(made) = frame;
    return made;
  }
  GstFlowReturn push(guint64 number) { return gst_harness_push(harness_.get(), buffer(number)); }
  GstFlowReturn push(guint64 from, guint64 end) {
    GstFlowReturn flow = GST_FLOW_OK;
    for (; from < end && flow == GST_FLOW_OK; ++from) flow = push(from);
    return flow;
  }
  [[nodiscard]] std::vector<Out> out() const {
    const std::lock_guard lock(mutex_);
    return out_;
  }
  /// The key that each buffer came under, in the order of buffers.
  [[nodiscard]] std::vector<std::uint64_t> periods_of_buffers() const {
    std::vector<std::uint64_t> periods;
    std::uint64_t now = G_MAXUINT64;
    for (const Out& one : out()) {
      if (one.kind == Out::Kind::key) now = one.period;
      if (one.kind == Out::Kind::buffer) periods.push_back(now);
    }
    return periods;
  }
  [[nodiscard]] std::vector<Out> of(Out::Kind kind) const {
    std::vector<Out> found;
    for (const Out& one : out())
      if (one.kind == kind) found.push_back(one);
    return found;
  }
  [[nodiscard]] guint64 stat(const char* field) const {
    GstStructure* stats = nullptr;
    g_object_get(element_.get(), "stats", &stats, nullptr);
    const gst::StructurePtr owned(stats);
    guint64 value = 0;
    EXPECT_TRUE(gst_structure_get_uint64(stats, field, &value)) << field;
    return value;
  }
  /// Until a message of that name comes; null after a while.
  gst::StructurePtr wait_for_message(const char* name) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < until) {
      GstMessage* message = gst_bus_timed_pop_filtered(bus_.get(), 50 * GST_MSECOND, GST_MESSAGE_ELEMENT);
      if (message == nullptr) continue;
      gst::StructurePtr found;
      if (gst_structure_has_name(gst_message_get_structure(message), name))
        found.reset(gst_structure_copy(gst_message_get_structure(message)));
      gst_message_unref(message);
      if (found) return found;
    }
    return {};
  }
  /// Until so many keys are cached.
  void wait_for_keys(guint64 count) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (stat("cached-keys") < count && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(milliseconds(1));
    EXPECT_GE(stat("cached-keys"), count);
  }
  [[nodiscard]] GstElement* element() const { return element_.get(); }
  [[nodiscard]] GstHarness* operator*() const { return harness_.get(); }
  [[nodiscard]] GstBus* bus() const { return bus_.get(); }

 private:
  static GstPadProbeReturn note(GstPad*, GstPadProbeInfo* info, gpointer self) {
    static_cast<KeySourceHarness*>(self)->note(info);
    return GST_PAD_PROBE_OK;
  }
  void note(GstPadProbeInfo* info) {
    const std::lock_guard lock(mutex_);
    if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
      out_.push_back({Out::Kind::buffer, 0, {}, {}, GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)), false});
    } else if ((info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0) {
      GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
      for (guint at = 0; at < gst_buffer_list_length(list); ++at)
        out_.push_back({Out::Kind::buffer, 0, {}, {}, GST_BUFFER_PTS(gst_buffer_list_get(list, at)), true});
    } else {
      GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
      if (GST_EVENT_TYPE(event) == GST_EVENT_PROTECTION) out_.push_back({Out::Kind::protection, 0, {}, {}, 0, false});
      gboolean ahead = FALSE;
      const gst::ContentKeyPointer key(gst_cas_event_get_content_key(event, &ahead));
      if (!key) return;
      out_.push_back({ahead ? Out::Kind::ahead : Out::Kind::key, gst_cas_content_key_get_period_index(key.get()),
                      to_hex(gst::secret_of(*key).reveal()), gst_cas_content_key_get_key_id(key.get()), 0, false});
    }
  }

  gst::ObjectPtr<GstElement> element_;
  gst::ObjectPtr<GstBus> bus_;
  HarnessPtr harness_;
  mutable std::mutex mutex_;
  std::vector<Out> out_;
};

/// One source a test: contents have names of their own, so that no cache is shared unless it is meant.
inline std::string fresh_content() {
  static std::atomic<int> count{0};
  return "content-" + std::to_string(++count);
}
inline PropertyList live_from(const std::string& urls, const std::string& content = fresh_content()) {
  return {{"kms-uris", urls}, {"content-id", content}, {"period", "1000000000"}, {"timeout", "300"}};
}

}  // namespace cas::test
