// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a head-end keeps out of the stream, and out of the way of what others have in it.
#include "mpegts/ca_descriptor.hpp"
#include "mpegts/section_packetiser.hpp"
#include "simulcrypt/head_end.hpp"
#include "tests/unit/simulcrypt/head_end_fixture.hpp"

namespace cas::simulcrypt::test {
namespace {

using std::chrono::milliseconds;

constexpr Pid video = 0x101, audio = 0x102, first_free = 0x1f00;

class HeadEndLimits : public HeadEndTest {
 protected:
  /// The stream with its packets of one PID on another one.
  static Bytes moved(Bytes stream, Pid from, Pid to) {
    for (std::size_t at = 0; at < stream.size(); at += mpegts::packet_size) {
      const mpegts::MutablePacketView packet(stream.data() + at, mpegts::packet_size);
      if (mpegts::pid_of(packet) == from) mpegts::set_pid(packet, to);
    }
    return stream;
  }
  /// A program map of the first service with CA descriptors of another system.
  static Bytes map_with_ca_pid(Pid ca_pid) {
    mpegts::ProgramMap map;
    map.program_number = TestMultiplex::first_service;
    map.version = 9;
    map.pcr_pid = video;
    map.streams.push_back({0x1b, 0b111, video, 0b1111, {}});
    map.streams.push_back({0x0f, 0b111, audio, 0b1111, {}});
    EXPECT_OK((
        mpegts::CaDescriptor{.ca_system_id = 0x0500, .ca_pid = ca_pid, .private_data = {}}.append_to(map.descriptors)));
    Bytes packets;
    mpegts::SectionPacketiser packetiser(TestMultiplex::map_pid(0));
    EXPECT_OK(packetiser.packetise(cas::test::value_or_throw(map.encode()), packets));
    return packets;
  }
};

TEST_F(HeadEndLimits, PacketsOnThePidOfEcmsAreLeftOut) {
  settings.services[0].systems[0].ecm_pid = Pid{0x700};
  TestMultiplex multiplex({.null_per_mille = 120});
  // Somebody upstream has something there, which a receiver would take for ECMs.
  Bytes stream = multiplex.seconds(2);
  send(moved(std::move(stream), audio, 0x700));
  finish();
  EXPECT_GT(head_end->status().pid_conflicts, 100U);
  EXPECT_EQ(receiver.ecm_pids, std::set<Pid>{0x700});
  EXPECT_EQ(receiver.continuity_errors, 0U) << "there is something else on the PID of the ECMs";
  EXPECT_EQ(listener.problems.size(), 1U);
  expect_received(video);
}

TEST_F(HeadEndLimits, EcmsKeepAwayFromThePidsOfOtherCaSystems) {
  settings.services[0].systems[0].ecm_pid.reset();
  TestMultiplex multiplex({});
  Bytes stream = multiplex.packets(2);  // PAT and SDT
  append(stream, map_with_ca_pid(first_free));
  send(std::move(stream));
  send(multiplex.seconds(1));
  ASSERT_EQ(head_end->status().groups.size(), 1U);
  EXPECT_NE(head_end->status().groups[0].streams[0].pid, first_free);
}

TEST_F(HeadEndLimits, EcmsKeepAwayFromThePidsThatOthersAreGiven) {
  // The second service's and that of a stream of EMMs, of which nothing has come yet.
  settings.services[0].id = TestMultiplex::first_service;
  ServiceSettings later = settings.services[0];
  later.id = 999;
  later.systems[0].ecm_pid = first_free;
  settings.services.push_back(later);
  settings.data_pids = {{0x4a010001, 1, first_free + 1}};
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  ASSERT_EQ(head_end->status().groups.size(), 1U);
  EXPECT_EQ(head_end->status().groups[0].streams[0].pid, first_free + 2);
}

TEST_F(HeadEndLimits, NoTwoStreamsOfAnEcmgHaveOneEcmId) {
  settings.services[0].id = TestMultiplex::first_service;
  settings.services[0].systems[0].ecm_id = 2;
  ServiceSettings second = settings.services[0];
  second.id = TestMultiplex::first_service + 1;
  second.systems[0].ecm_id.reset();  // By count it would be 2.
  settings.services.push_back(second);
  TestMultiplex multiplex({.services = 2});
  send(multiplex.seconds(1));
  ASSERT_EQ(first->ecm_ids.size(), 2U);
  EXPECT_EQ(first->ecm_ids[1], 2U);
  EXPECT_NE(first->ecm_ids[2], 2U);
}

TEST_F(HeadEndLimits, AProgramMapThatIsDamagedDoesNotGoOut) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  Bytes damaged = map_with_ca_pid(0x500);
  damaged[20] ^= 1;
  const auto before = receiver.tables.damaged_sections();
  send(std::move(damaged));
  send(multiplex.seconds(0.5));
  finish();
  EXPECT_EQ(receiver.tables.damaged_sections(), before);
  EXPECT_GT(head_end->status().damaged_sections, 0U);
}

TEST_F(HeadEndLimits, DataOfMoreStreamsThanCanBeAreRefused) {
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  const Bytes emm = cas::test::hex("827005 0102030405");
  for (std::uint32_t client = 0; client < 256; ++client) head_end->push_data(client << 16, 1, 0, 0, emm);
  EXPECT_EQ(head_end->status().data_packets, 256U);
  EXPECT_EQ(head_end->status().data_refused, 0U);
  for (std::uint32_t client = 256; client < 260; ++client) head_end->push_data(client << 16, 1, 0, 0, emm);
  EXPECT_EQ(head_end->status().data_packets, 256U);
  EXPECT_EQ(head_end->status().data_refused, 4U);
  EXPECT_EQ(listener.problems.size(), 1U);
  head_end->push_data(0, 1, 0, 0, emm);  // Those that there are go on.
  EXPECT_EQ(head_end->status().data_packets, 257U);
}

TEST_F(HeadEndLimits, WhatIsForGoodIsNotTakenWhileAStreamPasses) {
  settings.bit_rate = 12'000'000;
  TestMultiplex multiplex({});
  send(multiplex.seconds(1));
  const auto refused = [&](auto change) {
    HeadEndSettings changed = settings;
    change(changed);
    EXPECT_FAILS(head_end->apply(changed), ErrorKind::invalid_argument);
  };
  refused([](auto& changed) { changed.cipher = mpegts::TsCipher::aes_128_cbc; });
  refused([](auto& changed) { changed.cipher_options.iv[0] ^= 1; });
  refused([](auto& changed) { changed.csa2_checksum = false; });
  refused([](auto& changed) { changed.bit_rate = 11'000'000; });
  refused([](auto& changed) { changed.services[0].systems[0].ecm_pid = Pid{5}; });
  EXPECT_OK(head_end->apply(settings));
  send(multiplex.seconds(1));
  finish();
  EXPECT_EQ(first->log, (std::vector<std::string>{"open 1"}));
  expect_received(video);
}

}  // namespace
}  // namespace cas::simulcrypt::test
