// SPDX-License-Identifier: LGPL-2.1-or-later
// Content that is opened, worked on and protected again with a processing card (paper, 2.1).
#include <cstdlib>
#include <string>

#include "element_test.hpp"
#include "smartpro/default_places.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::test {
namespace {

using smartpro::LicenceView;
using smartpro::ReadHeader;
using smartpro::TokenKind;

ReadHeader header_of(const Bytes& file) { return value_or_throw(ReadHeader::parse(file)); }

Bytes lecm_of(const Bytes& file) {
  const ReadHeader header = header_of(file);
  return copy_of(value_or_throw(
      smartpro::parse_licence_slot(ByteView(file).subspan(header.body_offset, header.header.licence_slot_size))));
}

smartpro::UsageRights rights_of(const Bytes& file) {
  const Bytes lecm = lecm_of(file);
  return value_or_throw(LicenceView::parse(lecm)).summary.value();
}

class Processing : public testing::Test {
 protected:
  Processing() {
    static const bool once = [] {
      usual_system().enrol("progenitor", "processing", TokenKind::processing);
      value_or_throw(smartpro::set_default_card_uri(TokenKind::processing, usual_system().uri("processing")));
      return true;
    }();
    static_cast<void>(once);
  }

  /// filesrc ! `before` smartpro-descramble ! `between` smartpro-scramble `scramble` ! filesink
  struct Line {
    std::string between;
    std::string scramble = "licence-from=upstream";
    std::string before;
    std::string descramble;
  };
  std::string line_of(const Line& line) const {
    return "filesrc location=" + in.string() + " ! " + line.before + " smartpro-descramble " + line.descramble + " ! " +
           line.between + " smartpro-scramble name=scramble " + line.scramble + " ! filesink location=" + out.string();
  }
  /// The new file; empty after a failure, which `error` has then.
  Bytes process(const Bytes& file, const Line& line) {
    write_file("opened.spro", file);
    Pipeline pipeline(line_of(line));
    const bool done = pipeline.run();
    error = pipeline.error;
    pipeline.set_state(GST_STATE_NULL);
    return done ? read_file(out) : Bytes{};
  }
  /// What a renderer card gives.
  Bytes played(const Bytes& file) {
    ElementHarness descramble("smartpro-descramble", {{"card", usual_system().uri("renderer")}});
    descramble.start("application/x-smartpro");
    if (descramble.push(file) == GST_FLOW_OK) descramble.end();
    error = next_error(descramble.bus());
    return descramble.output();
  }

  const std::filesystem::path in = usual_system().folder() / "opened.spro";
  const std::filesystem::path out = usual_system().folder() / "again.spro";
  const Bytes content = noise(20'000);
  std::optional<PostedError> error;
};

#define EXPECT_FAILED(expected_kind)                         \
  do {                                                       \
    ASSERT_TRUE(error.has_value()) << "no error was posted"; \
    EXPECT_EQ(error->kind, expected_kind) << error->text;    \
  } while (false)

TEST_F(Processing, ProtectsWhatWasOpenedAgain) {
  const Bytes file = protect(content);
  for (const std::string before : {"", "queue !"}) {  // pull mode, push mode
    for (const std::string between : {"", "identity !", "queue ! identity !"}) {
      const Bytes again = process(file, {.between = between, .before = before});
      ASSERT_FALSE(again.empty()) << before << between << (error ? error->text : "");
      EXPECT_EQ(header_of(again).header.content_id, header_of(file).header.content_id);
      EXPECT_NE(header_of(again).header.file_id, header_of(file).header.file_id);
      EXPECT_EQ(header_of(again).header.media_type, "application/x-noise");
      EXPECT_EQ(rights_of(again), rights_of(file));
      const Bytes lecm = lecm_of(again);
      EXPECT_EQ(value_or_throw(LicenceView::parse(lecm)).issuer,
                value_or_throw(usual_system().session("processing")->info()).serial_number);
      EXPECT_TRUE(equal(played(again), content)) << (error ? error->text : "");
    }
  }
}

TEST_F(Processing, WorksThroughADemuxerThatReadsAndAMuxer) {
  const auto movie = usual_system().folder() / "movie.spro";
  Pipeline writer(
      "videotestsrc num-buffers=10 ! video/x-raw,width=64,height=64 ! x264enc ! mp4mux ! smartpro-scramble ! filesink "
      "location=" +
      movie.string());
  ASSERT_TRUE(writer.run());
  const Bytes file = read_file(movie);
  const Bytes again = process(file, {.between = "qtdemux ! h264parse ! matroskamux streamable=true !"});
  ASSERT_FALSE(again.empty()) << (error ? error->text : "");
  EXPECT_EQ(header_of(again).header.content_id, header_of(file).header.content_id);
  Pipeline player("playbin uri=file://" + out.string() + " video-sink=fakesink");
  EXPECT_TRUE(player.run()) << (player.error ? player.error->text : "");
}

TEST_F(Processing, OpensWithTheProcessingCardOfTheScrambler) {
  // Without the right to play: the machine's renderer card would not do.
  const Bytes file = protect(content, {{"usage-rights", "rights,render=false"}});
  const Bytes again = process(file, {});
  ASSERT_FALSE(again.empty()) << (error ? error->text : "");
  EXPECT_TRUE(played(again).empty());
  EXPECT_FAILED("refused");
}

TEST_F(Processing, CountsNoPlay) {
  const Bytes file = protect(content, {{"usage-rights", "rights,play-count=(int)1"}});
  EXPECT_FALSE(process(file, {}).empty());
  EXPECT_FALSE(process(file, {}).empty());
  EXPECT_TRUE(equal(played(file), content));
  played(file);
  EXPECT_FAILED("used-up");
}

TEST_F(Processing, TakesTheLicenceOfAFile) {
  const Bytes file = protect(content);
  const auto path = write_file("source.spro", file);
  ElementHarness scramble("smartpro-scramble", {{"licence-from", path.string()}});
  scramble.start("application/x-noise");
  ASSERT_EQ(scramble.push(content), GST_FLOW_OK);
  ASSERT_TRUE(scramble.end());
  const Bytes again = scramble.output();
  EXPECT_EQ(header_of(again).header.content_id, header_of(file).header.content_id);
  EXPECT_TRUE(equal(played(again), content));
}

TEST_F(Processing, NarrowsRights) {
  const Bytes file = protect(content, {{"usage-rights", "rights,output-flags=(string)no-recording"}});
  const Bytes again =
      process(file, {.scramble = "licence-from=upstream usage-rights=\"rights,play-count=(int)2,process=false\""});
  ASSERT_FALSE(again.empty()) << (error ? error->text : "");
  EXPECT_EQ(rights_of(again).play_count, 2U);
  EXPECT_FALSE(rights_of(again).process);
  EXPECT_EQ(rights_of(again).output_flags, smartpro::output_no_recording) << "what is not named stays";
  EXPECT_TRUE(process(again, {}).empty());
  EXPECT_FAILED("refused");
}

TEST_F(Processing, WidensRightsWhereGrantedAlone) {
  const Line wider{.scramble = "licence-from=upstream usage-rights=\"rights,play-count=(int)9\""};
  EXPECT_TRUE(process(protect(content, {{"usage-rights", "rights,play-count=(int)3"}}), wider).empty());
  EXPECT_FAILED("refused");
  EXPECT_EQ(error->domain, g_quark_to_string(GST_RESOURCE_ERROR));
  EXPECT_EQ(error->code, GST_RESOURCE_ERROR_NOT_AUTHORIZED);
  EXPECT_EQ(error->text, "the new rights allow more plays than those of the licence");
  const Bytes again =
      process(protect(content, {{"usage-rights", "rights,play-count=(int)3,change-rights=true"}}), wider);
  ASSERT_FALSE(again.empty()) << (error ? error->text : "");
  EXPECT_EQ(rights_of(again).play_count, 9U);
}

TEST_F(Processing, NeedsTheRightToProcess) {
  EXPECT_TRUE(process(protect(content, {{"usage-rights", "rights,process=false"}}), {}).empty());
  EXPECT_FAILED("refused");
}

TEST_F(Processing, IssuesALicenceForEachKeyPeriod) {
  const Bytes file = protect(content, {{"key-period", "4"}, {"segment-size", "1024"}});
  for (const std::string before : {"", "queue !"}) {
    const Bytes again =
        process(file, {.scramble = "licence-from=upstream key-period=2 segment-size=2048", .before = before});
    ASSERT_FALSE(again.empty()) << (error ? error->text : "");
    EXPECT_TRUE(equal(played(again), content)) << (error ? error->text : "");
    ElementHarness descramble("smartpro-descramble", {{"card", usual_system().uri("renderer")}});
    descramble.start("application/x-smartpro");
    descramble.push(again);
    descramble.end();
    GstStructure* stats = nullptr;
    g_object_get(descramble.element(), "stats", &stats, nullptr);
    const gst::StructurePtr owned(stats);
    guint64 licences = 0;
    gst_structure_get_uint64(stats, "licences-opened", &licences);
    EXPECT_EQ(licences, 5U);
  }
}

TEST_F(Processing, RunsTwice) {
  const Bytes file = protect(content);
  write_file("opened.spro", file);
  Pipeline pipeline(line_of({.between = "identity !"}));
  Bytes before;
  for (int run = 0; run < 2; ++run) {
    ASSERT_TRUE(pipeline.run()) << (pipeline.error ? pipeline.error->text : "");
    ASSERT_TRUE(pipeline.reach(GST_STATE_READY));
    const Bytes again = read_file(out);
    EXPECT_TRUE(equal(played(again), content));
    EXPECT_FALSE(equal(again, before));
    before = again;
  }
}

TEST_F(Processing, SaysWhenNobodyAnnouncesALicence) {
  ElementHarness scramble("smartpro-scramble", {{"licence-from", "upstream"}});
  scramble.start("application/x-noise");
  EXPECT_EQ(scramble.push(content), GST_FLOW_ERROR);
  EXPECT_POSTED(scramble.bus(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "not-found");
  EXPECT_TRUE(scramble.output().empty());
}

gst::EventPtr announcement(const Bytes& lecm) {
  GBytes* bytes = g_bytes_new(lecm.data(), lecm.size());
  gst::EventPtr event(gst_event_new_custom(
      GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, gst_structure_new("smartpro-licence", "lecm", G_TYPE_BYTES, bytes, nullptr)));
  g_bytes_unref(bytes);
  return event;
}

TEST_F(Processing, MixesNoWorks) {
  const Bytes one = lecm_of(protect(content)), other = lecm_of(protect(content));
  ElementHarness scramble("smartpro-scramble", {{"licence-from", "upstream"}});
  scramble.start("application/x-noise");
  for (const Bytes& lecm : {one, other, one}) gst_harness_push_event(*scramble, announcement(lecm).release());
  EXPECT_EQ(scramble.push(content), GST_FLOW_ERROR);
  EXPECT_POSTED(scramble.bus(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED, "refused");
}

TEST_F(Processing, MixesNoWorksThatAMuxerBringsTogether) {
  const auto movie = [](const std::string& name) {
    const auto path = usual_system().folder() / name;
    Pipeline writer(
        "videotestsrc num-buffers=10 ! video/x-raw,width=64,height=64 ! x264enc ! mp4mux ! smartpro-scramble ! "
        "filesink location=" +
        path.string());
    EXPECT_TRUE(writer.run());
    return path.string();
  };
  const auto track = [](const std::string& path) {
    return "filesrc location=" + path + " ! smartpro-descramble ! qtdemux ! h264parse ! queue ! mux. ";
  };
  Pipeline pipeline(track(movie("first.spro")) + track(movie("second.spro")) +
                    "matroskamux name=mux streamable=true ! smartpro-scramble licence-from=upstream ! fakesink");
  EXPECT_FALSE(pipeline.run());
  error = pipeline.error;
  EXPECT_FAILED("refused");
}

TEST_F(Processing, RefusesAnAnnouncementThatIsNone) {
  for (const Bytes& lecm : {Bytes{}, Bytes(10, 1), Bytes(5000, 1)}) {
    ElementHarness scramble("smartpro-scramble", {{"licence-from", "upstream"}});
    scramble.start("application/x-noise");
    gst_harness_push_event(*scramble, announcement(lecm).release());
    EXPECT_EQ(scramble.push(content), GST_FLOW_ERROR);
    EXPECT_TRUE(next_error(scramble.bus()).has_value());
  }
}

TEST_F(Processing, TheLicenceIsAnnouncedForEachPeriodAndEndsInTheScrambler) {
  const Bytes file = protect(content, {{"key-period", "10"}, {"segment-size", "1024"}});
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  ASSERT_EQ(descramble.push(file), GST_FLOW_OK);
  const auto announced = [](GstHarness* harness) {
    return gst::EventPtr(gst_pad_get_sticky_event(harness->sinkpad, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, 0));
  };
  const gst::EventPtr event = announced(*descramble);
  ASSERT_TRUE(event);
  const GstStructure* structure = gst_event_get_structure(event.get());
  EXPECT_STREQ(gst_structure_get_name(structure), "smartpro-licence");
  EXPECT_EQ(gst_structure_get_string(structure, "content-id"), to_hex(header_of(file).header.content_id));
  EXPECT_EQ(gst_structure_get_string(structure, "header-digest"), to_hex(header_of(file).digest));
  guint period = 0;
  EXPECT_TRUE(gst_structure_get_uint(structure, "key-period", &period));
  EXPECT_EQ(period, 1U);

  ElementHarness scramble("smartpro-scramble", {{"licence-from", "upstream"}});
  scramble.start("application/x-noise");
  gst_harness_push_event(*scramble, gst_event_ref(event.get()));
  EXPECT_EQ(scramble.push(content), GST_FLOW_OK);
  EXPECT_FALSE(announced(*scramble));
}

TEST_F(Processing, AProcessingCardProtectsNoClearContent) {
  const auto element = make_element("smartpro-scramble", {{"card", usual_system().uri("processing")}});
  const gst::ObjectPtr<GstBus> bus(gst_bus_new());
  gst_element_set_bus(element.get(), bus.get());
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  const auto posted = next_error(bus.get());
  ASSERT_TRUE(posted.has_value());
  EXPECT_EQ(posted->kind, "invalid-argument");
  EXPECT_NE(posted->text.find("a processing token protects no clear content"), std::string::npos) << posted->text;
  gst_element_set_bus(element.get(), nullptr);
}

TEST_F(Processing, UsesTheProcessingCardOfAMachineThatHasNoOther) {
  TestSystem& system = usual_system();
  const Bytes file = protect(content, {{"usage-rights", "rights,render=false"}});
  const auto home = system.folder() / "workshop";
  setenv("CAS_HOME", home.c_str(), 1);
  value_or_throw(smartpro::set_default_card_uri(TokenKind::processing, system.uri("processing")));
  ElementHarness descramble("smartpro-descramble", {{"host", system.host_folder().string()}});
  setenv("CAS_HOME", system.folder().c_str(), 1);
  descramble.start("application/x-smartpro");
  EXPECT_EQ(descramble.push(file), GST_FLOW_OK);
  descramble.end();
  EXPECT_TRUE(equal(descramble.output(), content));
}

struct BadSource {
  const char* name;
  void (*change)(Bytes& file);
  const char* kind;
};
class ProcessingSource : public Processing, public testing::WithParamInterface<BadSource> {};

TEST_P(ProcessingSource, IsCheckedBeforeReady) {
  Bytes file = protect(content);
  GetParam().change(file);
  const auto path = write_file("bad.spro", file);
  const auto element = make_element("smartpro-scramble", {{"licence-from", path.string()}});
  const gst::ObjectPtr<GstBus> bus(gst_bus_new());
  gst_element_set_bus(element.get(), bus.get());
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  const auto posted = next_error(bus.get());
  ASSERT_TRUE(posted.has_value());
  EXPECT_EQ(posted->kind, GetParam().kind) << posted->text;
  gst_element_set_bus(element.get(), nullptr);
}

INSTANTIATE_TEST_SUITE_P(
    All, ProcessingSource,
    testing::Values(BadSource{"Clear", [](Bytes& file) { file = noise(1000); }, "malformed"},
                    BadSource{"Cut", [](Bytes& file) { file.resize(header_of(file).body_offset + 100); }, "truncated"},
                    BadSource{"OnItsWay", [](Bytes& file) { file[header_of(file).body_offset + 8] = 0x90; },
                              "wrong-domain"},
                    BadSource{"OfAnotherFile", [](Bytes& file) { file[smartpro::preamble_size + 3] ^= 1; },
                              "authentication-failed"}),
    [](const auto& test) { return test.param.name; });

TEST_F(Processing, SettingsAreCheckedBeforeReady) {
  const auto refused = [](Properties properties) {
    const auto element = make_element("smartpro-scramble", properties);
    const gst::ObjectPtr<GstBus> bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    const auto posted = next_error(bus.get());
    gst_element_set_bus(element.get(), nullptr);
    return posted ? posted->kind : std::string("nothing");
  };
  EXPECT_EQ(refused({{"licence-from", "/nowhere/at/all.spro"}}), "not-found");
  EXPECT_EQ(refused({{"licence-from", usual_system().folder().string()}}), "not-found");
  EXPECT_EQ(refused({{"licence-from", "upstream"}, {"content-id", "00112233445566778899aabbccddeeff"}}),
            "invalid-argument");
  EXPECT_EQ(refused({{"licence-from", "upstream"}, {"usage-rights", "rights,play-cuont=(int)3"}}), "invalid-argument");
  EXPECT_EQ(refused({{"licence-from", "upstream"}, {"card", usual_system().uri("acquisition")}}), "invalid-argument");
}

}  // namespace
}  // namespace cas::test
