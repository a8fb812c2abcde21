// SPDX-License-Identifier: LGPL-2.1-or-later
// What lecm-bridge does with streams, threads and states.
#include "lecm_bridge_test.hpp"

#include <future>

#include "smartpro/default_places.hpp"

namespace cas::test {
namespace {

// --- What comes out ---

TEST_F(LecmBridge, ChangesTheLicencesAlone) {
  for (const std::size_t growth : {0U, 500U}) {
    fake_bridge().growth = growth;
    const Bytes expected = bridged(file, growth);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{333}, std::size_t{1040}, std::size_t{4096}, SIZE_MAX}) {
      BridgeHarness bridge;
      bridge.start();
      ASSERT_EQ(bridge.push_in_pieces(file, piece), GST_FLOW_OK);
      ASSERT_TRUE(bridge.end());
      EXPECT_TRUE(equal(bridge.output(), expected)) << "in pieces of " << piece;
      EXPECT_FALSE(next_error(bridge.bus()).has_value());
    }
  }
}

TEST_F(LecmBridge, GivesWhatTheFactoryNeeds) {
  BridgeHarness bridge({{"direction", "back"},
                        {"destinations", "one.bridge,,/two/three.bridge"},
                        {"mask", "of/today.mask"},
                        {"usage-rights", "rights,play-count=(int)2"}});
  ASSERT_FALSE(fake_bridge().settings.empty());
  const gst::BridgeSettings& settings = fake_bridge().settings.back();
  EXPECT_EQ(settings.mode, gst::BridgeMode::master);
  EXPECT_EQ(settings.direction, gst::BridgeDirection::back);
  EXPECT_EQ(settings.destinations, (std::vector<std::filesystem::path>{"one.bridge", "/two/three.bridge"}));
  EXPECT_EQ(settings.mask, "of/today.mask");
  smartpro::UsageRights granted;
  granted.process = false;
  granted.play_count = 5;
  smartpro::UsageRights expected = granted;
  expected.play_count = 2;
  ASSERT_TRUE(settings.change_rights);
  EXPECT_EQ(must(settings.change_rights(granted)), expected) << "what is not named stays";

  reset_fake_bridge(smartpro::TokenKind::simple_bridge);
  BridgeHarness simple({{"mode", "simple"}, {"destinations", ""}});
  EXPECT_EQ(fake_bridge().settings.back().mode, gst::BridgeMode::simple);
  EXPECT_FALSE(fake_bridge().settings.back().change_rights);
}

TEST_F(LecmBridge, MakesSlotsAsLargeAsAsked) {
  BridgeHarness bridge({{"licence-slot-size", "5000"}});
  bridge.start();
  ASSERT_EQ(bridge.push(file), GST_FLOW_OK);
  EXPECT_EQ(must(smartpro::Preamble::parse(bridge.output())).licence_slot_size, 5000U);
}

TEST_F(LecmBridge, TellsTheBusOfEachLicence) {
  fake_bridge().growth = 30;
  BridgeHarness bridge;
  bridge.start();
  ASSERT_EQ(bridge.push(file), GST_FLOW_OK);
  for (guint expected = 0; expected < 3; ++expected) {
    const auto message = next_element_message(bridge.bus(), "lecm-bridge-licence");
    ASSERT_TRUE(message);
    guint period = 99;
    guint in = 0;
    guint out = 0;
    EXPECT_TRUE(gst_structure_get(message.get(), "key-period", G_TYPE_UINT, &period,  //
                                  "size-in", G_TYPE_UINT, &in, "size-out", G_TYPE_UINT, &out, nullptr));
    EXPECT_EQ(period, expected);
    EXPECT_EQ(out, in + 30);
  }
  EXPECT_FALSE(next_element_message(bridge.bus(), "lecm-bridge-licence"));
  EXPECT_EQ(stat(bridge.element(), "licences"), 3U);
  EXPECT_EQ(stat(bridge.element(), "bytes-in"), file.size());
  EXPECT_EQ(stat(bridge.element(), "bytes-out"), bridge.output().size());
  EXPECT_EQ(stat(bridge.element(), "card-waits"), 0U);
}

// --- Damage ---

TEST_F(LecmBridge, GivesWhatIsRightBeforeACutAndTellsOfIt) {
  const Bytes whole = bridged(file, 0);
  const struct {
    const char* what;
    std::uint64_t size;
    std::uint64_t right;
  } cuts[] = {{"nothing at all", 0, 0},
              {"in the preamble", 20, 0},
              {"in the header", 40, 0},
              {"in the first slot", layout.slot_offset(0) + 100, 0},
              {"behind the first slot", layout.segment_offset(0), layout.segment_offset(0)},
              {"in a tag", layout.segment_offset(1) + 5, layout.segment_offset(1) + 5},
              {"in the second slot", layout.slot_offset(1) + 5, layout.slot_offset(1)},
              {"behind the second slot", layout.segment_offset(4), layout.segment_offset(4)}};
  for (const auto& cut : cuts) {
    SCOPED_TRACE(cut.what);
    BridgeHarness bridge;
    bridge.start();
    ASSERT_EQ(bridge.push_in_pieces(ByteView(file).first(cut.size), 700), GST_FLOW_OK);
    EXPECT_TRUE(bridge.end()) << "what came before is complete downstream";
    EXPECT_TRUE(equal(bridge.output(), ByteView(whole).first(cut.right)));
    EXPECT_POSTED(bridge.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_DEMUX, "truncated");
  }
}

TEST_F(LecmBridge, TellsOfDamage) {
  const struct {
    std::uint64_t byte;
    const char* kind;
  } places[] = {{0, "malformed"},
                {9, "unsupported"},
                {layout.slot_offset(0) + 1, "malformed"},
                {layout.slot_offset(1) + 1, "malformed"}};
  for (const auto& [byte, kind] : places) {
    Bytes damaged = file;
    damaged[static_cast<std::size_t>(byte)] ^= 0x40;
    BridgeHarness bridge;
    bridge.start();
    EXPECT_EQ(bridge.push_in_pieces(damaged, 500), GST_FLOW_ERROR);
    EXPECT_POSTED(bridge.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_DEMUX, kind);
  }
}

TEST_F(LecmBridge, TellsOfBytesBehindTheEnd) {
  const Bytes stated = make_protected({gcm, 2000, 1024, 0, true}).file;
  Bytes longer = stated;
  longer.resize(longer.size() + 50);
  BridgeHarness bridge;
  bridge.start();
  EXPECT_EQ(bridge.push(longer), GST_FLOW_ERROR);
  EXPECT_TRUE(equal(bridge.output(), bridged(stated, 0)));
  EXPECT_POSTED(bridge.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_DEMUX, "malformed");
}

TEST_F(LecmBridge, TellsOfALicenceThatFindsNoRoom) {
  fake_bridge().convert = [](std::uint32_t period, ByteView content) -> Result<Bytes> {
    return FakeBridge::turned(content, 1000 + period);
  };
  BridgeHarness bridge;
  bridge.start();
  EXPECT_EQ(bridge.push(file), GST_FLOW_ERROR);
  EXPECT_POSTED(bridge.bus(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT, "exhausted");
}

TEST_F(LecmBridge, RefusesAStreamThatStartsInTheMiddle) {
  BridgeHarness bridge;
  bridge.start(5000);
  // Whatever stands there: a protected file within a protected file is content.
  EXPECT_EQ(bridge.push(file), GST_FLOW_ERROR);
  EXPECT_POSTED(bridge.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_DEMUX, "malformed");
  EXPECT_TRUE(bridge.output().empty());
}

// --- Streams ---

TEST_F(LecmBridge, AnnouncesAByteStream) {
  BridgeHarness bridge;
  bridge.start();
  gst_harness_push_event(*bridge, gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "early", nullptr)));
  ASSERT_EQ(bridge.push(file), GST_FLOW_OK);
  ASSERT_TRUE(bridge.end());
  std::vector<GstEventType> order;
  while (GstEvent* pulled = gst_harness_try_pull_event(*bridge)) {
    const gst::EventPtr event(pulled);
    if ((gst_event_type_get_flags(GST_EVENT_TYPE(event.get())) & GST_EVENT_TYPE_SERIALIZED) != 0)
      order.push_back(GST_EVENT_TYPE(event.get()));
  }
  EXPECT_EQ(order, (std::vector<GstEventType>{GST_EVENT_STREAM_START, GST_EVENT_CAPS, GST_EVENT_SEGMENT, GST_EVENT_TAG,
                                              GST_EVENT_EOS}));
  const gst::EventPtr event(gst_pad_get_sticky_event((*bridge)->sinkpad, GST_EVENT_SEGMENT, 0));
  const GstSegment* segment = nullptr;
  gst_event_parse_segment(event.get(), &segment);
  EXPECT_EQ(segment->format, GST_FORMAT_BYTES);
  const gst::CapsPtr caps(gst_pad_get_current_caps((*bridge)->sinkpad));
  EXPECT_TRUE(gst_structure_has_name(gst_caps_get_structure(caps.get(), 0), caps_text));
}

TEST_F(LecmBridge, StartsAnewAfterAFlush) {
  for (const std::size_t before : {std::size_t{10}, std::size_t{300}, std::size_t{4000}}) {
    BridgeHarness bridge;
    bridge.start();
    ASSERT_EQ(bridge.push(ByteView(file).first(before)), GST_FLOW_OK);
    bridge.output();
    gst_harness_push_event(*bridge, gst_event_new_flush_start());
    gst_harness_push_event(*bridge, gst_event_new_flush_stop(TRUE));
    bridge.segment(0);
    ASSERT_EQ(bridge.push_in_pieces(file, 999), GST_FLOW_OK);
    ASSERT_TRUE(bridge.end());
    EXPECT_TRUE(equal(bridge.output(), bridged(file, 0)));
    EXPECT_FALSE(next_error(bridge.bus()).has_value());
  }
}

TEST_F(LecmBridge, StartsAnewWithANewStream) {
  BridgeHarness bridge;
  bridge.start();
  ASSERT_EQ(bridge.push(ByteView(file).first(2000)), GST_FLOW_OK);
  bridge.output();
  bridge.start();
  ASSERT_EQ(bridge.push(file), GST_FLOW_OK);
  EXPECT_TRUE(equal(bridge.output(), bridged(file, 0)));
  bridge.segment(0);
  ASSERT_EQ(bridge.push(file), GST_FLOW_OK);
  EXPECT_TRUE(equal(bridge.output(), bridged(file, 0))) << "a segment from the start is a new file too";
}

TEST_F(LecmBridge, GoesOnWithASegmentThatContinues) {
  BridgeHarness bridge;
  bridge.start();
  ASSERT_EQ(bridge.push(ByteView(file).first(2000)), GST_FLOW_OK);
  bridge.segment(2000);
  ASSERT_EQ(bridge.push(ByteView(file).subspan(2000, 3000)), GST_FLOW_OK);
  GstSegment time;
  gst_segment_init(&time, GST_FORMAT_TIME);
  gst_harness_push_event(*bridge, gst_event_new_segment(&time));
  ASSERT_EQ(bridge.push(ByteView(file).subspan(5000)), GST_FLOW_OK);
  ASSERT_TRUE(bridge.end());
  EXPECT_TRUE(equal(bridge.output(), bridged(file, 0)));
}

TEST_F(LecmBridge, RunsTwice) {
  fake_bridge().growth = 77;
  const auto in = usual_system().folder() / "bridge-in.spro";
  const auto out = usual_system().folder() / "bridge-out.spro";
  write_file("bridge-in.spro", file);
  Pipeline pipeline("filesrc blocksize=700 location=" + in.string() +
                    " ! queue ! lecm-bridge name=b destinations=b.bridge ! filesink location=" + out.string());
  give_fake_card(pipeline.element());
  for (const GstState lower : {GST_STATE_READY, GST_STATE_NULL, GST_STATE_READY}) {
    ASSERT_TRUE(pipeline.run());
    EXPECT_TRUE(equal(read_file(out), bridged(file, 77)));
    EXPECT_EQ(stat(pipeline.child("b").get(), "licences"), 3U);
    ASSERT_TRUE(pipeline.reach(lower));
    if (lower == GST_STATE_NULL) give_fake_card(pipeline.element());
  }
}

// --- Queries ---

TEST_F(LecmBridge, AnswersForTheNewFileInBytes) {
  const Bytes stated = make_protected({gcm, 5000, 1024, 2, true}).file;
  fake_bridge().growth = 400;
  BridgeHarness bridge;
  bridge.start();
  GstPad* sink = (*bridge)->sinkpad;
  gint64 size = -1;
  EXPECT_FALSE(gst_pad_peer_query_duration(sink, GST_FORMAT_BYTES, &size)) << "before the first licence nobody knows";
  ASSERT_EQ(bridge.push(ByteView(stated).first(2000)), GST_FLOW_OK);
  const Bytes expected = bridged(stated, 400);
  ASSERT_TRUE(gst_pad_peer_query_duration(sink, GST_FORMAT_BYTES, &size));
  EXPECT_EQ(size, static_cast<gint64>(expected.size()));
  gint64 position = -1;
  ASSERT_TRUE(gst_pad_peer_query_position(sink, GST_FORMAT_BYTES, &position));
  EXPECT_EQ(position, static_cast<gint64>(bridge.output().size()));

  const gst::QueryPtr seeking(gst_query_new_seeking(GST_FORMAT_BYTES));
  ASSERT_TRUE(gst_pad_peer_query(sink, seeking.get()));
  gboolean seekable = TRUE;
  gst_query_parse_seeking(seeking.get(), nullptr, &seekable, nullptr, nullptr);
  EXPECT_FALSE(seekable);
  GstEvent* seek =
      gst_event_new_seek(1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, -1);
  EXPECT_FALSE(gst_pad_push_event(sink, seek));
}

// --- Card and start ---

void wait_until_card_is_missed(GstBus* bus) {
  while (GstMessage* message = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_ELEMENT)) {
    const bool missed = gst_structure_has_name(gst_message_get_structure(message), "cas-card-needed");
    gst_message_unref(message);
    if (missed) return;
  }
  FAIL() << "no message cas-card-needed";
}

TEST_F(LecmBridge, WaitsForACardThatWasPulled) {
  BridgeHarness bridge;
  bridge.start();
  const auto half = static_cast<std::size_t>(layout.slot_offset(1)) + 10;
  ASSERT_EQ(bridge.push(ByteView(file).first(half)), GST_FLOW_OK);
  fake_bridge().card->pull();
  auto rest = std::async(std::launch::async, [&] { return bridge.push(ByteView(file).subspan(half)); });
  wait_until_card_is_missed(bridge.bus());
  Bytes out = bridge.output();
  EXPECT_EQ(out.size(), layout.slot_offset(1)) << "what was there before is delivered";
  fake_bridge().card->insert();
  EXPECT_EQ(rest.get(), GST_FLOW_OK);
  EXPECT_TRUE(next_element_message(bridge.bus(), "cas-card-returned"));
  append(out, bridge.output());
  EXPECT_TRUE(equal(out, bridged(file, 0)));
  EXPECT_EQ(stat(bridge.element(), "card-waits"), 1U);
}

TEST_F(LecmBridge, DeliversWhatStandsBeforeASlotInAListBeforeItWaits) {
  BridgeHarness bridge;
  bridge.start();
  ASSERT_EQ(bridge.push(ByteView(file).first(static_cast<std::size_t>(layout.segment_offset(0)))), GST_FLOW_OK);
  bridge.output();
  fake_bridge().card->pull();
  auto rest = std::async(std::launch::async, [&] {
    return gst_pad_push_list((*bridge)->srcpad,
                             list_of(ByteView(file).subspan(static_cast<std::size_t>(layout.segment_offset(0))), 300));
  });
  wait_until_card_is_missed(bridge.bus());
  EXPECT_EQ(bridge.output().size(), layout.slot_offset(1) - layout.segment_offset(0));
  fake_bridge().card->insert();
  EXPECT_EQ(rest.get(), GST_FLOW_OK);
}

TEST_F(LecmBridge, StopsWaitingForAFlush) {
  BridgeHarness bridge;
  bridge.start();
  fake_bridge().card->pull();
  auto pushed = std::async(std::launch::async, [&] { return bridge.push(file); });
  wait_until_card_is_missed(bridge.bus());
  gst_harness_push_event(*bridge, gst_event_new_flush_start());
  EXPECT_EQ(pushed.get(), GST_FLOW_FLUSHING);
  gst_harness_push_event(*bridge, gst_event_new_flush_stop(TRUE));
  EXPECT_FALSE(next_error(bridge.bus()).has_value());
  // And waits again afterwards.
  bridge.segment(0);
  auto again = std::async(std::launch::async, [&] { return bridge.push(file); });
  wait_until_card_is_missed(bridge.bus());
  fake_bridge().card->insert();
  EXPECT_EQ(again.get(), GST_FLOW_OK);
  EXPECT_TRUE(equal(bridge.output(), bridged(file, 0)));
}

TEST_F(LecmBridge, StopsWaitingOnTheWayToReady) {
  BridgeHarness bridge;
  bridge.start();
  fake_bridge().card->pull();
  auto pushed = std::async(std::launch::async, [&] { return bridge.push(file); });
  wait_until_card_is_missed(bridge.bus());
  EXPECT_EQ(gst_element_set_state(bridge.element(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(pushed.get(), GST_FLOW_FLUSHING);
}

TEST_F(LecmBridge, StopsWaitingWhenItsPadIsTakenOutOfUse) {
  BridgeHarness bridge;
  bridge.start();
  fake_bridge().card->pull();
  auto pushed = std::async(std::launch::async, [&] { return bridge.push(file); });
  wait_until_card_is_missed(bridge.bus());
  const gst::ObjectPtr<GstPad> sink(gst_element_get_static_pad(bridge.element(), "sink"));
  EXPECT_TRUE(gst_pad_set_active(sink.get(), FALSE));
  EXPECT_EQ(pushed.get(), GST_FLOW_FLUSHING);
  // And works again afterwards.
  EXPECT_TRUE(gst_pad_set_active(sink.get(), TRUE));
  bridge.start();
  auto again = std::async(std::launch::async, [&] { return bridge.push(file); });
  wait_until_card_is_missed(bridge.bus());
  fake_bridge().card->insert();
  EXPECT_EQ(again.get(), GST_FLOW_OK);
}

TEST_F(LecmBridge, TakesNothingFromAnUpstreamThatIsOnlyPulled) {
  BridgeHarness bridge;
  const gst::ObjectPtr<GstPad> sink(gst_element_get_static_pad(bridge.element(), "sink"));
  gst_pad_set_active(sink.get(), FALSE);
  EXPECT_FALSE(gst_pad_activate_mode(sink.get(), GST_PAD_MODE_PULL, TRUE));
}

TEST_F(LecmBridge, DoesNotWaitWhenTheApplicationDoesNotWant) {
  BridgeHarness bridge({{"card-removal-policy", "stop"}});
  bridge.start();
  fake_bridge().card->pull();
  EXPECT_EQ(bridge.push(file), GST_FLOW_ERROR);
  EXPECT_POSTED(bridge.bus(), GST_STREAM_ERROR, GST_STREAM_ERROR_DECRYPT_NOKEY, "card-absent");
}

struct FlushingHandler {
  GstHarness* harness;
  int calls = 0;
};

/// A handler of our messages that flushes the stream on the streaming thread.
GstBusSyncReply flush_once(GstBus*, GstMessage* message, gpointer data) {
  auto* handler = static_cast<FlushingHandler*>(data);
  const GstStructure* structure = gst_message_get_structure(message);
  if (structure != nullptr && gst_structure_has_name(structure, "lecm-bridge-licence") && handler->calls++ == 0) {
    gst_harness_push_event(handler->harness, gst_event_new_flush_start());
    gst_harness_push_event(handler->harness, gst_event_new_flush_stop(TRUE));
  }
  gst_message_unref(message);
  return GST_BUS_DROP;
}

TEST_F(LecmBridge, StandsAFlushFromWithinItsMessages) {
  BridgeHarness bridge;
  FlushingHandler handler{*bridge};
  gst_bus_set_sync_handler(bridge.bus(), flush_once, &handler, nullptr);
  bridge.start();
  bridge.push(file);
  EXPECT_EQ(handler.calls, 1) << "what was under way is over";
  EXPECT_TRUE(bridge.output().empty());
  bridge.segment(0);
  ASSERT_EQ(bridge.push(file), GST_FLOW_OK);
  EXPECT_TRUE(equal(bridge.output(), bridged(file, 0)));
  gst_bus_set_sync_handler(bridge.bus(), nullptr, nullptr, nullptr);
}

class LecmBridgeStart : public LecmBridge {
 protected:
  /// Fails on the way to READY, with that on the bus.
  static void expect_failure(Properties properties, GQuark domain, int code, const char* kind, bool with_card = true) {
    const auto element = make_element("lecm-bridge", properties);
    if (with_card) give_fake_card(element.get());
    const gst::ObjectPtr<GstBus> bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    EXPECT_POSTED(bus.get(), domain, code, kind);
    gst_element_set_bus(element.get(), nullptr);
    gst_element_set_state(element.get(), GST_STATE_NULL);
  }
};

TEST_F(LecmBridgeStart, FailsWithoutTheCard) {
  usual_system();
  expect_failure({{"destinations", "b.bridge"},
                  {"card", "soft:" + (usual_system().folder() / "none.card").string() + "?pin-source=file:/dev/null"}},
                 GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "not-found", false);
}

TEST_F(LecmBridgeStart, FailsWithATokenOfAnotherKind) {
  expect_failure({{"destinations", "b.bridge"}, {"card", usual_system().uri("renderer")}}, GST_LIBRARY_ERROR,
                 GST_LIBRARY_ERROR_SETTINGS, "invalid-argument", false);
  // A session with a master bridge is there, and is of no use for a simple one.
  must(smartpro::set_default_card_uri(smartpro::TokenKind::simple_bridge, usual_system().uri("acquisition")));
  expect_failure({{"mode", "simple"}}, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "invalid-argument");
}

TEST_F(LecmBridgeStart, FailsWithoutDestinations) {
  expect_failure({}, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "invalid-argument");
  expect_failure({{"destinations", ","}}, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "invalid-argument");
}

TEST_F(LecmBridgeStart, FailsWithWhatASimpleBridgeDoesNotTake) {
  reset_fake_bridge(smartpro::TokenKind::simple_bridge);
  expect_failure({{"mode", "simple"}, {"destinations", "b.bridge"}}, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
                 "invalid-argument");
  expect_failure({{"mode", "simple"}, {"mask", "today.mask"}}, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
                 "invalid-argument");
}

TEST_F(LecmBridgeStart, FailsWithRightsThatCannotBe) {
  expect_failure({{"destinations", "b.bridge"}, {"usage-rights", "rights,play-cuont=(int)3"}}, GST_LIBRARY_ERROR,
                 GST_LIBRARY_ERROR_SETTINGS, "invalid-argument");
}

TEST_F(LecmBridgeStart, FailsWithWhatTheConverterLacks) {
  fake_bridge().at_start = Error{ErrorKind::not_found, "there is no bridge record b.bridge"};
  expect_failure({{"destinations", "b.bridge"}}, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "not-found");
}

TEST_F(LecmBridge, IsAConverterThatNobodyPlugs) {
  const gst::ObjectPtr<GstElementFactory> factory(gst_element_factory_find("lecm-bridge"));
  ASSERT_TRUE(factory);
  EXPECT_EQ(gst_plugin_feature_get_rank(GST_PLUGIN_FEATURE(factory.get())), static_cast<guint>(GST_RANK_NONE));
  EXPECT_STREQ(gst_element_factory_get_metadata(factory.get(), GST_ELEMENT_METADATA_KLASS), "Filter/Converter");
}

}  // namespace
}  // namespace cas::test
