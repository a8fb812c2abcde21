// SPDX-License-Identifier: LGPL-2.1-or-later
//
// simulcrypt-ecm-inserter with keys from upstream: which packets have which.
#include "simulcrypt_keys_test.hpp"

#include <algorithm>

#include "mpegts/csa2_word.hpp"

namespace cas::test {
namespace {

/// Packets of the first service's components that no clock reference is in: all of them are moved alone.
std::vector<Bytes> content_of(ByteView stream) {
  std::vector<Bytes> packets;
  for (; stream.size() >= mpegts::packet_size; stream = stream.subspan(mpegts::packet_size)) {
    const mpegts::PacketView packet(stream.data(), mpegts::packet_size);
    const mpegts::Pid pid = mpegts::pid_of(packet);
    if (pid != TestMultiplex::video_pid(0) && pid != TestMultiplex::audio_pid(0)) continue;
    if (!mpegts::pcr_of(packet)) packets.emplace_back(packet.begin(), packet.end());
  }
  return packets;
}

TEST_F(InserterKeys, ChangeExactlyAtTheBuffer) {
  constexpr guint64 first = 1234567;
  InserterHarness inserter(properties_for(ecmg_));
  const Bytes stream = run(inserter, multiplex_, first, 5);
  const auto periods = messages(inserter.bus(), "simulcrypt-period");
  ASSERT_TRUE(inserter.end());
  receiver_.push(inserter.output());
  expect_received(receiver_, stream);
  ASSERT_EQ(periods.size(), 5U);
  const guint64 second = stream.size() / 5 / mpegts::packet_size;
  for (guint64 number = 0; number < 5; ++number) {
    const GstStructure* said = periods[number].get();
    EXPECT_EQ(uint_of(said, "cp-number"), (first + number) & 0xffff);
    EXPECT_EQ(text_of(said, "parity"), (first + number) % 2 == 0 ? "even" : "odd");
    EXPECT_EQ(uint64_of(said, "period-index"), first + number);
    EXPECT_EQ(text_of(said, "key-id"), TestKey{.period = first + number}.key_id());
    EXPECT_EQ(text_of(said, "content-id"), "channel-1");
    if (number > 0) {
      EXPECT_EQ(uint64_of(said, "packet"), number * second);
    }
  }
  // The words are the keys.
  const std::vector<Bytes> words = ecmg_.words();
  EXPECT_TRUE(std::ranges::all_of(words, [&](const Bytes& word) {
    for (guint64 period = first; period < first + 8; ++period)
      if (word == TestKey{.period = period}.bytes()) return true;
    return false;
  }));
  const auto stats = inserter.stats();
  const GstStructure* group = item_of(stats.get(), "groups", 0);
  EXPECT_EQ(uint64_of(group, "period-index"), first + 4);
  EXPECT_EQ(text_of(group, "key-id"), TestKey{.period = first + 4}.key_id());
}

TEST_F(InserterKeys, GiveTheSamePacketsOnEachHeadEnd) {
  PlainEcmgServer other_ecmg;
  TestMultiplex same{{.bit_rate = 2'000'000}};
  InserterHarness one(properties_for(ecmg_));
  InserterHarness other(with(properties_for(other_ecmg), {{"crypto-period", "300"}, {"ecm-pid", "900"}}));
  run(one, multiplex_, 41, 4);
  run(other, same, 41, 4);
  ASSERT_TRUE(one.end());
  ASSERT_TRUE(other.end());
  const auto packets = content_of(one.output());
  ASSERT_GT(packets.size(), 4000U);
  EXPECT_TRUE(packets == content_of(other.output()));
}

TEST_F(InserterKeys, ChangeWithinABufferThatEndsWithinAPacket) {
  InserterHarness cut(properties_for(ecmg_));
  const Bytes stream = multiplex_.seconds(4);
  ByteView rest = stream;
  guint64 sent = 0;
  std::vector<guint64> expected;
  for (guint64 period = 6; period < 10; ++period) {
    begin(cut, period);
    // A packet that has begun belongs to the period before.
    expected.push_back((sent + mpegts::packet_size - 1) / mpegts::packet_size);
    const std::size_t size = std::min<std::size_t>(rest.size(), period == 9 ? rest.size() : 250'001);
    ASSERT_EQ(cut.push_in_pieces(rest.first(size), 1001), GST_FLOW_OK);
    rest = rest.subspan(size);
    sent += size;
  }
  const auto periods = messages(cut.bus(), "simulcrypt-period");
  ASSERT_TRUE(cut.end());
  receiver_.push(cut.output());
  expect_received(receiver_, stream);
  ASSERT_EQ(periods.size(), 4U);
  for (std::size_t number = 1; number < 4; ++number)
    EXPECT_EQ(uint64_of(periods[number].get(), "packet"), expected[number]) << number;
}

TEST_F(InserterKeys, MayComeBeforePacketsAreFound) {
  InserterHarness inserter(properties_for(ecmg_));
  begin(inserter, 6);
  const Bytes stream = multiplex_.seconds(2);
  // Less than five packets are no stream yet. What was found then is before the line.
  ASSERT_EQ(inserter.push(ByteView(stream).first(3 * mpegts::packet_size)), GST_FLOW_OK);
  begin(inserter, 7);
  ASSERT_EQ(inserter.push(ByteView(stream).subspan(3 * mpegts::packet_size)), GST_FLOW_OK);
  ASSERT_TRUE(inserter.end());
  receiver_.push(inserter.output());
  expect_received(receiver_, stream);
  const auto stats = inserter.stats();
  EXPECT_EQ(uint64_of(item_of(stats.get(), "groups", 0), "period-index"), 7U);
}

TEST_F(InserterKeys, ThatNobodyAnnouncedAreWaitedForAtTheLine) {
  InserterHarness inserter(properties_for(ecmg_));
  Bytes stream;
  guint64 second = 0;
  for (const guint64 period : {3, 4, 5, 9}) {
    send(inserter, {.period = period});
    const Bytes packets = multiplex_.seconds(1);
    second = packets.size() / mpegts::packet_size;
    ASSERT_EQ(inserter.push_in_pieces(packets, 7 * mpegts::packet_size), GST_FLOW_OK);
    append(stream, packets);
  }
  const auto periods = messages(inserter.bus(), "simulcrypt-period");
  ASSERT_TRUE(inserter.end());
  receiver_.push(inserter.output());
  expect_received(receiver_, stream);
  ASSERT_EQ(periods.size(), 4U);
  for (guint64 number = 1; number < 4; ++number) EXPECT_EQ(uint64_of(periods[number].get(), "packet"), number * second);
}

TEST_F(InserterKeys, AreHeldWhereAnEcmDoesNotCome) {
  InserterHarness inserter(with(properties_for(ecmg_), {{"ecm-wait", "200"}}));
  begin(inserter, 6);
  ASSERT_EQ(inserter.push(multiplex_.seconds(1)), GST_FLOW_OK);
  ASSERT_TRUE(inserter.wait_for("simulcrypt-period"));
  ecmg_.silent = true;
  send(inserter, {.period = 20});
  ASSERT_EQ(inserter.push(multiplex_.seconds(1)), GST_FLOW_OK);
  const auto missing = inserter.wait_for("simulcrypt-ecm-missing");
  ASSERT_TRUE(missing);
  EXPECT_EQ(uint_of(missing.get(), "cp-number"), 20U);
  EXPECT_EQ(text_of(missing.get(), "consequence"), "hold");
  const auto stats = inserter.stats();
  const GstStructure* group = item_of(stats.get(), "groups", 0);
  EXPECT_EQ(uint_of(group, "cp-number"), 6U);
  EXPECT_EQ(uint64_of(group, "period-index"), 6U);
  receiver_.push(inserter.output());
  EXPECT_EQ(receiver_.undecodable, 0U);
  EXPECT_LT(receiver_.clear[TestMultiplex::video_pid(0)], 40U);
}

TEST_F(InserterKeys, OfAnotherSizeEndTheStreamWithBothSizesAndTheRemedy) {
  for (const bool ahead : {false, true}) {
    for (const std::size_t size : {std::size_t{8}, std::size_t{24}, std::size_t{32}}) {
      InserterHarness inserter(properties_for(ecmg_));
      if (ahead) send(inserter, {.period = 6});
      send(inserter, {.period = 7, .size = size}, ahead);
      EXPECT_EQ(inserter.push(multiplex_.packets(100)), GST_FLOW_ERROR);
      const auto error = next_error(inserter.bus());
      ASSERT_TRUE(error);
      EXPECT_EQ(error->domain, g_quark_to_string(GST_STREAM_ERROR)) << error->text;
      EXPECT_EQ(error->code, GST_STREAM_ERROR_ENCODE) << error->text;
      EXPECT_NE(error->text.find(std::to_string(size) + " bytes"), std::string::npos) << error->text;
      EXPECT_NE(error->text.find("takes 16"), std::string::npos) << error->text;
      EXPECT_NE(error->text.find("'cipher'"), std::string::npos) << error->text;
      EXPECT_TRUE(inserter.output().empty());
    }
  }
}

TEST_F(InserterKeys, AreCutForCsa2) {
  if (!mpegts::TsScrambler::create(mpegts::TsCipher::csa2, {})) GTEST_SKIP() << "a build without DVB-CSA2";
  for (const bool checksum : {true, false}) {
    for (const std::size_t size : {std::size_t{8}, std::size_t{16}}) {
      PlainEcmgServer ecmg;
      InserterHarness inserter(
          with(properties_for(ecmg), {{"cipher", "csa2"}, {"csa2-checksum", checksum ? "true" : "false"}}));
      const TestKey key{.period = 6, .size = size};
      send(inserter, key);
      TestMultiplex multiplex{{.bit_rate = 2'000'000}};
      const Bytes stream = multiplex.seconds(1);
      ASSERT_EQ(inserter.push(stream), GST_FLOW_OK);
      ASSERT_TRUE(inserter.end());
      TestReceiver receiver(mpegts::TsCipher::csa2, plain_ca_system_id);
      receiver.push(inserter.output());
      expect_received(receiver, stream);
      SecretBytes word = SecretBytes::copy_of(ByteView(key.bytes()).first(8));
      if (checksum) word = value_or_throw(mpegts::with_csa2_checksum(word));
      ASSERT_FALSE(ecmg.words().empty());
      EXPECT_EQ(to_hex(ecmg.words().front()), to_hex(word.reveal()));
    }
  }
}

TEST_F(InserterKeys, ThatDoNotComeAtAllAreAnErrorWithTheRemedy) {
  InserterHarness inserter(properties_for(ecmg_));
  // One that is announced is of a period to come.
  send(inserter, {.period = 7}, true);
  EXPECT_EQ(inserter.push(multiplex_.packets(500)), GST_FLOW_ERROR);
  const auto error = next_error(inserter.bus());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->domain, g_quark_to_string(GST_STREAM_ERROR)) << error->text;
  EXPECT_EQ(error->code, GST_STREAM_ERROR_ENCODE) << error->text;
  EXPECT_NE(error->text.find("no key came from upstream"), std::string::npos) << error->text;
  EXPECT_NE(error->text.find("kex-keysource"), std::string::npos) << error->text;
  EXPECT_TRUE(inserter.output().empty());
}

TEST_F(InserterKeys, AreNotNeededWhereNothingIsToBeScrambled) {
  InserterHarness none(with(properties_for(ecmg_), {{"service", "999"}}));
  EXPECT_EQ(none.push(multiplex_.packets(500)), GST_FLOW_OK);
  InserterHarness clear(with(properties_for(ecmg_), {{"scramble", "false"}}));
  EXPECT_EQ(clear.push(TestMultiplex({.bit_rate = 2'000'000}).packets(500)), GST_FLOW_OK);
}

TEST_F(InserterKeys, OutliveAFlush) {
  InserterHarness inserter(properties_for(ecmg_));
  run(inserter, multiplex_, 6, 1);
  ASSERT_EQ(inserter.push(Bytes(100, 0x47)), GST_FLOW_OK);  // Half a packet, and a key behind it.
  send(inserter, {.period = 7});
  inserter.output();
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_flush_start()));
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_flush_stop(TRUE)));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  ASSERT_TRUE(gst_harness_push_event(*inserter, gst_event_new_segment(&segment)));
  ASSERT_EQ(inserter.push(multiplex_.seconds(1)), GST_FLOW_OK);
  const auto stats = inserter.stats();
  EXPECT_EQ(uint64_of(item_of(stats.get(), "groups", 0), "period-index"), 7U);
  receiver_.push(inserter.output());
  EXPECT_EQ(receiver_.clear[TestMultiplex::video_pid(0)], 0U);
}

TEST_F(InserterKeys, AreForgottenInReadyButForThoseThatUpstreamTellsAgain) {
  InserterHarness inserter(properties_for(ecmg_));
  run(inserter, multiplex_, 6, 2);
  const auto before = ecmg_.words().size();
  inserter.restart();
  inserter.output();
  TestMultiplex next{{.bit_rate = 2'000'000}};
  const Bytes stream = run(inserter, next, 106, 3);
  ASSERT_TRUE(inserter.end());
  receiver_.push(inserter.output());
  expect_received(receiver_, stream);
  const auto words = ecmg_.words();
  for (std::size_t later = before; later < words.size(); ++later) EXPECT_NE(words[later], TestKey{.period = 6}.bytes());
  // The events stick to the pad before this one.
  inserter.restart();
  ASSERT_EQ(inserter.push(TestMultiplex({.bit_rate = 2'000'000}).seconds(1)), GST_FLOW_OK);
  const auto stats = inserter.stats();
  EXPECT_EQ(uint64_of(item_of(stats.get(), "groups", 0), "period-index"), 108U);
}

}  // namespace
}  // namespace cas::test
