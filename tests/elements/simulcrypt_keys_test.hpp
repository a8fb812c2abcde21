// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/cas/content_key.hpp>

#include <optional>
#include <string>

#include "simulcrypt_element_test.hpp"

/// simulcrypt-ecm-inserter with keys from upstream: what its tests share.
namespace cas::test {

/// What a key event of a test says.
struct TestKey {
  guint64 period = 0;
  std::size_t size = 16;
  std::string content_id = "channel-1";
  std::string track_type;
  std::uint8_t kind = 0;

  [[nodiscard]] Bytes bytes() const {
    Bytes made(size);
    for (std::size_t at = 0; at < size; ++at)
      made[at] = static_cast<std::uint8_t>(0xa5 ^ (period * 31 + at * 7 + kind));
    return made;
  }
  [[nodiscard]] std::string key_id() const {
    char text[40];
    g_snprintf(text, sizeof text, "6b657900-0000-4000-8000-%012" G_GINT64_MODIFIER "x", period);
    return text;
  }
  /// Periods of a second each.
  [[nodiscard]] gst::ContentKeyPointer key() const {
    GstStructure* info = gst_structure_new(
        GST_CAS_CONTENT_KEY_INFO, "key-id", G_TYPE_STRING, key_id().c_str(), "content-id", G_TYPE_STRING,
        content_id.c_str(), "period-index", G_TYPE_UINT64, period, "rotates", G_TYPE_BOOLEAN, TRUE, "time-base",
        G_TYPE_STRING, "running-time", "start", G_TYPE_UINT64, period * GST_SECOND, "end", G_TYPE_UINT64,
        (period + 1) * GST_SECOND, "scheme", G_TYPE_STRING, "cenc", nullptr);
    if (!track_type.empty()) gst_structure_set(info, "track-type", G_TYPE_STRING, track_type.c_str(), nullptr);
    const Bytes secret = bytes();
    return gst::ContentKeyPointer(gst_cas_content_key_new(secret.data(), secret.size(), info));
  }
};

class InserterKeys : public ::testing::Test {
 protected:
  static PropertyList properties_for(const PlainEcmgServer& ecmg) {
    return with(usual_properties(ecmg), {{"key-source", "upstream"}});
  }
  static void send(InserterHarness& inserter, const TestKey& key, bool ahead = false) {
    ASSERT_TRUE(gst_harness_push_event(*inserter, gst_cas_event_new_content_key(key.key().get(), ahead)));
  }
  /// The key of a period, and those of two more that are to come.
  static void begin(InserterHarness& inserter, guint64 period) {
    send(inserter, {.period = period});
    for (const guint64 ahead : {period + 1, period + 2}) send(inserter, {.period = ahead}, true);
  }
  /// `count` periods of a second each; gives all that went in.
  static Bytes run(InserterHarness& inserter, TestMultiplex& multiplex, guint64 first, guint64 count) {
    Bytes all;
    for (guint64 period = first; period < first + count; ++period) {
      begin(inserter, period);
      const Bytes second = multiplex.seconds(1);
      EXPECT_EQ(inserter.push_in_pieces(second, 7 * mpegts::packet_size), GST_FLOW_OK);
      append(all, second);
    }
    return all;
  }
  /// All messages of that name that there are by now.
  static std::vector<gst::StructurePtr> messages(GstBus* bus, const char* name) {
    std::vector<gst::StructurePtr> found;
    while (GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT)) {
      const GstStructure* structure = gst_message_get_structure(message);
      if (gst_structure_has_name(structure, name)) found.emplace_back(gst_structure_copy(structure));
      gst_message_unref(message);
    }
    return found;
  }

  PlainEcmgServer ecmg_;
  TestMultiplex multiplex_{{.bit_rate = 2'000'000}};
  TestReceiver receiver_{mpegts::TsCipher::cissa, plain_ca_system_id};
};

}  // namespace cas::test
