// SPDX-License-Identifier: LGPL-2.1-or-later
// Keys from upstream that no protected file can be under, or that come at the wrong time.
#include <algorithm>
#include <string>

#include "upstream_key.hpp"

namespace cas::test {
namespace {

using UpstreamKeyRefusal = KeyTest;

/// Sends what is refused, and content behind it all the same.
PostedError refused(const SentKey& sent) {
  KeyScramble scramble;
  scramble.start("application/x-noise");
  EXPECT_FALSE(send(scramble, sent));
  const auto posted = next_error(scramble.bus());
  EXPECT_EQ(scramble.push(noise(5000)), GST_FLOW_ERROR);
  EXPECT_FALSE(scramble.end());
  EXPECT_TRUE(scramble.output().empty());
  EXPECT_FALSE(next_error(scramble.bus()).has_value()) << "once is enough";
  return posted.value_or(PostedError{});
}

#define EXPECT_KEY_ERROR(posted, expected_kind, words)                      \
  do {                                                                      \
    const PostedError posted_ = (posted);                                   \
    EXPECT_EQ(posted_.domain, g_quark_to_string(GST_STREAM_ERROR));         \
    EXPECT_EQ(posted_.code, GST_STREAM_ERROR_FORMAT);                       \
    EXPECT_EQ(posted_.kind, expected_kind);                                 \
    EXPECT_NE(posted_.text.find(words), std::string::npos) << posted_.text; \
  } while (false)

TEST_F(UpstreamKeyRefusal, IsOfTheCiphersSize) {
  for (const std::size_t size : {8, 15, 17, 24, 32}) {
    SentKey sent;
    sent.key = Bytes(size, 1);
    EXPECT_KEY_ERROR(refused(sent), "invalid-argument",
                     "has " + std::to_string(size) + " bytes, and aes-128-gcm takes 16: have the key server");
  }
}

TEST_F(UpstreamKeyRefusal, HasANameThatAHeaderHolds) {
  SentKey sent;
  sent.key_id = "first key";
  EXPECT_KEY_ERROR(refused(sent), "malformed", "a key id is a UUID");
  sent = {};
  sent.content_id = std::string(257, 'a');
  EXPECT_KEY_ERROR(refused(sent), "invalid-argument", "257 bytes, but may have 0 to 256");
  sent.content_id = "\033[2J";
  EXPECT_KEY_ERROR(refused(sent), "invalid-argument", "control codes");
}

TEST_F(UpstreamKeyRefusal, AnEventWithoutAKeyIsRefused) {
  KeyScramble scramble;
  scramble.start("application/x-noise");
  EXPECT_FALSE(
      send_event(scramble, gst::EventPtr(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
                                                              gst_structure_new_empty(GST_CAS_CONTENT_KEY_EVENT)))));
  EXPECT_POSTED(scramble.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "malformed");
}

TEST_F(UpstreamKeyRefusal, HasToCome) {
  {
    KeyScramble scramble;
    scramble.start("application/x-noise");
    EXPECT_EQ(scramble.push(noise(100)), GST_FLOW_ERROR);
    const auto posted = next_error(scramble.bus());
    ASSERT_TRUE(posted.has_value());
    EXPECT_KEY_ERROR(*posted, "not-found", "no key came from upstream before the content: put kex-keysource");
    // Too late: the first buffer is lost already.
    EXPECT_FALSE(send(scramble, {}));
    EXPECT_EQ(scramble.push(noise(100)), GST_FLOW_ERROR);
    EXPECT_FALSE(scramble.end());
    EXPECT_TRUE(scramble.output().empty());
    EXPECT_FALSE(next_error(scramble.bus()).has_value());
  }
  for (const bool told_ahead : {false, true}) {
    KeyScramble scramble;
    scramble.start("application/x-noise");
    SentKey ahead;
    ahead.ahead = true;
    EXPECT_TRUE(!told_ahead || send(scramble, ahead));
    EXPECT_FALSE(scramble.end()) << "content of no bytes is content";
    EXPECT_POSTED(scramble.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "not-found");
    EXPECT_TRUE(scramble.output().empty());
  }
}

TEST_F(UpstreamKeyRefusal, AnotherWithinTheContentIsRefused) {
  for (const char* caps : {"application/x-noise", static_cast<const char*>(nullptr)}) {
    // Without caps nothing has been written yet, but what came is under the first key all the same.
    KeyScramble scramble;
    scramble.start(caps);
    ASSERT_TRUE(send(scramble, {}));
    ASSERT_EQ(scramble.push(content), GST_FLOW_OK);
    const Bytes before = scramble.output();
    EXPECT_EQ(before.empty(), caps == nullptr);
    EXPECT_FALSE(send(scramble, another()));
    const auto posted = next_error(scramble.bus());
    ASSERT_TRUE(posted.has_value());
    EXPECT_KEY_ERROR(*posted, "unsupported", "'period=0' at kex-keysource");
    EXPECT_NE(posted->text.find(another_id), std::string::npos);
    EXPECT_NE(posted->text.find("begin another"), std::string::npos);
    EXPECT_EQ(scramble.push(content), GST_FLOW_ERROR);
    EXPECT_FALSE(scramble.end()) << "the file is cut, and says so when it is read";
    EXPECT_TRUE(scramble.output().empty());
    EXPECT_FALSE(next_error(scramble.bus()).has_value());
    if (before.empty()) continue;
    const Played out = played(before);
    EXPECT_TRUE(equal(out.content, ByteView(content).first(9 * 1024)));
    ASSERT_TRUE(out.error.has_value());
    EXPECT_EQ(out.error->kind, "truncated") << out.error->text;
  }
}

TEST_F(UpstreamKeyRefusal, AnotherWithinTheContentStopsAPipeline) {
  const Bytes longer = noise(100'000);
  KeyPipeline line(longer);
  line.keys = {{0, SentKey{}}, {90, another()}};
  EXPECT_FALSE(line.run());
  ASSERT_TRUE(line.pipeline.error.has_value());
  EXPECT_KEY_ERROR(*line.pipeline.error, "unsupported", "a protected file has one key from outside");
  ASSERT_TRUE(line.pipeline.reach(GST_STATE_NULL));
  EXPECT_TRUE(equal(played(read_file(line.out)).content, ByteView(longer).first(90'000 / 1024 * 1024)))
      << "what is under the first key is there";
}

TEST_F(UpstreamKeyRefusal, OneIdIsOneKey) {
  KeyScramble scramble;
  scramble.begin({});
  ASSERT_EQ(scramble.push(content), GST_FLOW_OK);
  SentKey changed;
  changed.key.back() ^= 1;
  EXPECT_FALSE(send(scramble, changed));
  const auto posted = next_error(scramble.bus());
  ASSERT_TRUE(posted.has_value());
  EXPECT_KEY_ERROR(*posted, "unsupported", "a second time and is another one");
}

TEST_F(UpstreamKeyRefusal, NoneIsInForceAfterOneThatCannotBe) {
  KeyScramble scramble;
  scramble.begin({});
  SentKey shorter = another();
  shorter.key.resize(8);
  EXPECT_FALSE(send(scramble, shorter));
  EXPECT_TRUE(next_error(scramble.bus()).has_value());
  flush(scramble);
  scramble.start("application/x-noise");
  EXPECT_EQ(scramble.push(content), GST_FLOW_ERROR);
  EXPECT_POSTED(scramble.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "not-found");
}

TEST_F(UpstreamKeyRefusal, TheNextFileHasTheKeyThatCameLast) {
  KeyScramble scramble;
  scramble.begin({});
  ASSERT_EQ(scramble.push(content), GST_FLOW_OK);
  SentKey shorter = another();
  shorter.key.resize(8);
  EXPECT_FALSE(send(scramble, shorter));
  EXPECT_FALSE(send(scramble, another())) << "this file is given up";
  flush(scramble);
  scramble.output();
  scramble.start("application/x-noise");
  const Bytes file = scramble.protect(content);
  EXPECT_EQ(smartpro::key_id_text(header_of(file).header.key_origin->key_id), another_id);
}

TEST_F(UpstreamKeyRefusal, TakesAHeadEndToken) {
  for (const char* card : {"acquisition", "renderer"}) {
    const auto element =
        make_element("smartpro-scramble", {{"key-source", "upstream"}, {"card", usual_system().uri(card)}});
    const gst::ObjectPtr<GstBus> bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    const auto posted = next_error(bus.get());
    gst_element_set_bus(element.get(), nullptr);
    ASSERT_TRUE(posted.has_value());
    EXPECT_EQ(posted->domain, g_quark_to_string(GST_LIBRARY_ERROR));
    EXPECT_EQ(posted->code, GST_LIBRARY_ERROR_SETTINGS);
    EXPECT_NE(posted->text.find("'cas-tmc enrol --kind head-end'"), std::string::npos) << posted->text;
  }
}

TEST_F(UpstreamKeyRefusal, SettingsAreCheckedBeforeReady) {
  const auto refused_at_start = [](const char* name, const char* value) {
    const auto element =
        make_element("smartpro-scramble", {{"key-source", "upstream"}, {"card", head_end_card()}, {name, value}});
    const gst::ObjectPtr<GstBus> bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    EXPECT_POSTED(bus.get(), GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "invalid-argument");
    gst_element_set_bus(element.get(), nullptr);
  };
  refused_at_start("key-period", "3");
  refused_at_start("licence-from", "upstream");
  refused_at_start("licence-from", "/nowhere/at/all.spro");
}

TEST_F(UpstreamKeyRefusal, TheNameInTheHeaderIsUnderTheLicencesMac) {
  KeyScramble scramble;
  Bytes file = scramble.begin({}).protect(content);
  const Bytes name = copy_of(as_bytes("channel-1"));
  const auto found = std::search(file.begin(), file.end(), name.begin(), name.end());
  ASSERT_NE(found, file.end());
  *(found + 8) = '2';
  EXPECT_EQ(header_of(file).header.key_origin->content_id, "channel-2");
  const Played out = played(file);
  EXPECT_TRUE(out.content.empty());
  ASSERT_TRUE(out.error.has_value());
  EXPECT_EQ(out.error->kind, "authentication-failed") << out.error->text;
}

}  // namespace
}  // namespace cas::test
