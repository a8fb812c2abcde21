// SPDX-License-Identifier: LGPL-2.1-or-later
// Protected clips, played by GStreamer's own demuxers and players as if they were not protected.
#include <map>
#include <mutex>
#include <string>

#include "element_test.hpp"

namespace cas::test {
namespace {

constexpr bool built_with_sanitizer = CAS_BUILT_WITH_SANITIZER;

struct Clip {
  const char* name;
  const char* encode;   ///< To a file of that name.
  bool streams = true;  ///< The demuxer can do without pull mode, for the clear file as well.
};

constexpr Clip clips[] = {
    {"mp4",
     "videotestsrc num-buffers=75 ! video/x-raw,width=160,height=120,framerate=25/1 ! x264enc key-int-max=25 "
     "speed-preset=ultrafast ! m. "
     "audiotestsrc num-buffers=130 ! audio/x-raw,rate=44100,channels=1 ! avenc_aac ! m. mp4mux name=m"},
    {"mkv",
     "videotestsrc num-buffers=75 ! video/x-raw,width=160,height=120,framerate=25/1 ! x264enc key-int-max=25 "
     "speed-preset=ultrafast ! m. "
     "audiotestsrc num-buffers=130 ! audio/x-raw,rate=44100,channels=1 ! flacenc ! m. matroskamux name=m"},
    {"webm",
     "videotestsrc num-buffers=75 ! video/x-raw,width=160,height=120,framerate=25/1 ! vp8enc keyframe-max-dist=25 "
     "deadline=1 ! m. "
     "audiotestsrc num-buffers=130 ! audioconvert ! audio/x-raw,rate=44100,channels=1 ! vorbisenc ! m. webmmux name=m"},
    {"ts",
     "videotestsrc num-buffers=75 ! video/x-raw,width=160,height=120,framerate=25/1 ! x264enc key-int-max=25 "
     "speed-preset=ultrafast ! m. "
     "audiotestsrc num-buffers=130 ! audio/x-raw,rate=44100,channels=1 ! avenc_aac ! m. mpegtsmux name=m"},
    {"wav", "audiotestsrc num-buffers=130 ! audio/x-raw,rate=44100,channels=2 ! wavenc"},
    {"mxf",
     "videotestsrc num-buffers=75 ! video/x-raw,width=160,height=128,framerate=25/1 ! x264enc key-int-max=1 ! "
     "h264parse ! mxfmux",
     false},
};

bool has_elements_of(const std::string& description) {
  GError* error = nullptr;
  GstElement* parsed = gst_parse_launch_full(description.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  const bool complete = parsed != nullptr;
  if (error != nullptr) g_error_free(error);
  if (parsed != nullptr) gst_object_unref(gst_object_ref_sink(parsed));
  return complete;
}

/// What came out of a decoder: a checksum over all buffers with their timestamps for each raw type.
class Decoded {
 public:
  void add(const std::string& type, GstBuffer* buffer) {
    const std::lock_guard lock(mutex_);
    auto& stream = streams_[type];
    if (!stream.checksum) stream.checksum.reset(g_checksum_new(G_CHECKSUM_SHA256));
    const gst::MappedBuffer map(buffer, GST_MAP_READ);
    const GstClockTime time = GST_BUFFER_PTS(buffer);
    g_checksum_update(stream.checksum.get(), reinterpret_cast<const guchar*>(&time), sizeof time);
    g_checksum_update(stream.checksum.get(), map.bytes().data(), static_cast<gssize>(map.bytes().size()));
    ++stream.buffers;
  }
  void forget(const std::string& type) {
    const std::lock_guard lock(mutex_);
    streams_.erase(type);
  }
  [[nodiscard]] std::map<std::string, std::string> summary() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::string> texts;
    for (const auto& [type, stream] : streams_)
      texts[type] = std::to_string(stream.buffers) + " buffers " + g_checksum_get_string(stream.checksum.get());
    return texts;
  }

 private:
  struct FreeChecksum {
    void operator()(GChecksum* checksum) const { g_checksum_free(checksum); }
  };
  struct Stream {
    std::unique_ptr<GChecksum, FreeChecksum> checksum;
    int buffers = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Stream> streams_;
};

struct Tap {
  Pipeline* pipeline;
  Decoded* decoded;
};

GstPadProbeReturn note_buffer(GstPad* pad, GstPadProbeInfo* info, gpointer data) {
  const gst::CapsPtr caps(gst_pad_get_current_caps(pad));
  if (!caps) return GST_PAD_PROBE_OK;
  const std::string type = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
  Decoded* decoded = static_cast<Tap*>(data)->decoded;
  if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
    decoded->add(type, GST_PAD_PROBE_INFO_BUFFER(info));
  } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_FLUSH_STOP) {
    decoded->forget(type);  // What counts is what comes after a seek.
  }
  return GST_PAD_PROBE_OK;
}

void connect_pad(GstElement*, GstPad* pad, Tap* tap) {
  GstElement* queue = gst_element_factory_make("queue", nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  g_object_set(sink, "sync", FALSE, nullptr);
  gst_bin_add_many(GST_BIN(tap->pipeline->element()), queue, sink, nullptr);
  gst_element_link(queue, sink);
  gst_element_sync_state_with_parent(sink);
  gst_element_sync_state_with_parent(queue);
  const gst::ObjectPtr<GstPad> queue_sink(gst_element_get_static_pad(queue, "sink"));
  gst_pad_add_probe(queue_sink.get(),
                    static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_FLUSH),
                    note_buffer, tap, nullptr);
  gst_pad_link(pad, queue_sink.get());
}

/// Decodes all of a file; the description has a "%s" for its place and a decodebin named d.
std::map<std::string, std::string> decode(const std::string& way, const std::filesystem::path& path, gint64 from = 0) {
  std::string description = way;
  description.replace(description.find("%s"), 2, path.string());
  Decoded decoded;
  Tap tap{nullptr, &decoded};
  Pipeline pipeline(description);
  tap.pipeline = &pipeline;
  const auto decodebin = pipeline.child("d");
  g_signal_connect(decodebin.get(), "pad-added", G_CALLBACK(connect_pad), &tap);
  if (!pipeline.reach(GST_STATE_PAUSED)) {
    ADD_FAILURE() << way << ": " << (pipeline.error ? pipeline.error->text : "no error");
    return {};
  }
  if (from != 0) {
    const auto flags = static_cast<GstSeekFlags>(GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE);
    EXPECT_TRUE(gst_element_seek_simple(pipeline.element(), GST_FORMAT_TIME, flags, from)) << way;
  }
  EXPECT_TRUE(pipeline.run()) << way << ": " << (pipeline.error ? pipeline.error->text : "no error");
  gst_element_set_state(pipeline.element(), GST_STATE_NULL);
  return decoded.summary();
}

constexpr char pull_way[] = "filesrc location=%s ! decodebin name=d";
constexpr char push_way[] = "filesrc location=%s ! queue ! decodebin name=d";

class Playback : public testing::TestWithParam<Clip> {
 protected:
  void SetUp() override {
    usual_system();
    const Clip& clip = GetParam();
    clear = usual_system().folder() / (std::string("clip.") + clip.name);
    // Neither a suffix nor a folder tells the player what it is.
    covered = usual_system().folder() / (std::string("clip-") + clip.name + ".spro");
    if (std::filesystem::exists(covered)) return;
    const std::string encode = std::string(clip.encode) + " ! filesink location=" + clear.string();
    if (!has_elements_of(encode)) GTEST_SKIP() << "this machine has not every encoder of the clip";
    ASSERT_TRUE(Pipeline(encode).run());
    ASSERT_TRUE(Pipeline("filesrc location=" + clear.string() +
                         " ! smartpro-scramble segment-size=16384 key-period=3 ! filesink location=" + covered.string())
                    .run());
  }

  std::filesystem::path clear;
  std::filesystem::path covered;
};

TEST_P(Playback, DecodesToTheSameFrames) {
  const auto expected = decode(pull_way, clear);
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(decode(pull_way, covered), expected);
  EXPECT_EQ(decode("filesrc location=%s ! decodebin3 name=d", covered), expected);
  EXPECT_EQ(decode("uridecodebin name=d uri=file://%s", covered), expected);
}

TEST_P(Playback, DecodesToTheSameFramesInPushMode) {
  if (!GetParam().streams) GTEST_SKIP() << "the demuxer of this format needs pull mode";
  const auto expected = decode(push_way, clear);
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(decode(push_way, covered), expected);
}

TEST_P(Playback, SeeksToTheSameFrames) {
  auto expected = decode(pull_way, clear, 1'700 * GST_MSECOND);
  auto got = decode(pull_way, covered, 1'700 * GST_MSECOND);
  ASSERT_FALSE(expected.empty());
  // After a seek the audio decoders do not give the same samples twice, even for the clear file; the pictures are the
  // same.
  if (expected.contains("video/x-raw")) {
    expected.erase("audio/x-raw");
    got.erase("audio/x-raw");
  }
  EXPECT_EQ(got, expected);
}

TEST_P(Playback, RunsInPlaybin) {
  Pipeline pipeline("playbin uri=file://" + covered.string() + " video-sink=\"fakesink\" audio-sink=\"fakesink\"");
  EXPECT_TRUE(pipeline.run()) << pipeline.error->text;
}

/// Runs a program, which has to find the cards by itself, and gives what it says.
std::string output_of(const std::string& command, int& status) {
  usual_system().release_cards();
  std::string output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {};
  char chunk[4096];
  while (const std::size_t size = fread(chunk, 1, sizeof chunk, pipe)) output.append(chunk, size);
  status = pclose(pipe);
  return output;
}

TEST_P(Playback, IsUnderstoodByTheDiscoverer) {
  if (built_with_sanitizer) GTEST_SKIP() << "a program that is not built with the sanitizer cannot load the plugin";
  int status = -1;
  const std::string said = output_of("gst-discoverer-1.0 file://" + covered.string(), status);
  EXPECT_EQ(status, 0) << said;
  EXPECT_NE(said.find("Duration: 0:00:0"), std::string::npos) << said;
  EXPECT_EQ(said.find("Duration: 0:00:00.000"), std::string::npos) << said;
}

TEST_P(Playback, RunsInGstPlay) {
  if (built_with_sanitizer) GTEST_SKIP() << "a program that is not built with the sanitizer cannot load the plugin";
  int status = -1;
  const std::string said =
      output_of("gst-play-1.0 --no-interactive --videosink=fakesink --audiosink=fakesink " + covered.string(), status);
  EXPECT_EQ(status, 0) << said;
  EXPECT_NE(said.find("Reached end of play list"), std::string::npos) << said;
  EXPECT_EQ(said.find("ERROR"), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(Clips, Playback, testing::ValuesIn(clips),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace cas::test
