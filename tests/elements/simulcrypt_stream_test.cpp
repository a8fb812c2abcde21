// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A stream's way through simulcrypt-ecm-inserter, with an ECMG on TCP behind it.
#include <fstream>

#include "simulcrypt_element_test.hpp"

namespace cas::test {
namespace {

class InserterStreams : public ::testing::Test {
 protected:
  PlainEcmgServer ecmg_;
  TestMultiplex multiplex_{{.bit_rate = 2'000'000}};
  TestReceiver receiver_{mpegts::TsCipher::cissa, plain_ca_system_id};
};

TEST_F(InserterStreams, ComeBackWholeToAReceiver) {
  InserterHarness inserter(usual_properties(ecmg_));
  const Bytes stream = multiplex_.seconds(6);
  ASSERT_EQ(inserter.push_in_pieces(stream, 7 * mpegts::packet_size), GST_FLOW_OK);
  ASSERT_TRUE(inserter.end());
  receiver_.push(inserter.output());
  expect_received(receiver_, stream);
  EXPECT_GT(receiver_.scrambled[TestMultiplex::video_pid(0)], 5000U);
  EXPECT_LT(receiver_.clear[TestMultiplex::video_pid(0)], 40U);
  EXPECT_GE(receiver_.changes_of_parity.size(), 2 * 4U);
  EXPECT_LT(receiver_.clock_error(TestMultiplex::video_pid(0)).first, 3);
}

TEST_F(InserterStreams, RunAgainAfterNull) {
  TemporaryFolder folder;
  const auto in = folder.path() / "in.ts", out = folder.path() / "out.ts";
  const Bytes stream = multiplex_.seconds(3);
  std::ofstream(in, std::ios::binary)
      .write(reinterpret_cast<const char*>(stream.data()), static_cast<std::streamsize>(stream.size()));
  Pipeline pipeline("filesrc location=" + in.string() + " ! " + transport_stream_caps +
                    " ! simulcrypt-ecm-inserter crypto-period=1000 ecm-wait=60000 super-cas-id=0x4a010001 ecmg=" +
                    ecmg_.address() + " ! filesink location=" + out.string());
  for (int turn = 0; turn < 3; ++turn) {
    ASSERT_TRUE(pipeline.run()) << (pipeline.error ? pipeline.error->text : "");
    ASSERT_TRUE(pipeline.reach(GST_STATE_NULL));
    TestReceiver receiver(mpegts::TsCipher::cissa, plain_ca_system_id);
    receiver.push(read_file(out));
    expect_received(receiver, stream);
    EXPECT_GT(receiver.scrambled[TestMultiplex::video_pid(0)], 2000U);
  }
  // Each run has said good-bye to the ECMG.
  while (ecmg_.open_streams() != 0) std::this_thread::yield();
}

TEST_F(InserterStreams, LeaveNothingToTheNextOne) {
  InserterHarness inserter(usual_properties(ecmg_));
  // It ends in the middle of a packet, and with access criteria that were set and never used.
  ASSERT_EQ(inserter.push(multiplex_.seconds(1.2)), GST_FLOW_OK);
  ASSERT_EQ(inserter.push(Bytes(100, 0x47)), GST_FLOW_OK);
  const auto words = ecmg_.words().size();
  inserter.restart();
  inserter.output();
  EXPECT_EQ(uint64_of(inserter.stats().get(), "packets"), 0U);
  const Bytes next = TestMultiplex({.bit_rate = 2'000'000}).seconds(2.5);
  ASSERT_EQ(inserter.push_in_pieces(next, 7 * mpegts::packet_size), GST_FLOW_OK);
  ASSERT_TRUE(inserter.end());
  receiver_.push(inserter.output());
  expect_received(receiver_, next);
  EXPECT_EQ(uint64_of(inserter.stats().get(), "packets"), next.size() / mpegts::packet_size);
  EXPECT_EQ(uint64_of(inserter.stats().get(), "skipped-bytes"), 0U);
  // Nor a control word.
  const std::vector<Bytes> all = ecmg_.words();
  ASSERT_GT(all.size(), words);
  for (std::size_t later = words; later < all.size(); ++later)
    for (std::size_t before = 0; before < words; ++before) EXPECT_NE(to_hex(all[later]), to_hex(all[before]));
}

TEST_F(InserterStreams, AreTransportStreamsOf188BytesInTheCaps) {
  InserterHarness inserter(usual_properties(ecmg_));
  ASSERT_EQ(inserter.push(multiplex_.packets(10)), GST_FLOW_OK);
  const gst::CapsPtr caps(gst_pad_get_current_caps((*inserter)->sinkpad));
  ASSERT_TRUE(caps);
  const gst::CapsPtr expected(gst_caps_from_string(transport_stream_caps));
  EXPECT_TRUE(gst_caps_is_equal(caps.get(), expected.get()));
  for (const char* other : {"video/mpegts, systemstream=(boolean)true, packetsize=(int)192", "video/x-h264"}) {
    const gst::CapsPtr refused(gst_caps_from_string(other));
    EXPECT_FALSE(gst_pad_query_accept_caps(GST_PAD_PEER((*inserter)->srcpad), refused.get())) << other;
  }
}

TEST_F(InserterStreams, StayInTheirBuffersWhenTheyHoldWholePackets) {
  InserterHarness inserter(usual_properties(ecmg_));
  ASSERT_EQ(inserter.push(multiplex_.packets(100)), GST_FLOW_OK);
  inserter.output();
  for (int turn = 0; turn < 50; ++turn) {
    const Bytes packets = multiplex_.packets(21);
    GstBuffer* buffer = gst_buffer_new_memdup(packets.data(), packets.size());
    GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(turn) * GST_MSECOND;
    GST_BUFFER_DURATION(buffer) = GST_MSECOND;
    GST_BUFFER_OFFSET(buffer) = static_cast<guint64>(turn);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_MARKER);
    const GstMemory* memory = gst_buffer_peek_memory(buffer, 0);
    const gst::BufferPtr out(gst_harness_push_and_pull(*inserter, buffer));
    ASSERT_TRUE(out);
    EXPECT_EQ(out.get(), buffer);
    EXPECT_EQ(gst_buffer_peek_memory(out.get(), 0), memory);
    EXPECT_EQ(GST_BUFFER_PTS(out.get()), static_cast<GstClockTime>(turn) * GST_MSECOND);
  }
  // One that somebody else holds too is left as it is.
  const Bytes packets = multiplex_.packets(21);
  const gst::BufferPtr kept(gst_buffer_new_memdup(packets.data(), packets.size()));
  const gst::BufferPtr out(gst_harness_push_and_pull(*inserter, gst_buffer_ref(kept.get())));
  EXPECT_NE(out.get(), kept.get());
  const gst::MappedBuffer map(kept.get(), GST_MAP_READ);
  EXPECT_TRUE(std::ranges::equal(map.bytes(), packets));
}

TEST_F(InserterStreams, KeepTimesAndFlagsWhereTheyAreCutAnew) {
  InserterHarness inserter(usual_properties(ecmg_));
  const Bytes stream = multiplex_.packets(400);
  ASSERT_EQ(inserter.push(ByteView(stream).first(50 * mpegts::packet_size + 77)), GST_FLOW_OK);
  inserter.output();
  GstBuffer* buffer = gst_buffer_new_memdup(stream.data() + 50 * mpegts::packet_size + 77, 10 * mpegts::packet_size);
  GST_BUFFER_PTS(buffer) = 5 * GST_SECOND;
  GST_BUFFER_DTS(buffer) = 4 * GST_SECOND;
  GST_BUFFER_DURATION(buffer) = GST_SECOND;
  GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
  gst_buffer_add_reference_timestamp_meta(buffer, gst_caps_new_empty_simple("timestamp/x-test"), 3, 1);
  const gst::BufferPtr out(gst_harness_push_and_pull(*inserter, buffer));
  ASSERT_TRUE(out);
  EXPECT_EQ(gst_buffer_get_size(out.get()), 10 * mpegts::packet_size);
  EXPECT_EQ(GST_BUFFER_PTS(out.get()), 5 * GST_SECOND);
  EXPECT_EQ(GST_BUFFER_DTS(out.get()), 4 * GST_SECOND);
  EXPECT_EQ(GST_BUFFER_DURATION(out.get()), GST_SECOND);
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(out.get(), GST_BUFFER_FLAG_DISCONT));
  EXPECT_NE(gst_buffer_get_reference_timestamp_meta(out.get(), nullptr), nullptr);
}

TEST_F(InserterStreams, MayBeCutAnywhereAndBeginWithGarbage) {
  const Bytes stream = multiplex_.seconds(2);
  for (const std::size_t piece :
       {std::size_t{1}, std::size_t{100}, std::size_t{187}, std::size_t{1000}, std::size_t{65536}}) {
    InserterHarness inserter(usual_properties(ecmg_));
    Bytes with_garbage(300, 0x11);
    append(with_garbage, stream);
    // A single byte at a time for a part of it only.
    const std::size_t slow = piece == 1 ? 40'000 : with_garbage.size();
    ASSERT_EQ(inserter.push_in_pieces(ByteView(with_garbage).first(slow), piece), GST_FLOW_OK);
    ASSERT_EQ(inserter.push(ByteView(with_garbage).subspan(slow)), GST_FLOW_OK);
    ASSERT_TRUE(inserter.end());
    TestReceiver receiver(mpegts::TsCipher::cissa, plain_ca_system_id);
    receiver.push(inserter.output());
    expect_received(receiver, stream);
    EXPECT_GT(receiver.scrambled[TestMultiplex::video_pid(0)], 1000U) << piece;
    EXPECT_EQ(uint64_of(inserter.stats().get(), "skipped-bytes"), 300U);
  }
}

TEST_F(InserterStreams, OfOtherPacketSizesAreRefusedWithTheRemedy) {
  for (const std::size_t size : {std::size_t{192}, std::size_t{204}}) {
    InserterHarness inserter(usual_properties(ecmg_));
    Bytes stream;
    const Bytes packets = multiplex_.packets(500);
    for (ByteView rest = packets; !rest.empty(); rest = rest.subspan(mpegts::packet_size)) {
      if (size == 192) stream.resize(stream.size() + 4);
      append(stream, rest.first(mpegts::packet_size));
      if (size == 204) stream.resize(stream.size() + 16);
    }
    EXPECT_EQ(inserter.push_in_pieces(stream, 4096), GST_FLOW_ERROR);
    const auto error = next_error(inserter.bus());
    ASSERT_TRUE(error);
    EXPECT_EQ(error->domain, g_quark_to_string(GST_STREAM_ERROR)) << error->text;
    EXPECT_EQ(error->code, GST_STREAM_ERROR_FORMAT) << error->text;
    EXPECT_NE(error->text.find(std::to_string(size)), std::string::npos) << error->text;
    EXPECT_NE(error->text.find("188"), std::string::npos) << error->text;
    EXPECT_TRUE(inserter.output().empty());
  }
}

TEST_F(InserterStreams, MayComeInLists) {
  InserterHarness inserter(usual_properties(ecmg_));
  const Bytes stream = multiplex_.seconds(3);
  GstPad* const pad = (*inserter)->srcpad;
  for (ByteView rest = stream; !rest.empty();) {
    GstBufferList* list = gst_buffer_list_new();
    for (int buffer = 0; buffer < 5 && !rest.empty(); ++buffer) {
      const std::size_t size = std::min<std::size_t>(rest.size(), buffer == 3 ? 1000 : 7 * mpegts::packet_size);
      gst_buffer_list_add(list, gst_buffer_new_memdup(rest.data(), size));
      rest = rest.subspan(size);
    }
    ASSERT_EQ(gst_pad_push_list(pad, list), GST_FLOW_OK);
  }
  ASSERT_TRUE(inserter.end());
  receiver_.push(inserter.output());
  expect_received(receiver_, stream);
}

TEST_F(InserterStreams, GoOnAfterAFlushInTheMiddle) {
  InserterHarness inserter(usual_properties(ecmg_));
  ASSERT_EQ(inserter.push(multiplex_.seconds(2.5)), GST_FLOW_OK);
  ASSERT_EQ(inserter.push(Bytes(100, 0x47)), GST_FLOW_OK);  // Half a packet, which is forgotten.
  inserter.output();
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_flush_start()));
  EXPECT_EQ(inserter.push(multiplex_.packets(7)), GST_FLOW_FLUSHING);
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_flush_stop(TRUE)));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_segment(&segment)));
  const Bytes rest = multiplex_.seconds(3);
  ASSERT_EQ(inserter.push_in_pieces(rest, 7 * mpegts::packet_size), GST_FLOW_OK);
  ASSERT_TRUE(inserter.end());
  const Bytes out = inserter.output();
  // Nothing is lost or clear, though who tunes in here cannot descramble before the first ECM.
  receiver_.push(out);
  const mpegts::Pid video = TestMultiplex::video_pid(0);
  EXPECT_EQ(receiver_.clear[video], 0U);
  EXPECT_EQ(receiver_.payloads[video].size(), payloads_of(rest, video).size());
  EXPECT_EQ(receiver_.continuity_errors, 0U);
  EXPECT_EQ(uint64_of(inserter.stats().get(), "skipped-bytes"), 0U);
}

TEST_F(InserterStreams, ThatAreMadeToAnnoyDoNotFillTheBus) {
  InserterHarness inserter(usual_properties(ecmg_));
  mpegts::ProgramAssociation pat;
  for (std::uint16_t program = 1; program <= 100; ++program) pat.entries.push_back({program, 0b111, 1});
  mpegts::SectionPacketiser packetiser(mpegts::pat_pid);
  Bytes stream = multiplex_.packets(10);
  for (const Bytes& section : value_or_throw(pat.encode())) EXPECT_OK(packetiser.packetise(section, stream));
  append(stream, multiplex_.packets(10));
  ASSERT_EQ(inserter.push(stream), GST_FLOW_OK);
  std::vector<std::string> problems;
  while (GstMessage* message = gst_bus_pop_filtered(inserter.bus(), GST_MESSAGE_ELEMENT)) {
    const GstStructure* said = gst_message_get_structure(message);
    if (gst_structure_has_name(said, "simulcrypt-problem")) problems.push_back(text_of(said, "what"));
    gst_message_unref(message);
  }
  ASSERT_EQ(problems.size(), 21U);
  EXPECT_EQ(problems.back(), "80 other problems were left out");
}

TEST_F(InserterStreams, EndWithThePacketsThatWereHeld) {
  // Less than five packets: nothing has been believed to be packets yet.
  InserterHarness inserter(usual_properties(ecmg_));
  const Bytes stream = multiplex_.packets(3);
  ASSERT_EQ(inserter.push(stream), GST_FLOW_OK);
  EXPECT_TRUE(inserter.output().empty());
  ASSERT_TRUE(inserter.end());
  EXPECT_EQ(inserter.output().size(), stream.size());
}

TEST_F(InserterStreams, EndWithoutABuffer) {
  InserterHarness inserter(usual_properties(ecmg_));
  EXPECT_EQ(inserter.push({}), GST_FLOW_OK);
  inserter.end();
  EXPECT_TRUE(inserter.output().empty());
}

TEST_F(InserterStreams, WithoutPacketsEndWithAnError) {
  InserterHarness inserter(usual_properties(ecmg_));
  EXPECT_EQ(inserter.push(Bytes(1000, 0x11)), GST_FLOW_OK);
  EXPECT_FALSE(inserter.end());
  const auto error = next_error(inserter.bus());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->domain, g_quark_to_string(GST_STREAM_ERROR)) << error->text;
}

}  // namespace
}  // namespace cas::test
