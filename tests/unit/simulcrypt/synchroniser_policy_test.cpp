// SPDX-License-Identifier: LGPL-2.1-or-later
#include "synchroniser_fixture.hpp"

// What becomes of a service when ECMGs do not answer.

namespace cas::simulcrypt {
namespace {

TEST_F(Synchronising, APeriodIsHeldUntilTheEcmIsThere) {
  const std::size_t ecmg = add();
  run(milliseconds(1500));
  lose(ecmg);
  run(milliseconds(4000));
  ASSERT_EQ(begun.size(), 2U);
  EXPECT_TRUE(cleared.empty());
  EXPECT_EQ(missing, (std::vector<std::pair<std::size_t, std::uint16_t>>{{ecmg, 2}}));  // Once.
  EXPECT_GT(last(ecmg, 1), milliseconds(3850));                                         // It stays on the air.
  restore(ecmg);
  run(milliseconds(6000));
  EXPECT_EQ(begin_of(2), milliseconds(4020));
  EXPECT_EQ(begin_of(3), milliseconds(5020));
}

TEST_F(Synchronising, NoPolicyIsAskedWhileTheStreamCanWait) {
  const milliseconds due(1020);
  const std::size_t ecmg = add({}, WithoutEcm::stop), other = add({}, WithoutEcm::go_on);
  run(milliseconds(700));
  ecmgs[ecmg].up = ecmgs[other].up = false;
  run(due);
  EXPECT_OK(synchroniser().advance(due, true));
  EXPECT_TRUE(synchroniser().is_overdue(due));
  EXPECT_EQ(begun.size(), 1U);
  EXPECT_TRUE(missing.empty());
  // It comes after all, at the same moment of the stream.
  for (const std::size_t number : {ecmg, other}) EXPECT_OK(synchroniser().ecm_arrived(number, 1, {0, 1}));
  EXPECT_FALSE(synchroniser().is_overdue(due));
  EXPECT_OK(synchroniser().advance(due, true));
  EXPECT_EQ(begun.size(), 2U);
  EXPECT_TRUE(missing.empty());
}

TEST_F(Synchronising, TheStreamWaitsForAnEcmThatIsToGoOutBeforeItsPeriod) {
  EcmStreamTerms terms;
  terms.delay_start = terms.delay_stop = milliseconds(-300);
  const std::size_t ecmg = add(terms);
  run(milliseconds(400));
  ASSERT_EQ(begin_of(0), milliseconds(320));
  ecmgs[ecmg].up = false;
  run(milliseconds(960));
  EXPECT_OK(synchroniser().advance(milliseconds(980), true));
  EXPECT_FALSE(synchroniser().is_overdue(milliseconds(980)));
  EXPECT_EQ(synchroniser().next_event(), milliseconds(1020));
  EXPECT_OK(synchroniser().advance(milliseconds(1020), true));
  EXPECT_TRUE(synchroniser().is_overdue(milliseconds(1020)));
  EXPECT_OK(synchroniser().ecm_arrived(ecmg, 1, {0, 1}));
  EXPECT_FALSE(synchroniser().is_overdue(milliseconds(1020)));
  // It has its time on the air, and the period begins when it was due.
  EXPECT_OK(synchroniser().advance(milliseconds(1020), true));
  EXPECT_OK(synchroniser().advance(milliseconds(1300), true));
  EXPECT_EQ(begun.size(), 1U);
  EXPECT_OK(synchroniser().advance(milliseconds(1320), true));
  EXPECT_EQ(begun.size(), 2U);
}

TEST_F(Synchronising, HoldingHoldsForAllEcmgs) {
  EcmStreamTerms terms;
  terms.delay_start = terms.delay_stop = milliseconds(-200);
  const std::size_t one = add(terms), other = add(terms);
  run(milliseconds(1500));
  lose(other);
  run(milliseconds(4000));
  // The other one's receivers need the ECM of the period that is on.
  EXPECT_GT(last(other, 1), milliseconds(3850));
  EXPECT_GT(last(one, 1), milliseconds(3850));
  restore(other);
  run(milliseconds(6000));
  EXPECT_EQ(first(other, 2), milliseconds(4020));
  EXPECT_EQ(begin_of(2), milliseconds(4220));
}

TEST_F(Synchronising, AServiceGoesOnWithoutAnEcmg) {
  const std::size_t one = add(), other = add({}, WithoutEcm::go_on);
  run(milliseconds(1500));
  lose(other);
  run(milliseconds(4500));
  EXPECT_EQ(begun.size(), 5U);
  EXPECT_EQ(last(other, 1), milliseconds(1920));  // Its last ECM opens nothing any more.
  EXPECT_EQ(missing.size(), 3U);
  EXPECT_EQ(consequences[0], WithoutEcm::go_on);
  EXPECT_TRUE(times(other, 4).empty());
  restore(other);
  run(milliseconds(4600));
  EXPECT_EQ(first(other, 4), milliseconds(4520));  // That of the period that is on, at once.
  EXPECT_FALSE(times(one, 4).empty());
}

TEST_F(Synchronising, AnEcmgThatIsNotNeededDoesNotHoldUpTheStart) {
  add();
  const std::size_t slow = add({}, WithoutEcm::go_on);
  ecmgs[slow].latency = milliseconds(600);
  run(milliseconds(700));
  EXPECT_EQ(begin_of(0), milliseconds(20));
  EXPECT_EQ(first(slow, 0), milliseconds(600));
  // Its receivers miss the beginning, and it is said.
  EXPECT_EQ(missing, (std::vector<std::pair<std::size_t, std::uint16_t>>{{slow, 0}}));
  EXPECT_EQ(consequences, std::vector{WithoutEcm::go_on});
}

TEST_F(Synchronising, ThoseWhoDoNotAnswerAtTheStartAreToldWhenItBegins) {
  options.policy = ServicePolicy::any;
  const std::size_t slow = add(), late = add(), one_that_stops = add({}, WithoutEcm::stop);
  ecmgs[slow].latency = milliseconds(500);
  ecmgs[late].latency = milliseconds(900);
  ecmgs[one_that_stops].latency = milliseconds(900);
  run(milliseconds(400));
  EXPECT_TRUE(begun.empty());
  EXPECT_TRUE(missing.empty());
  run(milliseconds(1000));
  EXPECT_EQ(begin_of(0), milliseconds(500));
  EXPECT_EQ(missing, (std::vector<std::pair<std::size_t, std::uint16_t>>{{late, 0}, {one_that_stops, 0}}));
  // Before the first period `stop` waits as the others do.
  EXPECT_EQ(consequences, (std::vector{WithoutEcm::go_on, WithoutEcm::go_on}));
}

TEST_F(Synchronising, NothingBeginsWithoutAnyEcm) {
  const std::size_t one = add({}, WithoutEcm::go_on);
  lose(one);
  run(milliseconds(2000));
  EXPECT_TRUE(begun.empty());
  restore(one);
  run(milliseconds(2100));
  EXPECT_EQ(begun.size(), 1U);
}

TEST_F(Synchronising, TheOneWhoDrivesIsToldToStop) {
  const std::size_t ecmg = add({}, WithoutEcm::stop);
  run(milliseconds(1500));
  lose(ecmg);
  run(milliseconds(3000));
  EXPECT_EQ(consequences, std::vector{WithoutEcm::stop});
  EXPECT_EQ(begun.size(), 2U);
}

TEST_F(Synchronising, AnyEcmgWillDo) {
  options.policy = ServicePolicy::any;
  const std::size_t one = add(), other = add();
  run(milliseconds(1500));
  lose(one);
  run(milliseconds(4500));
  EXPECT_EQ(begun.size(), 5U);
  EXPECT_EQ(consequences, (std::vector<WithoutEcm>(3, WithoutEcm::go_on)));
  lose(other);
  run(milliseconds(7000));
  EXPECT_EQ(begun.size(), 5U);  // None is left: the period is held.
  EXPECT_EQ(consequences.size(), 5U);
  EXPECT_EQ(consequences.back(), WithoutEcm::hold);
  restore(one);
  run(milliseconds(8500));
  EXPECT_EQ(begun.size(), 7U);
}

TEST_F(Synchronising, AServiceRevertsToClear) {
  options.policy = ServicePolicy::clear;
  const std::size_t ecmg = add();
  run(milliseconds(1500));
  lose(ecmg);
  run(milliseconds(3000));
  EXPECT_EQ(cleared, std::vector{milliseconds(2020)});
  EXPECT_FALSE(synchroniser().scrambling());
  EXPECT_LT(last(ecmg, 1), milliseconds(2020));
  restore(ecmg);
  run(milliseconds(3500));
  EXPECT_EQ(begin_of(2), milliseconds(3020));
  EXPECT_TRUE(synchroniser().scrambling());
}

TEST_F(Synchronising, ARefusalIsAskedAgain) {
  const std::size_t ecmg = add();
  EXPECT_OK(synchroniser().advance(milliseconds(0)));
  ecmgs[ecmg].answer.reset();
  synchroniser().ecm_refused(ecmg);
  now = milliseconds(1);
  run(milliseconds(100));
  ASSERT_GE(requests.size(), 2U);
  EXPECT_EQ(requests[0].second.cp_number, requests[1].second.cp_number);
  // The same words: an answer to the first may have been on its way.
  EXPECT_TRUE(crypto::constant_time_equal(requests[0].second.words[0].word.reveal(),
                                          requests[1].second.words[0].word.reveal()));
  EXPECT_EQ(begun.size(), 1U);
}

TEST_F(Synchronising, AnEcmThatComesAfterItsPeriodIsNotSent) {
  const std::size_t one = add(), slow = add({}, WithoutEcm::go_on);
  run(milliseconds(1100));
  ecmgs[slow].latency = milliseconds(2500);
  run(milliseconds(8000));
  EXPECT_TRUE(cleared.empty());
  EXPECT_EQ(begun.size(), 8U);
  for (const Sent& each : sent) EXPECT_LE(each.at, begin_of(each.cp) + milliseconds(1000)) << each.cp;
  EXPECT_FALSE(times(one, 7).empty());
}

/// A hundred deaths and returns of two ECMGs at any moment: after the start no packet is clear, each period has its own
/// word, and no period begins before both of its ECMs are on the air.
TEST_F(Synchronising, DeathsOfEcmgsNeverUncoverTheService) {
  EcmStreamTerms early;
  early.delay_start = early.delay_stop = milliseconds(-150);
  const std::size_t one = add(early), other = add();
  test::SeededRandom moments(99);
  run(milliseconds(200));
  ASSERT_EQ(begun.size(), 1U);
  for (int death = 0; death < 100; ++death) {
    const std::size_t victim = moments.below(2) == 0 ? one : other;
    run(now + milliseconds(moments.below(1200)));
    lose(victim);
    run(now + milliseconds(moments.below(2500)));
    restore(victim);
  }
  run(now + milliseconds(3000));
  EXPECT_TRUE(cleared.empty());
  ASSERT_GT(begun.size(), 50U);
  for (std::size_t i = 1; i < begun.size(); ++i) {
    EXPECT_EQ(begun[i].cp, static_cast<std::uint16_t>(begun[i - 1].cp + 1));
    EXPECT_GE(begun[i].at - begun[i - 1].at, milliseconds(999));
    EXPECT_FALSE(crypto::constant_time_equal(begun[i].word.reveal(), begun[i - 1].word.reveal()));
    EXPECT_LE(first(one, begun[i].cp), begun[i].at - milliseconds(150));
    EXPECT_EQ(first(other, begun[i].cp), begun[i].at);
  }
  // No ECM of a period is ever off the air within it for longer than its repetition.
  for (std::size_t i = 0; i + 1 < begun.size(); ++i) {
    auto all = times(other, begun[i].cp);
    all.push_back(begun[i + 1].at);
    for (std::size_t k = 1; k < all.size(); ++k) EXPECT_LE(all[k] - all[k - 1], milliseconds(101));
  }
}

}  // namespace
}  // namespace cas::simulcrypt
