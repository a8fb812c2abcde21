// SPDX-License-Identifier: LGPL-2.1-or-later
#include "synchroniser_fixture.hpp"

// When periods begin and ECMs are on the air, while every ECMG answers.

namespace cas::simulcrypt {
namespace {

using test::value_or_throw;

TEST_F(Synchronising, IsClearUntilTheFirstEcmIsThere) {
  const std::size_t ecmg = add();
  ecmgs[ecmg].latency = milliseconds(300);
  run(milliseconds(299));
  EXPECT_FALSE(synchroniser().scrambling());
  run(milliseconds(400));
  EXPECT_TRUE(synchroniser().scrambling());
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_EQ(begun[0].at, milliseconds(300));
  EXPECT_EQ(first(ecmg, 0), milliseconds(300));
}

TEST_F(Synchronising, HasNothingToBeginWithoutAnEcmg) {
  EXPECT_OK(synchroniser().advance(milliseconds(0)));
  EXPECT_OK(synchroniser().advance(milliseconds(5000)));
  EXPECT_TRUE(begun.empty());
}

TEST_F(Synchronising, PeriodsFollowOneAnotherOnAGrid) {
  const std::size_t ecmg = add();
  run(milliseconds(5500));
  ASSERT_EQ(begun.size(), 6U);
  for (std::uint16_t cp = 0; cp < 6; ++cp) {
    EXPECT_EQ(begun[cp].cp, cp);
    EXPECT_EQ(begun[cp].at, milliseconds(20 + 1000 * cp));
    EXPECT_TRUE(crypto::constant_time_equal(begun[cp].word.reveal(), value_or_throw(words.word(cp)).reveal()));
    EXPECT_EQ(first(ecmg, cp), begun[cp].at);
  }
  EXPECT_TRUE(missing.empty());
  EXPECT_TRUE(cleared.empty());
}

TEST_F(Synchronising, AStreamThatIsSparseDoesNotLetPeriodsSlide) {
  const std::size_t ecmg = add();
  EXPECT_OK(synchroniser().advance(milliseconds(0)));
  for (std::int64_t at = 0; at < 20'000; at += 33) {
    now = milliseconds(at);
    if (const auto answer = ecmgs[ecmg].answer) {
      ecmgs[ecmg].answer.reset();
      EXPECT_OK(synchroniser().ecm_arrived(ecmg, answer->second, {0, 0}));
    }
    EXPECT_OK(synchroniser().advance(now));
  }
  ASSERT_GE(begun.size(), 20U);
  for (const Begun& one : begun) EXPECT_LT(one.at - begun[0].at - one.cp * milliseconds(1000), milliseconds(33));
}

TEST_F(Synchronising, EcmsAreRepeatedAsTheEcmgSays) {
  EcmStreamTerms terms;
  terms.repetition = milliseconds(150);
  const std::size_t ecmg = add(terms);
  run(milliseconds(1020));
  const auto all = times(ecmg, 0);
  ASSERT_EQ(all.size(), 7U);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], milliseconds(20 + 150 * static_cast<int>(i)));
}

TEST_F(Synchronising, RepetitionKeepsItsRhythmWherePacketsAreSparse) {
  const std::size_t ecmg = add();
  std::size_t count = 0;
  EXPECT_OK(synchroniser().advance(milliseconds(0)));
  EXPECT_OK(synchroniser().ecm_arrived(ecmg, 0, {0, 0}));
  for (std::int64_t at = 0; at < 900; at += 7) {
    now = milliseconds(at);
    EXPECT_OK(synchroniser().advance(now));
  }
  count = times(ecmg, 0).size();
  EXPECT_EQ(count, 9U);  // Each 100 ms, not each 105.
}

TEST_F(Synchronising, AClearLeadIsKept) {
  options.clear_lead = milliseconds(2000);
  add();
  run(milliseconds(2500));
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_EQ(begun[0].at, milliseconds(2000));
}

TEST_F(Synchronising, ANegativeDelayPutsTheEcmOnTheAirBeforeItsPeriod) {
  EcmStreamTerms terms;
  terms.delay_start = milliseconds(-300);
  terms.delay_stop = milliseconds(-300);
  const std::size_t ecmg = add(terms);
  run(milliseconds(4000));
  EXPECT_EQ(first(ecmg, 0), milliseconds(20));
  EXPECT_EQ(begin_of(0), milliseconds(320));
  for (std::uint16_t cp = 1; cp < 4; ++cp) {
    EXPECT_EQ(begin_of(cp), milliseconds(320 + 1000 * cp));
    EXPECT_EQ(first(ecmg, cp), begin_of(cp) - milliseconds(300));
    EXPECT_LT(last(ecmg, static_cast<std::uint16_t>(cp - 1)), first(ecmg, cp));
  }
}

// Its word has the parity of the period that is on before it, which a receiver would lose.
TEST_F(Synchronising, NoEcmGoesOutWhileTheWordBeforeTheOneBeforeItIsInUse) {
  EcmStreamTerms terms;
  terms.delay_start = terms.delay_stop = milliseconds(-1000);
  const std::size_t ecmg = add(terms);
  ecmgs[ecmg].latency = milliseconds(400);
  run(milliseconds(4500));
  lose(ecmg);
  run(milliseconds(7000));
  restore(ecmg);
  run(milliseconds(12000));
  ASSERT_GT(begun.size(), 6U);
  for (const Begun& period : begun) {
    if (period.cp == 0) continue;
    EXPECT_LE(first(ecmg, period.cp), period.at - milliseconds(1000)) << period.cp;
    EXPECT_GE(first(ecmg, period.cp), begin_of(static_cast<std::uint16_t>(period.cp - 1))) << period.cp;
  }
}

TEST_F(Synchronising, APositiveDelayPutsItOnTheAirAfter) {
  EcmStreamTerms terms;
  terms.delay_start = milliseconds(200);
  terms.delay_stop = milliseconds(200);
  const std::size_t ecmg = add(terms);
  run(milliseconds(3500));
  for (std::uint16_t cp = 0; cp < 3; ++cp) EXPECT_EQ(first(ecmg, cp), begin_of(cp) + milliseconds(200));
  for (std::uint16_t cp = 0; cp < 2; ++cp) {
    const milliseconds end = begin_of(static_cast<std::uint16_t>(cp + 1));
    EXPECT_GT(last(ecmg, cp), end);
    EXPECT_LT(last(ecmg, cp), end + milliseconds(200));
  }
}

TEST_F(Synchronising, EcmsOverlapWhereDelaysSaySo) {
  EcmStreamTerms terms;
  terms.delay_start = milliseconds(-250);
  terms.delay_stop = milliseconds(250);
  const std::size_t ecmg = add(terms);
  run(milliseconds(3500));
  EXPECT_EQ(first(ecmg, 1), begin_of(1) - milliseconds(250));
  EXPECT_GE(last(ecmg, 0), begin_of(1) + milliseconds(150));
  EXPECT_LT(last(ecmg, 0), begin_of(1) + milliseconds(250));
}

TEST_F(Synchronising, ADelayOfMoreThanAPeriodIsServed) {
  EcmStreamTerms terms;
  terms.delay_start = milliseconds(-2500);
  terms.delay_stop = milliseconds(-2500);
  const std::size_t ecmg = add(terms);
  run(milliseconds(9000));
  EXPECT_EQ(begin_of(0), milliseconds(2520));
  for (std::uint16_t cp = 1; cp < 6; ++cp) {
    EXPECT_EQ(begin_of(cp), milliseconds(2520 + 1000 * cp));
    EXPECT_LE(first(ecmg, cp), begin_of(cp) - milliseconds(2500));
  }
  EXPECT_TRUE(missing.empty());
}

TEST_F(Synchronising, DelaysOfATransitionAreItsOwn) {
  EcmStreamTerms terms;
  terms.delay_start = milliseconds(0);
  terms.transition_delay_start = milliseconds(-500);
  terms.transition_delay_stop = milliseconds(400);
  const std::size_t ecmg = add(terms);
  run(milliseconds(2000));
  EXPECT_EQ(first(ecmg, 0), milliseconds(20));
  EXPECT_EQ(begin_of(0), milliseconds(520));
  EXPECT_EQ(first(ecmg, 1), begin_of(1));
  synchroniser().set_scrambling(false);
  run(milliseconds(4000));
  ASSERT_EQ(cleared, std::vector{milliseconds(2000)});
  EXPECT_GE(last(ecmg, 1), milliseconds(2300));
  EXPECT_LT(last(ecmg, 1), milliseconds(2400));
  const std::size_t before = requests.size();
  run(milliseconds(6000));
  EXPECT_EQ(requests.size(), before);  // Nobody is asked while it is off.
  synchroniser().set_scrambling(true);
  run(milliseconds(8000));
  EXPECT_EQ(begin_of(2), milliseconds(6520));
}

TEST_F(Synchronising, NewAccessCriteriaHaveDelaysOfTheirOwn) {
  EcmStreamTerms terms;
  terms.ac_delay_start = milliseconds(-400);
  terms.ac_delay_stop = milliseconds(300);
  const std::size_t ecmg = add(terms);
  synchroniser().set_access_criteria(ecmg, {1});
  run(milliseconds(1100));
  synchroniser().set_access_criteria(ecmg, {2, 2});
  run(milliseconds(5000));
  EXPECT_EQ(first(ecmg, 1), begin_of(1));
  EXPECT_EQ(first(ecmg, 2), begin_of(2) - milliseconds(400));
  EXPECT_GT(last(ecmg, 1), begin_of(2) + milliseconds(150));
  EXPECT_EQ(first(ecmg, 3), begin_of(3));
  EXPECT_EQ(criteria[0], Bytes({1}));
  EXPECT_EQ(criteria[1], Bytes({1}));
  EXPECT_EQ(criteria[2], Bytes({2, 2}));
}

TEST_F(Synchronising, TheWindowOfWordsIsTheEcmgs) {
  options.first_period = 0xFFFE;
  EcmStreamTerms terms;
  terms.lead_cw = 2;
  terms.cw_per_msg = 3;
  add(terms);
  run(milliseconds(3000));
  ASSERT_GE(requests.size(), 3U);
  EXPECT_EQ(requests[0].second.cp_number, 0xFFFE);
  EXPECT_EQ(requests[2].second.cp_number, 0);  // Through 0xFFFF.
  for (std::size_t i = 0; i < 3; ++i) {
    const EcmRequest& request = requests[i].second;
    ASSERT_EQ(request.words.size(), 3U);
    for (std::size_t word = 0; word < 3; ++word)
      EXPECT_EQ(request.words[word].cp_number, static_cast<std::uint16_t>(0xFFFE + i + word));
    EXPECT_EQ(request.duration, milliseconds(1000));
    EXPECT_TRUE(crypto::constant_time_equal(request.words[0].word.reveal(), begun[i].word.reveal()));
  }
}

TEST_F(Synchronising, ALongRunGoesThroughAllNumbers) {
  options.first_period = 0xFFF0;
  add();
  run(milliseconds(40'000));
  ASSERT_GE(begun.size(), 39U);
  for (std::size_t i = 0; i < begun.size(); ++i) EXPECT_EQ(begun[i].cp, static_cast<std::uint16_t>(0xFFF0 + i));
}

TEST_F(Synchronising, TheLongestShortestPeriodPrevails) {
  EcmStreamTerms terms;
  add(terms);
  terms.min_cp_duration = milliseconds(1700);
  add(terms);
  run(milliseconds(6000));
  ASSERT_GE(begun.size(), 3U);
  EXPECT_EQ(begun[2].at - begun[1].at, milliseconds(1700));
}

TEST_F(Synchronising, EcmsAreAskedForInTimeForASlowEcmg) {
  EcmStreamTerms terms;
  terms.max_comp_time = milliseconds(700);
  terms.delay_start = milliseconds(-100);
  const std::size_t ecmg = add(terms);
  ecmgs[ecmg].latency = milliseconds(700);
  run(milliseconds(8000));
  for (std::size_t i = 1; i < begun.size(); ++i) EXPECT_EQ(begun[i].at - begun[i - 1].at, milliseconds(1000));
  EXPECT_TRUE(missing.empty());
}

TEST_F(Synchronising, AnEcmThatNobodyAskedForIsLeftAside) {
  const std::size_t ecmg = add();
  EXPECT_FAILS(synchroniser().ecm_arrived(ecmg, 0, {9, 9}), ErrorKind::malformed);
  EXPECT_OK(synchroniser().advance(milliseconds(0)));
  EXPECT_FAILS(synchroniser().ecm_arrived(ecmg, 1, {9, 9}), ErrorKind::malformed);
  EXPECT_OK(synchroniser().ecm_arrived(ecmg, 0, {0, 0}));
  EXPECT_FAILS(synchroniser().ecm_arrived(ecmg, 0, {9, 9}), ErrorKind::malformed);
  EXPECT_OK(synchroniser().advance(milliseconds(1)));
  EXPECT_EQ(begun.size(), 1U);
  for (const Sent& one : sent) EXPECT_EQ(one.cp, 0);
}

TEST_F(Synchronising, TermsThatCannotBeServedAreRefused) {
  const std::size_t stream = synchroniser().add_stream(WithoutEcm::hold);
  EcmStreamTerms terms;
  terms.cw_per_msg = 0;
  EXPECT_FAILS(synchroniser().stream_opened(stream, terms), ErrorKind::invalid_argument);
  ecmgs.push_back({});
  run(milliseconds(100));
  EXPECT_TRUE(requests.empty());
}

/// Words from outside that are late.
class LateWords final : public ControlWordSource {
 public:
  explicit LateWords(ControlWordSource& all) : all_(all) {}
  Result<SecretBytes> word(PeriodIndex period) override {
    if (period > known) return fail(ErrorKind::not_found, "not yet");
    return all_.word(period);
  }
  void forget_before(PeriodIndex period) override { all_.forget_before(period); }
  PeriodIndex known = -1;

 private:
  ControlWordSource& all_;
};

TEST_F(Synchronising, WordsFromOutsideAreWaitedFor) {
  LateWords late(words);
  made.emplace(options, *this, late);
  add();
  run(milliseconds(1500));
  EXPECT_TRUE(requests.empty());
  late.known = 1;
  run(milliseconds(3000));
  EXPECT_EQ(begun.size(), 1U);  // Of the next period the ECM would have a word that is not there.
  late.known = 9;
  run(milliseconds(5000));
  EXPECT_GE(begun.size(), 2U);
}

TEST_F(Synchronising, AJumpOfTheStreamsTimeIsNoFlood) {
  const std::size_t ecmg = add();
  run(milliseconds(1500));
  const std::size_t before = sent.size();
  now = milliseconds(3'600'000);
  EXPECT_OK(synchroniser().advance(now));
  EXPECT_LE(sent.size(), before + 2);
  run(now + milliseconds(3000));
  EXPECT_LE(times(ecmg, synchroniser().cp_number()).size(), 11U);
  EXPECT_GE(begun.size(), 4U);
}

}  // namespace
}  // namespace cas::simulcrypt
