// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/cas/content_key.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/hex.hpp"
#include "gst/cas/pointers.hpp"

namespace cas::gst {
namespace {

constexpr std::array<guint8, 16> key_bytes{0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8,
                                           0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0};

GstStructure* info() {
  return gst_structure_new(GST_CAS_CONTENT_KEY_INFO, "key-id", G_TYPE_STRING, "a2b3c4d5-0000-4000-8000-000000000001",
                           "content-id", G_TYPE_STRING, "channel-1", "period-index", G_TYPE_UINT64,
                           G_GUINT64_CONSTANT(7), "rotates", G_TYPE_BOOLEAN, TRUE, nullptr);
}
ContentKeyPointer new_key() {
  return ContentKeyPointer(gst_cas_content_key_new(key_bytes.data(), key_bytes.size(), info()));
}

TEST(ContentKey, GoesThroughAnEvent) {
  const auto key = new_key();
  for (const gboolean ahead : {0, 1}) {
    const EventPtr event(gst_cas_event_new_content_key(key.get(), ahead));
    const GstEventTypeFlags flags = gst_event_type_get_flags(GST_EVENT_TYPE(event.get()));
    EXPECT_NE(flags & GST_EVENT_TYPE_SERIALIZED, 0);
    EXPECT_NE(flags & GST_EVENT_TYPE_STICKY, 0);
    EXPECT_NE(flags & GST_EVENT_TYPE_DOWNSTREAM, 0);
    gboolean is_ahead = !ahead;
    const ContentKeyPointer found(gst_cas_event_get_content_key(event.get(), &is_ahead));
    ASSERT_EQ(found.get(), key.get());
    EXPECT_EQ(is_ahead, ahead);
    guint64 index = 0;
    EXPECT_TRUE(gst_structure_get_uint64(gst_event_get_structure(event.get()), "period-index", &index));
    EXPECT_EQ(index, 7U);
  }
  EXPECT_STREQ(gst_cas_content_key_get_key_id(key.get()), "a2b3c4d5-0000-4000-8000-000000000001");
  EXPECT_STREQ(gst_cas_content_key_get_content_id(key.get()), "channel-1");
  EXPECT_EQ(gst_cas_content_key_get_period_index(key.get()), 7U);
  std::array<guint8, 16> out{};
  EXPECT_TRUE(gst_cas_content_key_copy_key(key.get(), out.data(), out.size()));
  EXPECT_EQ(out, key_bytes);
  EXPECT_FALSE(gst_cas_content_key_copy_key(key.get(), out.data(), 8));
}

TEST(ContentKey, IsInNoOtherEvent) {
  const EventPtr eos(gst_event_new_eos());
  EXPECT_EQ(gst_cas_event_get_content_key(eos.get(), nullptr), nullptr);
  const EventPtr other(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, gst_structure_new_empty("other")));
  EXPECT_EQ(gst_cas_event_get_content_key(other.get(), nullptr), nullptr);
  const EventPtr empty(
      gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, gst_structure_new_empty(GST_CAS_CONTENT_KEY_EVENT)));
  EXPECT_EQ(gst_cas_event_get_content_key(empty.get(), nullptr), nullptr);
}

// What GStreamer's debug log says of an event, and what gst_structure_to_string gives.
TEST(ContentKey, NoTextOfTheEventHasTheKey) {
  const auto key = new_key();
  const EventPtr event(gst_cas_event_new_content_key(key.get(), FALSE));
  const TextPtr log(gst_info_strdup_printf("%" GST_PTR_FORMAT, static_cast<void*>(event.get())));
  const TextPtr text(gst_structure_to_string(gst_event_get_structure(event.get())));
  for (const std::string printed : {log.get() == nullptr ? "" : log.get(), text.get() == nullptr ? "" : text.get()}) {
    EXPECT_NE(printed.find("channel-1"), std::string::npos) << printed;
    for (const bool upper : {false, true}) {
      std::string part = to_hex(ByteView(key_bytes).first(3));
      if (upper)
        for (char& c : part) c = g_ascii_toupper(c);
      EXPECT_EQ(printed.find(part), std::string::npos) << printed;
    }
  }
}

TEST(ContentKey, WhatIsIncompleteIsRefused) {
  const auto refused = [](gsize size, GstStructure* fields) {
    g_log_set_always_fatal(static_cast<GLogLevelFlags>(G_LOG_FATAL_MASK & ~G_LOG_LEVEL_CRITICAL));
    const auto before = g_log_set_default_handler([](const gchar*, GLogLevelFlags, const gchar*, gpointer) {}, nullptr);
    GstCasContentKey* key = gst_cas_content_key_new(key_bytes.data(), size, fields);
    g_log_set_default_handler(before, nullptr);
    const bool was_refused = key == nullptr;
    if (key != nullptr) gst_cas_content_key_unref(key);
    return was_refused;
  };
  EXPECT_TRUE(refused(7, info()));
  EXPECT_TRUE(refused(33, info()));
  for (const char* field : {"key-id", "content-id", "period-index", "rotates"}) {
    GstStructure* fields = info();
    gst_structure_remove_field(fields, field);
    EXPECT_TRUE(refused(16, fields)) << field;
  }
  GstStructure* named = info();
  gst_structure_set_name(named, "other");
  EXPECT_TRUE(refused(16, named));
}

}  // namespace
}  // namespace cas::gst
