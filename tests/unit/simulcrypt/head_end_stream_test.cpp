// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Streams, ECMGs and settings that a head-end does not meet every day.
#include <future>

#include "mpegts/section_packetiser.hpp"
#include "simulcrypt/head_end.hpp"
#include "support/allocation_count.hpp"
#include "tests/unit/simulcrypt/head_end_fixture.hpp"

namespace cas::simulcrypt::test {
namespace {

using std::chrono::milliseconds;

constexpr Pid video = 0x101, audio = 0x102, second_video = 0x111;

class HeadEndStreams : public HeadEndTest {
 protected:
  void expect_clean() {
    EXPECT_EQ(receiver.undecodable, 0U);
    EXPECT_EQ(receiver.continuity_errors, 0U);
    EXPECT_EQ(receiver.tables.damaged_sections(), 0U);
  }
  /// Changes the packets of a PID, or all.
  static void each(Bytes& stream, const std::function<void(mpegts::MutablePacketView, std::size_t)>& change) {
    for (std::size_t at = 0; at < stream.size(); at += mpegts::packet_size)
      change(mpegts::MutablePacketView(stream.data() + at, mpegts::packet_size), at / mpegts::packet_size);
  }
};

TEST_F(HeadEndStreams, BeginPeriodsAtThePacketThatIsToldOf) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(5));
  ASSERT_EQ(listener.periods.size(), 5U);
  ASSERT_EQ(receiver.changes_of_parity.size(), 8U);  // Of video and audio.
  for (std::size_t period = 1; period < 5; ++period)
    for (const std::size_t change : {2 * period - 2, 2 * period - 1}) {
      // Packets move back by what is put in before them.
      EXPECT_GE(receiver.changes_of_parity[change], listener.periods[period].packet);
      EXPECT_LT(receiver.changes_of_parity[change], listener.periods[period].packet + 30);
    }
}

// ---------------------------------------------------------------------------------------------------------------- Clocks

TEST_F(HeadEndStreams, GoOnWhereTheClockReferencesWrap) {
  TestMultiplex multiplex({.first_pcr = mpegts::pcr_modulus - 3 * mpegts::clock_hz - mpegts::clock_hz / 2});
  send(multiplex.seconds(6));
  finish();
  expect_received(video);
  expect_clean();
  ASSERT_EQ(listener.periods.size(), 6U);
  for (std::size_t period = 1; period < 6; ++period)
    EXPECT_NEAR(static_cast<double>(listener.periods[period].packet - listener.periods[period - 1].packet),
                10e6 / 8 / mpegts::packet_size, 2);
}

TEST_F(HeadEndStreams, GoOnWhereTheClockJumps) {
  for (const bool announced : {true, false}) {
    for (const std::uint64_t jump : {100 * mpegts::clock_hz, mpegts::pcr_modulus - 50 * mpegts::clock_hz}) {
      TestMultiplex before({.first_pcr = 60 * mpegts::clock_hz});
      TestMultiplex after({.first_pcr = (60 * mpegts::clock_hz + jump) % mpegts::pcr_modulus});
      head_end.reset();
      listener = {};
      first = std::make_shared<PlainEcmg>();
      settings.systems[0].supply = first;
      start();
      TestReceiver fresh(mpegts::TsCipher::cissa, ca_system_id);
      Bytes sent = before.seconds(3.5), rest = after.seconds(3.5);
      if (announced)
        each(rest, [done = false](mpegts::MutablePacketView packet, std::size_t) mutable {
          if (done || !mpegts::pcr_of(packet)) return;
          packet[5] |= 0x80;
          done = true;
        });
      append(sent, rest);
      for (MutableByteView left(sent); !left.empty();) {
        const MutableByteView run = left.first(std::min(left.size(), 100 * mpegts::packet_size));
        left = left.subspan(run.size());
        const auto out = head_end->process(run);
        ASSERT_OK(out);
        fresh.push(*out);
      }
      fresh.push(head_end->finish());
      EXPECT_EQ(fresh.undecodable, 0U);
      EXPECT_EQ(listener.periods.size(), 7U) << announced << ' ' << jump;
      EXPECT_EQ(listener.clears, 0);
      EXPECT_FALSE(head_end->status().constant_bit_rate);
    }
  }
}

TEST_F(HeadEndStreams, DoNotGoBackWhenClockReferencesComeAfterAll) {
  settings.clock_bit_rate = 10'000'000;
  TestMultiplex multiplex({});
  Bytes without = multiplex.seconds(3);
  each(without, [](mpegts::MutablePacketView packet, std::size_t) {
    if (mpegts::has_adaptation_field(packet)) packet[5] = 0;
  });
  send(without);
  const StreamTime then = head_end->status().time;
  EXPECT_GT(then, milliseconds(2500));
  send(multiplex.seconds(3));
  finish();
  EXPECT_GT(head_end->status().time, then + milliseconds(2500));
  EXPECT_GE(listener.periods.size(), 6U);
  EXPECT_FALSE(head_end->status().constant_bit_rate);
  expect_clean();
}

TEST_F(HeadEndStreams, KeepTheirClockReferencesAtTheStartAndTheEnd) {
  for (const std::size_t packets : {1400U, 1401U, 1402U, 1403U, 1404U, 1405U, 1406U, 1407U}) {
    TestMultiplex multiplex({.bit_rate = 2'000'000});
    TestReceiver fresh(mpegts::TsCipher::cissa, ca_system_id);
    first = std::make_shared<PlainEcmg>();
    settings.systems[0].supply = first;
    head_end.reset();
    start();
    Bytes stream = multiplex.packets(packets);
    const auto out = head_end->process(stream);
    ASSERT_OK(out);
    fresh.push(*out);
    fresh.push(head_end->finish());
    EXPECT_LT(fresh.clock_error(video).first, 3) << packets;
  }
}

// --------------------------------------------------------------------------------------------------------- Rough streams

TEST_F(HeadEndStreams, ThatLosePacketsLoseNoMoreHere) {
  TestMultiplex multiplex({});
  Bytes stream = multiplex.seconds(4), damaged;
  SeededRandom random_losses(3);
  std::size_t lost = 0;
  each(stream, [&](mpegts::MutablePacketView packet, std::size_t) {
    const Pid pid = mpegts::pid_of(packet);
    if ((pid == video || pid == audio) && !mpegts::pcr_of(packet) && random_losses.below(50) == 0) {
      ++lost;
      return;
    }
    append(damaged, packet);
    // Twice: 13818-1, 2.4.3.3.
    if (pid == audio && random_losses.below(100) == 0) append(damaged, packet);
  });
  ASSERT_GT(lost, 50U);
  send(damaged);
  finish();
  expect_received(video);
  expect_received(audio);
  EXPECT_EQ(receiver.undecodable, 0U);
  EXPECT_EQ(receiver.tables.damaged_sections(), 0U);
}

TEST_F(HeadEndStreams, MayHaveDamagedPackets) {
  TestMultiplex multiplex({});
  Bytes stream = multiplex.seconds(3);
  SeededRandom damage(5);
  each(stream, [&](mpegts::MutablePacketView packet, std::size_t) {
    if (damage.below(20) != 0) return;
    packet[1] |= 0x80;
    for (std::size_t at = 1; at < packet.size(); ++at)
      if (damage.below(8) == 0) packet[at] = static_cast<std::uint8_t>(damage.below(256));
  });
  send(stream, 50);
  EXPECT_GT(receiver.scrambled[video], 1000U);
}

TEST_F(HeadEndStreams, MadeToAnnoyDoNoHarm) {
  TestMultiplex multiplex({.services = 3});
  SeededRandom noise(9);
  Bytes random_packet(mpegts::packet_size);
  for (int turn = 0; turn < 40; ++turn) {
    multiplex.set_tables(static_cast<std::uint8_t>(turn), static_cast<Pid>(0x1f00 + noise.below(64)));
    Bytes stream = multiplex.seconds(0.15), mixed;
    each(stream, [&](mpegts::MutablePacketView packet, std::size_t) {
      append(mixed, packet);
      if (noise.below(4) != 0) return;
      EXPECT_OK(noise.fill(random_packet));
      random_packet[0] = mpegts::sync_byte;
      append(mixed, random_packet);
    });
    if (!head_end) start();
    EXPECT_OK(head_end->process(mixed));
  }
  EXPECT_GT(listener.periods.size(), 1U);
}

// --------------------------------------------------------------------------------------------------------------- Services

TEST_F(HeadEndStreams, WithSeveralServicesHaveWordsForEach) {
  TestMultiplex multiplex({.services = 3});
  send(multiplex.seconds(3));
  finish();
  EXPECT_EQ(receiver.ecm_pids.size(), 3U);
  for (std::size_t service = 0; service < 3; ++service) {
    expect_received(TestMultiplex::video_pid(service));
    expect_received(TestMultiplex::audio_pid(service));
  }
  expect_clean();
}

TEST_F(HeadEndStreams, WithOneEcmPidForSeveralServicesGetThoseBehindIt) {
  settings.services[0].systems[0].ecm_pid = 0x700;
  settings.services[0].systems[0].ecm_id = 50;
  TestMultiplex multiplex({.services = 3});
  send(multiplex.seconds(2));
  finish();
  EXPECT_EQ(receiver.ecm_pids, (std::set<Pid>{0x700, 0x701, 0x702}));
  for (std::size_t service = 0; service < 3; ++service) expect_received(TestMultiplex::video_pid(service));
  expect_clean();
}

TEST_F(HeadEndStreams, WithAComponentOfTwoServicesAreForReceiversOfBoth) {
  TestMultiplex multiplex({.services = 2});
  multiplex.set_tables(0, 0x300);  // in both
  send(multiplex.seconds(3));
  finish();
  expect_received(0x300);
  expect_received(video);
  expect_received(second_video);
  expect_clean();
  // The second service's map tells of the first one's ECMs, for that component alone.
  const auto* one = receiver.tables.program_map(101);
  const auto* two = receiver.tables.program_map(102);
  ASSERT_TRUE(one != nullptr && two != nullptr);
  const auto of_one = mpegts::find_ca_descriptors(one->descriptors);
  const auto of_component = mpegts::find_ca_descriptors(two->streams[2].descriptors);
  ASSERT_EQ(of_one.size(), 1U);
  ASSERT_EQ(of_component.size(), 1U);
  EXPECT_EQ(of_component[0].ca_pid, of_one[0].ca_pid);
  EXPECT_TRUE(one->streams[2].descriptors.empty());
}

TEST_F(HeadEndStreams, ThatLackEcmPidsTellOfThoseThatTheyHave) {
  settings.services[0].word_per_component = true;
  settings.services[0].systems[0].ecm_pid = 0x1ffe;
  TestMultiplex multiplex({});
  send(multiplex.seconds(2));
  ASSERT_FALSE(listener.problems.empty());
  EXPECT_NE(listener.problems[0].find("8190"), std::string::npos) << listener.problems[0];
  // One component found a PID; it is scrambled, and receivers are told.
  EXPECT_GT(receiver.scrambled[video] + receiver.scrambled[audio], 100U);
  EXPECT_EQ(receiver.ecm_pids, (std::set<Pid>{0x1ffe}));
  expect_clean();
}

TEST_F(HeadEndStreams, TakeThePlaceOfOldCaDescriptors) {
  mpegts::ProgramMap map;
  map.program_number = 101;
  for (const std::uint16_t id : {ca_system_id, std::uint16_t{0x0b00}})
    EXPECT_OK(
        (mpegts::CaDescriptor{.ca_system_id = id, .ca_pid = 0x77, .private_data = {}}.append_to(map.descriptors)));
  map.streams.push_back({0x1b, 0b111, video, 0b1111, map.descriptors});
  const ServiceSignal signal{{{ca_system_id, 0x700, {}, {}}}, std::nullopt};
  const auto section = signal_program_map(map, signal, 1);
  ASSERT_OK(section);
  const auto edited = mpegts::ProgramMap::parse(*section);
  ASSERT_OK(edited);
  EXPECT_EQ(edited->version, 1);
  // Those of others stay.
  const auto systems = mpegts::find_ca_descriptors(edited->descriptors);
  ASSERT_EQ(systems.size(), 2U);
  EXPECT_EQ(systems[0].ca_system_id, 0x0b00);
  EXPECT_EQ(systems[1].ca_pid, 0x700);
  const auto of_video = mpegts::find_ca_descriptors(edited->streams[0].descriptors);
  ASSERT_EQ(of_video.size(), 1U);
  EXPECT_EQ(of_video[0].ca_system_id, 0x0b00);
}

TEST_F(HeadEndStreams, AreToldOfWhenTheirComponentsAppear) {
  settings.services[0].pids = {0x300};
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  EXPECT_TRUE(listener.found.empty());
  multiplex.set_tables(1, 0x300);
  send(multiplex.seconds(1));
  EXPECT_EQ(listener.found.count(101), 1U);
  multiplex.set_tables(2);
  send(multiplex.seconds(1));
  EXPECT_TRUE(listener.found.empty());
}

TEST_F(HeadEndStreams, MoveEmmsFromAPidThatTheyUse) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  const Bytes emm = cas::test::hex("827005 0102030405");
  head_end->push_data(0x4a010001, 7, 0, 0, emm);
  send(multiplex.seconds(1));
  const Pid pid = mpegts::find_ca_descriptors(receiver.tables.conditional_access()->descriptors)[0].ca_pid;
  multiplex.set_tables(1, pid);
  send(multiplex.seconds(1));
  const auto conflicts = head_end->status().pid_conflicts;
  EXPECT_LT(conflicts, 100U);  // Before the new map has come.
  head_end->push_data(0x4a010001, 7, 0, 0, emm);
  send(multiplex.seconds(1));
  finish();
  EXPECT_NE(mpegts::find_ca_descriptors(receiver.tables.conditional_access()->descriptors)[0].ca_pid, pid);
  EXPECT_GT(receiver.scrambled[pid], 100U);
  EXPECT_EQ(head_end->status().pid_conflicts, conflicts);
  EXPECT_EQ(receiver.undecodable, 0U);
}

TEST_F(HeadEndStreams, WhoseMapsHaveNoRoomAreToldOf) {
  settings.services[0].systems[0].private_data = Bytes(251, 0x55);
  TestMultiplex multiplex({});
  for (int number = 0; number < 5; ++number) {
    settings.systems.push_back(
        {std::to_string(number), static_cast<std::uint16_t>(0x100 + number), std::make_shared<PlainEcmg>()});
    settings.services[0].systems.push_back({.system = std::to_string(number), .private_data = Bytes(251, 0x55)});
  }
  send(multiplex.seconds(1));
  ASSERT_FALSE(listener.problems.empty());
  EXPECT_NE(listener.problems[0].find("the PMT of service 101"), std::string::npos) << listener.problems[0];
  EXPECT_EQ(listener.problems.size(), 1U);
}

// ------------------------------------------------------------------------------------------------------------------ ECMGs

TEST_F(HeadEndStreams, RefuseAnEcmgThatWantsTheImpossible) {
  first->terms.repetition = milliseconds(0);
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  ASSERT_FALSE(listener.problems.empty());
  EXPECT_EQ(receiver.scrambled.count(video), 0U);
}

TEST_F(HeadEndStreams, DoNotWaitForWhatHasCome) {
  // The ECM is there, and has to be on the air before its period: that is a matter of the stream's time.
  settings.wait_for_ecms = std::chrono::hours(1);
  first->terms.delay_start = milliseconds(-300);
  first->terms.lead_cw = 0;
  first->terms.cw_per_msg = 1;
  TestMultiplex multiplex({});
  const auto sent = std::async(std::launch::async, [&] { send(multiplex.seconds(3)); });
  ASSERT_EQ(sent.wait_for(std::chrono::minutes(1)), std::future_status::ready);
  finish();
  EXPECT_GE(listener.periods.size(), 2U);
  expect_received(video);
  expect_clean();
}

TEST_F(HeadEndStreams, DoNotWaitForAnEcmgThatRefusesAgainAndAgain) {
  settings.wait_for_ecms = milliseconds(10);
  first->refuses_at_once = true;
  TestMultiplex multiplex({});
  send(multiplex.seconds(0.5));
  ASSERT_FALSE(listener.problems.empty());
  EXPECT_NE(listener.problems.front().find("no ECM came in 10 ms"), std::string::npos);
  EXPECT_TRUE(listener.periods.empty());
}

TEST_F(HeadEndStreams, EndOnlyWhenTheWaitHasBeenInVain) {
  settings.wait_for_ecms = milliseconds(10);
  settings.services[0].systems[0].without = WithoutEcm::stop;
  TestMultiplex multiplex({});
  send(multiplex.seconds(2.5));
  EXPECT_TRUE(listener.missing.empty());
  first->answers_at_once = false;
  Bytes more = multiplex.seconds(3);
  EXPECT_FAILS(head_end->process(more), ErrorKind::refused);
  EXPECT_EQ(listener.missing["first"], 1);
}

/// Of any PID and counter, as ECMGs make them.
Bytes in_packets(ByteView ecm) {
  mpegts::SectionPacketiser packetiser(0x123, 11);
  Bytes packets;
  EXPECT_OK(packetiser.packetise(ecm, packets));
  return packets;
}

TEST_F(HeadEndStreams, KeepTheirEcmsWhereAnEcmgTakesOverThatMakesThemInAnotherForm) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(1.5));
  first->die();
  send(multiplex.seconds(0.1));
  first->section_tspkt_flag = ecmg::transport_packets;
  first->dress = in_packets;
  first->live();
  send(multiplex.seconds(2));
  first->die();
  first->section_tspkt_flag = ecmg::sections;
  first->dress = nullptr;
  first->live();
  send(multiplex.seconds(2));
  finish();
  EXPECT_EQ(listener.problems, std::vector<std::string>());
  EXPECT_EQ(listener.periods.size(), 6U);
  // One each 100 ms, whatever its form.
  ASSERT_EQ(receiver.ecm_pids.size(), 1U);
  const auto& ecms = receiver.ecms[*receiver.ecm_pids.begin()];
  EXPECT_NEAR(static_cast<double>(ecms.size()), 56, 1);
  expect_received(video);
  expect_clean();
}

TEST_F(HeadEndStreams, DoNotBeginAPeriodWithAnEcmThatCannotBeSent) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(1.5));
  ASSERT_EQ(listener.periods.size(), 2U);
  first->section_tspkt_flag = ecmg::transport_packets;  // and gives sections
  first->die();
  first->live();
  send(multiplex.seconds(1));
  EXPECT_EQ(listener.periods.size(), 2U);
  EXPECT_FALSE(listener.problems.empty());
  first->dress = in_packets;
  send(multiplex.seconds(2));
  finish();
  EXPECT_GE(listener.periods.size(), 4U);
  expect_received(video);
  expect_clean();
}

TEST_F(HeadEndStreams, MayComeInVeryLongRuns) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(0.5));
  Bytes stream = multiplex.seconds(4);
  const std::size_t packets = stream.size() / mpegts::packet_size;
  send(std::move(stream), packets);
  finish();
  // ECMs are taken as they come.
  EXPECT_EQ(listener.periods.size(), 5U);
  EXPECT_LT(receiver.clear[video], 500U);
  expect_received(video);
  expect_clean();
}

TEST_F(HeadEndStreams, CountPeriodsThrough65535) {
  settings.services[0].period = milliseconds(100);
  TestMultiplex multiplex({.bit_rate = 50'000});
  start();
  while (listener.periods.size() < 65'600) {
    Bytes one = multiplex.packets(2);
    const auto out = head_end->process(one);
    ASSERT_OK(out);
    if (listener.periods.size() < 10 || listener.periods.size() > 65'500) receiver.push(*out);
    ASSERT_LT(multiplex.time_of(head_end->status().packets), 7000 * mpegts::clock_hz) << "periods do not change";
  }
  EXPECT_EQ(listener.periods[65'535].cp_number, 65'535);
  EXPECT_EQ(listener.periods[65'536].cp_number, 0);
  EXPECT_EQ(receiver.undecodable, 0U);
}

// ----------------------------------------------------------------------------------------------------------------- Memory

TEST_F(HeadEndStreams, PassWithoutAskingForMemory) {
  settings.services[0].period = std::chrono::seconds(60);
  TestMultiplex multiplex({});
  send(multiplex.seconds(2));
  std::size_t without = 0;
  for (int turn = 0; turn < 1000; ++turn) {
    Bytes run = multiplex.packets(50);
    bool has_tables = false;
    each(run, [&](mpegts::MutablePacketView packet, std::size_t) {
      const Pid pid = mpegts::pid_of(packet);
      has_tables = has_tables || pid == mpegts::pat_pid || pid == mpegts::sdt_pid || pid == TestMultiplex::map_pid(0);
    });
    const auto sent = [&] { return head_end->status().groups[0].streams[0].sent; };
    const auto count = sent();
    const std::size_t before = cas::test::allocation_count();
    const auto out = head_end->process(run);
    const std::size_t asked = cas::test::allocation_count() - before;
    ASSERT_OK(out);
    if (has_tables || sent() != count) continue;
    EXPECT_EQ(asked, 0U);
    ++without;
  }
  EXPECT_GT(without, 500U);
}

}  // namespace
}  // namespace cas::simulcrypt::test
