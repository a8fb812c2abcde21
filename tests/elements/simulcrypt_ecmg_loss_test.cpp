// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two ECMGs on one service, over TCP, which are killed and started again at any moment of the stream. The number of
// losses for each policy: $CAS_ECMG_LOSSES, or 10.
#include <cstdlib>
#include <fstream>
#include <set>

#include "simulcrypt_element_test.hpp"
#include "support/seeded_random.hpp"

namespace cas::test {
namespace {

struct Policy {
  const char* name;
  const char* service;      ///< In the service's table.
  const char* without_ecm;  ///< Of each CA system.
  bool loses_periods;       ///< Receivers may see nothing of a period whose ECM was told to be missing.
  bool goes_clear;
};

class EcmgLoss : public ::testing::TestWithParam<Policy> {
 protected:
  static constexpr mpegts::Pid video = 0x101;
  static constexpr std::uint16_t other_ca_system_id = 0x4b01;

  EcmgLoss() {
    const auto ecmg = [](const char* name, const PlainEcmgServer& server) {
      return std::string("[[ecmg]]\nname = '") + name + "'\nsuper_cas_id = " + std::to_string(server.super_cas_id()) +
             "\naddresses = ['" + server.address() + "']\n";
    };
    const std::string without = std::string("without_ecm = '") + GetParam().without_ecm + "'\n";
    const auto file = folder_.path() / "head-end.toml";
    std::ofstream(file) << "cipher = 'cissa'\n"
                        << ecmg("0", servers_[0]) << ecmg("1", servers_[1]) << "[[service]]\ncrypto_period = '500ms'\n"
                        << GetParam().service << "[[service.system]]\necmg = '0'\n"
                        << without << "[[service.system]]\necmg = '1'\n"
                        << without;
    inserter_ = std::make_unique<InserterHarness>(PropertyList{{"config", file.string()}, {"ecm-wait", "100"}});
    play_until_connected(0);
    play_until_connected(1);
  }

  void play(double seconds) {
    const Bytes stream = multiplex_.seconds(seconds);
    append(sent_, stream);
    ASSERT_EQ(inserter_->push_in_pieces(stream, 7 * mpegts::packet_size), GST_FLOW_OK);
    const Bytes out = inserter_->output();
    for (TestReceiver& receiver : receivers_) receiver.push(out);
    take_messages();
  }
  void take_messages() {
    while (GstMessage* message = gst_bus_pop_filtered(inserter_->bus(), GST_MESSAGE_ELEMENT)) {
      note(gst_message_get_structure(message));
      gst_message_unref(message);
    }
  }
  void note(const GstStructure* said) {
    if (gst_structure_has_name(said, "simulcrypt-period")) {
      begins_[uint64_of(said, "packet")] = static_cast<int>(uint_of(said, "cp-number"));
    } else if (gst_structure_has_name(said, "simulcrypt-clear")) {
      begins_[uint64_of(said, "packet")] = clear;
    } else if (gst_structure_has_name(said, "simulcrypt-ecm-missing")) {
      missing_[text_of(said, "ecmg") == "1" ? 1 : 0].insert(static_cast<int>(uint_of(said, "cp-number")));
    } else if (gst_structure_has_name(said, "simulcrypt-ecmg") && text_of(said, "state") == "connected") {
      connected_.insert(text_of(said, "ecmg"));
    }
  }
  /// Waits until an ECMG is reached again.
  void play_until_connected(std::size_t which) {
    const std::string name = std::to_string(which);
    if (connected_.contains(name)) return;
    const auto message =
        InserterHarness::wait_for_message(inserter_->bus(), "simulcrypt-ecmg", [&](const GstStructure* said) {
          note(said);
          return text_of(said, "ecmg") == name && text_of(said, "state") == "connected";
        });
    ASSERT_TRUE(message);
  }

  /// What one receiver has, packet by packet, against what was sent and what the policy lets be lost.
  void compare(std::size_t which) {
    TestReceiver& receiver = receivers_[which];
    EXPECT_EQ(receiver.continuity_errors, 0U);
    EXPECT_LT(receiver.clock_error(video).first, 3);
    std::size_t at = 0;
    std::uint64_t number = 0, lost = 0;
    const Bytes& received = receiver.payloads[video];
    for (ByteView rest = sent_; !rest.empty(); rest = rest.subspan(mpegts::packet_size), ++number) {
      const mpegts::PacketView packet(rest.data(), mpegts::packet_size);
      if (mpegts::pid_of(packet) != video) continue;
      const ByteView payload = mpegts::payload_of(packet);
      ASSERT_LE(at + payload.size(), received.size());
      const bool same = std::ranges::equal(payload, ByteView(received).subspan(at, payload.size()));
      at += payload.size();
      if (same) continue;
      ++lost;
      auto period = begins_.upper_bound(number);
      ASSERT_NE(period, begins_.begin()) << "packet " << number << " is before the first period";
      --period;
      EXPECT_TRUE(GetParam().loses_periods && missing_[which].contains(period->second))
          << "packet " << number << " of crypto-period " << period->second << " is lost for CA system " << which;
    }
    EXPECT_EQ(at, received.size());
    EXPECT_TRUE(GetParam().loses_periods || receiver.undecodable == 0);
    RecordProperty("lost" + std::to_string(which), std::to_string(lost));
  }
  /// Packets of the service that may be clear: before the first period, and where the bus says so.
  std::uint64_t clear_packets() {
    std::uint64_t number = 0, count = 0;
    for (ByteView rest = sent_; !rest.empty(); rest = rest.subspan(mpegts::packet_size), ++number) {
      if (mpegts::pid_of(mpegts::PacketView(rest.data(), mpegts::packet_size)) != video) continue;
      const auto period = begins_.upper_bound(number);
      if (period == begins_.begin() || std::prev(period)->second == clear) ++count;
    }
    return count;
  }

  static constexpr int clear = -1;
  PlainEcmgServer servers_[2] = {PlainEcmgServer(0x4a010001), PlainEcmgServer(0x4b010001)};
  TemporaryFolder folder_;
  TestMultiplex multiplex_{{.bit_rate = 1'000'000, .null_per_mille = 120}};
  TestReceiver receivers_[2] = {TestReceiver(mpegts::TsCipher::cissa, plain_ca_system_id),
                                TestReceiver(mpegts::TsCipher::cissa, other_ca_system_id)};
  std::unique_ptr<InserterHarness> inserter_;
  Bytes sent_;
  std::map<std::uint64_t, int> begins_;  ///< By packet: the crypto-period, or `clear`.
  std::set<int> missing_[2];
  std::set<std::string> connected_;
};

TEST_P(EcmgLoss, CostsNoMoreThanThePolicySays) {
  const char* wanted = std::getenv("CAS_ECMG_LOSSES");
  const int losses = wanted == nullptr ? 10 : std::atoi(wanted);
  SeededRandom moments(17);
  play(2);
  ASSERT_FALSE(begins_.empty());
  for (int loss = 0; loss < losses; ++loss) {
    play(0.05 + static_cast<double>(moments.below(1000)) / 1000);
    const std::size_t victim = moments.below(2);
    connected_.erase(std::to_string(victim));
    servers_[victim].kill();
    play(static_cast<double>(moments.below(1500)) / 1000);
    servers_[victim].start();
    play(static_cast<double>(moments.below(300)) / 1000);
    // In between, more is lost while connections are not back yet, whose tries come more and more seldom.
    if (loss % 4 != 1) continue;
    play_until_connected(0);
    play_until_connected(1);
    play(1);
  }
  play(3);
  ASSERT_TRUE(inserter_->end());
  const Bytes rest = inserter_->output();
  for (TestReceiver& receiver : receivers_) receiver.push(rest);
  take_messages();
  EXPECT_GT(begins_.size(), static_cast<std::size_t>(losses));
  EXPECT_EQ(receivers_[0].clear[video], clear_packets());
  for (const auto& [packet, period] : begins_)
    EXPECT_TRUE(period != clear || GetParam().goes_clear) << "at packet " << packet;
  compare(0);
  compare(1);
}

INSTANTIATE_TEST_SUITE_P(Policies, EcmgLoss,
                         ::testing::Values(Policy{"hold", "policy = 'all'\n", "hold", false, false},
                                           Policy{"go_on", "policy = 'all'\n", "go-on", true, false},
                                           Policy{"any", "policy = 'any'\n", "hold", true, false},
                                           Policy{"clear", "policy = 'clear'\n", "hold", false, true}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace cas::test
