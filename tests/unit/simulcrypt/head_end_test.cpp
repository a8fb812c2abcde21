// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/head_end.hpp"

#include "mpegts/scrambling_descriptor.hpp"
#include "tests/unit/simulcrypt/head_end_fixture.hpp"

namespace cas::simulcrypt::test {
namespace {

using std::chrono::milliseconds;

constexpr Pid video = 0x101, audio = 0x102;

TEST_F(HeadEndTest, ProtectsAServiceAndAReceiverGetsAllOfItBack) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(5), 7);
  finish();
  expect_received(video);
  expect_received(audio);
  EXPECT_EQ(receiver.undecodable, 0U);
  EXPECT_EQ(receiver.continuity_errors, 0U);
  // Clear only until the tables and the first clock reference have been seen.
  EXPECT_LT(receiver.clear[video], 40U);
  EXPECT_GT(receiver.scrambled[video], 2000U);
  EXPECT_EQ(receiver.changes_of_parity.size(), 2 * 4U);  // of two elementary streams
  EXPECT_EQ(listener.found.at(101), "Channel 1");
  EXPECT_EQ(listener.ecm_streams.at(101), 1U);
  EXPECT_TRUE(listener.problems.empty());
}

TEST_F(HeadEndTest, KeepsTheBitRateAndTheClockWhereTheStreamHasNullPackets) {
  TestMultiplex multiplex({});
  const Bytes stream = multiplex.seconds(5);
  send(stream);
  EXPECT_EQ(out_packets, stream.size() / mpegts::packet_size);
  EXPECT_FALSE(head_end->status().constant_bit_rate);
  const auto [error, rate] = receiver.clock_error(video);
  EXPECT_LT(error, 3);  // Ticks: rounding.
  EXPECT_NEAR(rate, 10e6, 10);
  EXPECT_LE(head_end->status().slots.longest_delay, 4U);
}

TEST_F(HeadEndTest, SendsEcmsOnTimeToThePacket) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(5));
  const auto& sent = receiver.ecms.at(*receiver.ecm_pids.begin());
  ASSERT_GT(sent.size(), 40U);
  const double distance = 0.1 * 10e6 / 8 / mpegts::packet_size;  // ECM_rep_period, in packets
  for (std::size_t number = 1; number + 1 < sent.size(); ++number) {
    if (sent[number].cp_number != sent[number - 1].cp_number) continue;
    EXPECT_NEAR(static_cast<double>(sent[number].packet - sent[number - 1].packet), distance, 2.0);
  }
}

TEST_F(HeadEndTest, MakesRoomInAStreamWithoutNullPacketsAtAConstantBitRate) {
  TestMultiplex multiplex({.null_per_mille = 0});
  send(multiplex.seconds(5));
  finish();
  expect_received(video);
  EXPECT_EQ(receiver.continuity_errors, 0U);
  const auto rate = head_end->status().constant_bit_rate;
  ASSERT_TRUE(rate);
  const auto [error, measured] = receiver.clock_error(video, 6649);  // from 1 s on
  EXPECT_LT(error, 3);
  EXPECT_NEAR(measured, static_cast<double>(*rate), 20);
  EXPECT_LT(measured, 10.3e6);
  const auto& sent = receiver.ecms.at(*receiver.ecm_pids.begin());
  EXPECT_GT(sent.size(), 40U);
}

TEST_F(HeadEndTest, StuffsToAGivenBitRate) {
  settings.bit_rate = 12'000'000;
  TestMultiplex multiplex({.null_per_mille = 0});
  send(multiplex.seconds(5));
  finish();
  expect_received(video);
  const auto [error, measured] = receiver.clock_error(video, 1000);
  EXPECT_LT(error, 3);
  EXPECT_NEAR(measured, 12e6, 20);
  EXPECT_EQ(head_end->status().slots.overloads, 0U);
}

TEST_F(HeadEndTest, SaysSoInTheTables) {
  TestMultiplex multiplex({.services = 2});
  settings.services[0].id = 102;
  settings.services[0].systems[0].private_data = {0xaa, 0xbb};
  settings.services[0].systems[0].ecm_pid = 0x700;
  send(multiplex.seconds(2));
  const auto* map = receiver.tables.program_map(102);
  ASSERT_NE(map, nullptr);
  const auto systems = mpegts::find_ca_descriptors(map->descriptors);
  ASSERT_EQ(systems.size(), 1U);
  EXPECT_EQ(systems[0].ca_system_id, ca_system_id);
  EXPECT_EQ(systems[0].ca_pid, 0x700);
  EXPECT_EQ(to_hex(systems[0].private_data), "aabb");
  EXPECT_EQ(mpegts::find_scrambling_mode(map->descriptors), mpegts::ScramblingMode::cissa_1);
  EXPECT_EQ(map->version, 1);
  EXPECT_EQ(receiver.tables.damaged_sections(), 0U);
  // The other one is as it was.
  ASSERT_NE(receiver.tables.program_map(101), nullptr);
  EXPECT_TRUE(receiver.tables.program_map(101)->descriptors.empty());
  EXPECT_EQ(receiver.scrambled.count(video), 0U);
  const auto* sdt = receiver.tables.service_description();
  ASSERT_NE(sdt, nullptr);
  ASSERT_EQ(sdt->services.size(), 2U);
  EXPECT_FALSE(sdt->services[0].free_ca_mode);
  EXPECT_TRUE(sdt->services[1].free_ca_mode);
  EXPECT_EQ(receiver.tables.conditional_access(), nullptr);
}

TEST_F(HeadEndTest, FindsAServiceByItsName) {
  TestMultiplex multiplex({.services = 3});
  settings.services[0].name = "Channel 2";
  send(multiplex.seconds(1));
  ASSERT_EQ(listener.found.size(), 1U);
  EXPECT_EQ(listener.found.begin()->first, 102);
}

TEST_F(HeadEndTest, HasAWordForEachComponent) {
  settings.services[0].word_per_component = true;
  settings.services[0].systems[0].ecm_pid = 0x500;
  TestMultiplex multiplex({});
  send(multiplex.seconds(3));
  finish();
  expect_received(video);
  expect_received(audio);
  EXPECT_EQ(receiver.ecm_pids, (std::set<Pid>{0x500, 0x501}));
}

TEST_F(HeadEndTest, ScramblesTheComponentsThatAreChosen) {
  settings.services[0].components = Components::video;
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  EXPECT_GT(receiver.scrambled[video], 100U);
  EXPECT_EQ(receiver.scrambled.count(audio), 0U);
}

TEST_F(HeadEndTest, WithholdsWhatCameBeforeTheFirstPeriod) {
  settings.before_first_period = BeforeFirstPeriod::withheld;
  first->die();
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  const std::uint64_t before_the_tables = receiver.clear[video];
  EXPECT_LT(before_the_tables, 10U);
  EXPECT_EQ(receiver.scrambled.count(video), 0U);
  EXPECT_GT(receiver.pcrs[video].size(), 20U);
  first->live();
  send(multiplex.seconds(1));
  EXPECT_GT(receiver.scrambled[video], 100U);
  EXPECT_EQ(receiver.clear[video], before_the_tables);
}

TEST_F(HeadEndTest, WithholdsNothingThatIsToBeClear) {
  settings.before_first_period = BeforeFirstPeriod::withheld;
  first->die();
  TestMultiplex multiplex({});
  send(multiplex.seconds(0.5));
  const std::uint64_t clear = receiver.clear[video];
  EXPECT_LT(clear, 10U);
  settings.services[0].scramble = false;
  ASSERT_OK(head_end->apply(settings));
  send(multiplex.seconds(0.5));
  const std::uint64_t clear_then = receiver.clear[video];
  EXPECT_GT(clear_then, clear + 1000);
  settings.services[0].scramble = true;
  ASSERT_OK(head_end->apply(settings));
  send(multiplex.seconds(0.5));
  EXPECT_EQ(receiver.clear[video], clear_then);
  EXPECT_EQ(receiver.continuity_errors, 0U);
}

TEST_F(HeadEndTest, FollowsAProgramMapThatChanges) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(2));
  const Pid ecm_pid = *receiver.ecm_pids.begin();
  multiplex.set_tables(1, 0x300);
  send(multiplex.seconds(2));
  EXPECT_GT(receiver.scrambled[0x300], 100U);
  EXPECT_EQ(*receiver.ecm_pids.begin(), ecm_pid);
  // A PID of ours that the stream now has itself: ECMs move, and nothing of the stream is lost.
  multiplex.set_tables(2, ecm_pid);
  send(multiplex.seconds(2));
  finish();
  EXPECT_NE(*receiver.ecm_pids.begin(), ecm_pid);
  EXPECT_GT(receiver.scrambled[ecm_pid], 100U);
  EXPECT_EQ(receiver.undecodable, 0U);
  expect_received(video);
}

TEST_F(HeadEndTest, HoldsThePeriodWhileAnEcmgIsDead) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(2.5));
  const std::size_t periods = listener.periods.size();
  first->die();
  send(multiplex.seconds(3));
  EXPECT_EQ(listener.periods.size(), periods + 0U);
  EXPECT_GE(listener.missing["first"], 1);
  first->live();
  send(multiplex.seconds(2));
  finish();
  EXPECT_GT(listener.periods.size(), periods);
  EXPECT_EQ(listener.clears, 0);
  EXPECT_EQ(receiver.undecodable, 0U);
  expect_received(video);
}

TEST_F(HeadEndTest, EndsWhenItIsToldTo) {
  settings.services[0].systems[0].without = WithoutEcm::stop;
  TestMultiplex multiplex({});
  send(multiplex.seconds(2.5));
  first->die();
  Bytes more = multiplex.seconds(2);
  EXPECT_FAILS(head_end->process(more), ErrorKind::refused);
}

TEST_F(HeadEndTest, LosesNothingWhileTwoEcmgsDieAndComeBackAtRandom) {
  auto second = std::make_shared<PlainEcmg>();
  add_system("second", 0x4b01, second);
  second->terms.delay_start = milliseconds(-300);
  settings.services[0].period = milliseconds(500);
  TestMultiplex multiplex({.bit_rate = 2'000'000, .null_per_mille = 80});
  TestReceiver other(mpegts::TsCipher::cissa, 0x4b01);
  send(multiplex.seconds(1));
  const std::uint64_t clear_at_start = receiver.clear[video];
  SeededRandom moments(11);
  for (int death = 0; death < 100; ++death) {
    auto& victim = moments.below(2) == 0 ? *first : *second;
    send(multiplex.seconds(0.05 + static_cast<double>(moments.below(1000)) / 1000));
    victim.die();
    send(multiplex.seconds(static_cast<double>(moments.below(800)) / 1000));
    victim.live();
  }
  send(multiplex.seconds(2));
  finish();
  EXPECT_EQ(receiver.clear[video], clear_at_start);
  EXPECT_EQ(receiver.undecodable, 0U);
  EXPECT_EQ(receiver.continuity_errors, 0U);
  EXPECT_EQ(listener.clears, 0);
  EXPECT_LT(receiver.clock_error(video).first, 3);
  EXPECT_GT(listener.periods.size(), 60U);
  expect_received(video);
  expect_received(audio);
}

TEST_F(HeadEndTest, PutsEmmsWhereThereIsRoomAndTellsOfThemInTheCat) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  const Bytes emm = cas::test::hex("827005 0102030405");
  for (int count = 0; count < 20; ++count) head_end->push_data(0x4a010001, 7, 0, 0, emm);
  send(multiplex.seconds(1));
  const auto* cat = receiver.tables.conditional_access();
  ASSERT_NE(cat, nullptr);
  const auto systems = mpegts::find_ca_descriptors(cat->descriptors);
  ASSERT_EQ(systems.size(), 1U);
  EXPECT_EQ(systems[0].ca_system_id, ca_system_id);
  EXPECT_EQ(receiver.clear[systems[0].ca_pid], 20U);
  EXPECT_EQ(head_end->status().data_packets, 20U);
  EXPECT_EQ(receiver.continuity_errors, 0U);
  head_end->push_data(0x4a010001, 7, 0, 0, cas::test::hex("8270ff00"));
  EXPECT_EQ(head_end->status().data_refused, 1U);
}

TEST_F(HeadEndTest, TakesOtherAccessCriteriaWhileItRuns) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(1.5));
  const auto periods = listener.periods.size();
  settings.services[0].systems[0].access_criteria = {1, 2, 3};
  EXPECT_OK(head_end->apply(settings));
  send(multiplex.seconds(2));
  finish();
  EXPECT_EQ(to_hex(first->criteria[1]), "010203");
  EXPECT_GT(listener.periods.size(), periods);
  EXPECT_EQ(receiver.undecodable, 0U);
  expect_received(video);
  EXPECT_EQ(first->log, (std::vector<std::string>{"open 1"}));
  settings.services[0].scramble = false;
  EXPECT_OK(head_end->apply(settings));
  send(multiplex.seconds(1));
  EXPECT_EQ(listener.clears, 1);
  settings.cipher = mpegts::TsCipher::aes_128_cbc;
  EXPECT_FAILS(head_end->apply(settings), ErrorKind::invalid_argument);
}

TEST_F(HeadEndTest, RefusesSettingsThatCannotBe) {
  const auto refused = [&](auto change) {
    HeadEndSettings changed = settings;
    change(changed);
    EXPECT_FAILS(HeadEnd::create(changed, listener, random), ErrorKind::invalid_argument);
  };
  refused([](auto& changed) { changed.services[0].systems[0].system = "nobody"; });
  refused([](auto& changed) { changed.services[0].systems.clear(); });
  refused([](auto& changed) { changed.services.push_back(changed.services[0]); });
  refused([](auto& changed) { changed.systems.push_back(changed.systems[0]); });
  refused([](auto& changed) { changed.services[0].period = milliseconds(50); });
  refused([](auto& changed) { changed.services[0].systems[0].ecm_pid = mpegts::null_pid; });
  refused([](auto& changed) { changed.services[0].systems[0].private_data = Bytes(252); });
  refused([](auto& changed) { changed.services[0].id = 1, changed.services[0].name = "x"; });
  refused([](auto& changed) { changed.bit_rate = 1; });
  refused([](auto& changed) { changed.data_pids = {{1, 1, 0x300}, {1, 2, 0x300}}; });
}

TEST_F(HeadEndTest, TimesAStreamWithoutClockReferencesByItsBitRate) {
  settings.clock_bit_rate = 10'000'000;
  settings.services[0].period = milliseconds(500);
  TestMultiplex multiplex({});
  Bytes stream = multiplex.seconds(3);
  for (std::size_t at = 0; at < stream.size(); at += mpegts::packet_size)
    if ((stream[at + 3] & 0x20) != 0) stream[at + 5] = 0;  // No reference.
  send(stream);
  EXPECT_GE(listener.periods.size(), 5U);
}

TEST_F(HeadEndTest, WaitsForEcmsWhereTheStreamIsNotLive) {
  settings.wait_for_ecms = milliseconds(20);
  first->answers_at_once = false;
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  ASSERT_FALSE(listener.problems.empty());
  EXPECT_NE(listener.problems[0].find("no ECM came in 20 ms"), std::string::npos);
  std::stop_source stop;
  stop.request_stop();
  first->answer();
  send(multiplex.seconds(1));
  EXPECT_GT(receiver.scrambled[video], 100U);
}

}  // namespace
}  // namespace cas::simulcrypt::test
