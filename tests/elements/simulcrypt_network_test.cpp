// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What simulcrypt-ecm-inserter does with ECMGs, and what it says on the bus and in its statistics.
#include <fstream>
#include <future>
#include <thread>

#include "log_keeper.hpp"
#include "simulcrypt_element_test.hpp"
#include "support/recording_relay.hpp"

namespace cas::test {
namespace {

class InserterNetworkTest : public ::testing::Test {
 protected:
  PlainEcmgServer ecmg_;
  TestMultiplex multiplex_{{.bit_rate = 2'000'000}};
  TestReceiver receiver_{mpegts::TsCipher::cissa, plain_ca_system_id};
};

TEST_F(InserterNetworkTest, TellsOfServicesAndPeriods) {
  InserterHarness inserter(usual_properties(ecmg_));
  const auto connecting = inserter.wait_for_ecmg("connecting");
  EXPECT_EQ(text_of(connecting.get(), "address"), ecmg_.address());
  const auto connected = inserter.wait_for_ecmg("connected");
  EXPECT_EQ(text_of(connected.get(), "address"), ecmg_.address());
  EXPECT_EQ(text_of(connected.get(), "why"), "version 3 of the protocol");
  const Bytes stream = multiplex_.seconds(2.5);
  ASSERT_EQ(inserter.push(stream), GST_FLOW_OK);

  const auto service = inserter.wait_for("simulcrypt-service");
  EXPECT_EQ(uint_of(service.get(), "service-id"), 101U);
  EXPECT_EQ(text_of(service.get(), "name"), "Channel 1");
  gboolean is_protected = FALSE;
  EXPECT_TRUE(gst_structure_get_boolean(service.get(), "protected", &is_protected));
  EXPECT_TRUE(is_protected);
  ASSERT_EQ(items_of(service.get(), "ecm-streams"), 1U);
  const GstStructure* ecms = item_of(service.get(), "ecm-streams", 0);
  EXPECT_EQ(text_of(ecms, "ecmg"), "ecmg");
  EXPECT_EQ(uint_of(ecms, "ca-system-id"), plain_ca_system_id);

  // Each period begins at the packet that the message names.
  receiver_.push(inserter.output());
  EXPECT_EQ(uint_of(ecms, "pid"), *receiver_.ecm_pids.begin());
  std::uint64_t before = 0;
  for (guint cp = 0; cp < 3; ++cp) {
    const auto period = inserter.wait_for("simulcrypt-period");
    EXPECT_EQ(uint_of(period.get(), "service-id"), 101U);
    EXPECT_FALSE(gst_structure_has_field(period.get(), "component-pid"));
    EXPECT_EQ(uint_of(period.get(), "cp-number"), cp);
    EXPECT_EQ(text_of(period.get(), "parity"), cp % 2 == 0 ? "even" : "odd");
    const guint64 packet = uint64_of(period.get(), "packet");
    const guint64 time = uint64_of(period.get(), "stream-time");
    if (cp > 0) {
      EXPECT_NEAR(static_cast<double>(packet - before), 2e6 / 8 / mpegts::packet_size, 1);
      EXPECT_NEAR(static_cast<double>(time), cp * 1e9, 4e6);
    }
    before = packet;
  }
}

TEST_F(InserterNetworkTest, ShowsWhereItStands) {
  InserterHarness inserter(with(usual_properties(ecmg_), {{"emm-listen", "127.0.0.1:0"}}));
  const Bytes stream = multiplex_.seconds(2.5);
  ASSERT_EQ(inserter.push(stream), GST_FLOW_OK);
  receiver_.push(inserter.output());
  const auto stats = inserter.stats();
  ASSERT_TRUE(stats);
  EXPECT_TRUE(gst_structure_has_name(stats.get(), "application/x-simulcrypt-ecm-inserter-stats"));
  EXPECT_EQ(uint64_of(stats.get(), "packets"), stream.size() / mpegts::packet_size);
  EXPECT_NEAR(static_cast<double>(uint64_of(stats.get(), "bit-rate")), 2e6, 100);
  EXPECT_EQ(uint64_of(stats.get(), "constant-bit-rate"), 0U);
  for (const char* zero :
       {"nulls-added", "overloads", "clock-gaps", "data-packets", "data-packets-sent", "data-packets-waiting",
        "data-refused", "pid-conflicts", "damaged-sections", "skipped-bytes", "sync-losses"})
    EXPECT_EQ(uint64_of(stats.get(), zero), 0U) << zero;
  EXPECT_LE(uint64_of(stats.get(), "longest-delay"), 3U);
  EXPECT_GT(uint_of(stats.get(), "emm-port"), 0U);
  const mpegts::Pid ecm_pid = *receiver_.ecm_pids.begin();
  const GstStructure* group = item_of(stats.get(), "groups", 0);
  EXPECT_EQ(uint_of(group, "service-id"), 101U);
  EXPECT_EQ(uint_of(group, "cp-number"), 2U);
  EXPECT_EQ(uint64_of(group, "periods"), 3U);
  const auto scrambled =
      receiver_.scrambled[TestMultiplex::video_pid(0)] + receiver_.scrambled[TestMultiplex::audio_pid(0)];
  EXPECT_EQ(uint64_of(group, "packets-scrambled"), scrambled);
  EXPECT_EQ(uint64_of(group, "packets-withheld"), 0U);
  const GstStructure* ecms = item_of(group, "ecm-streams", 0);
  EXPECT_EQ(text_of(ecms, "ecmg"), "ecmg");
  EXPECT_EQ(uint_of(ecms, "pid"), ecm_pid);
  gboolean open = FALSE;
  EXPECT_TRUE(gst_structure_get_boolean(ecms, "open", &open) && open);
  EXPECT_GE(uint64_of(ecms, "ecms"), 3U);
  EXPECT_EQ(uint64_of(ecms, "ecms-sent"), receiver_.ecms[ecm_pid].size());
  // Tables are put in anew too, as many as came.
  EXPECT_GT(uint64_of(stats.get(), "packets-inserted"), uint64_of(ecms, "ecms-sent"));
  EXPECT_EQ(uint64_of(stats.get(), "nulls-replaced"), uint64_of(stats.get(), "packets-inserted"));
  EXPECT_EQ(uint64_of(ecms, "ecms-missing"), 0U);
  EXPECT_EQ(uint64_of(ecms, "requests-refused"), 0U);
}

TEST_F(InserterNetworkTest, LetsTheStreamPassWhereNoEcmgIs) {
  ecmg_.kill();
  InserterHarness inserter({{"ecmg", ecmg_.address()}});
  const auto lost = inserter.wait_for_ecmg("lost");
  EXPECT_EQ(text_of(lost.get(), "address"), ecmg_.address());
  EXPECT_FALSE(text_of(lost.get(), "why").empty());
  const Bytes stream = multiplex_.seconds(2);
  ASSERT_EQ(inserter.push(stream), GST_FLOW_OK);
  receiver_.push(inserter.output());
  EXPECT_EQ(receiver_.scrambled.count(TestMultiplex::video_pid(0)), 0U);
  expect_received(receiver_, stream);
}

TEST_F(InserterNetworkTest, WithholdsTheStreamWhereItIsToldTo) {
  ecmg_.kill();
  InserterHarness inserter({{"ecmg", ecmg_.address()}, {"before-first-period", "withheld"}});
  ASSERT_EQ(inserter.push(multiplex_.seconds(2)), GST_FLOW_OK);
  receiver_.push(inserter.output());
  EXPECT_LT(receiver_.clear[TestMultiplex::video_pid(0)], 10U);
  const auto stats = inserter.stats();
  EXPECT_GT(uint64_of(item_of(stats.get(), "groups", 0), "packets-withheld"), 2000U);
}

TEST_F(InserterNetworkTest, SaysThatTheEcmgDoesNotKnowTheCaSystem) {
  InserterHarness inserter({{"ecmg", ecmg_.address()}, {"super-cas-id", "0x12345678"}});
  const auto lost = inserter.wait_for_ecmg("lost");
  EXPECT_NE(text_of(lost.get(), "why").find("uper_CAS_id"), std::string::npos) << text_of(lost.get(), "why");
}

TEST_F(InserterNetworkTest, EndsWithAnErrorWhereItIsToldTo) {
  InserterHarness inserter(with(usual_properties(ecmg_), {{"without-ecm", "stop"}, {"ecm-wait", "1000"}}));
  ASSERT_EQ(inserter.push(multiplex_.seconds(1.2)), GST_FLOW_OK);
  ecmg_.kill();
  inserter.wait_for_ecmg("lost");
  GstFlowReturn flow = GST_FLOW_OK;
  for (int turn = 0; turn < 20 && flow == GST_FLOW_OK; ++turn) flow = inserter.push(multiplex_.seconds(0.2));
  EXPECT_EQ(flow, GST_FLOW_ERROR);
  const auto missing = inserter.wait_for("simulcrypt-ecm-missing");
  EXPECT_EQ(uint_of(missing.get(), "service-id"), 101U);
  EXPECT_EQ(text_of(missing.get(), "ecmg"), "ecmg");
  EXPECT_EQ(text_of(missing.get(), "consequence"), "stop");
  EXPECT_GE(uint_of(missing.get(), "cp-number"), 1U);
  const auto error = next_error(inserter.bus());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->domain, g_quark_to_string(GST_STREAM_ERROR));
  EXPECT_EQ(error->code, GST_STREAM_ERROR_ENCODE);
  EXPECT_NE(error->text.find("service 101"), std::string::npos) << error->text;
}

/// A stream that waits for ECMs on a thread of its own.
class WaitingStream {
 public:
  WaitingStream(InserterHarness& inserter, Bytes stream) {
    flow_ = std::async(std::launch::async, [&inserter, stream = std::move(stream)] { return inserter.push(stream); });
  }
  /// Within a minute, which is far less than it would wait.
  GstFlowReturn flow() {
    if (flow_.wait_for(std::chrono::minutes(1)) != std::future_status::ready) {
      ADD_FAILURE() << "the stream still waits for an ECM";
      std::abort();
    }
    return flow_.get();
  }

 private:
  std::future<GstFlowReturn> flow_;
};

TEST_F(InserterNetworkTest, EndsItsWaitAtAFlush) {
  ecmg_.silent = true;
  InserterHarness inserter(with(usual_properties(ecmg_), {{"ecm-wait", "3600000"}}));
  WaitingStream waiting(inserter, multiplex_.seconds(2));
  ASSERT_TRUE(ecmg_.wait_for_orders(1));
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_flush_start()));
  EXPECT_EQ(waiting.flow(), GST_FLOW_FLUSHING);
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_flush_stop(TRUE)));
  EXPECT_FALSE(next_error(inserter.bus()));
  // And goes on when there is an answer.
  ecmg_.silent = false;
  ecmg_.kill();
  ecmg_.start();
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_segment(&segment)));
  const Bytes rest = multiplex_.seconds(2);
  ASSERT_EQ(inserter.push(rest), GST_FLOW_OK);
  receiver_.push(inserter.output());
  EXPECT_GT(receiver_.scrambled[TestMultiplex::video_pid(0)], 1000U);
}

TEST_F(InserterNetworkTest, EndsItsWaitWhenItIsStopped) {
  ecmg_.silent = true;
  InserterHarness inserter(with(usual_properties(ecmg_), {{"ecm-wait", "3600000"}}));
  WaitingStream waiting(inserter, multiplex_.seconds(2));
  ASSERT_TRUE(ecmg_.wait_for_orders(1));
  EXPECT_EQ(gst_element_set_state(inserter.element(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(waiting.flow(), GST_FLOW_FLUSHING);
  EXPECT_FALSE(next_error(inserter.bus()));
}

/// Of the source pad, in the place of its own: when the element stops, flushes its stream and sends another buffer, while
/// the sink pad is still active.
gboolean flush_when_deactivated(GstPad* pad, GstObject*, GstPadMode, gboolean active) {
  const auto* flush = static_cast<const std::function<void()>*>(g_object_get_data(G_OBJECT(pad), "flush"));
  if (active == FALSE) (*flush)();
  return TRUE;
}

TEST_F(InserterNetworkTest, BeginsNoWaitWhenItIsFlushedWhileItStops) {
  ecmg_.silent = true;
  InserterHarness inserter(with(usual_properties(ecmg_), {{"ecm-wait", "2000"}}));
  GstFlowReturn flow = GST_FLOW_OK;
  const std::function<void()> flush = [&] {
    gst_harness_push_event(*inserter, gst_event_new_flush_start());
    gst_harness_push_event(*inserter, gst_event_new_flush_stop(TRUE));
    const Bytes next = multiplex_.seconds(1);
    // That no segment came before is told of, and nothing to complain of: none passes a source pad that is off.
    const guint handler = g_log_set_handler(
        "GStreamer", G_LOG_LEVEL_WARNING, +[](const gchar*, GLogLevelFlags, const gchar*, gpointer) {}, nullptr);
    flow = gst_pad_chain(GST_PAD_PEER((*inserter)->srcpad), gst_buffer_new_memdup(next.data(), next.size()));
    g_log_remove_handler("GStreamer", handler);
  };
  GstPad* const source = GST_PAD_PEER((*inserter)->sinkpad);
  g_object_set_data(G_OBJECT(source), "flush", const_cast<std::function<void()>*>(&flush));
  gst_pad_set_activatemode_function(source, flush_when_deactivated);
  WaitingStream waiting(inserter, multiplex_.seconds(1));
  ASSERT_TRUE(ecmg_.wait_for_orders(1));
  ASSERT_EQ(gst_element_set_state(inserter.element(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(flow, GST_FLOW_FLUSHING);
  while (GstMessage* message = gst_bus_pop_filtered(inserter.bus(), GST_MESSAGE_ELEMENT)) {
    const GstStructure* said = gst_message_get_structure(message);
    EXPECT_FALSE(gst_structure_has_name(said, "simulcrypt-problem")) << "it has waited: " << text_of(said, "what");
    gst_message_unref(message);
  }
  gst_element_set_state(inserter.element(), GST_STATE_NULL);
}

TEST_F(InserterNetworkTest, DoesNotTouchPacketsOfABufferWhoseWaitWasEnded) {
  // Services with and without an answer: packets of the first wait to be scrambled when the second holds the stream up.
  PlainEcmgServer silent(0x4b010001);
  silent.silent = true;
  TemporaryFolder folder;
  const auto file = folder.path() / "two.toml";
  std::ofstream(file) << "cipher = 'cissa'\n[[ecmg]]\nname = 'one'\nsuper_cas_id = 0x4a010001\naddresses = ['"
                      << ecmg_.address() << "']\n[[ecmg]]\nname = 'two'\nsuper_cas_id = 0x4b010001\naddresses = ['"
                      << silent.address() << "']\n"
                      << "[[service]]\nid = 101\n[[service.system]]\necmg = 'one'\n"
                      << "[[service]]\nid = 102\nclear_lead = '1s'\n[[service.system]]\necmg = 'two'\n";
  InserterHarness inserter({{"config", file.string()}, {"ecm-wait", "3600000"}});
  TestMultiplex two({.bit_rate = 2'000'000, .services = 2});
  auto waiting = std::make_unique<WaitingStream>(inserter, two.seconds(2));
  ASSERT_TRUE(silent.wait_for_orders(1));
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_flush_start()));
  EXPECT_EQ(waiting->flow(), GST_FLOW_FLUSHING);
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_flush_stop(TRUE)));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_segment(&segment)));
  silent.silent = false;
  silent.kill();
  silent.start();
  const Bytes rest = two.seconds(1);
  ASSERT_EQ(inserter.push(rest), GST_FLOW_OK);
  const auto stats = inserter.stats();
  const guint64 sent = payloads_of(rest, TestMultiplex::video_pid(0)).size() / mpegts::max_payload_size +
                       payloads_of(rest, TestMultiplex::audio_pid(0)).size() / mpegts::max_payload_size;
  EXPECT_LE(uint64_of(item_of(stats.get(), "groups", 0), "packets-scrambled"), sent + 50)
      << "those of the buffer that was given back were scrambled too";
}

TEST_F(InserterNetworkTest, TakesOtherAccessCriteriaWhilePlaying) {
  InserterHarness inserter(with(usual_properties(ecmg_), {{"access-criteria", "01"}}));
  ASSERT_EQ(inserter.push(multiplex_.seconds(1.5)), GST_FLOW_OK);
  EXPECT_EQ(to_hex(ecmg_.criteria()), "01");
  set_property(inserter.element(), "access-criteria", "0a0b0c");
  ASSERT_EQ(inserter.push(multiplex_.seconds(2)), GST_FLOW_OK);
  EXPECT_EQ(to_hex(ecmg_.criteria()), "0a0b0c");
  // What cannot be is not taken, and the stream goes on.
  set_property(inserter.element(), "access-criteria", "xy");
  GstMessage* warning = gst_bus_pop_filtered(inserter.bus(), GST_MESSAGE_WARNING);
  ASSERT_NE(warning, nullptr);
  gst_message_unref(warning);
  ASSERT_EQ(inserter.push(multiplex_.seconds(2)), GST_FLOW_OK);
  EXPECT_EQ(to_hex(ecmg_.criteria()), "0a0b0c");
  EXPECT_EQ(ecmg_.open_streams(), 1U);
}

TEST_F(InserterNetworkTest, GoesClearAndBackWhilePlaying) {
  InserterHarness inserter(usual_properties(ecmg_));
  const mpegts::Pid pid = TestMultiplex::video_pid(0);
  Bytes all = multiplex_.seconds(1.5);
  ASSERT_EQ(inserter.push(all), GST_FLOW_OK);
  receiver_.push(inserter.output());
  const auto clear_before = receiver_.clear[pid], scrambled_before = receiver_.scrambled[pid];
  set_property(inserter.element(), "scramble", "false");
  const Bytes second = multiplex_.seconds(1);
  ASSERT_EQ(inserter.push(second), GST_FLOW_OK);
  receiver_.push(inserter.output());
  EXPECT_EQ(receiver_.scrambled[pid], scrambled_before);
  EXPECT_GT(receiver_.clear[pid], clear_before + 1000);
  const auto cleared = inserter.wait_for("simulcrypt-clear");
  EXPECT_EQ(uint_of(cleared.get(), "service-id"), 101U);
  EXPECT_EQ(uint64_of(cleared.get(), "packet"), all.size() / mpegts::packet_size);
  EXPECT_NEAR(static_cast<double>(uint64_of(cleared.get(), "stream-time")), 1.5e9, 0.1e9);
  const auto clear_then = receiver_.clear[pid];
  set_property(inserter.element(), "scramble", "true");
  const Bytes third = multiplex_.seconds(2);
  ASSERT_EQ(inserter.push(third), GST_FLOW_OK);
  ASSERT_TRUE(inserter.end());
  receiver_.push(inserter.output());
  EXPECT_EQ(receiver_.clear[pid], clear_then);
  append(all, second);
  append(all, third);
  expect_received(receiver_, all);
}

TEST_F(InserterNetworkTest, ReadsItsFileAgainWhilePlaying) {
  PlainEcmgServer other(0x4b010001);
  TemporaryFolder folder;
  const auto file = folder.path() / "head-end.toml";
  const auto write = [&](const std::string& text) { std::ofstream(file) << "cipher = 'cissa'\n" << text; };
  const auto ecmg = [](const std::string& name, const PlainEcmgServer& server) {
    return "[[ecmg]]\nname = '" + name + "'\nsuper_cas_id = " + std::to_string(server.super_cas_id()) +
           "\naddresses = ['" + server.address() + "']\n";
  };
  write(ecmg("one", ecmg_));
  InserterHarness inserter({{"config", file.string()}, {"ecm-wait", "60000"}});
  ASSERT_EQ(inserter.push(multiplex_.seconds(1)), GST_FLOW_OK);
  EXPECT_EQ(ecmg_.open_streams(), 1U);

  // Another CA system beside the first.
  write(ecmg("one", ecmg_) + ecmg("two", other));
  set_property(inserter.element(), "config", file.string());
  Bytes second = multiplex_.seconds(1);
  ASSERT_EQ(inserter.push(second), GST_FLOW_OK);
  inserter.output();
  ASSERT_EQ(items_of(item_of(inserter.stats().get(), "groups", 0), "ecm-streams"), 2U);
  EXPECT_EQ(other.open_streams(), 1U);

  // One that cannot be: the old one stays.
  write("[[ecmg]]\nname = 5\n");
  set_property(inserter.element(), "config", file.string());
  GstMessage* warning = gst_bus_pop_filtered(inserter.bus(), GST_MESSAGE_WARNING);
  ASSERT_NE(warning, nullptr);
  gst_message_unref(warning);
  // Another that is refused by the stream: ciphers stay.
  std::ofstream(file) << "cipher = 'aes-128-cbc'\n" << ecmg("three", ecmg_);
  set_property(inserter.element(), "config", file.string());
  ASSERT_EQ(inserter.push(multiplex_.seconds(1)), GST_FLOW_OK);
  const auto problem = inserter.wait_for("simulcrypt-problem");
  EXPECT_NE(text_of(problem.get(), "what").find("cipher"), std::string::npos) << text_of(problem.get(), "what");

  // The first is not needed any more.
  write(ecmg("two", other));
  set_property(inserter.element(), "config", file.string());
  const Bytes last = multiplex_.seconds(3);
  ASSERT_EQ(inserter.push(last), GST_FLOW_OK);
  ASSERT_TRUE(inserter.end());
  while (ecmg_.open_streams() != 0) std::this_thread::yield();
  TestReceiver receiver(mpegts::TsCipher::cissa, 0x4b01);
  receiver.push(inserter.output());
  EXPECT_GT(receiver.scrambled[TestMultiplex::video_pid(0)], 2000U);
}

TEST_F(InserterNetworkTest, LeavesNoConnectionOfAFileThatIsRefused) {
  PlainEcmgServer other(0x4b010001);
  RecordingRelay relay(other.port());
  TemporaryFolder folder;
  const auto file = folder.path() / "head-end.toml";
  const auto write = [&](const std::string& cipher, const std::string& more) {
    std::ofstream(file) << "cipher = '" << cipher
                        << "'\n[[ecmg]]\nname = 'one'\nsuper_cas_id = 0x4a010001\naddresses = ['" << ecmg_.address()
                        << "']\n"
                        << more;
  };
  write("cissa", "");
  InserterHarness inserter({{"config", file.string()}, {"ecm-wait", "60000"}});
  ASSERT_EQ(inserter.push(multiplex_.seconds(1)), GST_FLOW_OK);
  write("aes-128-cbc", "[[ecmg]]\nname = 'two'\nsuper_cas_id = 0x4b010001\naddresses = ['" + relay.address() + "']\n");
  set_property(inserter.element(), "config", file.string());
  ASSERT_EQ(inserter.push(multiplex_.seconds(1)), GST_FLOW_OK);
  // Behind another connection that is made from now on, one to the second ECMG would be there.
  ecmg_.kill();
  inserter.wait_for_ecmg("lost", "one");
  ecmg_.start();
  inserter.wait_for_ecmg("connected", "one");
  const auto is_gone = [](const RecordingRelay::Pieces& pieces) {
    const auto opened = std::ranges::count(pieces, RelayedPiece::Kind::opened, &RelayedPiece::kind);
    return opened == std::ranges::count_if(pieces, [](const RelayedPiece& piece) {
             return piece.kind == RelayedPiece::Kind::ended && piece.to_server;
           });
  };
  EXPECT_TRUE(relay.wait_until(is_gone));
}

TEST_F(InserterNetworkTest, TellsNobodyAControlWord) {
  std::string said;
  {
    const LogKeeper keeper;
    InserterHarness inserter(usual_properties(ecmg_));
    ASSERT_EQ(inserter.push_in_pieces(multiplex_.seconds(3), 7 * mpegts::packet_size), GST_FLOW_OK);
    ecmg_.kill();
    inserter.wait_for_ecmg("lost");
    ASSERT_EQ(inserter.push(multiplex_.seconds(0.1)), GST_FLOW_OK);
    ASSERT_TRUE(inserter.end());
    const gst::TextPtr stats(gst_structure_to_string(inserter.stats().get()));
    said = stats.get();
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
  ASSERT_NE(said.find("simulcrypt-ecm-inserter"), std::string::npos) << "the log was not kept";
  const std::vector<Bytes> words = ecmg_.words();
  ASSERT_GE(words.size(), 6U);
  std::string lower = said;
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  for (const Bytes& word : words) {
    EXPECT_EQ(lower.find(to_hex(word)), std::string::npos);
    EXPECT_EQ(said.find(as_text(word)), std::string::npos);
  }
}

}  // namespace
}  // namespace cas::test
