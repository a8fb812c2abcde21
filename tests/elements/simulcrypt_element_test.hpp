// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "element_test.hpp"
#include "support/plain_ecmg_server.hpp"
#include "support/temporary_folder.hpp"
#include "support/test_multiplex.hpp"
#include "support/test_receiver.hpp"

/// What the tests of simulcrypt-ecm-inserter share.
namespace cas::test {

inline constexpr const char* inserter_name = "simulcrypt-ecm-inserter";
inline constexpr const char* transport_stream_caps = "video/mpegts, systemstream=(boolean)true, packetsize=(int)188";
inline constexpr std::uint16_t plain_ca_system_id = 0x4a01;

/// A property and its value as text.
using PropertyList = std::vector<std::pair<std::string, std::string>>;

inline void set_property(GstElement* element, const std::string& name, const std::string& value) {
  gst_util_set_object_arg(G_OBJECT(element), name.c_str(), value.c_str());
}

inline gst::ObjectPtr<GstElement> make_inserter(const PropertyList& properties) {
  auto element = make_element(inserter_name);
  for (const auto& [name, value] : properties) set_property(element.get(), name, value);
  return element;
}

/// The properties with which an element reaches an ECMG, waits for each ECM of it, and has short crypto-periods.
inline PropertyList usual_properties(const PlainEcmgServer& ecmg) {
  return {{"ecmg", ecmg.address()},
          {"super-cas-id", std::to_string(ecmg.super_cas_id())},
          {"crypto-period", "1000"},
          {"ecm-wait", "60000"}};
}
inline PropertyList with(PropertyList properties, const PropertyList& more) {
  properties.insert(properties.end(), more.begin(), more.end());
  return properties;
}

inline guint uint_of(const GstStructure* structure, const char* field) {
  guint value = 0;
  EXPECT_TRUE(gst_structure_get_uint(structure, field, &value)) << field;
  return value;
}
inline guint64 uint64_of(const GstStructure* structure, const char* field) {
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(structure, field, &value)) << field;
  return value;
}
inline std::string text_of(const GstStructure* structure, const char* field) {
  const char* text = gst_structure_get_string(structure, field);
  EXPECT_NE(text, nullptr) << field;
  return text == nullptr ? std::string() : std::string(text);
}
/// A structure in a field that is a list of them.
inline const GstStructure* item_of(const GstStructure* structure, const char* field, guint number) {
  const GValue* list = gst_structure_get_value(structure, field);
  if (list == nullptr || gst_value_list_get_size(list) <= number) {
    ADD_FAILURE() << field << " has no item " << number;
    return nullptr;
  }
  return gst_value_get_structure(gst_value_list_get_value(list, number));
}
inline guint items_of(const GstStructure* structure, const char* field) {
  const GValue* list = gst_structure_get_value(structure, field);
  return list == nullptr ? 0 : gst_value_list_get_size(list);
}

/// The element in a harness that is playing; the stream goes in on the test's own thread, and what comes out is kept.
class InserterHarness {
 public:
  explicit InserterHarness(const PropertyList& properties) : element_(make_inserter(properties)), bus_(gst_bus_new()) {
    gst_element_set_bus(element_.get(), bus_.get());
    harness_.reset(gst_harness_new_with_element(element_.get(), "sink", "src"));
    gst_harness_set_src_caps_str(harness_.get(), transport_stream_caps);
  }
  ~InserterHarness() {
    harness_.reset();
    gst_element_set_state(element_.get(), GST_STATE_NULL);
    gst_element_set_bus(element_.get(), nullptr);
  }
  InserterHarness(const InserterHarness&) = delete;
  InserterHarness& operator=(const InserterHarness&) = delete;

  GstFlowReturn push(ByteView bytes) {
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, bytes.size(), nullptr);
    gst_buffer_fill(buffer, 0, bytes.data(), bytes.size());
    return gst_harness_push(harness_.get(), buffer);
  }
  GstFlowReturn push_in_pieces(ByteView bytes, std::size_t size) {
    GstFlowReturn flow = GST_FLOW_OK;
    for (; !bytes.empty() && flow == GST_FLOW_OK; bytes = bytes.subspan(std::min(size, bytes.size())))
      flow = push(bytes.first(std::min(size, bytes.size())));
    return flow;
  }
  /// By READY back to PLAYING, where another stream begins.
  void restart() {
    EXPECT_EQ(gst_element_set_state(element_.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
    EXPECT_NE(gst_element_set_state(element_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const gst::CapsPtr caps(gst_caps_from_string(transport_stream_caps));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_BYTES);
    EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_stream_start("another")));
    EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_caps(caps.get())));
    EXPECT_TRUE(gst_harness_push_event(harness_.get(), gst_event_new_segment(&segment)));
  }
  bool end() { return gst_harness_push_event(harness_.get(), gst_event_new_eos()) != FALSE; }
  Bytes output() {
    Bytes all;
    while (GstBuffer* pulled = gst_harness_try_pull(harness_.get())) {
      const gst::BufferPtr buffer(pulled);
      const gst::MappedBuffer map(buffer.get(), GST_MAP_READ);
      append(all, map.bytes());
    }
    return all;
  }
  gst::StructurePtr stats() const {
    GstStructure* stats = nullptr;
    g_object_get(element_.get(), "stats", &stats, nullptr);
    return gst::StructurePtr(stats);
  }
  /// The next element message of that name that `wanted` is true of, within a minute; others are dropped.
  gst::StructurePtr wait_for(const char* name, const std::function<bool(const GstStructure*)>& wanted = nullptr) {
    return wait_for_message(bus_.get(), name, wanted);
  }
  static gst::StructurePtr wait_for_message(GstBus* bus, const char* name,
                                            const std::function<bool(const GstStructure*)>& wanted) {
    const gint64 until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
    for (gint64 left = until - g_get_monotonic_time(); left > 0; left = until - g_get_monotonic_time()) {
      GstMessage* message =
          gst_bus_timed_pop_filtered(bus, static_cast<GstClockTime>(left) * GST_USECOND, GST_MESSAGE_ELEMENT);
      if (message == nullptr) break;
      const GstStructure* structure = gst_message_get_structure(message);
      gst::StructurePtr found;
      if (gst_structure_has_name(structure, name) && (!wanted || wanted(structure)))
        found.reset(gst_structure_copy(structure));
      gst_message_unref(message);
      if (found) return found;
    }
    ADD_FAILURE() << "no message " << name << " within a minute";
    return nullptr;
  }
  gst::StructurePtr wait_for_ecmg(const char* state, const std::string& name = "ecmg") {
    return wait_for("simulcrypt-ecmg", [&](const GstStructure* structure) {
      return text_of(structure, "state") == state && text_of(structure, "ecmg") == name;
    });
  }

  [[nodiscard]] GstHarness* operator*() const { return harness_.get(); }
  [[nodiscard]] GstElement* element() const { return element_.get(); }
  [[nodiscard]] GstBus* bus() const { return bus_.get(); }

 private:
  gst::ObjectPtr<GstElement> element_;
  gst::ObjectPtr<GstBus> bus_;
  HarnessPtr harness_;
};

/// The payloads of a PID, one after the other.
inline Bytes payloads_of(ByteView stream, mpegts::Pid pid) {
  Bytes all;
  for (; stream.size() >= mpegts::packet_size; stream = stream.subspan(mpegts::packet_size)) {
    const mpegts::PacketView packet(stream.data(), mpegts::packet_size);
    if (mpegts::pid_of(packet) == pid) append(all, mpegts::payload_of(packet));
  }
  return all;
}

/// That a receiver has all of a stream's first service, and finds nothing to complain of.
inline void expect_received(TestReceiver& receiver, ByteView sent) {
  for (const mpegts::Pid pid : {TestMultiplex::video_pid(0), TestMultiplex::audio_pid(0)}) {
    const Bytes expected = payloads_of(sent, pid);
    EXPECT_EQ(expected.size(), receiver.payloads[pid].size()) << "PID " << pid;
    EXPECT_TRUE(expected == receiver.payloads[pid]) << "PID " << pid;
  }
  EXPECT_EQ(receiver.undecodable, 0U);
  EXPECT_EQ(receiver.continuity_errors, 0U);
  EXPECT_EQ(receiver.tables.damaged_sections(), 0U);
}

}  // namespace cas::test
