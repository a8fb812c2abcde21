// SPDX-License-Identifier: LGPL-2.1-or-later
//
// simulcrypt-ecm-inserter with keys from upstream: what is said of them, and to whom.
#include <algorithm>

#include "base/hex.hpp"
#include "log_keeper.hpp"
#include "mpegts/ca_descriptor.hpp"
#include "simulcrypt_keys_test.hpp"

namespace cas::test {
namespace {

/// Names of the sticky and other custom events that have come out, and types of the others.
std::vector<std::string> events_behind(InserterHarness& inserter) {
  std::vector<std::string> names;
  while (GstEvent* event = gst_harness_try_pull_event(*inserter)) {
    const GstStructure* structure = gst_event_get_structure(event);
    names.emplace_back(GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY && structure != nullptr
                           ? gst_structure_get_name(structure)
                           : GST_EVENT_TYPE_NAME(event));
    gst_event_unref(event);
  }
  return names;
}

Bytes private_data_of(TestReceiver& receiver) {
  const auto* map = receiver.tables.program_map(TestMultiplex::first_service);
  if (map == nullptr) return {};
  const auto systems = mpegts::find_ca_descriptors(map->descriptors);
  return systems.empty() ? Bytes() : copy_of(systems[0].private_data);
}

TEST_F(InserterKeys, EndHere) {
  InserterHarness inserter(properties_for(ecmg_));
  begin(inserter, 6);
  const Bytes pssh(40, 0x70);
  GstBuffer* data = gst_buffer_new_memdup(pssh.data(), pssh.size());
  ASSERT_TRUE(
      gst_harness_push_event(*inserter, gst_event_new_protection("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed", data, "kex")));
  gst_buffer_unref(data);
  const auto behind = events_behind(inserter);
  EXPECT_EQ(std::ranges::count(behind, "protection"), 1);
  EXPECT_EQ(std::ranges::count(behind, GST_CAS_CONTENT_KEY_EVENT), 0);
  EXPECT_EQ(std::ranges::count(behind, GST_CAS_CONTENT_KEY_AHEAD_EVENT), 0);
}

TEST_F(InserterKeys, PassWhereNobodyWantsThem) {
  InserterHarness inserter(usual_properties(ecmg_));
  begin(inserter, 6);
  EXPECT_EQ(std::ranges::count(events_behind(inserter), GST_CAS_CONTENT_KEY_EVENT), 1);
  const Bytes stream = multiplex_.seconds(1);
  ASSERT_EQ(inserter.push(stream), GST_FLOW_OK);
  const auto words = ecmg_.words();
  EXPECT_EQ(std::ranges::count(words, TestKey{.period = 6}.bytes()), 0);
}

TEST_F(InserterKeys, OfOtherPartsAreLeftAside) {
  InserterHarness inserter(properties_for(ecmg_));
  for (guint64 period = 6; period < 9; ++period) {
    send(inserter, {.period = period, .track_type = "VIDEO"});
    send(inserter, {.period = period, .track_type = "AUDIO", .kind = 9});
    ASSERT_EQ(inserter.push(multiplex_.seconds(0.5)), GST_FLOW_OK);
  }
  const auto problems = messages(inserter.bus(), "simulcrypt-problem");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(text_of(problems[0].get(), "what").find("AUDIO"), std::string::npos);
  const auto words = ecmg_.words();
  for (guint64 period = 6; period < 9; ++period) {
    EXPECT_GT(std::ranges::count(words, TestKey{.period = period}.bytes()), 0);
    const TestKey audio{.period = period, .kind = 9};
    EXPECT_EQ(std::ranges::count(words, audio.bytes()), 0);
  }
}

TEST_F(InserterKeys, TellTheContentInTheTables) {
  InserterHarness inserter(with(properties_for(ecmg_), {{"announce-content", "true"}}));
  run(inserter, multiplex_, 6, 3);
  receiver_.push(inserter.output());
  EXPECT_EQ(to_hex(private_data_of(receiver_)),
            "e114800101"
            "8109" +
                to_hex(as_bytes("channel-1")) + "8204" + to_hex(as_bytes("cenc")));
  // One map for all periods.
  const auto* map = receiver_.tables.program_map(TestMultiplex::first_service);
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(map->version, 1);
  send(inserter, {.period = 9, .content_id = "another"});
  ASSERT_EQ(inserter.push_in_pieces(multiplex_.seconds(1), 7 * mpegts::packet_size), GST_FLOW_OK);
  receiver_.push(inserter.output());
  EXPECT_EQ(receiver_.tables.program_map(TestMultiplex::first_service)->version, 2);
  EXPECT_NE(to_hex(private_data_of(receiver_)).find(to_hex(as_bytes("another"))), std::string::npos);
}

TEST_F(InserterKeys, TellNothingUnlessAsked) {
  InserterHarness inserter(properties_for(ecmg_));
  run(inserter, multiplex_, 6, 1);
  receiver_.push(inserter.output());
  EXPECT_TRUE(private_data_of(receiver_).empty());
  EXPECT_TRUE(ecmg_.criteria().empty());
}

TEST_F(InserterKeys, WhoseContentHasTooLongANameAreUsedAllTheSame) {
  InserterHarness inserter(with(properties_for(ecmg_), {{"announce-content", "true"}, {"announce-keys", "true"}}));
  send(inserter, {.period = 6, .content_id = std::string(201, 'c')});
  ASSERT_EQ(inserter.push(multiplex_.seconds(1)), GST_FLOW_OK);
  receiver_.push(inserter.output());
  EXPECT_TRUE(private_data_of(receiver_).empty());
  EXPECT_GT(receiver_.scrambled[TestMultiplex::video_pid(0)], 500U);
  const auto problems = messages(inserter.bus(), "simulcrypt-problem");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(text_of(problems[0].get(), "what").find("201"), std::string::npos);
}

TEST_F(InserterKeys, AreNamedToTheEcmg) {
  InserterHarness inserter(with(properties_for(ecmg_), {{"announce-keys", "true"}, {"access-criteria", "0102"}}));
  send(inserter, {.period = 0x123456});
  ASSERT_EQ(inserter.push(multiplex_.seconds(0.5)), GST_FLOW_OK);
  EXPECT_EQ(to_hex(ecmg_.criteria()),
            "0102"
            "e130"
            "800101"
            "8109" +
                to_hex(as_bytes("channel-1")) + "8204" + to_hex(as_bytes("cenc")) +
                "8310"
                "6b657900000040008000000000123456"
                "8408"
                "0000000000123456");
}

TEST_F(InserterKeys, StandInNoLogMessageOrProperty) {
  std::string said;
  {
    const LogKeeper keeper;
    InserterHarness inserter(with(properties_for(ecmg_), {{"announce-content", "true"}}));
    run(inserter, multiplex_, 6, 2);
    send(inserter, {.period = 20});
    ASSERT_EQ(inserter.push(multiplex_.seconds(0.5)), GST_FLOW_OK);
    send(inserter, {.period = 21, .size = 8});
    ASSERT_EQ(inserter.push(multiplex_.packets(100)), GST_FLOW_ERROR);
    const gst::TextPtr stats(gst_structure_to_string(inserter.stats().get()));
    said = stats.get();
    guint count = 0;
    GParamSpec** const specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(inserter.element()), &count);
    for (guint number = 0; number < count; ++number) {
      GValue value = G_VALUE_INIT;
      g_object_get_property(G_OBJECT(inserter.element()), specs[number]->name, &value);
      const gst::TextPtr text(g_strdup_value_contents(&value));
      said += text.get();
      g_value_unset(&value);
    }
    g_free(specs);
    while (GstMessage* message = gst_bus_pop(inserter.bus())) {
      if (const GstStructure* structure = gst_message_get_structure(message)) {
        const gst::TextPtr text(gst_structure_to_string(structure));
        said += text.get();
      }
      gst_message_unref(message);
    }
    gst_element_set_state(inserter.element(), GST_STATE_NULL);
    said += keeper.text();
  }
  ASSERT_NE(said.find("comes into force"), std::string::npos) << "the log was not kept";
  std::string lower = said;
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  for (const guint64 period : {6, 7, 8, 20, 21}) {
    const Bytes key = TestKey{.period = period, .size = 8}.bytes();
    EXPECT_EQ(lower.find(to_hex(key)), std::string::npos) << period;
    EXPECT_EQ(said.find(as_text(key)), std::string::npos) << period;
  }
}

}  // namespace
}  // namespace cas::test
