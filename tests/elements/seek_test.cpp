// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string>
#include <tuple>

#include "element_test.hpp"

namespace cas::test {
namespace {

constexpr std::size_t segment_size = 1024;

/// First buffer that waits in a paused appsink.
gst::BufferPtr preroll_of(GstElement* appsink) {
  GstSample* sample = nullptr;
  g_signal_emit_by_name(appsink, "try-pull-preroll", 60 * GST_SECOND, &sample);
  if (sample == nullptr) return nullptr;
  gst::BufferPtr buffer(gst_buffer_ref(gst_sample_get_buffer(sample)));
  gst_sample_unref(sample);
  return buffer;
}

guint64 counter(GstElement* element, const char* name) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  const gst::StructurePtr owned(stats);
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats, name, &value));
  return value;
}

/// Between source and descrambler (nothing: pull mode; a queue: push mode), and segments in a key period.
class Seek : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  Seek() {
    usual_system();
    content = noise(1'000'123);
    path = write_file("sought.spro",
                      protect(content, {{"segment-size", "1024"}, {"key-period", std::get<1>(GetParam())}}));
  }
  [[nodiscard]] std::string start() const {
    return "filesrc location=" + path.string() + " ! " + std::get<0>(GetParam()) + " smartpro-descramble name=d ! ";
  }

  Bytes content;
  std::filesystem::path path;
};

TEST_P(Seek, LandsOnTheByte) {
  Pipeline pipeline(start() + "appsink name=sink sync=false max-buffers=2");
  ASSERT_TRUE(pipeline.reach(GST_STATE_PAUSED));
  const auto sink = pipeline.child("sink");
  SeededRandom random(3);
  for (int i = 0; i < 150; ++i) {
    // Edges of segments, and places in between; the last byte, too.
    std::uint64_t offset = random.below(content.size());
    if (i % 3 == 0) offset = offset / segment_size * segment_size;
    if (i % 50 == 1) offset = content.size() - 1;
    ASSERT_TRUE(
        gst_element_seek_simple(sink.get(), GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, static_cast<gint64>(offset)));
    const auto buffer = preroll_of(sink.get());
    ASSERT_TRUE(buffer) << "at " << offset;
    const gst::MappedBuffer map(buffer.get(), GST_MAP_READ);
    ASSERT_EQ(GST_BUFFER_OFFSET(buffer.get()), offset);
    ASSERT_TRUE(equal(map.bytes(), ByteView(content).subspan(offset, map.bytes().size())));
  }
  EXPECT_EQ(counter(pipeline.child("d").get(), "seeks"), 150U);
}

TEST_P(Seek, StopsWhereAsked) {
  const auto out = usual_system().folder() / "part.bin";
  Pipeline pipeline(start() + "filesink name=sink location=" + out.string());
  ASSERT_TRUE(pipeline.reach(GST_STATE_PAUSED));
  ASSERT_TRUE(gst_element_seek(pipeline.element(), 1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 1500,
                               GST_SEEK_TYPE_SET, 7777));
  ASSERT_TRUE(pipeline.run());
  const Bytes written = read_file(out);
  // The sink writes at the places that the segment names; what it holds of the first buffer stays.
  ASSERT_EQ(written.size(), 7777U);
  EXPECT_TRUE(equal(ByteView(written).subspan(1500), ByteView(content).subspan(1500, 7777 - 1500)));
}

TEST_P(Seek, PlaysToTheEndAfterwards) {
  const auto out = usual_system().folder() / "rest.bin";
  Pipeline pipeline(start() + "filesink location=" + out.string());
  ASSERT_TRUE(pipeline.reach(GST_STATE_PAUSED));
  ASSERT_TRUE(gst_element_seek_simple(pipeline.element(), GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, 900'000));
  ASSERT_TRUE(pipeline.run()) << pipeline.error->text;
  const Bytes written = read_file(out);
  ASSERT_EQ(written.size(), content.size());
  EXPECT_TRUE(equal(ByteView(written).subspan(900'000), ByteView(content).subspan(900'000)));
}

TEST_P(Seek, AnswersQueriesForTheContent) {
  Pipeline pipeline(start() + "fakesink name=sink");
  ASSERT_TRUE(pipeline.reach(GST_STATE_PAUSED));
  const auto sink = pipeline.child("sink");
  const gst::ObjectPtr<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
  gint64 size = 0;
  ASSERT_TRUE(gst_pad_peer_query_duration(pad.get(), GST_FORMAT_BYTES, &size));
  EXPECT_EQ(static_cast<std::size_t>(size), content.size());
  const gst::QueryPtr seeking(gst_query_new_seeking(GST_FORMAT_BYTES));
  ASSERT_TRUE(gst_pad_peer_query(pad.get(), seeking.get()));
  gboolean seekable = FALSE;
  gint64 end = 0;
  gst_query_parse_seeking(seeking.get(), nullptr, &seekable, nullptr, &end);
  EXPECT_TRUE(seekable);
  EXPECT_EQ(static_cast<std::size_t>(end), content.size());
  const gst::QueryPtr scheduling(gst_query_new_scheduling());
  ASSERT_TRUE(gst_pad_peer_query(pad.get(), scheduling.get()));
  const bool in_pull_mode = std::string(std::get<0>(GetParam())).empty();
  EXPECT_EQ(gst_query_has_scheduling_mode_with_flags(scheduling.get(), GST_PAD_MODE_PULL,
                                                     GST_SCHEDULING_FLAG_SEEKABLE) != FALSE,
            in_pull_mode);
}

TEST_P(Seek, RefusesWhatBytesCannotDo) {
  Pipeline pipeline(start() + "fakesink name=sink");
  ASSERT_TRUE(pipeline.reach(GST_STATE_PAUSED));
  const auto sink = pipeline.child("sink");
  EXPECT_FALSE(gst_element_seek_simple(sink.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SECOND));
  EXPECT_FALSE(gst_element_seek(sink.get(), -1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0,
                                GST_SEEK_TYPE_SET, 100));
}

INSTANTIATE_TEST_SUITE_P(
    Modes, Seek, testing::Combine(testing::Values("", "queue max-size-buffers=3 !"), testing::Values("0", "7", "500")),
    [](const auto& test) {
      return std::string(*std::get<0>(test.param) == '\0' ? "Pull" : "Push") + "Period" + std::get<1>(test.param);
    });

/// A sink pad that reads by itself.
gboolean activate_in_pull_mode(GstPad* pad, GstObject*) { return gst_pad_activate_mode(pad, GST_PAD_MODE_PULL, TRUE); }

TEST(GetRange, GivesEachPlaceWithoutReadingMoreThanTwoSegments) {
  usual_system();
  const Bytes content = noise(20'000'000);
  const auto path = write_file("ranges.spro", protect(content));
  Pipeline pipeline("filesrc location=" + path.string() + " ! smartpro-descramble name=d");
  const auto descramble = pipeline.child("d");
  const gst::ObjectPtr<GstPad> src(gst_element_get_static_pad(descramble.get(), "src"));
  const gst::ObjectPtr<GstPad> sink(GST_PAD(gst_object_ref_sink(gst_pad_new("sink", GST_PAD_SINK))));
  gst_pad_set_activate_function(sink.get(), activate_in_pull_mode);
  ASSERT_EQ(gst_pad_link(src.get(), sink.get()), GST_PAD_LINK_OK);
  ASSERT_TRUE(pipeline.set_state(GST_STATE_READY));
  ASSERT_TRUE(gst_pad_set_active(sink.get(), TRUE));
  ASSERT_TRUE(pipeline.reach(GST_STATE_PAUSED));

  // The size is known before anything was read.
  gint64 size = 0;
  ASSERT_TRUE(gst_pad_peer_query_duration(sink.get(), GST_FORMAT_BYTES, &size));
  EXPECT_EQ(static_cast<std::size_t>(size), content.size());

  SeededRandom random(4);
  guint64 read_before = counter(descramble.get(), "bytes-in");
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t offset = random.below(content.size());
    const auto length = static_cast<guint>(1 + random.below(65'536));
    GstBuffer* pulled = nullptr;
    ASSERT_EQ(gst_pad_pull_range(sink.get(), offset, length, &pulled), GST_FLOW_OK);
    const gst::BufferPtr buffer(pulled);
    const gst::MappedBuffer map(pulled, GST_MAP_READ);
    ASSERT_EQ(map.bytes().size(), std::min<std::size_t>(length, content.size() - offset));
    ASSERT_TRUE(equal(map.bytes(), ByteView(content).subspan(offset, map.bytes().size())));
    const guint64 read = counter(descramble.get(), "bytes-in");
    const guint64 allowed = 2U * (65'536 + 16) + (i == 0 ? 4104U : 0U);  // The licence, once.
    ASSERT_LE(read - read_before, allowed);
    read_before = read;
  }
  GstBuffer* behind = nullptr;
  EXPECT_EQ(gst_pad_pull_range(sink.get(), content.size(), 1, &behind), GST_FLOW_EOS);
  EXPECT_EQ(counter(descramble.get(), "licences-opened"), 1U);
  gst_pad_set_active(sink.get(), FALSE);
  gst_pad_unlink(src.get(), sink.get());
}

}  // namespace
}  // namespace cas::test
