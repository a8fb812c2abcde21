// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/service_descrambler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "mpegts/ca_descriptor.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/test_multiplex.hpp"

namespace cas::mpegts {
namespace {

using Kind = ServiceDescrambler::Section::Kind;
using test::TestMultiplex;
using test::value_or_throw;

constexpr std::uint16_t our_system = 0x4ae1, other_system = 0x0b00;
constexpr Pid first_ecm_pid = 0x1e0, emm_pid = 0x1f0;

/// A word of a crypto-period of a service.
SecretBytes word_of(std::size_t service, std::uint64_t period, std::size_t size) {
  test::SeededRandom random(static_cast<std::uint32_t>(service * 1000 + period));
  return value_or_throw(random_secret(random, size));
}

/// What a head-end makes of a TestMultiplex: services scrambled, each with ECMs of its own in the place of null packets,
/// maps and CAT that tell of it. An ECM is clear: section header, then the period (4) of the word that comes next.
class HeadEnd {
 public:
  struct Settings {
    TsCipher cipher = TsCipher::cissa;
    std::optional<ScramblingMode> mode = ScramblingMode::cissa_1;
    std::size_t services = 1;
    std::size_t packets_of_period = 400;
    std::uint16_t system = our_system;
    bool component_level = false;  ///< Whose CA descriptors are of each component, not of the program.
    std::size_t filler = 0;        ///< Bytes of other descriptors in a map, for maps of several packets.
  };
  explicit HeadEnd(const Settings& of) : settings(of), multiplex_({.services = of.services, .null_per_mille = 200}) {
    for (std::size_t service = 0; service < of.services; ++service) {
      scramblers_.push_back(value_or_throw(TsScrambler::create(of.cipher)));
      ecm_packetisers_.emplace_back(ecm_pid(service));
    }
    set_maps();
  }
  [[nodiscard]] static Pid ecm_pid(std::size_t service) { return static_cast<Pid>(first_ecm_pid + service); }

  /// The next packets in clear, and as they are sent.
  struct Stream {
    Bytes clear, sent;
  };
  Stream packets(std::size_t count) {
    Stream out{multiplex_.packets(count), {}};
    out.sent = out.clear;
    for (std::size_t at = 0; at < out.sent.size(); at += packet_size)
      send(MutablePacketView(out.sent.data() + at, packet_size));
    return out;
  }
  void set_maps() {
    tables_.clear();
    ++version_;
    for (std::size_t service = 0; service < settings.services; ++service)
      tables_.push_back(
          std::make_unique<InPlaceTable>(TestMultiplex::map_pid(service), [this, service](ByteView section) {
            ProgramMap map = value_or_throw(ProgramMap::parse(section));
            signal(map, service);
            map_ = value_or_throw(map.encode());
            return std::vector<ByteView>{map_};
          }));
  }

  Settings settings;
  std::uint64_t sent = 0;
  bool sends_ecms = true;

 private:
  void signal(ProgramMap& map, std::size_t service) {
    map.version = static_cast<std::uint8_t>(version_ & 0x1f);
    Bytes systems;
    EXPECT_OK((CaDescriptor{other_system, 0b111, 0x1d0, {}}.append_to(systems)));
    EXPECT_OK((CaDescriptor{settings.system, 0b111, ecm_pid(service), {}}.append_to(systems)));
    for (std::size_t filler = settings.filler; filler > 0; filler -= std::min<std::size_t>(filler, 200))
      EXPECT_OK(append_descriptor(map.descriptors, 0x80, Bytes(std::min<std::size_t>(filler, 200), 0x55)));
    if (settings.mode) map.descriptors = value_or_throw(with_scrambling_mode(map.descriptors, *settings.mode));
    if (!settings.component_level) append(map.descriptors, systems);
    for (auto& stream : map.streams)
      if (settings.component_level) append(stream.descriptors, systems);
  }
  void send(MutablePacketView packet) {
    const std::uint64_t period = sent++ / settings.packets_of_period;
    const Pid pid = pid_of(packet);
    for (std::size_t service = 0; service < settings.services; ++service) {
      if (pid == TestMultiplex::map_pid(service)) return tables_[service]->rewrite(packet);
      if (pid != TestMultiplex::video_pid(service) && pid != TestMultiplex::audio_pid(service)) continue;
      const Parity parity = period % 2 == 0 ? Parity::even : Parity::odd;
      if (const auto last = period_of_word_.find(service); last == period_of_word_.end() || last->second != period) {
        EXPECT_OK(scramblers_[service].set_word(parity, word_of(service, period, scramblers_[service].word_size())));
        period_of_word_[service] = period;
      }
      std::uint8_t* const at = packet.data();
      EXPECT_OK(scramblers_[service].scramble({&at, 1}, parity));
      return;
    }
    if (pid != null_pid || !sends_ecms) return;
    // ECMs of all services in turn; each tells this period's word or, in the second half, the next one's.
    const std::size_t service = turn_++ % (settings.services + 1);
    if (service == settings.services) return send_cat_or_emm(packet);
    const std::uint64_t told = (sent + settings.packets_of_period / 2) / settings.packets_of_period;
    const Bytes ecm{static_cast<std::uint8_t>(0x80 | (told & 1)),
                    0x70,
                    4,
                    static_cast<std::uint8_t>(told >> 24),
                    static_cast<std::uint8_t>(told >> 16),
                    static_cast<std::uint8_t>(told >> 8),
                    static_cast<std::uint8_t>(told)};
    put(packet, ecm_packetisers_[service], ecm);
  }
  void send_cat_or_emm(MutablePacketView packet) {
    if (cats_and_emms_++ % 2 == 0) return put(packet, emm_packetiser_, Bytes{0x82, 0x70, 2, 0x12, 0x34});
    ConditionalAccessTable cat;
    EXPECT_OK((CaDescriptor{settings.system, 0b111, emm_pid, {}}.append_to(cat.descriptors)));
    put(packet, cat_packetiser_, value_or_throw(cat.encode())[0]);
  }
  static void put(MutablePacketView packet, SectionPacketiser& packetiser, const Bytes& section) {
    Bytes packets;
    EXPECT_OK(packetiser.packetise(section, packets));
    ASSERT_EQ(packets.size(), packet_size);
    std::ranges::copy(packets, packet.begin());
  }

  TestMultiplex multiplex_;
  std::vector<TsScrambler> scramblers_;
  std::vector<SectionPacketiser> ecm_packetisers_;
  SectionPacketiser emm_packetiser_{emm_pid}, cat_packetiser_{cat_pid};
  std::vector<std::unique_ptr<InPlaceTable>> tables_;
  Bytes map_;
  std::uint8_t version_ = 0;
  std::size_t turn_ = 0, cats_and_emms_ = 0;
  std::map<std::size_t, std::uint64_t> period_of_word_;  ///< By service.
};

class ServiceDescramblerTest : public testing::Test {
 protected:
  /// A CA client that opens each ECM at once: the word is there before the next run.
  void answer(ServiceDescrambler& descrambler, std::size_t word_size = 16) {
    for (const auto& section : descrambler.sections()) {
      if (section.kind != Kind::ecm) continue;
      EXPECT_EQ(section.ca_system_id, our_system);
      const std::uint64_t period = static_cast<std::uint64_t>(section.section[3]) << 24 | section.section[4] << 16 |
                                   section.section[5] << 8 | section.section[6];
      EXPECT_OK(descrambler.set_word(section.pid, period % 2 == 0 ? Parity::even : Parity::odd,
                                     word_of(section.pid - first_ecm_pid, period, word_size)));
    }
  }
  Bytes descrambled(ServiceDescrambler& descrambler, Bytes sent, std::size_t word_size = 16,
                    std::size_t packets_of_run = 7) {
    Bytes out;
    for (std::size_t at = 0; at < sent.size(); at += packets_of_run * packet_size) {
      const MutableByteView run =
          MutableByteView(sent).subspan(at).first(std::min(packets_of_run * packet_size, sent.size() - at));
      const std::size_t size = value_or_throw(descrambler.push(run));
      append(out, run.first(size));
      answer(descrambler, word_size);
    }
    return out;
  }
  /// Packets of components and how many of them are not what they were, from a place on.
  struct Difference {
    std::size_t packets = 0, different = 0, scrambled = 0;
  };
  static Difference difference(ByteView clear, ByteView out, std::size_t from = 0, std::size_t services = 1) {
    Difference found;
    EXPECT_EQ(clear.size(), out.size());
    for (std::size_t at = from * packet_size; at < std::min(clear.size(), out.size()); at += packet_size) {
      const PacketView was(clear.data() + at, packet_size), is(out.data() + at, packet_size);
      bool component = false;
      for (std::size_t service = 0; service < services; ++service)
        component = component || pid_of(was) == TestMultiplex::video_pid(service) ||
                    pid_of(was) == TestMultiplex::audio_pid(service);
      if (!component) continue;
      ++found.packets;
      found.different += equal(was, is) ? 0 : 1;
      found.scrambled += scrambling_control(is) == ScramblingControl::clear ? 0 : 1;
    }
    return found;
  }
};

TEST_F(ServiceDescramblerTest, GivesTheStreamBackPacketByPacket) {
  for (const auto cipher : {TsCipher::cissa, TsCipher::csa2}) {
    if (!TsDescrambler::create(cipher)) continue;  // a build without CSA2
    const bool csa = cipher == TsCipher::csa2;
    HeadEnd head_end({.cipher = cipher, .mode = csa ? ScramblingMode::csa2 : ScramblingMode::cissa_1, .services = 3});
    ServiceDescrambler descrambler({});
    descrambler.use_ca_systems({our_system});
    const auto start = head_end.packets(800);
    descrambled(descrambler, start.sent, csa ? 8 : 16);
    for (const std::size_t packets_of_run : {1, 7, 64}) {
      const auto stream = head_end.packets(1200);
      const Bytes out = descrambled(descrambler, stream.sent, csa ? 8 : 16, packets_of_run);
      const Difference found = difference(stream.clear, out, 0, 3);
      EXPECT_GT(found.packets, 700U);
      EXPECT_EQ(found.different, 0U) << packets_of_run;
    }
    EXPECT_GT(descrambler.counts().repeated_ecms, descrambler.counts().ecms * 5);
    EXPECT_GT(descrambler.counts().emms, 10U);
  }
}

TEST_F(ServiceDescramblerTest, WhatWasScrambledSaysSoNoMore) {
  HeadEnd head_end({.services = 2});
  ServiceDescrambler descrambler({});
  descrambler.use_ca_systems({our_system});
  StreamTables tables;
  for (int i = 0; i < 10; ++i) {
    const Bytes out = descrambled(descrambler, head_end.packets(400).sent);
    for (std::size_t at = 0; at < out.size(); at += packet_size)
      static_cast<void>(tables.push(PacketView(out.data() + at, packet_size)));
  }
  for (std::uint16_t program = 101; program <= 102; ++program) {
    const ProgramMap* map = tables.program_map(program);
    ASSERT_NE(map, nullptr);
    EXPECT_TRUE(map->descriptors.empty());
    EXPECT_EQ(map->streams.size(), 2U);
  }
  EXPECT_EQ(tables.damaged_sections(), 0U);
  ASSERT_EQ(descrambler.services().size(), 2U);
  const ServiceDescrambler::Service first{101, {first_ecm_pid}, ScramblingMode::cissa_1, true};
  EXPECT_EQ(descrambler.services()[0], first);
}

TEST_F(ServiceDescramblerTest, LeavesAloneWhatItIsNotFor) {
  HeadEnd head_end({.services = 2});
  const auto stream = head_end.packets(4000);
  ServiceDescrambler none({});
  EXPECT_EQ(descrambled(none, stream.sent), stream.sent) << "without a CA system";
  ServiceDescrambler other({});
  other.use_ca_systems({0x1234});
  EXPECT_EQ(descrambled(other, stream.sent), stream.sent);
  ServiceDescrambler one({.programs = {102}});
  one.use_ca_systems({our_system});
  const Bytes out = descrambled(one, stream.sent);
  std::set<Pid> scrambled, clear;
  for (std::size_t at = out.size() / 2 / packet_size * packet_size; at < out.size(); at += packet_size) {
    const PacketView packet(out.data() + at, packet_size);
    (scrambling_control(packet) == ScramblingControl::clear ? clear : scrambled).insert(pid_of(packet));
    if (pid_of(packet) == TestMultiplex::map_pid(0)) {
      EXPECT_TRUE(equal(packet, ByteView(stream.sent).subspan(at, packet_size)));
    }
  }
  EXPECT_EQ(scrambled, (std::set<Pid>{TestMultiplex::video_pid(0), TestMultiplex::audio_pid(0)}));
  EXPECT_TRUE(clear.contains(TestMultiplex::video_pid(1)));
}

TEST_F(ServiceDescramblerTest, WithoutAWordPacketsGoThroughOrAreDropped) {
  HeadEnd head_end({});
  const auto stream = head_end.packets(2000);
  ServiceDescrambler pass({});
  pass.use_ca_systems({our_system});
  Bytes run = stream.sent;
  EXPECT_EQ(value_or_throw(pass.push(run)), run.size());
  const Difference found = difference(stream.clear, run);
  EXPECT_EQ(found.scrambled, found.packets);
  EXPECT_GT(pass.counts().without_word, found.packets - 50);

  std::size_t dropped = 0;
  HeadEnd again({});
  const auto anew = again.packets(2000);
  Bytes expected, out;
  ServiceDescrambler dropping({.without_word = ServiceDescrambler::WithoutWord::drop});
  dropping.use_ca_systems({our_system});
  out = anew.sent;
  out.resize(value_or_throw(dropping.push(out)));
  bool mapped = false;
  for (std::size_t at = 0; at < anew.sent.size(); at += packet_size) {
    const PacketView packet(anew.sent.data() + at, packet_size);
    mapped = mapped || pid_of(packet) == TestMultiplex::map_pid(0);
    if (mapped && scrambling_control(packet) != ScramblingControl::clear) {
      ++dropped;
      continue;
    }
    if (pid_of(packet) != TestMultiplex::map_pid(0)) append(expected, packet);
  }
  EXPECT_EQ(dropping.counts().without_word, dropped);
  Bytes without_maps;
  for (std::size_t at = 0; at < out.size(); at += packet_size)
    if (pid_of(PacketView(out.data() + at, packet_size)) != TestMultiplex::map_pid(0))
      append(without_maps, ByteView(out).subspan(at, packet_size));
  EXPECT_EQ(without_maps, expected);
}

TEST_F(ServiceDescramblerTest, AChangeOfTheMapCostsNoPacket) {
  HeadEnd head_end({.services = 2});
  ServiceDescrambler descrambler({});
  descrambler.use_ca_systems({our_system});
  descrambled(descrambler, head_end.packets(800).sent);
  const std::uint64_t version = descrambler.services_version();
  for (int change = 0; change < 6; ++change) {
    // From descriptors of the program to those of components and back, and maps of several packets.
    head_end.settings.component_level = change % 2 == 0;
    head_end.settings.filler = change % 3 == 2 ? 400 : 0;
    head_end.set_maps();
    const auto stream = head_end.packets(3000);
    const Bytes out = descrambled(descrambler, stream.sent);
    EXPECT_EQ(difference(stream.clear, out, 0, 2).different, 0U) << change;
  }
  EXPECT_EQ(descrambler.services_version(), version) << "the services are what they were";
}

TEST_F(ServiceDescramblerTest, AnotherCipherNeedsOtherWords) {
  HeadEnd head_end({});
  ServiceDescrambler descrambler({});
  descrambler.use_ca_systems({our_system});
  descrambled(descrambler, head_end.packets(1200).sent);
  EXPECT_FAILS(descrambler.set_word(first_ecm_pid, Parity::even, SecretBytes(8)), ErrorKind::invalid_argument);
  EXPECT_FAILS(descrambler.set_word(first_ecm_pid + 1, Parity::even, SecretBytes(16)), ErrorKind::not_found);
  head_end.settings.mode = ScramblingMode::csa3_standard;
  head_end.set_maps();
  const std::uint64_t version = descrambler.services_version();
  const auto stream = head_end.packets(1000);
  Bytes run = stream.sent;
  static_cast<void>(value_or_throw(descrambler.push(run)));
  EXPECT_FALSE(descrambler.services().at(0).supported);
  EXPECT_NE(descrambler.services_version(), version);
  EXPECT_FAILS(descrambler.set_word(first_ecm_pid, Parity::even, SecretBytes(16)), ErrorKind::unsupported);
  const Difference found = difference(stream.clear, run, 500);
  EXPECT_EQ(found.scrambled, found.packets);
}

TEST_F(ServiceDescramblerTest, AnotherClientStartsWithoutWords) {
  HeadEnd head_end({});
  ServiceDescrambler descrambler({});
  descrambler.use_ca_systems({our_system});
  descrambled(descrambler, head_end.packets(1200).sent);
  const std::uint64_t ecms = descrambler.counts().ecms;
  descrambler.forget_words();
  const auto stream = head_end.packets(400);
  const Bytes out = descrambled(descrambler, stream.sent);
  EXPECT_GT(descrambler.counts().ecms, ecms) << "the ECM is given again";
  EXPECT_GT(difference(stream.clear, out).different, 0U);
  const auto later = head_end.packets(400);
  EXPECT_EQ(difference(later.clear, descrambled(descrambler, later.sent)).different, 0U);
  descrambler.reset();
  EXPECT_TRUE(descrambler.services().empty());
  const auto anew = head_end.packets(2000);
  EXPECT_EQ(difference(anew.clear, descrambled(descrambler, anew.sent), 1000).different, 0U);
}

// Each packet has the word that it is marked with, in whatever order parities come.
TEST_F(ServiceDescramblerTest, AStormOfParitiesCostsNothing) {
  HeadEnd head_end({.packets_of_period = 1'000'000});
  ServiceDescrambler descrambler({});
  descrambler.use_ca_systems({our_system});
  descrambled(descrambler, head_end.packets(400).sent);
  EXPECT_OK(descrambler.set_word(first_ecm_pid, Parity::odd, word_of(0, 1, 16)));
  auto scrambler = value_or_throw(TsScrambler::create(TsCipher::cissa));
  for (const auto parity : {Parity::even, Parity::odd})
    EXPECT_OK(scrambler.set_word(parity, word_of(0, parity == Parity::odd ? 1 : 0, 16)));
  TestMultiplex multiplex({});
  const Bytes clear = multiplex.packets(2000);
  Bytes sent = clear;
  std::size_t turn = 0;
  for (std::size_t at = 0; at < sent.size(); at += packet_size) {
    std::uint8_t* const packet = sent.data() + at;
    const Pid pid = pid_of(PacketView(packet, packet_size));
    if (pid != TestMultiplex::video_pid(0) && pid != TestMultiplex::audio_pid(0))
      make_null_packet(MutablePacketView(packet, packet_size));
    else
      EXPECT_OK(scrambler.scramble({&packet, 1}, turn++ % 2 == 0 ? Parity::odd : Parity::even));
  }
  static_cast<void>(value_or_throw(descrambler.push(sent)));
  EXPECT_EQ(difference(clear, sent).different, 0U);
}

// A map that says of its own PID that it carries ECMs, or what is scrambled.
TEST_F(ServiceDescramblerTest, APidIsOfOneKind) {
  ServiceDescrambler descrambler({});
  descrambler.use_ca_systems({our_system});
  ProgramAssociation pat;
  pat.entries.push_back({1, 0b111, 0x21});
  ProgramMap map;
  map.program_number = 1;
  for (const auto& [pid, ecm] : {std::pair<Pid, Pid>{0x21, 0x30}, {0x22, 0x21}}) {
    ProgramMap::Stream component{0x1b, 0b111, pid, 0b1111, {}};
    EXPECT_OK((CaDescriptor{our_system, 0b111, ecm, {}}.append_to(component.descriptors)));
    map.streams.push_back(std::move(component));
  }
  Bytes stream;
  SectionPacketiser pat_packets(pat_pid), map_packets(0x21);
  EXPECT_OK(pat_packets.packetise(value_or_throw(pat.encode())[0], stream));
  for (int i = 0; i < 2; ++i) EXPECT_OK(map_packets.packetise(value_or_throw(map.encode()), stream));
  static_cast<void>(value_or_throw(descrambler.push(stream)));
  EXPECT_TRUE(descrambler.sections().empty());
  StreamTables tables;
  for (std::size_t at = 0; at < stream.size(); at += packet_size)
    static_cast<void>(tables.push(PacketView(stream.data() + at, packet_size)));
  ASSERT_NE(tables.program_map(1), nullptr);
  for (const auto& component : tables.program_map(1)->streams) EXPECT_TRUE(component.descriptors.empty());
}

// Maps may say anything.
TEST_F(ServiceDescramblerTest, HostileMapsCostNoTablesAndLittleMemory) {
  ServiceDescrambler descrambler({});
  descrambler.use_ca_systems({our_system});
  ProgramAssociation pat;
  Bytes stream, packets;
  std::vector<SectionPacketiser> packetisers;
  for (std::uint16_t program = 1; program <= 60; ++program)
    pat.entries.push_back({program, 0b111, static_cast<Pid>(0x20 + program)});
  SectionPacketiser pat_packets(pat_pid);
  for (const Bytes& section : value_or_throw(pat.encode())) EXPECT_OK(pat_packets.packetise(section, stream));
  for (std::uint16_t program = 1; program <= 60; ++program) {
    ProgramMap map;
    map.program_number = program;
    for (Pid i = 0; i < 40; ++i) {
      // Components on the PIDs of tables and of ECMs, ECMs on those of components and maps.
      ProgramMap::Stream component{0x1b, 0b111, static_cast<Pid>(i), 0b1111, {}};
      const Pid ecm = i < 4 ? static_cast<Pid>(i * 0x11) : static_cast<Pid>(0x100 + program * 40 + i);
      EXPECT_OK((CaDescriptor{our_system, 0b111, ecm, {}}.append_to(component.descriptors)));
      map.streams.push_back(std::move(component));
    }
    SectionPacketiser map_packets(static_cast<Pid>(0x20 + program));
    EXPECT_OK(map_packets.packetise(value_or_throw(map.encode()), stream));
  }
  const Bytes before = stream;
  static_cast<void>(value_or_throw(descrambler.push(stream)));
  std::set<Pid> pids;
  for (const auto& service : descrambler.services()) pids.insert(service.ecm_pids.begin(), service.ecm_pids.end());
  EXPECT_EQ(pids.size(), ServiceDescrambler::max_ecm_pids);
  EXPECT_TRUE(equal(ByteView(stream).first(packet_size), ByteView(before).first(packet_size))) << "the PAT stays";
  EXPECT_FAILS(descrambler.set_word(pat_pid, Parity::even, SecretBytes(8)), ErrorKind::not_found);
}

}  // namespace
}  // namespace cas::mpegts
