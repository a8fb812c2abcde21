// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <memory>
#include <utility>

#include "base/bytes.hpp"

/// Ownership of GStreamer and GLib objects as std::unique_ptr, and mappings that end with their scope.
namespace cas::gst {

struct ReleaseBuffer {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
};
struct ReleaseBufferList {
  void operator()(GstBufferList* list) const { gst_buffer_list_unref(list); }
};
struct ReleaseCaps {
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
};
struct ReleaseContext {
  void operator()(GstContext* context) const { gst_context_unref(context); }
};
struct ReleaseEvent {
  void operator()(GstEvent* event) const { gst_event_unref(event); }
};
struct ReleaseQuery {
  void operator()(GstQuery* query) const { gst_query_unref(query); }
};
struct ReleaseStructure {
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
};
struct ReleaseObject {
  void operator()(gpointer object) const { gst_object_unref(object); }
};
struct ReleaseText {
  void operator()(gchar* text) const { g_free(text); }
};

using BufferPtr = std::unique_ptr<GstBuffer, ReleaseBuffer>;
using BufferListPtr = std::unique_ptr<GstBufferList, ReleaseBufferList>;
using CapsPtr = std::unique_ptr<GstCaps, ReleaseCaps>;
using ContextPtr = std::unique_ptr<GstContext, ReleaseContext>;
using EventPtr = std::unique_ptr<GstEvent, ReleaseEvent>;
using QueryPtr = std::unique_ptr<GstQuery, ReleaseQuery>;
using StructurePtr = std::unique_ptr<GstStructure, ReleaseStructure>;
using TextPtr = std::unique_ptr<gchar, ReleaseText>;
/// For everything derived from GstObject.
template <typename T>
using ObjectPtr = std::unique_ptr<T, ReleaseObject>;

/// A buffer mapped for as long as the scope lasts. Does not own the buffer.
class MappedBuffer {
 public:
  MappedBuffer(GstBuffer* buffer, GstMapFlags flags) : buffer_(buffer), valid_(gst_buffer_map(buffer, &map_, flags)) {}
  ~MappedBuffer() {
    if (valid_) gst_buffer_unmap(buffer_, &map_);
  }
  MappedBuffer(const MappedBuffer&) = delete;
  MappedBuffer& operator=(const MappedBuffer&) = delete;

  /// False when the memory could not be mapped.
  explicit operator bool() const { return valid_; }
  [[nodiscard]] ByteView bytes() const { return {map_.data, map_.size}; }
  [[nodiscard]] MutableByteView writable() { return {map_.data, map_.size}; }

 private:
  GstBuffer* buffer_;
  GstMapInfo map_ = GST_MAP_INFO_INIT;
  bool valid_;
};

/// A GstObject's lock (GST_OBJECT_LOCK) for as long as the scope lasts.
class ObjectLock {
 public:
  explicit ObjectLock(gpointer object) : object_(GST_OBJECT_CAST(object)) { GST_OBJECT_LOCK(object_); }
  ~ObjectLock() { GST_OBJECT_UNLOCK(object_); }
  ObjectLock(const ObjectLock&) = delete;
  ObjectLock& operator=(const ObjectLock&) = delete;

 private:
  GstObject* object_;
};

}  // namespace cas::gst
