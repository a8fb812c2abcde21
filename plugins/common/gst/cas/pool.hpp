// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <memory>

namespace cas::gst {

struct ReleaseBufferPool {
  void operator()(GstBufferPool* pool) const {
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
  }
};
/// An active pool, which is taken out of use when it is let go; buffers that are under way find their own end.
using BufferPoolPtr = std::unique_ptr<GstBufferPool, ReleaseBufferPool>;

/// A pool that grows as needed, of buffers with `buffer_size` bytes.
[[nodiscard]] inline BufferPoolPtr make_buffer_pool(guint buffer_size) {
  BufferPoolPtr pool(gst_buffer_pool_new());
  GstStructure* config = gst_buffer_pool_get_config(pool.get());
  gst_buffer_pool_config_set_params(config, nullptr, buffer_size, 0, 0);
  gst_buffer_pool_set_config(pool.get(), config);
  gst_buffer_pool_set_active(pool.get(), TRUE);
  return pool;
}

}  // namespace cas::gst
