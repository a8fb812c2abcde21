// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/cas/content_key.hpp"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "gst/cas/pointers.hpp"

struct _GstCasContentKey {
  std::atomic<int> references{1};
  cas::SecretBytes key;
  cas::gst::StructurePtr info;
};

namespace {

constexpr gsize smallest_key = 8, largest_key = 32;

bool has_fields(const GstStructure* info) {
  return gst_structure_has_name(info, GST_CAS_CONTENT_KEY_INFO) &&
         gst_structure_has_field_typed(info, "key-id", G_TYPE_STRING) &&
         gst_structure_get_string(info, "key-id") != nullptr &&
         gst_structure_has_field_typed(info, "content-id", G_TYPE_STRING) &&
         gst_structure_get_string(info, "content-id") != nullptr &&
         gst_structure_has_field_typed(info, "period-index", G_TYPE_UINT64) &&
         gst_structure_has_field_typed(info, "rotates", G_TYPE_BOOLEAN);
}

}  // namespace

namespace cas::gst {

const SecretBytes& secret_of(const GstCasContentKey& key) { return key.key; }

}  // namespace cas::gst

GType gst_cas_content_key_get_type() {
  static const GType type = g_boxed_type_register_static(
      "GstCasContentKey",
      [](gpointer key) -> gpointer { return gst_cas_content_key_ref(static_cast<GstCasContentKey*>(key)); },
      [](gpointer key) { gst_cas_content_key_unref(static_cast<GstCasContentKey*>(key)); });
  return type;
}

GstCasContentKey* gst_cas_content_key_new(const guint8* key, gsize key_size, GstStructure* info) {
  cas::gst::StructurePtr owned(info);
  g_return_val_if_fail(key != nullptr && key_size >= smallest_key && key_size <= largest_key, nullptr);
  g_return_val_if_fail(info != nullptr && has_fields(info), nullptr);
  try {
    auto made = std::make_unique<GstCasContentKey>();
    made->key = cas::SecretBytes::copy_of({key, key_size});
    made->info = std::move(owned);
    return made.release();
  } catch (const std::bad_alloc&) {
    g_return_val_if_reached(nullptr);
  }
}

GstCasContentKey* gst_cas_content_key_ref(GstCasContentKey* key) {
  key->references.fetch_add(1, std::memory_order_relaxed);
  return key;
}

void gst_cas_content_key_unref(GstCasContentKey* key) {
  if (key->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete key;
}

gsize gst_cas_content_key_get_size(const GstCasContentKey* key) { return key->key.size(); }

gboolean gst_cas_content_key_copy_key(const GstCasContentKey* key, guint8* out, gsize size) {
  if (size != key->key.size()) return FALSE;
  std::ranges::copy(key->key.reveal(), out);
  return TRUE;
}

const GstStructure* gst_cas_content_key_get_info(const GstCasContentKey* key) { return key->info.get(); }

const gchar* gst_cas_content_key_get_key_id(const GstCasContentKey* key) {
  return gst_structure_get_string(key->info.get(), "key-id");
}

const gchar* gst_cas_content_key_get_content_id(const GstCasContentKey* key) {
  return gst_structure_get_string(key->info.get(), "content-id");
}

guint64 gst_cas_content_key_get_period_index(const GstCasContentKey* key) {
  guint64 index = 0;
  gst_structure_get_uint64(key->info.get(), "period-index", &index);
  return index;
}

GstEvent* gst_cas_event_new_content_key(GstCasContentKey* key, gboolean ahead) {
  GstStructure* fields = gst_structure_copy(key->info.get());
  gst_structure_set_name(fields, ahead ? GST_CAS_CONTENT_KEY_AHEAD_EVENT : GST_CAS_CONTENT_KEY_EVENT);
  gst_structure_set(fields, "key", GST_TYPE_CAS_CONTENT_KEY, key, nullptr);
  return gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, fields);
}

GstCasContentKey* gst_cas_event_get_content_key(GstEvent* event, gboolean* ahead) {
  if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_DOWNSTREAM_STICKY) return nullptr;
  const bool is_ahead = gst_event_has_name(event, GST_CAS_CONTENT_KEY_AHEAD_EVENT);
  if (!is_ahead && !gst_event_has_name(event, GST_CAS_CONTENT_KEY_EVENT)) return nullptr;
  GstCasContentKey* key = nullptr;
  gst_structure_get(gst_event_get_structure(event), "key", GST_TYPE_CAS_CONTENT_KEY, &key, nullptr);
  if (ahead != nullptr) *ahead = is_ahead;
  return key;
}
