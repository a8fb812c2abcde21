// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string>

#include "element_test.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::test {
namespace {

using smartpro::ReadHeader;

ReadHeader header_of(const Bytes& file) { return value_or_throw(ReadHeader::parse(file)); }

GstStructure* stats_of(GstElement* element) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  return stats;
}

guint64 stat(GstElement* element, const char* name) {
  const gst::StructurePtr stats(stats_of(element));
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats.get(), name, &value)) << name;
  return value;
}

class Scramble : public testing::Test {
 protected:
  Scramble() { usual_system(); }
};

TEST_F(Scramble, WritesWhatTheFormatSays) {
  const Bytes content = noise(200'000);
  const Bytes file = protect(content, {{"content-id", "00112233-4455-6677-8899-aabbccddeeff"}});
  const ReadHeader header = header_of(file);
  EXPECT_EQ(header.header.media_type, "application/x-noise");
  EXPECT_EQ(to_hex(header.header.content_id), "00112233445566778899aabbccddeeff");
  EXPECT_EQ(header.header.cipher, smartpro::ContentCipher::aes_128_gcm);
  EXPECT_FALSE(header.header.plain_size.has_value());
  const smartpro::FileLayout layout(header.header, header.body_offset);
  EXPECT_EQ(file.size(), value_or_throw(layout.file_size(content.size())));
}

TEST_F(Scramble, DrawsAFileIdForEachFileWhichNamesTheContent) {
  const ReadHeader first = header_of(protect(noise(10)));
  const ReadHeader second = header_of(protect(noise(10)));
  EXPECT_NE(first.header.file_id, second.header.file_id);
  EXPECT_EQ(first.header.content_id, first.header.file_id);
}

TEST_F(Scramble, TakesAHeadEndCardForAnAcquisitionCard) {
  usual_system().enrol("progenitor", "head-end", smartpro::TokenKind::head_end);
  const Bytes file = protect(noise(1000), {{"card", usual_system().uri("head-end")}});
  const ReadHeader header = header_of(file);
  const auto lecm =
      smartpro::parse_licence_slot(ByteView(file).subspan(header.body_offset, header.header.licence_slot_size));
  ASSERT_OK(lecm);
  EXPECT_EQ(value_or_throw(smartpro::LicenceView::parse(*lecm)).issuer,
            value_or_throw(usual_system().session("head-end")->info()).serial_number);
}

TEST_F(Scramble, WritesAValidFileForNoContent) {
  const Bytes file = protect({});
  const ReadHeader header = header_of(file);
  EXPECT_EQ(file.size(), value_or_throw(smartpro::FileLayout(header.header, header.body_offset).file_size(0)));
}

TEST_F(Scramble, GivesByteOffsetsFlagsAndCaps) {
  ElementHarness scramble("smartpro-scramble");
  scramble.start("application/x-noise");
  ASSERT_EQ(scramble.push(noise(300'000)), GST_FLOW_OK);
  ASSERT_TRUE(scramble.end());
  EXPECT_EQ(scramble.output_caps(), "application/x-smartpro");
  const gst::EventPtr event(gst_pad_get_sticky_event((*scramble)->sinkpad, GST_EVENT_SEGMENT, 0));
  const GstSegment* segment = nullptr;
  gst_event_parse_segment(event.get(), &segment);
  EXPECT_EQ(segment->format, GST_FORMAT_BYTES);
  EXPECT_EQ(segment->start, 0U);
  std::uint64_t offset = 0;
  int number = 0;
  while (GstBuffer* pulled = gst_harness_try_pull(*scramble)) {
    const gst::BufferPtr buffer(pulled);
    EXPECT_EQ(GST_BUFFER_OFFSET(buffer.get()), offset);
    EXPECT_EQ(GST_BUFFER_FLAG_IS_SET(buffer.get(), GST_BUFFER_FLAG_HEADER), number < 2);  // Header and licence.
    offset += gst_buffer_get_size(buffer.get());
    ++number;
  }
  EXPECT_EQ(number, 2 + 5);
}

TEST_F(Scramble, SendsTheStartWithinTheFirstBuffer) {
  ElementHarness scramble("smartpro-scramble");
  scramble.start("application/x-noise");
  ASSERT_EQ(scramble.push(noise(1)), GST_FLOW_OK);
  const ReadHeader header = header_of(scramble.output());
  EXPECT_EQ(header.header.media_type, "application/x-noise");
  EXPECT_EQ(stat(scramble.element(), "licences-created"), 1U);
}

TEST_F(Scramble, MakesALicenceForEachKeyPeriod) {
  ElementHarness scramble("smartpro-scramble", {{"key-period", "3"}, {"segment-size", "1024"}});
  scramble.start("application/x-noise");
  ASSERT_EQ(scramble.push(noise(9 * 1024)), GST_FLOW_OK);
  ASSERT_TRUE(scramble.end());
  EXPECT_EQ(stat(scramble.element(), "licences-created"), 3U)
      << "a period begins with its first segment, not with the end of the one before";
  EXPECT_EQ(stat(scramble.element(), "segments"), 9U);
  EXPECT_EQ(stat(scramble.element(), "bytes-in"), 9U * 1024);
  EXPECT_EQ(stat(scramble.element(), "bytes-out"), scramble.output().size());
}

TEST_F(Scramble, FindsTheTypeWhenCapsDoNotTell) {
  Bytes wav = copy_of(as_bytes(std::string_view(
      "RIFF\x24\x00\x01\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00",
      36)));
  append(wav, as_bytes(std::string_view("data\x00\x00\x01\x00", 8)));
  append(wav, noise(65'536));
  EXPECT_EQ(header_of(protect(wav, {}, nullptr)).header.media_type, "audio/x-wav");
  EXPECT_EQ(header_of(protect(noise(100'000), {}, nullptr)).header.media_type, "");
}

TEST_F(Scramble, KeepsContentOutOfTheHeader) {
  const Bytes file = protect(noise(10), {}, "video/webm, streamheader=(buffer)< 1a45dfa3 >, width=(int)320");
  EXPECT_EQ(header_of(file).header.media_type, "video/webm, width=(int)320");
}

TEST_F(Scramble, WritesTheSizeOnlyWhenItIsCertain) {
  const Bytes content = noise(150'000);
  const auto path = write_file("sized.bin", content);
  const auto header_through = [&](const std::string& between) {
    const auto out = usual_system().folder() / "sized.spro";
    Pipeline pipeline("filesrc location=" + path.string() + " ! " + between +
                      " smartpro-scramble ! filesink location=" + out.string());
    EXPECT_TRUE(pipeline.run());
    return header_of(read_file(out)).header;
  };
  EXPECT_EQ(header_through("").plain_size, content.size());
  EXPECT_EQ(header_through("queue ! identity !").plain_size, content.size());
  EXPECT_FALSE(header_through("breakmydata probability=0 !").plain_size.has_value())
      << "such an element may change the size";
}

TEST_F(Scramble, RefusesContentThatGrowsWhileItIsRead) {
  const auto path = write_file("growing.bin", noise(200'000));
  // The file grows once its size stands in the header. Streaming goes on behind the error, until the pipeline ends.
  bool grown = false;
  Pipeline pipeline("filesrc name=source location=" + path.string() +
                    " ! smartpro-scramble ! fakesink name=sink signal-handoffs=true");
  const auto sink = pipeline.child("sink");
  g_signal_connect(sink.get(), "handoff", G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad*, bool* done) {
                     if (!std::exchange(*done, true)) write_file("growing.bin", noise(300'000));
                   }),
                   &grown);
  EXPECT_FALSE(pipeline.run());
  ASSERT_TRUE(pipeline.error.has_value());
  EXPECT_EQ(pipeline.error->code, GST_STREAM_ERROR_FORMAT);
}

TEST_F(Scramble, RefusesToRewrite) {
  ElementHarness scramble("smartpro-scramble");
  scramble.start("application/x-noise");
  ASSERT_EQ(scramble.push(noise(100'000)), GST_FLOW_OK);
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  gst_harness_push_event(*scramble, gst_event_new_segment(&segment));
  EXPECT_EQ(scramble.push(noise(44)), GST_FLOW_ERROR);
  EXPECT_POSTED(scramble.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "unsupported");
}

TEST_F(Scramble, TakesMuxersThatSeeThatTheyCannotRewind) {
  const auto file = usual_system().folder() / "muxed.spro";
  for (const std::string muxer : {"mp4mux", "mp4mux fragment-duration=500", "matroskamux", "mpegtsmux"}) {
    Pipeline writer("videotestsrc num-buffers=30 ! video/x-raw,width=64,height=64 ! x264enc ! " + muxer +
                    " ! smartpro-scramble ! filesink location=" + file.string());
    ASSERT_TRUE(writer.run()) << muxer << ": " << (writer.error ? writer.error->text : "");
    writer.set_state(GST_STATE_NULL);
    Pipeline player("playbin uri=file://" + file.string() + " video-sink=\"fakesink\"");
    EXPECT_TRUE(player.run()) << muxer << ": " << (player.error ? player.error->text : "");
  }
}

TEST_F(Scramble, RefusesAMuxerThatRewindsAllTheSame) {
  Pipeline pipeline("audiotestsrc num-buffers=50 ! wavenc ! smartpro-scramble ! fakesink");
  EXPECT_FALSE(pipeline.run());
  ASSERT_TRUE(pipeline.error.has_value());
  EXPECT_EQ(pipeline.error->domain, g_quark_to_string(GST_STREAM_ERROR));
  EXPECT_EQ(pipeline.error->code, GST_STREAM_ERROR_FORMAT) << pipeline.error->text;
}

TEST_F(Scramble, TellsMuxersThatItCannotRewind) {
  ElementHarness scramble("smartpro-scramble");
  const gst::QueryPtr query(gst_query_new_seeking(GST_FORMAT_BYTES));
  ASSERT_TRUE(gst_pad_peer_query((*scramble)->srcpad, query.get()));
  gboolean seekable = TRUE;
  gst_query_parse_seeking(query.get(), nullptr, &seekable, nullptr, nullptr);
  EXPECT_FALSE(seekable);
}

TEST_F(Scramble, RefusesSeeks) {
  ElementHarness scramble("smartpro-scramble");
  scramble.start("application/x-noise");
  EXPECT_FALSE(gst_harness_push_upstream_event(
      *scramble,
      gst_event_new_seek(1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, -1)));
}

TEST_F(Scramble, StartsANewFileAfterAFlush) {
  ElementHarness scramble("smartpro-scramble");
  scramble.start("application/x-noise");
  ASSERT_EQ(scramble.push(noise(100'000)), GST_FLOW_OK);
  const auto first = header_of(scramble.output()).header.file_id;
  gst_harness_push_event(*scramble, gst_event_new_flush_start());
  gst_harness_push_event(*scramble, gst_event_new_flush_stop(TRUE));
  scramble.start("application/x-noise");
  ASSERT_EQ(scramble.push(noise(70'000)), GST_FLOW_OK);
  ASSERT_TRUE(scramble.end());
  const Bytes file = scramble.output();
  const ReadHeader header = header_of(file);
  EXPECT_NE(header.header.file_id, first);
  EXPECT_EQ(file.size(), value_or_throw(smartpro::FileLayout(header.header, header.body_offset).file_size(70'000)));
}

TEST_F(Scramble, RunsTwice) {
  const auto path = write_file("twice.bin", noise(100'000));
  const auto out = usual_system().folder() / "twice.spro";
  Pipeline pipeline("filesrc location=" + path.string() + " ! smartpro-scramble ! filesink location=" + out.string());
  ASSERT_TRUE(pipeline.run());
  const Bytes first = read_file(out);
  ASSERT_TRUE(pipeline.reach(GST_STATE_READY));
  ASSERT_TRUE(pipeline.run());
  const Bytes second = read_file(out);
  EXPECT_EQ(first.size(), second.size());
  EXPECT_NE(header_of(first).header.file_id, header_of(second).header.file_id);
  ASSERT_TRUE(pipeline.reach(GST_STATE_NULL));
  ASSERT_TRUE(pipeline.run());
}

TEST_F(Scramble, AnswersPositionAndDurationInBytesOfTheFile) {
  const auto path = write_file("sized.bin", noise(150'000));
  Pipeline pipeline("filesrc location=" + path.string() + " ! smartpro-scramble ! fakesink name=sink");
  ASSERT_TRUE(pipeline.run());
  const auto sink = pipeline.child("sink");
  const gst::ObjectPtr<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
  gint64 position = 0;
  gint64 duration = 0;
  ASSERT_TRUE(gst_pad_peer_query_position(pad.get(), GST_FORMAT_BYTES, &position));
  ASSERT_TRUE(gst_pad_peer_query_duration(pad.get(), GST_FORMAT_BYTES, &duration));
  EXPECT_EQ(position, duration);
  EXPECT_GT(duration, 150'000);
}

struct BadSetting {
  const char* name;
  const char* property;
  const char* value;
};
class ScrambleSettings : public Scramble, public testing::WithParamInterface<BadSetting> {};

TEST_P(ScrambleSettings, AreCheckedBeforeReady) {
  const BadSetting& setting = GetParam();
  const auto element = make_element("smartpro-scramble", {{setting.property, setting.value}});
  const gst::ObjectPtr<GstBus> bus(gst_bus_new());
  gst_element_set_bus(element.get(), bus.get());
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  EXPECT_POSTED(bus.get(), GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "invalid-argument");
  gst_element_set_bus(element.get(), nullptr);
}

INSTANTIATE_TEST_SUITE_P(
    All, ScrambleSettings,
    testing::Values(BadSetting{"ContentIdTooShort", "content-id", "0011"},
                    BadSetting{"ContentIdNoHex", "content-id", "zz112233445566778899aabbccddeeff"},
                    BadSetting{"SegmentSizeOdd", "segment-size", "65535"},
                    BadSetting{"RightUnknown", "usage-rights", "rights,play-cuont=(int)3"},
                    BadSetting{"PlayCountZero", "usage-rights", "rights,play-count=(int)0"},
                    BadSetting{"PlayCountNegative", "usage-rights", "rights,play-count=(int)-1"},
                    BadSetting{"PlayCountText", "usage-rights", "rights,play-count=(string)three"},
                    BadSetting{"RenderNoBoolean", "usage-rights", "rights,render=(int)1"},
                    BadSetting{"TimeMalformed", "usage-rights", "rights,not-after=(string)tomorrow"},
                    BadSetting{"DomainTooShort", "usage-rights", "rights,bridge=true,bridge-to=(string)0011"},
                    BadSetting{"OutputFlagUnknown", "usage-rights", "rights,output-flags=(string)no-analog"}),
    [](const auto& test) { return test.param.name; });

TEST_F(Scramble, KeepsItsPropertiesWhilePaused) {
  ElementHarness scramble("smartpro-scramble", {{"segment-size", "4096"}, {"cipher", "aes-128-ctr"}});
  g_test_expect_message(nullptr, G_LOG_LEVEL_WARNING, "*'segment-size' can be set in the states NULL and READY alone*");
  g_object_set(scramble.element(), "segment-size", 8192U, nullptr);
  g_test_assert_expected_messages();
  guint size = 0;
  g_object_get(scramble.element(), "segment-size", &size, nullptr);
  EXPECT_EQ(size, 4096U);
}

TEST_F(Scramble, TakesPropertiesThatAreSetInReady) {
  const auto element = make_element("smartpro-scramble");
  ASSERT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  g_object_set(element.get(), "segment-size", 2048U, nullptr);
  const HarnessPtr harness(gst_harness_new_with_element(element.get(), "sink", "src"));
  gst_harness_set_src_caps_str(harness.get(), "application/x-noise");
  ASSERT_EQ(gst_harness_push(harness.get(), gst_buffer_new_allocate(nullptr, 10, nullptr)), GST_FLOW_OK);
  const gst::BufferPtr first(gst_harness_pull(harness.get()));
  const gst::MappedBuffer map(first.get(), GST_MAP_READ);
  EXPECT_EQ(value_or_throw(ReadHeader::parse(map.bytes())).header.segment_size, 2048U);
}

}  // namespace
}  // namespace cas::test
