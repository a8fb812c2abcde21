// SPDX-License-Identifier: LGPL-2.1-or-later
//
// EMMs that generators send to simulcrypt-ecm-inserter over TCP and UDP.
#include "blocking_emmg.hpp"
#include "mpegts/ca_descriptor.hpp"
#include "simulcrypt_element_test.hpp"

namespace cas::test {
namespace {

class InserterData : public ::testing::Test {
 protected:
  InserterData() : inserter_(with(usual_properties(ecmg_), {{"emm-listen", "127.0.0.1:0"}, {"emm-bandwidth", "100"}})) {
    port_ = static_cast<std::uint16_t>(uint_of(inserter_.stats().get(), "emm-port"));
  }
  void play(double seconds) {
    ASSERT_EQ(inserter_.push(multiplex_.seconds(seconds)), GST_FLOW_OK);
    receiver_.push(inserter_.output());
  }
  /// Plays until so many packets of EMMs have come in.
  void play_until_taken(guint64 packets) {
    for (int turn = 0; turn < 2000; ++turn) {
      play(0.05);
      if (uint64_of(inserter_.stats().get(), "data-packets") >= packets) return;
      std::this_thread::yield();
    }
    ADD_FAILURE() << "EMMs do not come in";
  }
  [[nodiscard]] std::optional<mpegts::Pid> emm_pid(std::uint16_t ca_system_id) const {
    const auto* cat = receiver_.tables.conditional_access();
    if (cat == nullptr) return std::nullopt;
    for (const auto& system : mpegts::find_ca_descriptors(cat->descriptors))
      if (system.ca_system_id == ca_system_id) return system.ca_pid;
    return std::nullopt;
  }

  PlainEcmgServer ecmg_;
  InserterHarness inserter_;
  std::uint16_t port_ = 0;
  TestMultiplex multiplex_{{.bit_rate = 2'000'000}};
  TestReceiver receiver_{mpegts::TsCipher::cissa, plain_ca_system_id};
  const Bytes emm_ = test::hex("827005 0102030405");
};

TEST_F(InserterData, OverTcpGoOutOnThePidThatTheCatNames) {
  EXPECT_EQ(text_of(inserter_.wait_for("simulcrypt-data").get(), "state"), "listening");
  BlockingEmmg emmg(port_, 0x4a010007);
  EXPECT_EQ(text_of(inserter_.wait_for("simulcrypt-data").get(), "state"), "connected");
  emmg.open_stream(3);
  const auto opened = inserter_.wait_for("simulcrypt-data");
  EXPECT_EQ(text_of(opened.get(), "state"), "opened");
  EXPECT_EQ(text_of(opened.get(), "who"), "client 0x4a010007, data 3");
  play(1);
  for (int number = 0; number < 5; ++number) emmg.send(3, emm_);
  play_until_taken(5);
  play(1);
  const auto pid = emm_pid(0x4a01);
  ASSERT_TRUE(pid);
  EXPECT_EQ(receiver_.clear[*pid], 5U);
  EXPECT_TRUE(std::ranges::equal(ByteView(receiver_.payloads[*pid]).subspan(1, emm_.size()), emm_));
  EXPECT_EQ(receiver_.continuity_errors, 0U);
  EXPECT_EQ(receiver_.tables.damaged_sections(), 0U);
}

TEST_F(InserterData, OverUdpGoOutToo) {
  send_by_udp(port_, {0x4b010001, std::nullopt, std::nullopt, 9}, emm_);
  play_until_taken(1);
  play(1);
  const auto pid = emm_pid(0x4b01);
  ASSERT_TRUE(pid);
  EXPECT_EQ(receiver_.clear[*pid], 1U);
}

TEST_F(InserterData, HaveTheBandwidthThatIsGrantedAndNoMore) {
  BlockingEmmg emmg(port_, 0x4a010007);
  emmg.open_stream(3);
  emmg.ask_for_bandwidth(3, 400);
  EXPECT_EQ(emmg.allocated, 100);
  // A flood: most of it is refused.
  Bytes big(1000, 0x33);
  big[0] = 0x82;
  big[1] = 0x70 | (997 >> 8);
  big[2] = 997 & 0xff;
  for (int number = 0; number < 200; ++number) emmg.send(3, big);
  emmg.wait_until([&] { return !emmg.errors.empty(); });
  EXPECT_EQ(emmg.errors.front(), 0x000f);
  // While it plays, there may be more.
  set_property(inserter_.element(), "emm-bandwidth", "300");
  play(0.1);
  emmg.ask_for_bandwidth(3, 400);
  EXPECT_EQ(emmg.allocated, 300);
}

}  // namespace
}  // namespace cas::test
