// SPDX-License-Identifier: LGPL-2.1-or-later
// Files under a key that comes from upstream, as a key server has given it.
#include "upstream_key.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "crypto/constant_time.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::test {
namespace {

using smartpro::ReadHeader;

Bytes lecm_of(const Bytes& file) {
  const ReadHeader header = header_of(file);
  return copy_of(value_or_throw(
      smartpro::parse_licence_slot(ByteView(file).subspan(header.body_offset, header.header.licence_slot_size))));
}

/// The event of that name that went downstream last.
bool went_downstream(GstHarness* harness, GstEventType type) {
  const gst::EventPtr event(gst_pad_get_sticky_event(harness->sinkpad, type, 0));
  return event != nullptr;
}

gst::StructurePtr stats_of(GstElement* element) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  return gst::StructurePtr(stats);
}

using UpstreamKey = KeyTest;

TEST_F(UpstreamKey, ScramblesWhatARendererOpens) {
  for (const std::string cipher : {"aes-128-gcm", "aes-128-ctr"}) {
    SCOPED_TRACE(cipher);
    const SentKey sent;
    KeyScramble scramble(cipher);
    const Bytes file = scramble.begin(sent).protect(content);
    const Played out = played(file);
    EXPECT_TRUE(equal(out.content, content)) << (out.error ? out.error->text : "");

    const ReadHeader header = header_of(file);
    const Bytes lecm = lecm_of(file);
    EXPECT_EQ(value_or_throw(smartpro::LicenceView::parse(lecm)).issuer,
              value_or_throw(usual_system().session("key wrapper")->info()).serial_number);
    const auto opened =
        usual_system().session("renderer")->open_licence(lecm, {header.digest, header.header.cipher, 0, {7}});
    ASSERT_OK(opened);
    EXPECT_TRUE(crypto::constant_time_equal(opened->control_word.reveal(), sent.key));
  }
}

TEST_F(UpstreamKey, IsNamedInTheHeader) {
  const SentKey sent;
  KeyScramble scramble;
  const auto origin = header_of(scramble.begin(sent).protect(content)).header.key_origin;
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(smartpro::key_id_text(origin->key_id), sent.key_id);
  EXPECT_EQ(origin->content_id, sent.content_id);
  EXPECT_EQ(origin->period_index, sent.period_index);
  EXPECT_FALSE(header_of(protect(content)).header.key_origin.has_value()) << "a token drew that word";
}

TEST_F(UpstreamKey, KeepsToTheRights) {
  ElementHarness scramble(
      "smartpro-scramble",
      {{"key-source", "upstream"}, {"card", head_end_card()}, {"usage-rights", "rights,play-count=(int)1"}});
  scramble.start("application/x-noise");
  ASSERT_TRUE(send(scramble, {}));
  ASSERT_EQ(scramble.push(content), GST_FLOW_OK);
  ASSERT_TRUE(scramble.end());
  const Bytes file = scramble.output();
  EXPECT_TRUE(equal(played(file).content, content));
  const Played again = played(file);
  EXPECT_TRUE(again.content.empty());
  ASSERT_TRUE(again.error.has_value());
  EXPECT_EQ(again.error->kind, "used-up");
}

/// A segment of a file beside what it was made of.
struct Segment {
  Bytes cipher_text;
  Bytes plain;
};

std::vector<Segment> segments_of(const Bytes& file, ByteView plain) {
  const ReadHeader header = header_of(file);
  const smartpro::FileLayout layout(header.header, header.body_offset);
  std::vector<Segment> segments;
  while (!plain.empty()) {
    const auto offset = static_cast<std::size_t>(layout.segment_offset(segments.size()));
    const ByteView part = plain.first(std::min<std::size_t>(header.header.segment_size, plain.size()));
    segments.push_back({copy_of(ByteView(file).subspan(offset, part.size())), copy_of(part)});
    plain = plain.subspan(part.size());
  }
  return segments;
}

Bytes exclusive_or(ByteView a, ByteView b) {
  Bytes out = copy_of(a.first(std::min(a.size(), b.size())));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= b[i];
  return out;
}

/// Two contents under one key stream give away their difference.
bool give_each_other_away(const Segment& a, const Segment& b) {
  return exclusive_or(a.cipher_text, b.cipher_text) == exclusive_or(a.plain, b.plain);
}

// One key server's key for several files, or for one that is written twice: key and counter come from the random file
// id as well, so that no two key streams are alike.
TEST_F(UpstreamKey, EqualKeysMakeNoEqualKeyStreams) {
  const Bytes other = noise(content.size(), 2);
  for (const std::string cipher : {"aes-128-gcm", "aes-128-ctr"}) {
    SCOPED_TRACE(cipher);
    const auto written = [&](ByteView plain) {
      KeyScramble scramble(cipher);
      return segments_of(scramble.begin({}).protect(plain), plain);
    };
    const auto first = written(content), again = written(content), third = written(other);
    ASSERT_EQ(first.size(), 10U);
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_NE(first[i].cipher_text, again[i].cipher_text) << i;
      for (std::size_t j = 0; j < first.size(); ++j) {
        EXPECT_FALSE(give_each_other_away(first[i], again[j])) << i << ", " << j;
        EXPECT_FALSE(give_each_other_away(first[i], third[j])) << i << ", " << j;
      }
    }
  }
}

TEST_F(UpstreamKey, EndsInTheScrambler) {
  SentKey ahead = another();
  ahead.ahead = true;
  KeyScramble scramble;
  scramble.begin({});
  EXPECT_TRUE(send(scramble, ahead));
  ASSERT_EQ(scramble.push(ByteView(content).first(5000)), GST_FLOW_OK);
  EXPECT_TRUE(send(scramble, ahead));
  const Bytes under_key = scramble.protect(ByteView(content).subspan(5000));
  EXPECT_EQ(header_of(under_key).header.key_origin->period_index, 7U) << "a key ahead of its period is not in force";
  EXPECT_TRUE(equal(played(under_key).content, content));
  EXPECT_FALSE(went_downstream(*scramble, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY));

  ElementHarness usual("smartpro-scramble");
  usual.start("application/x-noise");
  EXPECT_TRUE(send(usual, {}));
  EXPECT_TRUE(send(usual, ahead));
  ASSERT_EQ(usual.push(content), GST_FLOW_OK);
  ASSERT_TRUE(usual.end());
  EXPECT_FALSE(went_downstream(*usual, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY));
  EXPECT_TRUE(went_downstream(*usual, GST_EVENT_SEGMENT));
  const std::string warning = next_warning(usual.bus());
  EXPECT_NE(warning.find("key-source=upstream"), std::string::npos) << warning;
  EXPECT_EQ(next_warning(usual.bus()), "") << "once is enough";
  const Bytes file = usual.output();
  EXPECT_FALSE(header_of(file).header.key_origin.has_value());
  EXPECT_TRUE(equal(played(file).content, content));
}

TEST_F(UpstreamKey, TheClearStreamsProtectionEndsInTheScrambler) {
  for (const char* source : {"token", "upstream"}) {
    ElementHarness scramble("smartpro-scramble", {{"key-source", source}, {"card", head_end_card()}});
    scramble.start("application/x-noise");
    gst_harness_push_event(*scramble, gst_event_new_protection("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",
                                                               gst_buffer_new_allocate(nullptr, 32, nullptr), "test"));
    ASSERT_TRUE(send(scramble, {}));
    ASSERT_EQ(scramble.push(content), GST_FLOW_OK);
    EXPECT_TRUE(scramble.end());
    EXPECT_FALSE(went_downstream(*scramble, GST_EVENT_PROTECTION)) << source;
  }
}

TEST_F(UpstreamKey, ScramblesContentOfNoBytes) {
  KeyScramble scramble;
  const Bytes file = scramble.begin({}).protect({});
  EXPECT_TRUE(header_of(file).header.key_origin.has_value());
  const Played out = played(file);
  EXPECT_TRUE(out.content.empty());
  EXPECT_FALSE(out.error.has_value()) << out.error->text;
}

TEST_F(UpstreamKey, TheLastBeforeTheContentCounts) {
  KeyScramble scramble;
  scramble.begin(another()).begin({});
  const Bytes file = scramble.protect(content);
  EXPECT_EQ(header_of(file).header.key_origin->period_index, 7U);
  EXPECT_TRUE(equal(played(file).content, content));
}

TEST_F(UpstreamKey, MayComeAgain) {
  KeyScramble scramble;
  scramble.begin({});
  ASSERT_EQ(scramble.push(ByteView(content).first(5000)), GST_FLOW_OK);
  EXPECT_TRUE(send(scramble, {}));
  const Bytes file = scramble.protect(ByteView(content).subspan(5000));
  EXPECT_TRUE(equal(played(file).content, content));
}

TEST_F(UpstreamKey, HoldsOverAFlush) {
  // GStreamer sends no sticky event anew after a flush.
  KeyScramble scramble;
  scramble.begin({});
  ASSERT_EQ(scramble.push(noise(5000, 3)), GST_FLOW_OK);
  const auto first = header_of(scramble.output()).header.file_id;
  flush(scramble);
  scramble.start("application/x-noise");
  const Bytes file = scramble.protect(content);
  EXPECT_NE(header_of(file).header.file_id, first);
  EXPECT_TRUE(equal(played(file).content, content));
}

TEST_F(UpstreamKey, MayBeAnotherAfterAFlush) {
  KeyScramble scramble;
  scramble.begin({});
  ASSERT_EQ(scramble.push(noise(5000, 3)), GST_FLOW_OK);
  EXPECT_FALSE(send(scramble, another())) << "within the content";
  flush(scramble);
  scramble.output();
  scramble.start("application/x-noise");
  const Bytes file = scramble.protect(content);
  EXPECT_EQ(smartpro::key_id_text(header_of(file).header.key_origin->key_id), another_id)
      << "the event said that it is in force from then on";
  EXPECT_TRUE(equal(played(file).content, content));
}

TEST_F(UpstreamKey, ChangesFromFileToFile) {
  KeyScramble scramble;
  const Bytes first = scramble.begin({}).protect(content);
  const Bytes second = scramble.begin(another()).protect(content);
  EXPECT_TRUE(equal(played(first).content, content));
  EXPECT_TRUE(equal(played(second).content, content));
  EXPECT_EQ(smartpro::key_id_text(header_of(second).header.key_origin->key_id), another_id);
  scramble.start("application/x-noise");
  const Bytes third = scramble.protect(content);
  EXPECT_EQ(smartpro::key_id_text(header_of(third).header.key_origin->key_id), another_id);
  EXPECT_TRUE(equal(played(third).content, content));
}

TEST_F(UpstreamKey, SaysThatItWillChange) {
  SentKey sent;
  sent.rotates = true;
  KeyScramble scramble;
  const Bytes file = scramble.begin(sent).protect(content);
  const std::string warning = next_warning(scramble.bus());
  EXPECT_NE(warning.find("'period=0'"), std::string::npos) << warning;
  EXPECT_TRUE(equal(played(file).content, content));
}

TEST_F(UpstreamKey, IsInTheStatistics) {
  KeyScramble scramble;
  scramble.start("application/x-noise");
  gst::StructurePtr stats = stats_of(scramble.element());
  EXPECT_STREQ(gst_structure_get_string(stats.get(), "key-source"), "upstream");
  EXPECT_FALSE(gst_structure_has_field(stats.get(), "key-id"));
  const SentKey sent;
  ASSERT_TRUE(send(scramble, sent));
  stats = stats_of(scramble.element());
  EXPECT_EQ(gst_structure_get_string(stats.get(), "key-id"), sent.key_id);
  EXPECT_EQ(gst_structure_get_string(stats.get(), "content-id"), sent.content_id);
  guint64 index = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats.get(), "period-index", &index));
  EXPECT_EQ(index, 7U);
  ElementHarness usual("smartpro-scramble");
  stats = stats_of(usual.element());
  EXPECT_STREQ(gst_structure_get_string(stats.get(), "key-source"), "token");
  EXPECT_FALSE(gst_structure_has_field(stats.get(), "key-id"));
}

TEST_F(UpstreamKey, RunsTwice) {
  KeyPipeline line(content);
  for (const SentKey& sent : {SentKey{}, another()}) {
    line.keys = {{0, sent}};
    ASSERT_TRUE(line.run()) << (line.pipeline.error ? line.pipeline.error->text : "");
    ASSERT_TRUE(line.pipeline.reach(GST_STATE_READY));
    const Bytes file = read_file(line.out);
    EXPECT_EQ(header_of(file).header.key_origin->period_index, sent.period_index);
    EXPECT_EQ(header_of(file).header.plain_size, content.size());
    EXPECT_TRUE(equal(played(file).content, content));
  }
  line.keys = {};
  EXPECT_FALSE(line.run()) << "no key is kept from run to run";
  ASSERT_TRUE(line.pipeline.error.has_value());
  EXPECT_EQ(line.pipeline.error->kind, "not-found") << line.pipeline.error->text;
}

TEST_F(UpstreamKey, IsToldBehindTheDescrambler) {
  const SentKey sent;
  KeyScramble scramble;
  const Bytes file = scramble.begin(sent).protect(content);
  ElementHarness descramble("smartpro-descramble", {{"card", usual_system().uri("renderer")}});
  descramble.start("application/x-smartpro");
  ASSERT_EQ(descramble.push(file), GST_FLOW_OK);
  const auto told = [&](const GstStructure* structure) {
    ASSERT_NE(structure, nullptr);
    EXPECT_EQ(gst_structure_get_string(structure, "key-id"), sent.key_id);
    EXPECT_EQ(gst_structure_get_string(structure, "key-content-id"), sent.content_id);
    guint64 index = 0;
    EXPECT_TRUE(gst_structure_get_uint64(structure, "key-period-index", &index));
    EXPECT_EQ(index, 7U);
  };
  told(next_element_message(descramble.bus(), "smartpro-rights").get());
  const gst::EventPtr event(gst_pad_get_sticky_event((*descramble)->sinkpad, GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, 0));
  ASSERT_TRUE(event);
  told(gst_event_get_structure(event.get()));

  ElementHarness usual("smartpro-descramble", {{"card", usual_system().uri("renderer")}});
  usual.start("application/x-smartpro");
  ASSERT_EQ(usual.push(protect(content)), GST_FLOW_OK);
  const auto rights = next_element_message(usual.bus(), "smartpro-rights");
  ASSERT_TRUE(rights);
  EXPECT_FALSE(gst_structure_has_field(rights.get(), "key-id"));
}

}  // namespace
}  // namespace cas::test
