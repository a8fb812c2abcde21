// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include <cstdlib>

#include "measure.hpp"
#include "smartpro_bench_elements.hpp"
#include "support/loopback_kms.hpp"

// What kex-keysource costs beside GStreamer's identity: both hand the same buffers of 64 KiB on, each 10 ms of the stream.

namespace {

using namespace cas;

constexpr std::size_t buffer_size = 64 * 1024;
constexpr std::size_t buffer_count = 64 * 1024;
constexpr GstClockTime buffer_duration = 10 * GST_MSECOND;

bench::BufferRow make_stream() {
  static Bytes content(buffer_size);
  bench::BufferRow row;
  for (std::size_t i = 0; i < buffer_count; ++i) {
    row.emplace_back(gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, content.data(), buffer_size, 0, buffer_size,
                                                 nullptr, nullptr));
    GST_BUFFER_PTS(row.back().get()) = i * buffer_duration;
    GST_BUFFER_DURATION(row.back().get()) = buffer_duration;
  }
  return row;
}

bench::ElementPtr make(const char* name) {
  GstElement* element = gst_element_factory_make(name, nullptr);
  if (element == nullptr) {
    std::fprintf(stderr, "bench_kex_keysource: there is no %s\n", name);
    std::exit(EXIT_FAILURE);
  }
  return bench::ElementPtr(GST_ELEMENT(gst_object_ref_sink(element)));
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  test::LoopbackKms kms;
  const bench::BufferRow stream = make_stream();
  const auto make_keysource = [&](guint64 period) {
    bench::ElementPtr element = make("kex-keysource");
    g_object_set(element.get(), "kms-uris", kms.url().c_str(), "content-id", "bench", "period", period, "prefetch",
                 100U, "on-failure", 1, nullptr);
    return element;
  };
  // The key rotates each hour, which it does not within these buffers: what is measured is the way of a buffer.
  bench::Comparison comparison("kex-keysource", static_cast<double>(buffer_count), "buffers");
  comparison
      .add_timed("identity", [&] { return bench::push_through(make("identity"), stream, nullptr, GST_FORMAT_TIME); })
      .add_timed(
          "element",
          [&] { return bench::push_through(make_keysource(3600 * GST_SECOND), stream, nullptr, GST_FORMAT_TIME); })
      .add_timed("one_key", [&] { return bench::push_through(make_keysource(0), stream, nullptr, GST_FORMAT_TIME); });
  comparison.run();
  bench::print_figure("kex-keysource", "buffers_per_s", comparison.rate(1), "buffers/s");
  bench::print_figure("kex-keysource", "identity_ratio", comparison.ratio(1, 0), "x");
  bench::print_figure("kex-keysource", "one_key_identity_ratio", comparison.ratio(2, 0), "x");
  return EXIT_SUCCESS;
}
