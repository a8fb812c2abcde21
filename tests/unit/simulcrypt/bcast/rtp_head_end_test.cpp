// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/rtp_head_end.hpp"

#include <gtest/gtest.h>

#include "support/plain_ecmg.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::simulcrypt::bcast {
namespace {

using cas::test::value_or_throw;
using std::chrono::milliseconds;

/// A receiver whose key messages tell the TEKs (PlainEcmg), and what the head-end says.
struct Receiver final : RtpHeadEndListener {
  void send_stkm(std::size_t system, ByteView message) override {
    ++stkms[system];
    if (system != listens_to) return;
    auto id = static_cast<std::uint16_t>(message[5] << 8 | message[6]);
    ByteView words = message.subspan(9);
    for (unsigned word = 0; word < message[7]; ++word, ++id, words = words.subspan(message[8]))
      EXPECT_OK(srtp.add_tek({id, SecretBytes::copy_of(words.first(message[8]))}));
  }
  void period_began(std::uint16_t cp_number, std::uint64_t packet, StreamTime) override {
    periods.emplace_back(cp_number, packet);
  }
  void went_clear(std::uint64_t, StreamTime) override { ++clears; }
  void stkm_missing(const std::string&, std::uint16_t, WithoutEcm) override { ++missing; }
  void problem(const std::string& what) override { problems.push_back(what); }

  std::map<std::size_t, int> stkms;
  std::size_t listens_to = 0;
  SrtpUnprotection srtp = value_or_throw(SrtpUnprotection::create({}));
  std::vector<std::pair<std::uint16_t, std::uint64_t>> periods;
  int clears = 0;
  int missing = 0;
  std::vector<std::string> problems;
};

class RtpHeadEndTest : public ::testing::Test {
 protected:
  RtpHeadEndTest() {
    ecmg->section_tspkt_flag = ecmg::binary_messages;
    settings.systems.push_back({"first", 1, ecmg});
    settings.service.period = milliseconds(500);
    settings.service.systems.push_back({.system = "first", .ecm_id = 7});
  }
  /// Packets of 10 ms each; those that came out are opened by the receiver and compared.
  void send(unsigned count) {
    if (!head_end) head_end = value_or_throw(RtpHeadEnd::create(settings, receiver, random));
    for (; count != 0; --count, ++index) {
      const Bytes clear = packet();
      Bytes buffer = clear;
      buffer.resize(clear.size() + head_end->trailer_size());
      const auto size = head_end->protect(buffer, clear.size(), milliseconds(10) * index);
      ASSERT_OK(size);
      if (*size == 0) {
        ++left_out;
        continue;
      }
      buffer.resize(*size);
      if (buffer == clear) {
        ++in_clear;
        continue;
      }
      const SrtpResult opened = receiver.srtp.unprotect(buffer);
      ASSERT_EQ(opened.outcome, SrtpOutcome::done) << "packet " << index;
      EXPECT_TRUE(std::ranges::equal(ByteView(buffer).first(opened.size), clear)) << "packet " << index;
      ++received;
    }
  }
  Bytes packet() const {
    Bytes rtp = {0x80, 33, static_cast<std::uint8_t>(index >> 8), static_cast<std::uint8_t>(index), 0, 0, 0, 0, 1, 2,
                 3,    4};
    rtp.insert(rtp.end(), 100, static_cast<std::uint8_t>(index));
    return rtp;
  }

  std::shared_ptr<cas::test::PlainEcmg> ecmg = std::make_shared<cas::test::PlainEcmg>();
  RtpHeadEndSettings settings;
  Receiver receiver;
  cas::test::SeededRandom random{3};
  std::unique_ptr<RtpHeadEnd> head_end;
  unsigned index = 0, received = 0, in_clear = 0, left_out = 0;
};

TEST_F(RtpHeadEndTest, ProtectsASessionThroughPeriodsAndTheReceiverOpensAllOfIt) {
  send(500);
  EXPECT_LE(in_clear, 3U);
  EXPECT_EQ(received + in_clear, 500U);
  EXPECT_EQ(receiver.periods.size(), 10U);
  EXPECT_GT(receiver.stkms[0], 45);
  EXPECT_EQ(head_end->counts().periods, 10U);
  EXPECT_TRUE(receiver.problems.empty());
}

TEST_F(RtpHeadEndTest, ServesTwoSystemsWithOneTek) {
  auto second = std::make_shared<cas::test::PlainEcmg>();
  second->section_tspkt_flag = ecmg::binary_messages;
  settings.systems.push_back({"second", 2, second});
  settings.service.systems.push_back({.system = "second", .ecm_id = 8});
  receiver.listens_to = 1;
  send(200);
  EXPECT_GT(received, 190U);
  EXPECT_GT(receiver.stkms[0], 10);
}

TEST_F(RtpHeadEndTest, HoldsThePeriodWhileTheEcmgIsDead) {
  send(120);
  ecmg->die();
  const auto periods = receiver.periods.size();
  send(200);
  EXPECT_LE(receiver.periods.size(), periods + 1);
  EXPECT_GE(receiver.missing, 1);
  ecmg->live();
  send(200);
  EXPECT_GT(receiver.periods.size(), periods + 1);
  EXPECT_LE(in_clear, 3U);
}

TEST_F(RtpHeadEndTest, WithholdsAndEndsWhenItIsToldTo) {
  settings.before_first_period = BeforeFirstPeriod::withheld;
  settings.service.systems[0].without = WithoutEcm::stop;
  ecmg->die();
  send(10);
  EXPECT_EQ(left_out, 10U);
  ecmg->live();
  send(60);
  EXPECT_EQ(in_clear, 0U);
  EXPECT_GT(received, 50U);
  ecmg->die();
  const auto at = [this](int seconds) {
    const Bytes clear = packet();
    Bytes buffer = clear;
    buffer.resize(clear.size() + head_end->trailer_size());
    return head_end->protect(buffer, clear.size(), std::chrono::seconds(seconds));
  };
  // The periods for which it had answered already come first.
  static_cast<void>(at(5));
  static_cast<void>(at(6));
  EXPECT_FAILS(at(7), ErrorKind::refused);
}

TEST_F(RtpHeadEndTest, WithholdsNothingThatIsToBeClear) {
  settings.before_first_period = BeforeFirstPeriod::withheld;
  settings.service.scramble = false;
  ecmg->die();
  send(10);
  EXPECT_EQ(in_clear, 10U);
  head_end->set_scrambling(true);
  send(10);
  EXPECT_EQ(in_clear, 10U);
  EXPECT_EQ(left_out, 10U);
}

TEST_F(RtpHeadEndTest, DoesNotEndForAKeyMessageThatItCanWaitFor) {
  settings.wait_for_ecms = std::chrono::hours(1);
  settings.service.systems[0].without = WithoutEcm::stop;
  send(10);
  ASSERT_EQ(receiver.periods.size(), 1U);
  // The clock leaps over the time at which it would have been asked for: the period is due at once.
  const auto at = [this](int seconds) {
    const Bytes clear = packet();
    Bytes buffer = clear;
    buffer.resize(clear.size() + head_end->trailer_size());
    return head_end->protect(buffer, clear.size(), std::chrono::seconds(seconds));
  };
  for (int second = 10; second < 50; second += 10) ASSERT_OK(at(second));
  EXPECT_GT(receiver.periods.size(), 4U);
  EXPECT_EQ(receiver.missing, 0);
}

TEST_F(RtpHeadEndTest, LeavesOutWhatIsNoRtpAndSaysSoOnce) {
  send(60);
  for (int count = 0; count < 3; ++count) {
    Bytes garbage(40);
    EXPECT_EQ(value_or_throw(head_end->protect(garbage, 20, milliseconds(600))), 0U);
  }
  EXPECT_EQ(receiver.problems.size(), 1U);
  EXPECT_EQ(head_end->counts().refused, 3U);
}

TEST_F(RtpHeadEndTest, RefusesAnEcmgThatMakesEcms) {
  ecmg->section_tspkt_flag = ecmg::sections;
  send(20);
  ASSERT_EQ(receiver.problems.size(), 1U);
  EXPECT_EQ(received, 0U);
  settings.service.systems[0].ecm_id.reset();
  EXPECT_FAILS(RtpHeadEnd::create(settings, receiver, random), ErrorKind::invalid_argument);
}

TEST_F(RtpHeadEndTest, GoesClearAndBackWhenItIsToldTo) {
  send(60);
  head_end->set_scrambling(false);
  send(20);
  EXPECT_EQ(receiver.clears, 1);
  EXPECT_GE(in_clear, 20U);
  head_end->set_scrambling(true);
  const unsigned before = received;
  send(60);
  EXPECT_GT(received, before + 50);
}

}  // namespace
}  // namespace cas::simulcrypt::bcast
