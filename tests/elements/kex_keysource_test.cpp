// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex_keysource_test.hpp"

#include <set>

namespace cas::test {
namespace {

using Behaviour = LoopbackKms::Behaviour;
using Out = KeySourceHarness::Out;

TEST(KexKeysource, TheKeyComesExactlyBeforeItsPeriod) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"on-failure", "block"}});
  ASSERT_EQ(harness.push(0, 100), GST_FLOW_OK);
  const auto periods = harness.periods_of_buffers();
  ASSERT_EQ(periods.size(), 100U);
  for (guint64 number = 0; number < 100; ++number)
    EXPECT_EQ(periods[number], number / KeySourceHarness::frames_of_period) << number;
  std::set<std::string> keys, ids;
  for (const Out& key : harness.of(Out::Kind::key)) {
    EXPECT_EQ(key.key.size(), 32U);
    keys.insert(key.key);
    ids.insert(key.key_id);
  }
  EXPECT_EQ(keys.size(), 4U);
  EXPECT_EQ(ids.size(), 4U);
  EXPECT_EQ(harness.stat("periods"), 4U);
}

// So that ECM generators can be told in time: each key ahead of its period, in order, once, and the same.
TEST(KexKeysource, KeysAreToldAheadInTheOrderOfPeriods) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"prefetch", "3"}});
  ASSERT_EQ(harness.push(0), GST_FLOW_OK);
  for (guint64 period = 0; period < 4; ++period) {
    harness.wait_for_keys(period == 0 ? 4 : 5);  // with the one that is over
    ASSERT_EQ(harness.push(period * 25 + 1, period * 25 + 26), GST_FLOW_OK);
  }
  std::uint64_t next = 1, in_force = 0;
  std::map<std::uint64_t, std::string> told;
  for (const Out& one : harness.out()) {
    if (one.kind == Out::Kind::ahead) {
      EXPECT_EQ(one.period, next++);
      EXPECT_GT(one.period, in_force);
      EXPECT_LE(one.period, in_force + 3);
      told[one.period] = one.key;
    } else if (one.kind == Out::Kind::key) {
      in_force = one.period;
      if (in_force > 0) {
        EXPECT_EQ(one.key, told[one.period]);
      }
    }
  }
  EXPECT_GE(next, 6U);
}

TEST(KexKeysource, BuffersGoThroughAsTheyAre) {
  LoopbackKms kms;
  KeySourceHarness harness({{"kms-uris", kms.url()}, {"content-id", fresh_content()}});
  gst_harness_set_drop_buffers(*harness, FALSE);
  GstBuffer* sent = KeySourceHarness::buffer(3);
  gst_buffer_memset(sent, 0, 0x47, 188);
  ASSERT_EQ(gst_harness_push(*harness, gst_buffer_ref(sent)), GST_FLOW_OK);
  GstBuffer* received = gst_harness_pull(*harness);
  EXPECT_EQ(received, sent);
  gst_buffer_unref(sent);
  gst_buffer_unref(received);
}

TEST(KexKeysource, OneKeyForTheWholeContentNeedsNoTimeStamps) {
  LoopbackKms kms;
  KeySourceHarness harness({{"kms-uris", kms.url()}, {"content-id", fresh_content()}});
  for (int i = 0; i < 5; ++i) {
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 100, nullptr);
    ASSERT_EQ(gst_harness_push(*harness, buffer), GST_FLOW_OK);
  }
  EXPECT_EQ(harness.of(Out::Kind::key).size(), 1U);
  EXPECT_EQ(harness.out().front().kind, Out::Kind::key);
  EXPECT_EQ(kms.requests(), 1U);
}

TEST(KexKeysource, RotationNeedsTimeStamps) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()));
  EXPECT_EQ(gst_harness_push(*harness, gst_buffer_new_allocate(nullptr, 100, nullptr)), GST_FLOW_ERROR);
  const auto error = next_error(harness.bus());
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(error->text.find("time stamps"), std::string::npos) << error->text;
}

TEST(KexKeysource, AListIsSplitWhereAPeriodBegins) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"on-failure", "block"}});
  GstBufferList* list = gst_buffer_list_new();
  for (guint64 number = 20; number < 30; ++number) gst_buffer_list_add(list, KeySourceHarness::buffer(number));
  const gst::ObjectPtr<GstPad> pad(gst_element_get_static_pad(harness.element(), "sink"));
  const gst::ObjectPtr<GstPad> peer(gst_pad_get_peer(pad.get()));
  ASSERT_EQ(gst_pad_push_list(peer.get(), list), GST_FLOW_OK);
  const auto periods = harness.periods_of_buffers();
  ASSERT_EQ(periods.size(), 10U);
  for (guint64 number = 20; number < 30; ++number) EXPECT_EQ(periods[number - 20], number / 25);
  for (const Out& buffer : harness.of(Out::Kind::buffer)) EXPECT_TRUE(buffer.in_list);
  GstBufferList* whole = gst_buffer_list_new();
  for (guint64 number = 30; number < 40; ++number) gst_buffer_list_add(whole, KeySourceHarness::buffer(number));
  ASSERT_EQ(gst_pad_push_list(peer.get(), whole), GST_FLOW_OK);
  EXPECT_EQ(harness.periods_of_buffers().size(), 20U);
}

// B-frames: time stamps are not in order.
TEST(KexKeysource, NoKeyComesBackForBuffersOutOfOrder) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"on-failure", "block"}});
  for (const guint64 number : {22, 25, 23, 24, 28, 26, 27}) ASSERT_EQ(harness.push(number), GST_FLOW_OK);
  EXPECT_EQ(harness.periods_of_buffers(), (std::vector<std::uint64_t>{0, 1, 1, 1, 1, 1, 1}));
}

TEST(KexKeysource, TheKeyMayWaitForAKeyFrame) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"switch-at", "key-frame"}, {"on-failure", "block"}});
  for (guint64 number = 20; number < 30; ++number) {
    GstBuffer* buffer = KeySourceHarness::buffer(number);
    if (number != 28) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    ASSERT_EQ(gst_harness_push(*harness, buffer), GST_FLOW_OK);
  }
  EXPECT_EQ(harness.periods_of_buffers(), (std::vector<std::uint64_t>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1}));
}

// 5.1.4 and 5.1.3: scramblers on two machines, which have begun at other times, have the same key at the same time of day.
TEST(KexKeysource, R5_1_4_PeriodsOfUtcAreTheSameEverywhere) {
  LoopbackKms one, other;
  const std::string content = fresh_content();
  constexpr guint64 now = 1'796'040'000'020'000'000;
  const auto run = [&](const LoopbackKms& kms, guint64 first_frame, const char* caps, guint64 offset) {
    KeySourceHarness harness(live_from(kms.url(), content), {{"time-base", "utc"}, {"on-failure", "block"}});
    const gst::CapsPtr reference(gst_caps_from_string(caps));
    for (guint64 number = first_frame; number < 60; ++number) {
      GstBuffer* buffer = KeySourceHarness::buffer(number - first_frame);
      // Each tenth buffer tells the time of day; the others go by it.
      if ((number - first_frame) % 10 == 0)
        gst_buffer_add_reference_timestamp_meta(buffer, reference.get(),
                                                offset + now + number * KeySourceHarness::frame, GST_CLOCK_TIME_NONE);
      EXPECT_EQ(gst_harness_push(*harness, buffer), GST_FLOW_OK);
    }
    std::vector<std::string> keys;
    std::string key;
    for (const Out& out : harness.out()) {
      if (out.kind == Out::Kind::key) key = out.key;
      if (out.kind == Out::Kind::buffer) keys.push_back(key);
    }
    return keys;
  };
  const auto first = run(one, 0, "timestamp/x-unix", 0);
  const auto second = run(other, 17, "timestamp/x-ntp", guint64{2'208'988'800} * GST_SECOND);
  ASSERT_EQ(first.size(), 60U);
  ASSERT_EQ(second.size(), 43U);
  for (std::size_t number = 17; number < 60; ++number) EXPECT_EQ(first[number], second[number - 17]) << number;
  EXPECT_NE(first[0], first[59]);
}

TEST(KexKeysource, UtcMayBeTheUsersToSay) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()),
                           {{"time-base", "utc"}, {"utc-start", "1796040000500000000"}, {"on-failure", "block"}});
  ASSERT_EQ(harness.push(0, 20), GST_FLOW_OK);
  const auto periods = harness.periods_of_buffers();
  EXPECT_EQ(periods.front(), 1'796'040'000U);
  EXPECT_EQ(periods[12], 1'796'040'000U);
  EXPECT_EQ(periods[13], 1'796'040'001U);
}

TEST(KexKeysource, WithoutTheTimeOfDayUtcIsRefused) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"time-base", "utc"}});
  EXPECT_EQ(harness.push(0), GST_FLOW_ERROR);
  const auto error = next_error(harness.bus());
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(error->text.find("utc-start"), std::string::npos) << error->text;
}

// A clock that is set right goes back by less than a period: no key comes back. One that jumps takes its key along.
TEST(KexKeysource, JumpsOfTheClockAreFollowed) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"time-base", "utc"}, {"on-failure", "block"}});
  const gst::CapsPtr reference(gst_caps_from_string("timestamp/x-unix"));
  guint64 number = 0;
  const auto at = [&](guint64 utc) {
    GstBuffer* buffer = KeySourceHarness::buffer(number++);
    gst_buffer_add_reference_timestamp_meta(buffer, reference.get(), utc, GST_CLOCK_TIME_NONE);
    EXPECT_EQ(gst_harness_push(*harness, buffer), GST_FLOW_OK);
    return harness.periods_of_buffers().back();
  };
  constexpr guint64 day = guint64{86'400} * GST_SECOND, now = 20'000 * day;
  EXPECT_EQ(at(now + 100 * GST_SECOND), now / GST_SECOND + 100);
  EXPECT_EQ(at(now + 100 * GST_SECOND - 10 * GST_MSECOND), now / GST_SECOND + 100);
  EXPECT_EQ(at(now + 101 * GST_SECOND), now / GST_SECOND + 101);
  EXPECT_EQ(at(now + day), (now + day) / GST_SECOND);
  EXPECT_EQ(at(now), now / GST_SECOND);
  EXPECT_EQ(at(0), 0U);
}

TEST(KexKeysource, AFlushSendsTheKeyAgain) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"on-failure", "block"}});
  ASSERT_EQ(harness.push(0, 5), GST_FLOW_OK);
  gst_harness_push_event(*harness, gst_event_new_flush_start());
  gst_harness_push_event(*harness, gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(*harness, gst_event_new_segment(&segment));
  ASSERT_EQ(harness.push(0, 5), GST_FLOW_OK);
  const auto keys = harness.of(Out::Kind::key);
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].key, keys[1].key);
}

TEST(KexKeysource, RunsTwice) {
  LoopbackKms kms;
  const auto properties = live_from(kms.url());
  KeySourceHarness harness(properties, {{"on-failure", "block"}});
  ASSERT_EQ(harness.push(0, 30), GST_FLOW_OK);
  gst_element_set_state(harness.element(), GST_STATE_READY);
  EXPECT_EQ(harness.stat("cached-keys"), 0U);
  gst_element_set_state(harness.element(), GST_STATE_PLAYING);
  gst_harness_push_event(*harness, gst_event_new_stream_start("again"));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(*harness, gst_event_new_segment(&segment));
  ASSERT_EQ(harness.push(0, 30), GST_FLOW_OK);
  const auto periods = harness.periods_of_buffers();
  ASSERT_EQ(periods.size(), 60U);
  EXPECT_EQ(periods[30], 0U);
  EXPECT_EQ(periods[59], 1U);
}

// 5.4.3 and 5.4.5: what clients need to ask for the key is in the stream.
TEST(KexKeysource, R5_4_3_TheKeysIdAndItsSystemsGoDownstream) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"systems", "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"},
                                                  {"track-type", "HD"},
                                                  {"representation", "5M"},
                                                  {"scheme", "cbcs"},
                                                  {"on-failure", "block"}});
  ASSERT_EQ(harness.push(0, 30), GST_FLOW_OK);
  const auto out = harness.out();
  EXPECT_EQ(out[0].kind, Out::Kind::protection);
  EXPECT_EQ(out[1].kind, Out::Kind::key);
  EXPECT_EQ(harness.of(Out::Kind::protection).size(), 2U);
  const gst::ObjectPtr<GstPad> src(gst_element_get_static_pad(harness.element(), "src"));
  const gst::EventPtr event(gst_pad_get_sticky_event(src.get(), GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, 0));
  ASSERT_TRUE(event);
  const GstStructure* fields = gst_event_get_structure(event.get());
  EXPECT_STREQ(gst_structure_get_string(fields, "track-type"), "HD");
  EXPECT_STREQ(gst_structure_get_string(fields, "representation"), "5M");
  EXPECT_STREQ(gst_structure_get_string(fields, "scheme"), "cbcs");
  EXPECT_STREQ(gst_structure_get_string(fields, "time-base"), "running-time");
  const GValue* systems = gst_structure_get_value(fields, "systems");
  ASSERT_NE(systems, nullptr);
  ASSERT_EQ(gst_value_array_get_size(systems), 1U);
  const GstStructure* system = gst_value_get_structure(gst_value_array_get_value(systems, 0));
  EXPECT_TRUE(gst_structure_has_field_typed(system, "pssh", G_TYPE_BYTES));
}

TEST(KexKeysource, ElementsOfOneProcessShareTheirKeys) {
  LoopbackKms kms;
  const auto properties = live_from(kms.url());
  KeySourceHarness one(properties, {{"on-failure", "block"}}), other(properties, {{"on-failure", "block"}});
  ASSERT_EQ(one.push(0), GST_FLOW_OK);
  one.wait_for_keys(3);
  const auto requests = kms.requests();
  ASSERT_EQ(other.push(0), GST_FLOW_OK);
  EXPECT_EQ(kms.requests(), requests);
  EXPECT_EQ(one.of(Out::Kind::key)[0].key, other.of(Out::Kind::key)[0].key);
}

TEST(KexKeysource, R5_3_2_KeysMayBeMadeHere) {
  LoopbackKms kms;
  const std::string content = fresh_content();
  const PropertyList push{{"mode", "push"}, {"on-failure", "block"}};
  KeySourceHarness harness(live_from(kms.url(), content), push);
  ASSERT_EQ(harness.push(0, 30), GST_FLOW_OK);
  EXPECT_GE(kms.pushes(), 2U);
  const auto keys = harness.of(Out::Kind::key);
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_NE(keys[0].key, keys[1].key);
}

// ------------------------------------------------------------------------------------------------------------- failures

TEST(KexKeysource, WithoutSettingsItDoesNotStart) {
  for (const PropertyList& properties :
       {PropertyList{},
        {{"content-id", "a"}},
        {{"kms-uris", "http://127.0.0.1:1/"}},
        {{"content-id", "a"}, {"kms-uris", "ftp://127.0.0.1/"}},
        {{"content-id", "a"}, {"kms-uris", "http://127.0.0.1:1/"}, {"systems", "x"}},
        {{"content-id", "a"}, {"kms-uris", "http://127.0.0.1:1/"}, {"scheme", "rot13"}},
        {{"content-id", "a"}, {"kms-uris", "http://127.0.0.1:1/"}, {"user", "x"}},
        {{"content-id", "a"}, {"kms-uris", "http://127.0.0.1:1/"}, {"tls-certificate", "x"}},
        {{"content-id", "a"}, {"kms-uris", "http://127.0.0.1:1/"}, {"delivery-key", "x"}},
        {{"content-id", "a"}, {"kms-uris", "http://127.0.0.1:1/"}, {"utc-start", "5"}},
        {{"content-id", "a\x01"}, {"kms-uris", "http://127.0.0.1:1/"}}}) {
    const auto element = make_element("kex-keysource");
    const gst::ObjectPtr<GstBus> bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    for (const auto& [name, value] : properties)
      gst_util_set_object_arg(G_OBJECT(element.get()), name.c_str(), value.c_str());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    const auto error = next_error(bus.get());
    EXPECT_TRUE(error.has_value());
    gst_element_set_state(element.get(), GST_STATE_NULL);
    gst_element_set_bus(element.get(), nullptr);
  }
}

TEST(KexKeysource, FilesThatAreNotThereAreMissedAtTheStart) {
  for (const char* property : {"tls-authority", "password-source", "token-source"}) {
    const auto element = make_element("kex-keysource", {{"kms-uris", "http://127.0.0.1:1/"}, {"content-id", "a"}});
    const std::string value = std::string(property).ends_with("-source") ? "file:/nowhere/at/all" : "/nowhere/at/all";
    gst_util_set_object_arg(G_OBJECT(element.get()), property, value.c_str());
    if (std::string(property) == "password-source") gst_util_set_object_arg(G_OBJECT(element.get()), "user", "u");
    const gst::ObjectPtr<GstBus> bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE) << property;
    const auto error = next_error(bus.get());
    ASSERT_TRUE(error.has_value()) << property;
    EXPECT_EQ(error->kind, "not-found") << error->text;
    gst_element_set_state(element.get(), GST_STATE_NULL);
    gst_element_set_bus(element.get(), nullptr);
  }
}

TEST(KexKeysource, AKeyThatIsLateIsHeld) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"prefetch", "0"}, {"on-failure", "hold"}});
  ASSERT_EQ(harness.push(0, 25), GST_FLOW_OK);
  kms.set(Behaviour::error_500);
  ASSERT_EQ(harness.push(25, 30), GST_FLOW_OK);
  auto late = harness.wait_for_message("kex-late-key");
  ASSERT_TRUE(late);
  EXPECT_STREQ(gst_structure_get_string(late.get(), "consequence"), "held");
  const auto failed = harness.wait_for_message("kex-key-failed");
  ASSERT_TRUE(failed);
  EXPECT_NE(std::string(gst_structure_get_string(failed.get(), "cause")).find("500"), std::string::npos);
  kms.set(Behaviour::well);
  harness.wait_for_keys(2);
  ASSERT_EQ(harness.push(30, 40), GST_FLOW_OK);
  const auto periods = harness.periods_of_buffers();
  EXPECT_EQ(periods[29], 0U);
  EXPECT_EQ(periods.back(), 1U);
  late = harness.wait_for_message("kex-late-key");
  ASSERT_TRUE(late);
  EXPECT_STREQ(gst_structure_get_string(late.get(), "consequence"), "arrived");
  EXPECT_EQ(harness.stat("late-keys"), 1U);
}

TEST(KexKeysource, AKeyThatIsLateBlocks) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()), {{"prefetch", "0"}, {"on-failure", "block"}});
  ASSERT_EQ(harness.push(0, 25), GST_FLOW_OK);
  kms.set(Behaviour::error_500);
  std::thread stream([&] { EXPECT_EQ(harness.push(25), GST_FLOW_OK); });
  const auto late = harness.wait_for_message("kex-late-key");
  ASSERT_TRUE(late);
  EXPECT_STREQ(gst_structure_get_string(late.get(), "consequence"), "blocked");
  ASSERT_TRUE(harness.wait_for_message("kex-key-failed"));
  kms.set(Behaviour::well);
  stream.join();
  EXPECT_EQ(harness.periods_of_buffers().back(), 1U);
  EXPECT_GT(harness.stat("waited"), 0U);
}

TEST(KexKeysource, AKeyThatDoesNotComeIsAnErrorWhereThatIsAskedFor) {
  LoopbackKms kms;
  KeySourceHarness harness(live_from(kms.url()),
                           {{"prefetch", "0"}, {"on-failure", "error"}, {"request-limit", "400"}});
  ASSERT_EQ(harness.push(0, 25), GST_FLOW_OK);
  kms.set(Behaviour::error_500);
  EXPECT_EQ(harness.push(25), GST_FLOW_ERROR);
  const auto error = next_error(harness.bus());
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(error->text.find("no key for period 1"), std::string::npos) << error->text;
  EXPECT_NE(error->text.find("the disk is on fire"), std::string::npos) << error->text;
}

TEST(KexKeysource, NothingGoesOutBeforeTheFirstKey) {
  LoopbackKms kms;
  kms.set(Behaviour::error_500);
  KeySourceHarness harness(live_from(kms.url()));
  std::thread stream([&] { EXPECT_EQ(harness.push(0), GST_FLOW_OK); });
  ASSERT_TRUE(harness.wait_for_message("kex-key-failed"));
  EXPECT_TRUE(harness.out().empty());
  kms.set(Behaviour::well);
  stream.join();
  EXPECT_EQ(harness.periods_of_buffers(), std::vector<std::uint64_t>{0});
}

TEST(KexKeysource, AWaitEndsWithAFlush) {
  LoopbackKms kms;
  kms.set(Behaviour::hung);
  KeySourceHarness harness(live_from(kms.url()));
  std::thread stream([&] { EXPECT_EQ(harness.push(0), GST_FLOW_FLUSHING); });
  while (kms.requests() == 0) std::this_thread::yield();
  gst_harness_push_event(*harness, gst_event_new_flush_start());
  stream.join();
}

TEST(KexKeysource, AWaitEndsWithTheState) {
  LoopbackKms kms;
  kms.set(Behaviour::hung);
  KeySourceHarness harness(live_from(kms.url()));
  std::thread stream([&] { EXPECT_EQ(harness.push(0), GST_FLOW_FLUSHING); });
  while (kms.requests() == 0) std::this_thread::yield();
  EXPECT_EQ(gst_element_set_state(harness.element(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  stream.join();
}

// 5.3.1 in a pipeline, and the message that names the cause.
class KexFailOver : public testing::TestWithParam<std::pair<Behaviour, const char*>> {};

TEST_P(KexFailOver, R5_3_1_TheStreamDoesNotNotice) {
  LoopbackKms first, second;
  const std::string content = fresh_content();
  KeySourceHarness harness(live_from(first.url() + "," + second.url(), content),
                           {{"prefetch", "1"}, {"timeout", "100"}});
  ASSERT_EQ(harness.push(0), GST_FLOW_OK);
  for (guint64 period = 0; period < 3; ++period) {
    harness.wait_for_keys(period == 0 ? 2 : 3);  // with the one that is over
    if (period == 1) first.set(GetParam().first);
    ASSERT_EQ(harness.push(period * 25 + 1, period * 25 + 26), GST_FLOW_OK);
  }
  EXPECT_EQ(harness.stat("late-keys"), 0U);
  const auto message = harness.wait_for_message("kex-fail-over");
  ASSERT_TRUE(message);
  EXPECT_EQ(gst_structure_get_string(message.get(), "from"), first.url());
  EXPECT_EQ(gst_structure_get_string(message.get(), "to"), second.url());
  const std::string cause = gst_structure_get_string(message.get(), "cause");
  EXPECT_NE(cause.find(GetParam().second), std::string::npos) << cause;
  KeySourceHarness alone(live_from(second.url(), content), {{"on-failure", "block"}});
  ASSERT_EQ(alone.push(0, 76), GST_FLOW_OK);
  for (std::size_t at = 0; at < 4; ++at)
    EXPECT_EQ(harness.of(Out::Kind::key)[at].key, alone.of(Out::Kind::key)[at].key) << at;
}

INSTANTIATE_TEST_SUITE_P(Ways, KexFailOver,
                         testing::Values(std::pair(Behaviour::hung, "no answer within 100 ms"),
                                         std::pair(Behaviour::error_500, "500: the disk is on fire"),
                                         std::pair(Behaviour::truncated, "not well-formed"),
                                         std::pair(Behaviour::wrong_key_id, "ContentKeyList")));

}  // namespace
}  // namespace cas::test
