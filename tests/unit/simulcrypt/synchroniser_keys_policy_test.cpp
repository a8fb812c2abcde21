// SPDX-License-Identifier: LGPL-2.1-or-later
#include "synchroniser_keys_fixture.hpp"

// What becomes of a service whose keys come from outside when ECMGs do not answer.

namespace cas::simulcrypt {
namespace {

using Missing = std::vector<std::pair<std::size_t, std::uint16_t>>;

TEST_F(SynchronisingWithKeys, APeriodIsHeldUntilTheEcmOfTheNextIsThere) {
  const std::size_t ecmg = add();
  run_periods(5, 1, 2);
  ecmgs[ecmg].latency = milliseconds(400);
  ASSERT_EQ(begun.size(), 1U);
  lose(ecmg);
  restore(ecmg);  // What was asked before is lost; what has come stays.
  synchroniser().begin(timed(20));
  run(now + milliseconds(1000));
  EXPECT_EQ(missing, (Missing{{ecmg, 20}}));
  EXPECT_EQ(consequences, std::vector{WithoutEcm::hold});
  EXPECT_EQ(begin_of(20), milliseconds(1400));
  EXPECT_TRUE(cleared.empty());
  EXPECT_GT(last(ecmg, 5), milliseconds(1250));
  EXPECT_EQ(lost_words, 0U);
}

TEST_F(SynchronisingWithKeys, APeriodThatEndsWhileItIsHeldUpNeverBegins) {
  const std::size_t ecmg = add();
  run_periods(5, 1, 0);
  lose(ecmg);
  run_periods(6, 3, 2);
  ASSERT_EQ(begun.size(), 1U);
  // Each is told once.
  EXPECT_EQ(missing, (Missing{{ecmg, 6}, {ecmg, 7}, {ecmg, 8}}));
  EXPECT_GT(last(ecmg, 5), milliseconds(3850));
  restore(ecmg);
  run(now + milliseconds(100));
  ASSERT_EQ(begun.size(), 2U);
  EXPECT_EQ(begun[1].cp, 8);
  EXPECT_EQ(begun[1].at, milliseconds(4020));
  EXPECT_TRUE(std::ranges::equal(begun[1].word.reveal(), word(8)));
  EXPECT_TRUE(times(ecmg, 6).empty());
  EXPECT_TRUE(times(ecmg, 7).empty());
  run_periods(9, 2, 2);
  EXPECT_EQ(begun.size(), 4U);
  EXPECT_TRUE(cleared.empty());
  EXPECT_EQ(lost_words, 0U);
}

TEST_F(SynchronisingWithKeys, AServiceGoesOnWithoutAnEcmg) {
  const std::size_t one = add(), other = add({}, WithoutEcm::go_on);
  run_periods(5, 1, 2);
  lose(other);
  run_periods(6, 4, 2);
  EXPECT_EQ(begun.size(), 5U);
  for (std::uint16_t cp = 6; cp < 10; ++cp) EXPECT_EQ(begin_of(cp), milliseconds(1000 * (cp - 5)));
  EXPECT_EQ(consequences, std::vector(missing.size(), WithoutEcm::go_on));
  EXPECT_FALSE(times(one, 9).empty());
  restore(other);
  run(now + milliseconds(100));
  EXPECT_FALSE(times(other, 9).empty());
}

TEST_F(SynchronisingWithKeys, AServiceRevertsToClear) {
  Synchroniser::Options given = options;
  given.policy = ServicePolicy::clear;
  begin_with(given);
  const std::size_t ecmg = add();
  run_periods(5, 1, 0);
  lose(ecmg);
  run_periods(6, 2, 0);
  EXPECT_EQ(cleared, std::vector{milliseconds(1000)});
  restore(ecmg);
  run(now + milliseconds(100));
  // With the key that is in force by now.
  EXPECT_EQ(begin_of(7), milliseconds(3020));
  EXPECT_EQ(begun.size(), 2U);
}

TEST_F(SynchronisingWithKeys, AnyEcmgWillDo) {
  Synchroniser::Options given = options;
  given.policy = ServicePolicy::any;
  begin_with(given);
  const std::size_t one = add();
  add();
  run_periods(5, 1, 2);
  lose(one);
  run_periods(6, 3, 2);
  EXPECT_EQ(begun.size(), 4U);
  EXPECT_TRUE(cleared.empty());
  EXPECT_EQ(consequences, std::vector(missing.size(), WithoutEcm::go_on));
}

TEST_F(SynchronisingWithKeys, TheOneWhoDrivesIsToldToStop) {
  const std::size_t ecmg = add({}, WithoutEcm::stop);
  run_periods(5, 1, 0);
  lose(ecmg);
  run_periods(6, 1, 0);
  EXPECT_EQ(consequences, std::vector{WithoutEcm::stop});
  EXPECT_EQ(begun.size(), 1U);
}

TEST_F(SynchronisingWithKeys, AStreamThatCanWaitDoesSoAtTheLine) {
  const std::size_t ecmg = add();
  run_periods(5, 1, 0);
  ecmgs[ecmg].up = false;
  EXPECT_FALSE(synchroniser().is_overdue(now));
  synchroniser().begin(key(6));
  EXPECT_OK(synchroniser().advance(now, true));
  EXPECT_TRUE(synchroniser().is_overdue(now));
  EXPECT_TRUE(missing.empty());
  EXPECT_EQ(begun.size(), 1U);
  EXPECT_OK(synchroniser().ecm_arrived(ecmg, 6, {0, 6}));
  EXPECT_FALSE(synchroniser().is_overdue(now));
  EXPECT_OK(synchroniser().advance(now, true));
  ASSERT_EQ(begun.size(), 2U);
  EXPECT_EQ(begun[1].at, now);
  EXPECT_TRUE(missing.empty());
}

TEST_F(SynchronisingWithKeys, AStreamThatCanWaitDoesSoWhenTheEcmShouldGoOut) {
  EcmStreamTerms terms;
  terms.lead_cw = 0;
  terms.cw_per_msg = 1;
  terms.delay_start = milliseconds(-300);
  const std::size_t ecmg = add(terms);
  run_periods(5, 2, 1);
  ecmgs[ecmg].up = false;
  EXPECT_OK(synchroniser().announce(timed(8)));
  synchroniser().begin(timed(7));
  EXPECT_OK(synchroniser().advance(now, true));
  EXPECT_FALSE(synchroniser().is_overdue(milliseconds(2600)));
  EXPECT_TRUE(synchroniser().is_overdue(milliseconds(2700)));
  EXPECT_LE(synchroniser().next_event(), milliseconds(2700));
  // Of a period that nobody has announced nobody can say when it should.
  EXPECT_OK(synchroniser().ecm_arrived(ecmg, 8, {0, 8}));
  now = milliseconds(2700);
  EXPECT_OK(synchroniser().advance(now, true));
  synchroniser().begin(timed(8));
  EXPECT_OK(synchroniser().advance(milliseconds(3000), true));
  EXPECT_EQ(begun.back().cp, 8);
  EXPECT_FALSE(synchroniser().is_overdue(milliseconds(9000)));
}

TEST_F(SynchronisingWithKeys, ScramblingThatIsSwitchedOnAgainHasTheKeyThatIsInForce) {
  add();
  run_periods(5, 1, 2);
  synchroniser().set_scrambling(false);
  run(now + milliseconds(300));
  ASSERT_EQ(cleared.size(), 1U);
  EXPECT_EQ(synchroniser().key(), nullptr);
  synchroniser().set_scrambling(true);
  run(now + milliseconds(300));
  ASSERT_EQ(begun.size(), 2U);
  EXPECT_EQ(begun[1].cp, 5);
  EXPECT_TRUE(std::ranges::equal(begun[1].word.reveal(), word(5)));
  synchroniser().set_scrambling(false);
  run_periods(6, 3, 2);
  EXPECT_EQ(begun.size(), 2U);
  synchroniser().set_scrambling(true);
  run(now + milliseconds(300));
  ASSERT_EQ(begun.size(), 3U);
  EXPECT_EQ(begun[2].cp, 8);
  run_periods(9, 1, 2);
  EXPECT_EQ(begin_of(9), milliseconds(4900));
}

TEST_F(SynchronisingWithKeys, AClearLeadIsKept) {
  Synchroniser::Options given = options;
  given.clear_lead = milliseconds(1500);
  begin_with(given);
  add();
  run_periods(5, 3, 2);
  ASSERT_EQ(begun.size(), 2U);
  EXPECT_EQ(begun[0].cp, 6);
  EXPECT_EQ(begun[0].at, milliseconds(1500));
}

/// Deaths and returns of two ECMGs, lines at any moment, jumps, keys announced or not: no packet is clear after the start, no
/// word is in use before its ECMs are there, what is in use is what the stream is in or an earlier one that is held, and no
/// ECM takes a word that is in use from receivers.
TEST_F(SynchronisingWithKeys, NothingUncoversTheServiceOrBlindsReceivers) {
  EcmStreamTerms early;
  early.lead_cw = 0;
  early.cw_per_msg = 1;
  early.delay_start = milliseconds(-150);
  early.delay_stop = milliseconds(-150);
  EcmStreamTerms late;
  late.delay_stop = milliseconds(200);
  const std::size_t one = add(early), other = add(late);
  test::SeededRandom moments(77);
  std::uint64_t period = 1234567;
  std::size_t seen = 0;
  std::vector<std::uint64_t> came;
  for (int line = 0; line < 300; ++line) {
    const auto kind = moments.below(10);
    period += kind == 0 ? 2 : kind == 1 ? 1 + moments.below(1000) : 1;
    synchroniser().begin(kind == 2 ? key(period) : timed(period));
    came.push_back(period);
    for (std::uint64_t ahead = 1; ahead <= moments.below(4); ++ahead)
      EXPECT_OK(synchroniser().announce(timed(period + ahead)));
    const std::size_t victim = moments.below(2) == 0 ? one : other;
    const bool dies = moments.below(4) == 0;
    run(now + milliseconds(moments.below(400)));
    if (dies) lose(victim);
    run(now + milliseconds(200 + moments.below(1000)));
    if (dies) restore(victim);
    for (; seen < begun.size(); ++seen) {
      EXPECT_TRUE(std::ranges::equal(begun[seen].word.reveal(), word(came.back())));
      EXPECT_EQ(begun[seen].cp, static_cast<std::uint16_t>(came.back()));
    }
  }
  EXPECT_TRUE(cleared.empty());
  EXPECT_GT(begun.size(), 150U);
  EXPECT_EQ(lost_words, 0U);
  for (const Begun& each : begun) {
    EXPECT_LE(first(one, each.cp), each.at);
    EXPECT_EQ(first(other, each.cp), each.at);
  }
}

}  // namespace
}  // namespace cas::simulcrypt
