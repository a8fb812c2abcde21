// SPDX-License-Identifier: LGPL-2.1-or-later
#include "licence_announcement.hpp"

#include <memory>
#include <string>

#include "base/hex.hpp"
#include "smartpro/licence.hpp"

namespace cas::gst {

namespace {

constexpr char structure_name[] = "smartpro-licence";
/// As many sources a query takes: more than one is too many already.
constexpr gint most_sources = 2;

struct ReleaseBytes {
  void operator()(GBytes* bytes) const { g_bytes_unref(bytes); }
};

}  // namespace

void add_key_origin(GstStructure* structure, const std::optional<smartpro::KeyOrigin>& origin) {
  if (!origin) return;
  gst_structure_set(structure, "key-id", G_TYPE_STRING, smartpro::key_id_text(origin->key_id).c_str(),  //
                    "key-content-id", G_TYPE_STRING, origin->content_id.c_str(),                        //
                    "key-period-index", G_TYPE_UINT64, guint64{origin->period_index}, nullptr);
}

StructurePtr licence_structure(std::uint32_t period, ByteView lecm, const smartpro::ReadHeader& header) {
  const std::unique_ptr<GBytes, ReleaseBytes> bytes(g_bytes_new(lecm.data(), lecm.size()));
  StructurePtr structure(gst_structure_new(structure_name,                                                         //
                                           "lecm", G_TYPE_BYTES, bytes.get(),                                      //
                                           "content-id", G_TYPE_STRING, to_hex(header.header.content_id).c_str(),  //
                                           "header-digest", G_TYPE_STRING, to_hex(header.digest).c_str(),          //
                                           "key-period", G_TYPE_UINT, guint{period}, nullptr));
  add_key_origin(structure.get(), header.header.key_origin);
  return structure;
}

Result<Bytes> licence_of(const GstStructure* structure) {
  GBytes* taken = nullptr;
  if (structure == nullptr || !gst_structure_get(structure, "lecm", G_TYPE_BYTES, &taken, nullptr) || taken == nullptr)
    return fail(ErrorKind::malformed, "what an element upstream announces as a licence holds none");
  const std::unique_ptr<GBytes, ReleaseBytes> bytes(taken);
  gsize size = 0;
  const auto* data = static_cast<const std::uint8_t*>(g_bytes_get_data(bytes.get(), &size));
  if (size > smartpro::max_lecm_size)
    return fail(ErrorKind::malformed, "what an element upstream announces as a licence is too long for one");
  return copy_of(ByteView(data, size));
}

EventPtr new_licence_event(StructurePtr licence) {
  return EventPtr(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, licence.release()));
}

bool is_licence_event(GstEvent* event) {
  return GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY &&
         gst_event_has_name(event, structure_name) != FALSE;
}

QueryPtr new_licence_query() {
  return QueryPtr(gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(structure_name)));
}

bool is_licence_query(GstQuery* query) {
  const GstStructure* structure = GST_QUERY_TYPE(query) == GST_QUERY_CUSTOM ? gst_query_get_structure(query) : nullptr;
  return structure != nullptr && gst_structure_has_name(structure, structure_name) != FALSE;
}

void add_licence(GstQuery* query, StructurePtr licence) {
  GstStructure* answers = gst_query_writable_structure(query);
  const gint count = gst_structure_n_fields(answers);
  if (count >= most_sources) return;
  const std::string field = "source-" + std::to_string(count);
  gst_structure_set(answers, field.c_str(), GST_TYPE_STRUCTURE, licence.get(), nullptr);
}

}  // namespace cas::gst
