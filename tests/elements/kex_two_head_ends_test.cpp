// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two head-ends, each with its own key server and its own ECMG, which have never heard of one another: a receiver may go from
// one to the other at any packet.
#include <map>

#include "kex_keysource_test.hpp"
#include "simulcrypt_element_test.hpp"

namespace cas::test {
namespace {

constexpr guint64 begun_utc = 1'796'040'000'300'000'000;  // in the middle of a period
constexpr std::size_t packets_in_buffer = 21;

struct Scrambled {
  std::map<mpegts::Pid, std::vector<std::string>> packets;  ///< As they went out, by PID.
  std::uint64_t undecodable = 0;
  std::map<mpegts::Pid, Bytes> received;  ///< What a receiver makes of it.
};

/// The stream from its packet number `first` on. Time stamps and the time of day are those of the whole stream.
Scrambled run_head_end(const LoopbackKms& kms, const PlainEcmgServer& ecmg, const std::string& content, ByteView stream,
                       std::uint64_t bit_rate, std::size_t first) {
  const std::string description =
      "kex-keysource kms-uris=" + kms.url() + " content-id=" + content +
      " period=1000000000 time-base=utc utc-start=" + std::to_string(begun_utc) +
      " on-failure=block ! simulcrypt-ecm-inserter key-source=upstream cipher=cissa ecmg=" + ecmg.address() +
      " super-cas-id=" + std::to_string(ecmg.super_cas_id()) + " ecm-wait=60000";
  GError* error = nullptr;
  GstElement* bin = gst_parse_bin_from_description(description.c_str(), TRUE, &error);
  if (bin == nullptr) throw std::runtime_error(error->message);
  gst_object_ref_sink(bin);
  Scrambled result;
  TestReceiver receiver(mpegts::TsCipher::cissa, plain_ca_system_id);
  {
    const HarnessPtr harness(gst_harness_new_with_element(bin, "sink", "src"));
    gst_harness_set_src_caps_str(harness.get(), transport_stream_caps);
    const std::size_t size = packets_in_buffer * mpegts::packet_size;
    for (std::size_t at = first * mpegts::packet_size; at < stream.size(); at += size) {
      const ByteView part = stream.subspan(at, std::min(size, stream.size() - at));
      GstBuffer* buffer = gst_buffer_new_memdup(part.data(), part.size());
      GST_BUFFER_PTS(buffer) = gst_util_uint64_scale(at * 8, GST_SECOND, bit_rate);
      EXPECT_EQ(gst_harness_push(harness.get(), buffer), GST_FLOW_OK);
    }
    gst_harness_push_event(harness.get(), gst_event_new_eos());
    Bytes out;
    while (GstBuffer* pulled = gst_harness_try_pull(harness.get())) {
      const gst::BufferPtr buffer(pulled);
      const gst::MappedBuffer map(buffer.get(), GST_MAP_READ);
      append(out, map.bytes());
    }
    for (ByteView rest = out; !rest.empty(); rest = rest.subspan(mpegts::packet_size)) {
      const mpegts::PacketView packet(rest.data(), mpegts::packet_size);
      result.packets[mpegts::pid_of(packet)].push_back(as_text(rest.first(mpegts::packet_size)));
    }
    receiver.push(out);
  }
  gst_element_set_state(bin, GST_STATE_NULL);
  gst_object_unref(bin);
  result.undecodable = receiver.undecodable;
  result.received = receiver.payloads;
  return result;
}

bool is_scrambled(const std::string& packet) { return (static_cast<unsigned char>(packet[3]) & 0xc0) != 0; }

// R5_1_3, end to end.
TEST(KexTwoHeadEnds, R5_1_3_ScrambleBitForBitTheSame) {
  LoopbackKms kms_a, kms_b;
  PlainEcmgServer ecmg_a, ecmg_b;
  const std::string content = fresh_content();
  constexpr std::uint64_t bit_rate = 2'000'000;
  TestMultiplex multiplex{{.bit_rate = bit_rate, .null_per_mille = 120}};
  const Bytes stream = multiplex.seconds(4.5);
  const Scrambled a = run_head_end(kms_a, ecmg_a, content, stream, bit_rate, 0);
  const Scrambled b = run_head_end(kms_b, ecmg_b, content, stream, bit_rate, 0);
  EXPECT_GE(kms_a.requests(), 1U);
  EXPECT_GE(kms_b.requests(), 1U);
  EXPECT_EQ(a.undecodable, 0U);
  EXPECT_EQ(b.undecodable, 0U);
  for (const mpegts::Pid pid : {TestMultiplex::video_pid(0), TestMultiplex::audio_pid(0)}) {
    ASSERT_GT(a.packets.at(pid).size(), 100U);
    EXPECT_EQ(a.packets.at(pid), b.packets.at(pid)) << pid;
    EXPECT_EQ(a.received.at(pid), b.received.at(pid));
  }
  // Several periods, all of them scrambled.
  std::size_t changes = 0, scrambled = 0;
  const auto& video = a.packets.at(TestMultiplex::video_pid(0));
  for (std::size_t at = 0; at < video.size(); ++at) {
    if (is_scrambled(video[at])) ++scrambled;
    if (at > 0 && is_scrambled(video[at]) && is_scrambled(video[at - 1]) &&
        ((video[at][3] ^ video[at - 1][3]) & 0x40) != 0)
      ++changes;
  }
  EXPECT_EQ(changes, 4U);
  EXPECT_GT(scrambled, video.size() * 9 / 10);
}

// A head-end that comes in later, with a stranger's seed: what it scrambles is another thing.
TEST(KexTwoHeadEnds, OneThatBeginsLaterJoinsIn) {
  LoopbackKms kms_a, kms_b, stranger({.seed = 9});
  PlainEcmgServer ecmg;
  const std::string content = fresh_content();
  constexpr std::uint64_t bit_rate = 2'000'000;
  TestMultiplex multiplex{{.bit_rate = bit_rate, .null_per_mille = 120}};
  const Bytes stream = multiplex.seconds(4.5);
  const std::size_t middle = stream.size() / mpegts::packet_size / 3;
  const auto video = TestMultiplex::video_pid(0);
  const auto a = run_head_end(kms_a, ecmg, content, stream, bit_rate, 0).packets.at(video);
  const auto b = run_head_end(kms_b, ecmg, content, stream, bit_rate, middle).packets.at(video);
  const auto other = run_head_end(stranger, ecmg, content, stream, bit_rate, middle).packets.at(video);
  // From behind: they end with the same packet.
  std::size_t same = 0, as_stranger = 0;
  const std::size_t count = std::min(a.size(), b.size());
  for (std::size_t back = 1; back <= count; ++back) {
    if (a[a.size() - back] == b[b.size() - back]) ++same;
    if (back <= other.size() && is_scrambled(a[a.size() - back]) && a[a.size() - back] == other[other.size() - back])
      ++as_stranger;
  }
  // Before it has found the tables, nothing goes out scrambled.
  EXPECT_GT(same, count * 9 / 10);
  EXPECT_EQ(as_stranger, 0U);
}

}  // namespace
}  // namespace cas::test
