// SPDX-License-Identifier: LGPL-2.1-or-later
#include "synchroniser_keys_fixture.hpp"

// Crypto-periods whose keys, and whose bounds, come from outside.

namespace cas::simulcrypt {
namespace {

using Missing = std::vector<std::pair<std::size_t, std::uint16_t>>;

TEST_F(SynchronisingWithKeys, NothingBeginsWithoutAKey) {
  EcmStreamTerms terms;
  terms.delay_start = milliseconds(-100);
  add(terms);
  run(milliseconds(500));
  EXPECT_TRUE(synchroniser().lacks_key());
  EXPECT_TRUE(begun.empty());
  EXPECT_TRUE(requests.empty());
  // One that is to come has its ECM made, and does not begin either.
  EXPECT_OK(synchroniser().announce(key(8)));
  EXPECT_OK(synchroniser().announce(key(9)));
  run(milliseconds(1000));
  EXPECT_TRUE(synchroniser().lacks_key());
  EXPECT_EQ(requests.size(), 1U);
  EXPECT_TRUE(begun.empty());
  EXPECT_TRUE(sent.empty());
  EXPECT_FALSE(synchroniser().is_overdue(now));
  synchroniser().begin(key(8));
  EXPECT_FALSE(synchroniser().lacks_key());
  run(milliseconds(1101));
  EXPECT_EQ(begin_of(8), milliseconds(1100));
  ASSERT_NE(synchroniser().key(), nullptr);
  EXPECT_EQ(synchroniser().key()->period, 8U);
}

TEST_F(SynchronisingWithKeys, PeriodsChangeExactlyWhereTheStreamSays) {
  const std::size_t ecmg = add();
  run_periods(1234567, 5, 2);
  ASSERT_EQ(begun.size(), 5U);
  for (std::uint64_t number = 0; number < 5; ++number) {
    EXPECT_EQ(begun[number].cp, static_cast<std::uint16_t>(1234567 + number));
    EXPECT_EQ(begun[number].at, number == 0 ? milliseconds(20) : milliseconds(1000 * static_cast<int>(number)));
    EXPECT_TRUE(std::ranges::equal(begun[number].word.reveal(), word(1234567 + number)));
    EXPECT_EQ(first(ecmg, begun[number].cp), begun[number].at);
  }
  EXPECT_TRUE(missing.empty());
  EXPECT_TRUE(cleared.empty());
  EXPECT_EQ(lost_words, 0U);
}

TEST_F(SynchronisingWithKeys, TheLineIsTheStreamsAndNotTheAnnouncements) {
  add();
  run_periods(5, 1, 2);
  // Later than was announced: the word stays; sooner: it changes.
  run(milliseconds(3500));
  EXPECT_EQ(begun.size(), 1U);
  synchroniser().begin(timed(6));
  run(milliseconds(3600));
  synchroniser().begin(timed(7));
  run(milliseconds(3700));
  ASSERT_EQ(begun.size(), 3U);
  EXPECT_EQ(begun[1].at, milliseconds(3500));
  EXPECT_EQ(begun[2].at, milliseconds(3600));
}

TEST_F(SynchronisingWithKeys, EcmsAreAskedForAsSoonAsTheyCanBe) {
  EcmStreamTerms one_word;
  one_word.lead_cw = 0;
  one_word.cw_per_msg = 1;
  const std::size_t one = add(one_word), two = add();
  synchroniser().begin(timed(5));
  EXPECT_OK(synchroniser().announce(timed(6)));
  EXPECT_OK(synchroniser().announce(timed(7)));
  run(milliseconds(100));
  std::map<std::size_t, std::vector<std::uint16_t>> asked;
  for (const auto& [stream, request] : requests) {
    asked[stream].push_back(request.cp_number);
    EXPECT_EQ(request.duration, milliseconds(1000));
  }
  EXPECT_EQ(asked[one], (std::vector<std::uint16_t>{5, 6, 7}));
  EXPECT_EQ(asked[two], (std::vector<std::uint16_t>{5, 6}));  // 7 needs the word of 8.
}

TEST_F(SynchronisingWithKeys, AnEcmIsMadeWithoutAWordThatDoesNotComeInTime) {
  const std::size_t ecmg = add();
  run_periods(5, 6, 1);
  ASSERT_EQ(begun.size(), 6U);
  for (std::size_t number = 1; number < 6; ++number)
    EXPECT_EQ(begun[number].at, milliseconds(1000 * static_cast<int>(number)));
  EXPECT_TRUE(missing.empty());
  // What stands in for it takes nothing from receivers.
  EXPECT_EQ(lost_words, 0U);
  for (std::uint16_t cp = 5; cp < 11; ++cp) EXPECT_FALSE(times(ecmg, cp).empty()) << cp;
}

TEST_F(SynchronisingWithKeys, AStandInIsNotOnTheAirWhileTheWordItStandsForIsInUse) {
  EcmStreamTerms terms;
  terms.delay_stop = milliseconds(300);
  const std::size_t ecmg = add(terms);
  run_periods(5, 4, 1);
  EXPECT_EQ(lost_words, 0U);
  EXPECT_LT(last(ecmg, 6), begin_of(7));
  // With the words themselves it may be.
  run_periods(9, 4, 3);
  EXPECT_GE(last(ecmg, 10), begin_of(11));
}

TEST_F(SynchronisingWithKeys, EcmsGoOutAheadAsAnnounced) {
  EcmStreamTerms terms;
  terms.lead_cw = 0;
  terms.cw_per_msg = 1;
  terms.delay_start = terms.delay_stop = milliseconds(-300);
  const std::size_t ecmg = add(terms);
  run_periods(5, 6, 2);
  // The first one takes its time on the air.
  EXPECT_EQ(begin_of(5), milliseconds(320));
  for (std::uint16_t cp = 6; cp < 11; ++cp) EXPECT_EQ(begin_of(cp), milliseconds(1000 * (cp - 5))) << cp;
  for (std::uint16_t cp = 7; cp < 11; ++cp) {
    EXPECT_EQ(first(ecmg, cp), begin_of(cp) - milliseconds(300)) << cp;
    // Nobody knew before that the period before would end.
    EXPECT_GE(last(ecmg, static_cast<std::uint16_t>(cp - 1)), begin_of(cp) - milliseconds(100)) << cp;
  }
  // Of the period that the stream was thrown into nobody knows the beginning: the next may come at any moment.
  EXPECT_EQ(first(ecmg, 6), begin_of(5));
  EXPECT_EQ(lost_words, 0U);
}

TEST_F(SynchronisingWithKeys, APeriodThatComesTooSoonBeginsWhenItsEcmWasThereInTime) {
  EcmStreamTerms terms;
  terms.lead_cw = 0;
  terms.cw_per_msg = 1;
  terms.delay_start = milliseconds(-300);
  const std::size_t ecmg = add(terms);
  run_periods(5, 2, 2);
  // A little sooner than was announced: the ECM has done what was asked of it.
  synchroniser().begin(timed(7));
  EXPECT_OK(synchroniser().announce(timed(8)));
  run(now + milliseconds(900));
  synchroniser().begin(timed(8));
  run(now + milliseconds(1));
  EXPECT_EQ(begin_of(8), milliseconds(2900));
  EXPECT_EQ(first(ecmg, 8), milliseconds(2700));
  // Much sooner: it is not there yet, and its receivers need it.
  EXPECT_OK(synchroniser().announce(timed(9)));
  run(now + milliseconds(300));
  synchroniser().begin(timed(9));
  run(now + milliseconds(1000));
  EXPECT_EQ(begin_of(9), first(ecmg, 9) + milliseconds(300));
}

TEST_F(SynchronisingWithKeys, ALeadOfMoreThanAPeriodIsOne) {
  EcmStreamTerms terms;
  terms.lead_cw = 0;
  terms.cw_per_msg = 1;
  terms.delay_start = milliseconds(-2500);
  const std::size_t ecmg = add(terms);
  run_periods(5, 8, 3);
  EXPECT_EQ(lost_words, 0U);
  // Out of the clear it has half a period: with more the next would be there before.
  EXPECT_EQ(begin_of(5), milliseconds(520));
  for (std::uint16_t cp = 6; cp < 13; ++cp) {
    EXPECT_EQ(begin_of(cp), milliseconds(1000 * (cp - 5))) << cp;
    EXPECT_EQ(first(ecmg, cp), begin_of(static_cast<std::uint16_t>(cp - 1))) << cp;
  }
}

TEST_F(SynchronisingWithKeys, AKeyThatNobodyAnnouncedHasItsEcmMadeAtOnce) {
  const std::size_t ecmg = add();
  run_periods(5, 3, 0);
  // The line, and then the time that the ECMG takes: the former word is held.
  EXPECT_EQ(begin_of(6), milliseconds(1020));
  EXPECT_EQ(begin_of(7), milliseconds(2020));
  EXPECT_EQ(missing, (Missing{{ecmg, 6}, {ecmg, 7}}));
  EXPECT_EQ(consequences, std::vector(2, WithoutEcm::hold));
  EXPECT_EQ(lost_words, 0U);
}

TEST_F(SynchronisingWithKeys, AJumpToTheSameParityIsDoneInOrder) {
  for (const std::uint8_t lead : {std::uint8_t{0}, std::uint8_t{1}}) {
    for (const int delay : {-400, 0}) {
      begun.clear();
      begin_with(options);
      ecmgs.clear();
      held.clear();
      lost_words = 0;
      now = milliseconds(0);
      EcmStreamTerms terms;
      terms.lead_cw = lead;
      terms.cw_per_msg = static_cast<std::uint8_t>(lead + 1);
      terms.delay_start = milliseconds(lead == 0 ? delay : 0);
      terms.delay_stop = milliseconds(250);
      const std::size_t ecmg = add(terms);
      run_periods(5, 2, 2);
      sent.clear();
      run_periods(10, 3, 2);
      ASSERT_EQ(begun.size(), 5U);
      EXPECT_EQ(begun[2].cp, 10);
      EXPECT_EQ(begun[2].at, milliseconds(2020)) << "the ECM has to be asked for";
      EXPECT_EQ(first(ecmg, 10), begun[2].at) << "not before: it would take the word of 6 from receivers";
      EXPECT_LT(last(ecmg, 6), begun[2].at) << "not after: it would bring that back";
      EXPECT_EQ(begun[3].at, milliseconds(3000));
      EXPECT_EQ(lost_words, 0U);
    }
  }
}

TEST_F(SynchronisingWithKeys, AnAnnouncedJumpIsOnTime) {
  EcmStreamTerms terms;
  terms.lead_cw = 0;
  terms.cw_per_msg = 2;
  terms.delay_start = milliseconds(-400);
  const std::size_t ecmg = add(terms);
  for (const std::uint64_t period : {5, 8, 10, 11}) {
    synchroniser().begin(key(period));
    for (const std::uint64_t ahead : {8, 10, 11})
      if (ahead > period) EXPECT_OK(synchroniser().announce(key(ahead)));
    run(now + milliseconds(1000));
  }
  ASSERT_EQ(begun.size(), 4U);
  EXPECT_EQ(begin_of(8), milliseconds(1000));
  EXPECT_EQ(begin_of(10), milliseconds(2000));
  EXPECT_EQ(first(ecmg, 8), begin_of(8));
  EXPECT_EQ(first(ecmg, 10), begin_of(10));
  EXPECT_LT(first(ecmg, 11), begin_of(11));
  EXPECT_TRUE(missing.empty());
  EXPECT_EQ(lost_words, 0U);
}

TEST_F(SynchronisingWithKeys, NumbersMayWrap) {
  add();
  synchroniser().begin(timed(0xFFFFFFFE));
  for (const std::uint64_t ahead : {std::uint64_t{0xFFFFFFFF}, std::uint64_t{0}, std::uint64_t{1}})
    EXPECT_OK(synchroniser().announce(key(ahead)));
  run(milliseconds(1000));
  for (const std::uint64_t next : {std::uint64_t{0xFFFFFFFF}, std::uint64_t{0}, std::uint64_t{1}}) {
    synchroniser().begin(key(next));
    run(now + milliseconds(1000));
  }
  ASSERT_EQ(begun.size(), 4U);
  EXPECT_EQ(begun[0].cp, 0xFFFE);
  EXPECT_EQ(begun[2].cp, 0);
  EXPECT_EQ(begun[2].at, milliseconds(2000));
  EXPECT_TRUE(missing.empty());
  EXPECT_EQ(lost_words, 0U);
}

TEST_F(SynchronisingWithKeys, TheSamePeriodAgainIsNothing) {
  add();
  run_periods(5, 2, 2);
  synchroniser().begin(timed(6));
  EXPECT_OK(synchroniser().announce(timed(7)));
  run(now + milliseconds(1000));
  EXPECT_EQ(begun.size(), 2U);
  EXPECT_TRUE(missing.empty());
}

TEST_F(SynchronisingWithKeys, AnEcmForAPeriodThatNeverWillBeIsLeftAside) {
  const std::size_t ecmg = add();
  ecmgs[ecmg].latency = milliseconds(300);
  run_periods(5, 1, 2);
  EXPECT_OK(synchroniser().announce(timed(8)));
  run(now + milliseconds(10));  // That of 7 is on its way.
  ASSERT_EQ(requests.back().second.cp_number, 7);
  synchroniser().begin(timed(20));
  EXPECT_OK(synchroniser().announce(timed(21)));
  run(now + milliseconds(2000));
  EXPECT_EQ(begin_of(20), milliseconds(1600));  // When the ECMG has answered that, and then this.
  synchroniser().begin(timed(21));
  run(now + milliseconds(1000));
  EXPECT_TRUE(times(ecmg, 7).empty());
  EXPECT_FALSE(times(ecmg, 21).empty());
  EXPECT_EQ(begun.size(), 3U);
}

TEST_F(SynchronisingWithKeys, TheEcmgIsToldWhichKeyItIs) {
  const std::size_t named = add(), other = add();
  synchroniser().set_access_criteria(named, {1, 2});
  synchroniser().set_access_criteria(other, {1, 2});
  synchroniser().announce_keys(named);
  run_periods(5, 3, 2);
  for (std::size_t number = 0; number < requests.size(); ++number) {
    const Bytes& given = criteria[number];
    ASSERT_GT(given.size(), 1U);
    EXPECT_EQ(given[0], 1);
    if (requests[number].first == other) {
      EXPECT_EQ(given.size(), 2U);
    } else {
      const auto cp = static_cast<std::uint8_t>(requests[number].second.cp_number);
      EXPECT_EQ(given[2], 0xe1);
      EXPECT_EQ(given.back(), cp);
    }
  }
}

}  // namespace
}  // namespace cas::simulcrypt
