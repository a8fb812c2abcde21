// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include <cstdlib>

#include "measure.hpp"
#include "smartpro/protected_file.hpp"
#include "smartpro_bench_elements.hpp"
#include "tests/support/fake_bridge.hpp"

// What lecm-bridge costs beside GStreamer's identity: both hand the same buffers on. A licence is converted once,
// before the clock starts, by a converter without a card.

namespace {

using namespace cas;

constexpr std::size_t buffer_size = 64 * 1024;
constexpr std::size_t buffer_count = 64 * 1024;

/// A protected file: its start and its licence, and then buffers of content, each a memory of its own around the same
/// bytes.
bench::BufferRow make_file() {
  static Bytes content(buffer_size);
  smartpro::FileHeader header;
  Bytes start = test::value_or_throw(header.encode());
  append(start, test::value_or_throw(smartpro::encode_licence_slot(Bytes(300, 1), header.licence_slot_size)));
  bench::BufferRow row;
  row.emplace_back(gst_buffer_new_memdup(start.data(), start.size()));
  for (std::size_t i = 0; i < buffer_count; ++i) {
    row.emplace_back(gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, content.data(), buffer_size, 0, buffer_size,
                                                 nullptr, nullptr));
    GST_BUFFER_OFFSET(row.back().get()) = start.size() + i * buffer_size;
    GST_BUFFER_OFFSET_END(row.back().get()) = start.size() + (i + 1) * buffer_size;
  }
  return row;
}

bench::ElementPtr make_bridge() {
  bench::ElementPtr element(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("lecm-bridge", nullptr))));
  g_object_set(element.get(), "destinations", "b.bridge", nullptr);
  test::give_fake_card(element.get());
  return element;
}

bench::ElementPtr make_identity() {
  return bench::ElementPtr(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("identity", nullptr))));
}

/// `growth`: bytes that the licence becomes longer. Where slots grow, all offsets behind them change.
void measure(const bench::BufferRow& file, std::size_t growth, const std::string& prefix) {
  test::fake_bridge().growth = growth;
  bench::Comparison comparison("lecm-bridge", static_cast<double>(buffer_count), "buffers");
  comparison.add_timed("identity", [&] { return bench::push_through(make_identity(), file, nullptr); })
      .add_timed("element", [&] { return bench::push_through(make_bridge(), file, nullptr); });
  comparison.run();
  bench::print_figure("lecm-bridge", prefix + "buffers_per_s", comparison.rate(1), "buffers/s");
  bench::print_figure("lecm-bridge", prefix + "identity_ratio", comparison.ratio(1, 0), "x");
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  test::register_lecm_bridge();
  test::reset_fake_bridge();
  const bench::BufferRow file = make_file();
  measure(file, 0, "");
  measure(file, smartpro::default_licence_slot_size, "grown_");
  return EXIT_SUCCESS;
}
