// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>
#ifdef CAS_WITH_CSA
#  include <dvbcsa/dvbcsa.h>
#endif

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "measure.hpp"
#include "mpegts/packet.hpp"
#include "service/event_loop.hpp"
#include "simulcrypt/ecmg_listener.hpp"
#include "support/test_multiplex.hpp"

// What simulcrypt-ecm-inserter costs on one core: a stream of 100 Mbit/s with PSI and clock references goes through the
// element, with ECMs from ECMGs over TCP, a crypto-period of one second and an ECM each 100 ms of the stream. Counted is
// the time in the element's chain function; filling the buffers with clear packets again is not.

namespace {

using namespace cas;

constexpr const char* name = "simulcrypt";
constexpr std::uint64_t bit_rate = 100'000'000;
constexpr std::size_t packets_in_buffer = 4096;
constexpr std::size_t buffers_in_stream = 32;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "bench_simulcrypt: %s\n", what.c_str());
  std::exit(EXIT_FAILURE);
}

/// Says the crypto-period in a section of 100 bytes.
class PlainGenerator final : public simulcrypt::EcmGenerator {
 public:
  tl::expected<simulcrypt::ecmg::ChannelParameters, simulcrypt::ecmg::Error> open_channel(std::uint32_t) override {
    simulcrypt::ecmg::ChannelParameters parameters;
    parameters.max_streams = 100;
    return parameters;
  }
  tl::expected<simulcrypt::EcmStreamGrant, simulcrypt::ecmg::Error> open_stream(
      const simulcrypt::EcmStreamOrder&) override {
    return simulcrypt::EcmStreamGrant{};
  }
  void close_stream(std::uint64_t) override {}
  std::size_t longest_ecm() const override { return size; }
  simulcrypt::EcmAnswer make_ecm(const simulcrypt::EcmOrder& order, MutableByteView out) override {
    std::ranges::fill(out.first(size), std::uint8_t{0});
    out[0] = static_cast<std::uint8_t>(0x80 | (order.cp_number & 1));
    out[1] = 0x70;
    out[2] = size - 3;
    return simulcrypt::EcmAnswer::ready(size);
  }

 private:
  static constexpr std::size_t size = 100;
};

/// ECMGs on ports of their own, on one thread.
class Ecmgs {
 public:
  explicit Ecmgs(std::size_t count) {
    auto loop = service::EventLoop::create(system_clock());
    if (!loop) give_up(loop.error().message);
    loop_ = std::move(*loop);
    for (std::size_t number = 0; number < count; ++number) {
      auto listener = simulcrypt::EcmgListener::listen(*loop_, {}, generator_);
      if (!listener) give_up(listener.error().message);
      listeners_.push_back(std::move(*listener));
    }
    thread_ = std::thread([this] { loop_->run(); });
  }
  ~Ecmgs() {
    loop_->stop();
    thread_.join();
  }
  Ecmgs(const Ecmgs&) = delete;
  Ecmgs& operator=(const Ecmgs&) = delete;
  [[nodiscard]] std::uint16_t port(std::size_t number) const { return listeners_[number]->port(); }

 private:
  PlainGenerator generator_;
  std::unique_ptr<service::EventLoop> loop_;
  std::vector<std::unique_ptr<simulcrypt::EcmgListener>> listeners_;
  std::thread thread_;
};

/// The element between two pads of ours, and a stream that goes round through it, with clock references that go on.
class Inserter {
 public:
  /// With `count` ECMGs from `first` on, which nobody else has.
  Inserter(const Ecmgs& ecmgs, std::size_t first, std::size_t count, const char* cipher, std::size_t services)
      : multiplex_({.bit_rate = bit_rate, .services = services, .null_per_mille = 20}) {
    char file[] = "/tmp/bench-simulcrypt-XXXXXX";
    const int descriptor = mkstemp(file);
    if (descriptor < 0) give_up("no temporary file");
    close(descriptor);
    {
      std::ofstream configuration(file);
      configuration << "cipher = \"" << cipher << "\"\necm_wait = \"10s\"\n";
      for (std::size_t number = 0; number < count; ++number)
        configuration << "[[ecmg]]\nname = \"" << number << "\"\nsuper_cas_id = " << (0x4a000000 + (number << 16))
                      << "\naddresses = [\"127.0.0.1:" << ecmgs.port(first + number) << "\"]\n";
      configuration << "[[service]]\ncrypto_period = \"1s\"\n";
      for (std::size_t number = 0; number < count; ++number)
        configuration << "[[service.system]]\necmg = \"" << number << "\"\naccess_criteria = \"01\"\n";
    }
    element_ = gst_element_factory_make("simulcrypt-ecm-inserter", nullptr);
    if (element_ == nullptr) give_up("there is no element simulcrypt-ecm-inserter");
    g_object_set(element_, "config", file, nullptr);
    source_ = gst_pad_new("source", GST_PAD_SRC);
    drain_ = gst_pad_new("drain", GST_PAD_SINK);
    gst_pad_set_chain_function(drain_, [](GstPad*, GstObject*, GstBuffer* buffer) -> GstFlowReturn {
      gst_buffer_unref(buffer);
      return GST_FLOW_OK;
    });
    GstPad* sink = gst_element_get_static_pad(element_, "sink");
    GstPad* src = gst_element_get_static_pad(element_, "src");
    gst_pad_link(source_, sink);
    gst_pad_link(src, drain_);
    gst_object_unref(sink);
    gst_object_unref(src);
    gst_pad_set_active(drain_, TRUE);
    gst_pad_set_active(source_, TRUE);
    if (gst_element_set_state(element_, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) give_up("it does not start");
    unlink(file);
    gst_pad_push_event(source_, gst_event_new_stream_start("bench"));
    GstCaps* caps = gst_caps_from_string("video/mpegts, systemstream=(boolean)true, packetsize=(int)188");
    gst_pad_push_event(source_, gst_event_new_caps(caps));
    gst_caps_unref(caps);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_BYTES);
    gst_pad_push_event(source_, gst_event_new_segment(&segment));
    for (std::size_t number = 0; number < buffers_in_stream; ++number)
      stream_.push_back(multiplex_.packets(packets_in_buffer));
    static_cast<void>(run());  // Streams are open, and the first period is on.
    const std::uint64_t before = scrambled();
    static_cast<void>(run());
    const std::uint64_t done = scrambled() - before;
    if (done < packets_in_buffer * buffers_in_stream * 9 / 10)
      give_up("of " + std::to_string(packets_in_buffer * buffers_in_stream) + " packets, " + std::to_string(done) +
              " were scrambled");
  }
  ~Inserter() {
    gst_element_set_state(element_, GST_STATE_NULL);
    gst_object_unref(element_);
    gst_object_unref(source_);
    gst_object_unref(drain_);
  }
  Inserter(const Inserter&) = delete;
  Inserter& operator=(const Inserter&) = delete;

  /// Seconds that the whole stream takes.
  double run() {
    double seconds = 0;
    for (Bytes& clear : stream_) {
      GstBuffer* buffer = gst_buffer_new_allocate(nullptr, clear.size(), nullptr);
      gst_buffer_fill(buffer, 0, clear.data(), clear.size());
      seconds += bench::seconds_of(
          [&] {
            if (gst_pad_push(source_, buffer) != GST_FLOW_OK) give_up("the element does not take a buffer");
          },
          1);
    }
    const auto length = static_cast<std::int64_t>(multiplex_.time_of(packets_in_buffer * buffers_in_stream));
    for (Bytes& clear : stream_)
      for (std::size_t at = 0; at < clear.size(); at += mpegts::packet_size)
        static_cast<void>(
            mpegts::restamp_pcr(mpegts::MutablePacketView(clear.data() + at, mpegts::packet_size), length));
    return seconds;
  }

 private:
  std::uint64_t scrambled() {
    GstStructure* stats = nullptr;
    g_object_get(element_, "stats", &stats, nullptr);
    std::uint64_t count = 0;
    const GValue* groups = gst_structure_get_value(stats, "groups");
    for (guint number = 0; number < gst_value_list_get_size(groups); ++number) {
      guint64 packets = 0;
      gst_structure_get_uint64(gst_value_get_structure(gst_value_list_get_value(groups, number)), "packets-scrambled",
                               &packets);
      count += packets;
    }
    gst_structure_free(stats);
    return count;
  }

  test::TestMultiplex multiplex_;
  std::vector<Bytes> stream_;
  GstElement* element_ = nullptr;
  GstPad* source_ = nullptr;
  GstPad* drain_ = nullptr;
};

constexpr double gigabits = static_cast<double>(mpegts::packet_size * packets_in_buffer * buffers_in_stream) * 8 / 1e9;

#ifdef CAS_WITH_CSA
/// libdvbcsa as its own user would call it: full batches of whole payloads, whose table was made before.
class BareCsa2 {
 public:
  BareCsa2() : bytes_(packet_size * packets_in_buffer), key_(dvbcsa_bs_key_alloc()) {
    constexpr dvbcsa_cw_t word = {};
    dvbcsa_bs_key_set(word, key_);
    const std::size_t size = dvbcsa_bs_batch_size();
    for (std::size_t number = 0; number < packets_in_buffer; ++number) {
      if (number % size == 0) batches_.emplace_back();
      batches_.back().push_back({bytes_.data() + packet_size * number + 4, packet_size - 4});
    }
    for (auto& batch : batches_) batch.push_back({nullptr, 0});
  }
  ~BareCsa2() { dvbcsa_bs_key_free(key_); }
  BareCsa2(const BareCsa2&) = delete;
  BareCsa2& operator=(const BareCsa2&) = delete;
  double run() {
    return bench::seconds_of(
        [this] {
          for (const auto& batch : batches_) dvbcsa_bs_encrypt(key_, batch.data(), packet_size - 4);
        },
        buffers_in_stream);
  }

 private:
  static constexpr std::size_t packet_size = mpegts::packet_size;
  Bytes bytes_;
  dvbcsa_bs_key_t* key_;
  std::vector<std::vector<dvbcsa_bs_batch_s>> batches_;
};
#endif

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  const Ecmgs ecmgs(11);
  {
    Inserter one(ecmgs, 0, 1, "cissa", 1), eight(ecmgs, 1, 8, "cissa", 1), services(ecmgs, 9, 1, "cissa", 8);
    bench::Comparison comparison(name, gigabits, "Gb");
    comparison.add_timed("one", [&] { return one.run(); })
        .add_timed("eight", [&] { return eight.run(); })
        .add_timed("services", [&] { return services.run(); });
    comparison.run();
    bench::print_figure(name, "cissa_gbps", comparison.rate(0), "Gb/s");
    bench::print_figure(name, "cost_8_ecmg_ratio", 1 / comparison.ratio(1, 0), "ratio");
    bench::print_figure(name, "cost_8_services_ratio", 1 / comparison.ratio(2, 0), "ratio");
  }
#ifdef CAS_WITH_CSA
  Inserter element(ecmgs, 10, 1, "csa2", 1);
  BareCsa2 bare;
  bench::Comparison comparison(name, gigabits, "Gb");
  comparison.add_timed("bare", [&] { return bare.run(); }).add_timed("element", [&] { return element.run(); });
  comparison.run();
  bench::print_figure(name, "csa2_gbps", comparison.rate(1), "Gb/s");
  bench::print_figure(name, "csa2_libdvbcsa_ratio", comparison.ratio(1, 0), "ratio");
#endif
  return 0;
}
