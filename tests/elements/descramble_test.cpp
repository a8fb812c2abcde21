// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <string>
#include <tuple>

#include "element_test.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::test {
namespace {

using smartpro::FileLayout;
using smartpro::ReadHeader;

FileLayout layout_of(const Bytes& file) {
  const ReadHeader header = value_or_throw(ReadHeader::parse(file));
  return {header.header, header.body_offset};
}

struct Descrambled {
  Bytes content;
  std::optional<PostedError> error;
};

/// Through the element in push mode, in buffers of `piece` bytes.
Descrambled descramble_pushed(ByteView file, std::size_t piece = 65'536) {
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  if (descramble.push_in_pieces(file, piece) == GST_FLOW_OK) descramble.end();
  return {descramble.output(), next_error(descramble.bus())};
}

/// Through the element in pull mode, from a file, with its own task pushing.
Descrambled descramble_pulled(ByteView file, const std::string& after = "") {
  const auto in = write_file("pulled.spro", file);
  const auto out = usual_system().folder() / "pulled.bin";
  Descrambled result;
  {
    Pipeline pipeline("filesrc location=" + in.string() + " ! smartpro-descramble ! " + after +
                      " filesink buffer-mode=unbuffered location=" + out.string());
    pipeline.run();
    result.error = pipeline.error;
  }
  result.content = read_file(out);
  return result;
}

#define EXPECT_CONTENT(descrambled, expected)                                                                 \
  do {                                                                                                        \
    const auto& got_ = (descrambled);                                                                         \
    EXPECT_FALSE(got_.error.has_value()) << got_.error->text;                                                 \
    EXPECT_TRUE(equal(got_.content, expected)) << got_.content.size() << " bytes, not " << (expected).size(); \
  } while (false)

class Descramble : public testing::Test {
 protected:
  Descramble() { usual_system(); }
};

// --- Round trips ---

class RoundTrip : public testing::TestWithParam<std::tuple<const char*, const char*, std::size_t>> {
 protected:
  RoundTrip() { usual_system(); }
};

TEST_P(RoundTrip, GivesTheContentBack) {
  const auto& [cipher, period, size] = GetParam();
  const Bytes content = noise(size);
  const Bytes file = protect(content, {{"cipher", cipher}, {"key-period", period}, {"segment-size", "1024"}});
  EXPECT_CONTENT(descramble_pushed(file), content);
  EXPECT_CONTENT(descramble_pushed(file, 700), content);
  EXPECT_CONTENT(descramble_pulled(file), content);
}

INSTANTIATE_TEST_SUITE_P(Sizes, RoundTrip,
                         testing::Combine(testing::Values("aes-128-gcm", "aes-128-ctr"), testing::Values("0", "1", "3"),
                                          testing::Values(0U, 1U, 1023U, 1024U, 1025U, 3072U, 10'000U)),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param) + std::string("_period") +
                                              std::get<1>(test.param) + "_" + std::to_string(std::get<2>(test.param));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_F(Descramble, TakesBuffersOfOneByte) {
  const Bytes content = noise(20'000);
  ElementHarness scramble("smartpro-scramble", {{"segment-size", "4096"}});
  scramble.start("application/x-noise");
  ASSERT_EQ(scramble.push_in_pieces(content, 1), GST_FLOW_OK);
  ASSERT_TRUE(scramble.end());
  EXPECT_CONTENT(descramble_pushed(scramble.output(), 1), content);
}

TEST_F(Descramble, TakesOneGiantBuffer) {
  const Bytes content = noise(40'000'000);
  EXPECT_CONTENT(descramble_pushed(protect(content), SIZE_MAX), content);
}

TEST_F(Descramble, TakesBufferLists) {
  const Bytes content = noise(500'000);
  const auto push_as_list = [](ElementHarness& harness, ByteView bytes) {
    GstBufferList* list = gst_buffer_list_new();
    while (!bytes.empty()) {
      const ByteView piece = bytes.first(std::min<std::size_t>(bytes.size(), 1316));
      gst_buffer_list_add(list, gst_buffer_new_memdup(piece.data(), piece.size()));
      bytes = bytes.subspan(piece.size());
    }
    return gst_pad_push_list((*harness)->srcpad, list);
  };
  ElementHarness scramble("smartpro-scramble");
  scramble.start("application/x-noise");
  ASSERT_EQ(push_as_list(scramble, content), GST_FLOW_OK);
  ASSERT_TRUE(scramble.end());
  const Bytes file = scramble.output();
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  ASSERT_EQ(push_as_list(descramble, file), GST_FLOW_OK);
  ASSERT_TRUE(descramble.end());
  EXPECT_TRUE(equal(descramble.output(), content));
}

TEST_F(Descramble, ReadsSegmentsOfFourMebibytes) {
  const Bytes content = noise(9'000'000);
  const Bytes file = protect(content, {{"segment-size", "4194304"}});
  EXPECT_CONTENT(descramble_pushed(file, 100'000), content);
  EXPECT_CONTENT(descramble_pulled(file), content);
}

// --- Caps, tags, rights ---

TEST_F(Descramble, GivesTheOriginalCaps) {
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  descramble.push(protect(noise(100), {}, "video/quicktime, variant=(string)iso"));
  descramble.end();
  EXPECT_EQ(descramble.output_caps(), "video/quicktime, variant=(string)iso");
}

TEST_F(Descramble, FindsTheTypeWhereTheHeaderDoesNotTell) {
  // Such a weak finding is not written into the header, but is good enough to go on with.
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  descramble.push(protect(noise(300'000), {}, nullptr));
  descramble.end();
  ASSERT_TRUE(descramble.output_caps().has_value());
  EXPECT_EQ(descramble.output().size(), 300'000U);
}

TEST_F(Descramble, GivesCapsForNoContent) {
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  descramble.push(protect({}, {}, nullptr));
  EXPECT_TRUE(descramble.end());
  EXPECT_EQ(descramble.output_caps(), "application/octet-stream");
}

TEST_F(Descramble, TellsTheRights) {
  const Bytes file =
      protect(noise(100), {{"usage-rights",
                            "rights,process=false,play-count=(int)3,not-after=(string)2099-01-31T00:00:00Z,"
                            "output-flags=(string)hdcp-required+no-recording"}});
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  descramble.push(file);
  descramble.end();
  const auto message = next_element_message(descramble.bus(), "smartpro-rights");
  ASSERT_TRUE(message);
  GstStructure* property = nullptr;
  g_object_get(descramble.element(), "rights", &property, nullptr);
  const gst::StructurePtr rights(property);
  ASSERT_TRUE(rights);
  EXPECT_TRUE(gst_structure_is_equal(rights.get(), message.get()));
  gboolean process = TRUE;
  guint count = 0;
  guint left = 0;
  EXPECT_TRUE(gst_structure_get_boolean(rights.get(), "process", &process));
  EXPECT_FALSE(process);
  EXPECT_TRUE(gst_structure_get_uint(rights.get(), "play-count", &count));
  EXPECT_EQ(count, 3U);
  EXPECT_TRUE(gst_structure_get_uint(rights.get(), "plays-left", &left));
  EXPECT_EQ(left, 2U);
  EXPECT_STREQ(gst_structure_get_string(rights.get(), "not-after"), "2099-01-31T00:00:00Z");
  EXPECT_STREQ(gst_structure_get_string(rights.get(), "output-flags"), "hdcp-required+no-recording");

  const gst::EventPtr event(gst_pad_get_sticky_event((*descramble)->sinkpad, GST_EVENT_TAG, 0));
  ASSERT_TRUE(event);
  GstTagList* tags = nullptr;
  gst_event_parse_tag(event.get(), &tags);
  gchar* comment = nullptr;
  ASSERT_TRUE(gst_tag_list_get_string(tags, GST_TAG_EXTENDED_COMMENT, &comment));
  EXPECT_NE(std::string(comment).find("3 plays"), std::string::npos) << comment;
  g_free(comment);
}

TEST_F(Descramble, PassesEventsOnInOrder) {
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  gst_harness_push_event(*descramble, gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "early", nullptr)));
  descramble.push(protect(noise(100)));
  descramble.end();
  std::vector<GstEventType> order;
  std::vector<std::string> titles;
  while (GstEvent* pulled = gst_harness_try_pull_event(*descramble)) {
    const gst::EventPtr event(pulled);
    if ((gst_event_type_get_flags(GST_EVENT_TYPE(event.get())) & GST_EVENT_TYPE_SERIALIZED) != 0)
      order.push_back(GST_EVENT_TYPE(event.get()));
  }
  const std::vector<GstEventType> expected{GST_EVENT_STREAM_START, GST_EVENT_CAPS, GST_EVENT_SEGMENT,
                                           GST_EVENT_TAG,          GST_EVENT_TAG,  GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
                                           GST_EVENT_EOS};
  EXPECT_EQ(order, expected);
}

// --- Licences that do not open ---

#define EXPECT_NO_KEY(descrambled, expected_kind)                                    \
  do {                                                                               \
    const auto got_ = (descrambled);                                                 \
    EXPECT_TRUE(got_.content.empty());                                               \
    ASSERT_TRUE(got_.error.has_value());                                             \
    EXPECT_EQ(got_.error->domain, g_quark_to_string(GST_STREAM_ERROR));              \
    EXPECT_EQ(got_.error->code, GST_STREAM_ERROR_DECRYPT_NOKEY) << got_.error->text; \
    EXPECT_EQ(got_.error->kind, expected_kind) << got_.error->text;                  \
  } while (false)

TEST_F(Descramble, RefusesContentOfAnotherDomain) {
  TestSystem& system = usual_system();
  if (!std::filesystem::exists(system.card_file("other-acquisition"))) {
    system.found_domain("other-progenitor");
    system.enrol("other-progenitor", "other-acquisition", smartpro::TokenKind::acquisition);
  }
  const Bytes file = protect(noise(100), {{"card", system.uri("other-acquisition")}});
  EXPECT_NO_KEY(descramble_pushed(file), "wrong-domain");
  EXPECT_NO_KEY(descramble_pulled(file), "wrong-domain");
}

TEST_F(Descramble, RefusesContentThatMayNotBePlayed) {
  const Bytes file = protect(noise(100), {{"usage-rights", "rights,render=false"}});
  EXPECT_NO_KEY(descramble_pushed(file), "refused");
  EXPECT_NO_KEY(descramble_pulled(file), "refused");
}

TEST_F(Descramble, RefusesContentOfThePast) {
  const Bytes file = protect(noise(100), {{"usage-rights", "rights,not-after=(string)2020-01-01"}});
  EXPECT_NO_KEY(descramble_pushed(file), "expired");
}

TEST_F(Descramble, CountsPlaysAndNotLicences) {
  const Bytes content = noise(5000);
  const Bytes file = protect(content, {{"usage-rights", "rights,play-count=(int)2"}});
  EXPECT_CONTENT(descramble_pushed(file), content);
  EXPECT_CONTENT(descramble_pulled(file), content);
  EXPECT_NO_KEY(descramble_pushed(file), "used-up");
}

// --- Damage ---

/// Every place of a file with two key periods of two segments, and what is intact before it.
TEST_F(Descramble, FindsDamageAtEachFieldAndDeliversWhatIsBefore) {
  const Bytes content = noise(4 * 1024 + 100);
  const Bytes file = protect(content, {{"segment-size", "1024"}, {"key-period", "2"}});
  const FileLayout layout = layout_of(file);
  const struct {
    const char* what;
    std::uint64_t offset;
    std::size_t intact;
  } places[] = {
      {"magic", 3, 0},
      {"version", 9, 0},
      {"header size", 13, 0},
      {"slot size", 19, 0},
      {"reserved", 25, 0},
      {"file id", 36, 0},
      {"end of the header", layout.slot_offset(0) - 1, 0},
      {"slot size in the slot", layout.slot_offset(0) + 2, 0},
      {"licence size", layout.slot_offset(0) + 7, 0},
      {"licence", layout.slot_offset(0) + 60, 0},
      {"slot padding", layout.segment_offset(0) - 1, 0},
      {"first segment", layout.segment_offset(0) + 5, 0},
      {"first tag", layout.segment_offset(1) - 1, 0},
      {"second segment", layout.segment_offset(1), 1024},
      {"second slot", layout.slot_offset(1) + 60, 2048},
      {"third segment", layout.segment_offset(2) + 1000, 2048},
      {"last segment", layout.segment_offset(4) + 3, 4096},
      {"last tag", file.size() - 1, 4096},
  };
  for (const auto& place : places) {
    SCOPED_TRACE(place.what);
    Bytes damaged = file;
    damaged[place.offset] ^= 0x10;
    for (const Descrambled& result : {descramble_pushed(damaged, 500), descramble_pulled(damaged)}) {
      EXPECT_TRUE(equal(result.content, ByteView(content).first(place.intact)))
          << result.content.size() << " bytes came";
      ASSERT_TRUE(result.error.has_value());
      if (result.error->domain != "gst-stream-error-quark") {
        // A file without the magic is not the descrambler's: typefinding or negotiation says so.
        EXPECT_LT(place.offset, smartpro::preamble_size) << result.error->text;
        continue;
      }
      EXPECT_EQ(result.error->code, GST_STREAM_ERROR_DECRYPT) << result.error->text;
    }
  }
}

TEST_F(Descramble, FindsACutAtEachPlaceAndDeliversWhatIsBefore) {
  const Bytes content = noise(4 * 1024 + 100);
  const Bytes file = protect(content, {{"segment-size", "1024"}, {"key-period", "2"}});
  const FileLayout layout = layout_of(file);
  const struct {
    const char* what;
    std::uint64_t size;
    std::size_t intact;
  } cuts[] = {
      {"in the preamble", 20, 0},
      {"in the header", 40, 0},
      {"before the slot", layout.slot_offset(0), 0},
      {"in the slot", layout.slot_offset(0) + 100, 0},
      {"behind the slot", layout.segment_offset(0), 0},
      {"in the first segment", layout.segment_offset(0) + 500, 0},
      {"in the first tag", layout.segment_offset(1) - 3, 0},
      {"between two segments", layout.segment_offset(1), 1024},
      {"before the second slot", layout.slot_offset(1), 2048},
      {"in the second slot", layout.slot_offset(1) + 5, 2048},
      {"behind the second slot", layout.segment_offset(2), 2048},
      {"before the last segment", layout.segment_offset(3), 3072},
      {"in the last segment", file.size() - 50, 4096},
      {"before the last byte", file.size() - 1, 4096},
  };
  for (const auto& cut : cuts) {
    SCOPED_TRACE(cut.what);
    const ByteView shorter = ByteView(file).first(cut.size);
    for (const Descrambled& result : {descramble_pushed(shorter, 500), descramble_pulled(shorter)}) {
      EXPECT_TRUE(equal(result.content, ByteView(content).first(cut.intact))) << result.content.size() << " bytes came";
      ASSERT_TRUE(result.error.has_value());
      EXPECT_EQ(result.error->domain, "gst-stream-error-quark") << result.error->text;
      EXPECT_EQ(result.error->code, GST_STREAM_ERROR_DECRYPT) << result.error->text;
      // Within a segment a cut and damage look the same to who does not know the size.
      if (cut.size <= layout.segment_offset(0)) {
        EXPECT_EQ(result.error->kind, "truncated") << result.error->text;
      }
    }
  }
}

/// How much content lies whole before that place of a file.
std::size_t intact_before(const FileLayout& layout, std::uint64_t offset, std::size_t content_size) {
  std::size_t intact = 0;
  for (std::uint64_t segment = 0; intact < content_size; ++segment) {
    if (layout.segment_offset(segment) + layout.stored_segment_size() > offset) break;
    intact += layout.segment_size();
  }
  return std::min(intact, content_size);
}

TEST_F(Descramble, FindsAnyBitAndAnyCutAndDeliversWhatIsBefore) {
  const Bytes content = noise(20 * 1024 + 700);
  const Bytes file = protect(content, {{"segment-size", "1024"}, {"key-period", "8"}});
  const FileLayout layout = layout_of(file);
  SeededRandom places(41);
  for (int i = 0; i < 1000; ++i) {
    Bytes damaged = file;
    const std::uint64_t place = places.below(file.size());
    if (i % 2 == 0)
      damaged.resize(place);
    else
      damaged[place] ^= static_cast<std::uint8_t>(1U << places.below(8));
    SCOPED_TRACE((i % 2 == 0 ? "cut at byte " : "one bit changed in byte ") + std::to_string(place));
    // In turns: bytes that come, and bytes that are fetched.
    const Descrambled result =
        i % 4 < 2 ? descramble_pushed(damaged, 1 + places.below(3000)) : descramble_pulled(damaged);
    ASSERT_TRUE(equal(result.content, ByteView(content).first(intact_before(layout, place, content.size()))))
        << result.content.size() << " bytes came";
    ASSERT_TRUE(result.error.has_value());
  }
}

TEST_F(Descramble, FindsBytesBehindTheEnd) {
  for (const std::size_t size : {std::size_t{2048}, std::size_t{2000}}) {
    const Bytes content = noise(size);
    Bytes file = protect(content, {{"segment-size", "1024"}});
    append(file, noise(3000));
    for (const Descrambled& result : {descramble_pushed(file), descramble_pulled(file)}) {
      // A short last segment cannot be told from a damaged full one.
      EXPECT_TRUE(equal(result.content, ByteView(content).first(size / 1024 * 1024)));
      ASSERT_TRUE(result.error.has_value());
      EXPECT_EQ(result.error->code, GST_STREAM_ERROR_DECRYPT);
    }
  }
}

TEST_F(Descramble, FindsSegmentsThatChangedPlaces) {
  const Bytes content = noise(4096);
  Bytes file = protect(content, {{"segment-size", "1024"}});
  const FileLayout layout = layout_of(file);
  std::swap_ranges(file.begin() + static_cast<std::ptrdiff_t>(layout.segment_offset(1)),
                   file.begin() + static_cast<std::ptrdiff_t>(layout.segment_offset(2)),
                   file.begin() + static_cast<std::ptrdiff_t>(layout.segment_offset(2)));
  const Descrambled result = descramble_pushed(file);
  EXPECT_EQ(result.content.size(), 1024U);
  ASSERT_TRUE(result.error.has_value());
  EXPECT_EQ(result.error->kind, "authentication-failed");
}

TEST_F(Descramble, RefusesAStreamThatStartsInTheMiddle) {
  const Bytes file = protect(noise(100'000));
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro", 5000);
  EXPECT_EQ(descramble.push(ByteView(file).subspan(5000)), GST_FLOW_ERROR);
  EXPECT_POSTED(descramble.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_DECRYPT, "malformed");
}

// --- States and flushes ---

TEST_F(Descramble, RunsTwiceInBothModes) {
  const Bytes content = noise(300'000);
  const auto in = write_file("again.spro", protect(content));
  const auto out = usual_system().folder() / "again.bin";
  for (const std::string between : {"", "queue !"}) {
    Pipeline pipeline("filesrc location=" + in.string() + " ! " + between +
                      " smartpro-descramble ! filesink location=" + out.string());
    for (const GstState lower : {GST_STATE_READY, GST_STATE_NULL, GST_STATE_READY}) {
      ASSERT_TRUE(pipeline.run());
      EXPECT_TRUE(equal(read_file(out), content));
      ASSERT_TRUE(pipeline.reach(lower));
    }
  }
}

TEST_F(Descramble, StartsAnewAfterAFlush) {
  const Bytes content = noise(300'000);
  const Bytes file = protect(content);
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  ASSERT_EQ(descramble.push(ByteView(file).first(150'000)), GST_FLOW_OK);
  descramble.output();
  gst_harness_push_event(*descramble, gst_event_new_flush_start());
  gst_harness_push_event(*descramble, gst_event_new_flush_stop(TRUE));
  descramble.start("application/x-smartpro");
  ASSERT_EQ(descramble.push(file), GST_FLOW_OK);
  ASSERT_TRUE(descramble.end());
  EXPECT_TRUE(equal(descramble.output(), content));
}

TEST_F(Descramble, CountsWhatItDoes) {
  ElementHarness descramble("smartpro-descramble");
  descramble.start("application/x-smartpro");
  const Bytes file = protect(noise(5000), {{"segment-size", "1024"}, {"key-period", "2"}});
  descramble.push(file);
  descramble.end();
  GstStructure* property = nullptr;
  g_object_get(descramble.element(), "stats", &property, nullptr);
  const gst::StructurePtr stats(property);
  guint64 in = 0;
  guint64 out = 0;
  guint64 segments = 0;
  guint64 licences = 0;
  EXPECT_TRUE(gst_structure_get(stats.get(), "bytes-in", G_TYPE_UINT64, &in, "bytes-out", G_TYPE_UINT64, &out,
                                "segments", G_TYPE_UINT64, &segments, "licences-opened", G_TYPE_UINT64, &licences,
                                nullptr));
  EXPECT_EQ(in, file.size());
  EXPECT_EQ(out, 5000U);
  EXPECT_EQ(segments, 5U);
  EXPECT_EQ(licences, 3U) << "one for each key period";
}

}  // namespace
}  // namespace cas::test
