// SPDX-License-Identifier: LGPL-2.1-or-later
#include "key_events.hpp"

#include <optional>

#include "crypto/base64.hpp"

namespace cas::gst {

namespace {

constexpr std::size_t max_box = 65'536;
constexpr const char* origin = "kex-keysource";

/// Signalling that is no base64 never came through the reader of documents.
std::optional<Bytes> decoded(const std::optional<std::string>& base64) {
  if (!base64 || base64->empty()) return std::nullopt;
  auto bytes = crypto::from_base64(*base64, max_box);
  if (!bytes) return std::nullopt;
  return std::move(*bytes);
}

void set_bytes(GstStructure* structure, const char* field, ByteView bytes) {
  GValue value = G_VALUE_INIT;
  g_value_init(&value, G_TYPE_BYTES);
  g_value_take_boxed(&value, g_bytes_new(bytes.data(), bytes.size()));
  gst_structure_take_value(structure, field, &value);
}

void set_text_unless_empty(GstStructure* structure, const char* field, const std::string& text) {
  if (!text.empty()) gst_structure_set(structure, field, G_TYPE_STRING, text.c_str(), nullptr);
}

void set_systems(GstStructure* info, const kex::FetchedKey& key) {
  if (key.systems.empty()) return;
  GValue all = G_VALUE_INIT;
  g_value_init(&all, GST_TYPE_ARRAY);
  for (const kex::CpixDrmSystem& system : key.systems) {
    GstStructure* one =
        gst_structure_new("system", "system-id", G_TYPE_STRING, system.system_id.text().c_str(), nullptr);
    if (const auto box = decoded(system.pssh)) set_bytes(one, "pssh", *box);
    if (const auto data = decoded(system.content_protection_data)) set_bytes(one, "data", *data);
    if (system.super_cas_id) gst_structure_set(one, "super-cas-id", G_TYPE_UINT, *system.super_cas_id, nullptr);
    GValue value = G_VALUE_INIT;
    g_value_init(&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&value, one);
    gst_value_array_append_and_take_value(&all, &value);
  }
  gst_structure_take_value(info, "systems", &all);
}

}  // namespace

ContentKeyPointer content_key_of(const kex::FetchedKey& key, const KeyPlace& place,
                                 const kex::KeySourceSettings& settings) {
  GstStructure* info = gst_structure_new(GST_CAS_CONTENT_KEY_INFO,                                  //
                                         "key-id", G_TYPE_STRING, key.key.kid.text().c_str(),       //
                                         "content-id", G_TYPE_STRING, settings.content_id.c_str(),  //
                                         "period-index", G_TYPE_UINT64, guint64{place.period},      //
                                         "rotates", G_TYPE_BOOLEAN, gboolean{place.rotates}, nullptr);
  if (place.rotates)
    gst_structure_set(info, "time-base", G_TYPE_STRING, place.utc ? "utc" : "running-time", "start", G_TYPE_UINT64,
                      guint64{place.start}, "end", G_TYPE_UINT64, guint64{place.end}, nullptr);
  set_text_unless_empty(info, "track-type", settings.track_type);
  set_text_unless_empty(info, "representation", settings.representation);
  set_text_unless_empty(info, "scheme", key.scheme);
  set_bytes(info, "iv", key.key.iv);
  set_systems(info, key);
  const ByteView value = key.key.value.reveal();
  return ContentKeyPointer(gst_cas_content_key_new(value.data(), value.size(), info));
}

std::vector<EventPtr> protection_events(const kex::FetchedKey& key) {
  std::vector<EventPtr> events;
  for (const kex::CpixDrmSystem& system : key.systems) {
    const auto box = decoded(system.pssh);
    if (!box) continue;
    BufferPtr data(gst_buffer_new_allocate(nullptr, box->size(), nullptr));
    gst_buffer_fill(data.get(), 0, box->data(), box->size());
    events.emplace_back(gst_event_new_protection(system.system_id.text().c_str(), data.get(), origin));
  }
  return events;
}

}  // namespace cas::gst
