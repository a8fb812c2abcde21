// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/cas/pointers.hpp>

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "smartpro/protected_file.hpp"

/// How smartpro-descramble tells the elements behind it under which licence the content was opened, so that
/// smartpro-scramble can have it issued anew. A structure "smartpro-licence" with nothing secret in it, since a licence
/// stands in the file for everybody to read:
///
///   lecm           GBytes   the licence
///   content-id     string   hexadecimal, as all here
///   header-digest  string   of the file that was opened
///   key-period     uint     of that file
///
/// and the fields of add_key_origin.
///
/// It goes downstream as a sticky event, anew for each licence. Where elements read instead of being pushed to
/// (demuxers on files), or keep events for themselves, who needs it asks upstream with a query of that name, into which
/// each smartpro-descramble that it comes to writes such a structure.
namespace cas::gst {

/// Which key of a key server a file is under, where its header says so:
///
///   key-id            string   a UUID, in lower case with hyphens
///   key-content-id    string   as the key server knows the content
///   key-period-index  uint64   number of the crypto-period there
void add_key_origin(GstStructure* structure, const std::optional<smartpro::KeyOrigin>& origin);

[[nodiscard]] StructurePtr licence_structure(std::uint32_t period, ByteView lecm, const smartpro::ReadHeader& header);
/// The licence in such a structure. ErrorKind::malformed when there is none.
[[nodiscard]] Result<Bytes> licence_of(const GstStructure* structure);

/// Sticky, custom, downstream. Takes the structure.
[[nodiscard]] EventPtr new_licence_event(StructurePtr licence);
[[nodiscard]] bool is_licence_event(GstEvent* event);

[[nodiscard]] QueryPtr new_licence_query();
[[nodiscard]] bool is_licence_query(GstQuery* query);
/// Writes a licence into a query that may have others already. The query is to be answered with FALSE all the same:
/// then elements with several sink pads ask behind each of them.
void add_licence(GstQuery* query, StructurePtr licence);
/// What has been written into it, to be called with each.
template <typename Take>
void for_each_licence(GstQuery* query, Take&& take) {
  const GstStructure* structure = gst_query_get_structure(query);
  for (gint i = 0; i < gst_structure_n_fields(structure); ++i) {
    const GValue* value =
        gst_structure_get_value(structure, gst_structure_nth_field_name(structure, static_cast<guint>(i)));
    if (GST_VALUE_HOLDS_STRUCTURE(value)) take(gst_value_get_structure(value));
  }
}

}  // namespace cas::gst
