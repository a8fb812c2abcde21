// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ca-system/ca_system.hpp"

#include <sys/stat.h>

#include <filesystem>

#include "ca_fixture.hpp"

namespace cas::ca_system {
namespace {

namespace fs = std::filesystem;
using cas::casdemo::EntitlementStore;
using std::chrono::hours;
using std::chrono::seconds;

constexpr seconds day = hours(24);

class CaSystemTest : public cas::test::CaFixture {
 protected:
  void add_cards(std::uint64_t count) { EXPECT_EQ(system->add_cards(std::nullopt, count, "").value_or(0), 1U); }
};

TEST_F(CaSystemTest, IsForItsOwnerAlone) {
  struct stat found {};
  ASSERT_EQ(::stat(folder().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700U);
  for (const auto& entry : fs::directory_iterator(folder())) {
    ASSERT_EQ(::stat(entry.path().c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600U) << entry.path();
  }
  system.reset();
  fs::permissions(folder() / "system.db", fs::perms::group_read, fs::perm_options::add);
  EXPECT_FAILS(CaSystem::open(folder(), random, clock), ErrorKind::permission_denied);
}

TEST_F(CaSystemTest, IsNotOverwrittenAndNotThereByItself) {
  EXPECT_FAILS(CaSystem::create(folder(), 1, random, clock), ErrorKind::refused);
  EXPECT_FAILS(CaSystem::open(folder() / "other", random, clock), ErrorKind::not_found);
  EXPECT_FALSE(fs::exists(folder() / "other"));
}

TEST_F(CaSystemTest, EmmsToACardOpenItsEcmsAndNobodyElses) {
  add_cards(2);
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  EntitlementStore one = receiver(1);
  EntitlementStore two = receiver(2);
  EXPECT_FAILS(one.open_ecm(ecm()), ErrorKind::not_found);
  EXPECT_EQ(tell(one), 1);
  EXPECT_EQ(tell(two), 0);
  EXPECT_TRUE(opens(one, ecm()));
  EXPECT_FAILS(two.open_ecm(ecm()), ErrorKind::not_found);
  EXPECT_EQ(tell(one), 0);  // repeated
}

TEST_F(CaSystemTest, EmmsToAGroupOpenForItsCards) {
  add_cards(2);
  EXPECT_OK(system->add_group(5, "hotels"));
  EXPECT_OK(system->grant(EmmAddress::to_group(5), 1, for_ever));
  EXPECT_OK(system->personalise(2, 49, {5}));
  EntitlementStore one = receiver(1);
  EntitlementStore two = receiver(2);
  EXPECT_EQ(tell(one), 0);
  tell(two);  // the grant comes before the group's key
  tell(two);
  EXPECT_EQ(two.region(), 49);
  EXPECT_TRUE(opens(two, ecm()));
  EXPECT_FAILS(one.open_ecm(ecm()), ErrorKind::not_found);
}

TEST_F(CaSystemTest, EmmsToAllOpenForAll) {
  add_cards(3);
  EXPECT_OK(system->grant(EmmAddress::to_all(), 1, for_ever));
  for (const CardNumber number : {1U, 2U, 3U}) {
    EntitlementStore card = receiver(number);
    EXPECT_EQ(tell(card), 1);
    EXPECT_TRUE(opens(card, ecm()));
  }
  EXPECT_OK(system->withdraw(EmmAddress::to_all(), 1));
  EXPECT_TRUE(emms().empty());
}

TEST_F(CaSystemTest, TheNextKeyIsThereBeforeItBegins) {
  add_cards(1);
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  EntitlementStore card = receiver(1);
  tell(card);
  clock.advance(30 * day);  // no EMM meanwhile
  EXPECT_TRUE(opens(card, ecm()));
  clock.advance(30 * day);
  EXPECT_FAILS(card.open_ecm(ecm()), ErrorKind::not_found);
  EXPECT_EQ(system->refresh_emms().value_or(0), 1U);
  EXPECT_EQ(system->refresh_emms().value_or(9), 0U);
  EXPECT_EQ(tell(card), 1);
  EXPECT_TRUE(opens(card, ecm()));
}

TEST_F(CaSystemTest, APausedSystemGoesOnWithNewKeys) {
  add_cards(1);
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  clock.advance(1000 * day);
  EXPECT_EQ(system->refresh_emms().value_or(0), 1U);
  EntitlementStore card = receiver(1);
  tell(card);
  EXPECT_TRUE(opens(card, ecm()));
  EXPECT_EQ(system->keys()->size(), 2U);  // those that expired are forgotten
}

TEST_F(CaSystemTest, AnEntitlementEndsAtItsTime) {
  add_cards(1);
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, clock.now() + 3600));
  EntitlementStore card = receiver(1);
  tell(card);
  clock.advance(seconds(3599));
  EXPECT_TRUE(opens(card, ecm()));
  clock.advance(seconds(1));
  EXPECT_FAILS(card.open_ecm(ecm()), ErrorKind::expired);
  EXPECT_OK(system->refresh_emms());
  EXPECT_TRUE(emms().empty());
  EXPECT_TRUE(system->subscriptions(10)->empty());
  EXPECT_FAILS(system->grant(EmmAddress::to_card(1), 1, clock.now()), ErrorKind::invalid_argument);
  EXPECT_FAILS(system->grant(EmmAddress::to_card(1), 1, for_ever + 1), ErrorKind::invalid_argument);
}

TEST_F(CaSystemTest, WhatIsWithdrawnIsGone) {
  add_cards(1);
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  EntitlementStore card = receiver(1);
  const auto before = emms();
  tell(card);
  EXPECT_OK(system->withdraw(EmmAddress::to_card(1), 1));
  EXPECT_EQ(tell(card), 1);
  EXPECT_FAILS(card.open_ecm(ecm()), ErrorKind::not_found);
  EXPECT_OK(card.receive_emm(before[0].section));  // a replay
  EXPECT_FAILS(card.open_ecm(ecm()), ErrorKind::not_found);
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  EXPECT_EQ(tell(card), 1);
  EXPECT_TRUE(opens(card, ecm()));
  // It is told as long as a card may have keys, and not longer.
  EXPECT_OK(system->withdraw(EmmAddress::to_card(1), 1));
  clock.advance(59 * day);
  EXPECT_OK(system->refresh_emms());
  EXPECT_EQ(emms().size(), 1U);
  clock.advance(2 * day);
  EXPECT_OK(system->refresh_emms());
  EXPECT_TRUE(emms().empty());
}

TEST_F(CaSystemTest, ARolledKeyShutsOutWhoDidNotListen) {
  add_cards(2);
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  EXPECT_OK(system->grant(EmmAddress::to_card(2), 1, for_ever));
  EntitlementStore good = receiver(1);
  EntitlementStore deaf = receiver(2);
  tell(good);
  tell(deaf);
  EXPECT_OK(system->withdraw(EmmAddress::to_card(2), 1));
  const auto key = system->roll(1, hours(2));
  ASSERT_OK(key);
  EXPECT_EQ(key->id, 4);  // 1 and 2 are granted; 3 would take the place of 1, which is in force
  EXPECT_OK(system->refresh_emms());
  tell(good);
  EXPECT_TRUE(opens(good, ecm()));
  EXPECT_TRUE(opens(deaf, ecm()));
  clock.advance(hours(2));
  EXPECT_TRUE(opens(good, ecm()));
  EXPECT_FAILS(deaf.open_ecm(ecm()), ErrorKind::not_found);
  EXPECT_OK(system->refresh_emms());
  tell(good);
  clock.advance(30 * day);
  EXPECT_TRUE(opens(good, ecm()));
  EXPECT_FAILS(deaf.open_ecm(ecm()), ErrorKind::not_found);
  EXPECT_FAILS(system->roll(9, hours(2)), ErrorKind::not_found);
  EXPECT_FAILS(system->roll(1, seconds(-1)), ErrorKind::invalid_argument);
}

TEST_F(CaSystemTest, ThePresentKeyLastsUntilTheRolledOneBegins) {
  add_cards(1);
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  clock.advance(30 * day - seconds(60));
  EXPECT_OK(system->roll(1, hours(2)));
  EXPECT_OK(system->refresh_emms());
  EntitlementStore card = receiver(1);
  tell(card);
  for (const seconds step : {seconds(61), seconds(7138), seconds(1)}) {
    clock.advance(step);
    EXPECT_TRUE(opens(card, ecm()));
  }
}

TEST_F(CaSystemTest, IssueNumbersNeverGoBack) {
  add_cards(1);
  IssueNumber last = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
    EXPECT_GT(emms().back().issue, last);
    last = emms().back().issue;
    open_again();
  }
  // A clock that was set back.
  clock.set(clock.now() - 100'000);
  EXPECT_OK(system->withdraw(EmmAddress::to_card(1), 1));
  EXPECT_EQ(emms().back().issue, last + 1);
}

TEST_F(CaSystemTest, ARestoredBackupGoesOnAboveWhatWasIssuedSince) {
  add_cards(1);
  system.reset();
  const fs::path backup = folder().parent_path() / "backup";
  fs::copy(folder(), backup, fs::copy_options::recursive);
  open_again();
  clock.advance(seconds(10));
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  EntitlementStore card = receiver(1);
  tell(card);
  const IssueNumber last = emms().back().issue;
  system.reset();
  fs::remove_all(folder());
  fs::rename(backup, folder());
  clock.advance(seconds(10));
  open_again();
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  EXPECT_GT(emms().back().issue, last);
  EXPECT_EQ(tell(card), 1);
}

TEST_F(CaSystemTest, ManyEntitlementsAreBroughtUpToDate) {
  add_cards(600);
  for (CardNumber number = 1; number <= 600; ++number)
    ASSERT_OK(system->grant(EmmAddress::to_card(number), 1, for_ever));
  clock.advance(31 * day);
  EXPECT_EQ(system->refresh_emms().value_or(0), 600U);
  EntitlementStore card = receiver(600);
  EXPECT_EQ(tell(card), 1);
  EXPECT_TRUE(opens(card, ecm()));
}

TEST_F(CaSystemTest, AClockThatWasSetBackMakesNoEndlessWork) {
  add_cards(1);
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, clock.now() + 60));
  clock.set(clock.now() - 1'000'000);
  EXPECT_OK(system->refresh_emms());
}

TEST_F(CaSystemTest, ProductsHaveOneIdAndOneName) {
  EXPECT_OK(system->add_product(7, "sport", hours(1)));
  EXPECT_FAILS(system->add_product(7, "other", hours(1)), ErrorKind::refused);
  EXPECT_FAILS(system->add_product(8, "sport", hours(1)), ErrorKind::refused);
  EXPECT_FAILS(system->add_product(8, "", hours(1)), ErrorKind::invalid_argument);
  EXPECT_FAILS(system->add_product(8, "a\nb", hours(1)), ErrorKind::invalid_argument);
  EXPECT_FAILS(system->add_product(8, "other", seconds(9)), ErrorKind::invalid_argument);
  EXPECT_FAILS(system->add_product(8, "other", longest_key_period + seconds(1)), ErrorKind::invalid_argument);
  EXPECT_EQ(system->products()->size(), 2U);
  EXPECT_EQ(system->keys()->size(), 4U);
}

TEST_F(CaSystemTest, CardsHaveOneNumberEach) {
  EXPECT_EQ(system->add_cards(10, 3, "a").value_or(0), 10U);
  EXPECT_FAILS(system->add_cards(12, 1, "b"), ErrorKind::refused);
  EXPECT_FAILS(system->add_cards(8, 3, "b"), ErrorKind::refused);
  EXPECT_EQ(system->card_count().value_or(0), 3U);  // none of those was made
  EXPECT_EQ(system->add_cards(std::nullopt, 2, "c").value_or(0), 13U);
  EXPECT_FAILS(system->add_cards(0, 1, ""), ErrorKind::invalid_argument);
  EXPECT_FAILS(system->add_cards(1, 0, ""), ErrorKind::invalid_argument);
  EXPECT_FAILS(system->add_cards(largest_card_number, 2, ""), ErrorKind::invalid_argument);
  EXPECT_OK(system->add_cards(largest_card_number, 1, ""));
  EXPECT_FAILS(system->add_cards(std::nullopt, 1, ""), ErrorKind::invalid_argument);
  EXPECT_EQ(system->cards(13, 10)->size(), 2U);
}

TEST_F(CaSystemTest, ACardThatIsRemovedIsForgotten) {
  add_cards(1);
  EXPECT_OK(system->add_group(5, "five"));
  EXPECT_OK(system->personalise(1, 0, {5}));
  EXPECT_OK(system->grant(EmmAddress::to_card(1), 1, for_ever));
  EXPECT_OK(system->remove_card(1));
  EXPECT_TRUE(emms().empty());
  EXPECT_EQ(system->groups()->front().cards, 0U);
  EXPECT_FAILS(system->remove_card(1), ErrorKind::not_found);
  EXPECT_FAILS(system->identity_of(1), ErrorKind::not_found);
}

TEST_F(CaSystemTest, WhatIsNotThereIsTold) {
  add_cards(1);
  EXPECT_FAILS(system->grant(EmmAddress::to_card(2), 1, for_ever), ErrorKind::not_found);
  EXPECT_FAILS(system->grant(EmmAddress::to_group(5), 1, for_ever), ErrorKind::not_found);
  EXPECT_FAILS(system->grant(EmmAddress::to_card(1), 2, for_ever), ErrorKind::not_found);
  EXPECT_FAILS(system->withdraw(EmmAddress::to_card(2), 1), ErrorKind::not_found);
  EXPECT_FAILS(system->personalise(1, 0, {5}), ErrorKind::not_found);
  EXPECT_FAILS(system->personalise(2, 0, {}), ErrorKind::not_found);
  EXPECT_FAILS(system->personalise(1, 0, {1, 2, 3, 4, 5, 6, 7, 8, 9}), ErrorKind::invalid_argument);
  EXPECT_FAILS(system->add_group(0, "none"), ErrorKind::invalid_argument);
  EXPECT_OK(system->add_group(5, "five"));
  EXPECT_FAILS(system->add_group(5, "five"), ErrorKind::refused);
  EXPECT_TRUE(emms().empty());
}

TEST_F(CaSystemTest, TwoProcessesShareIt) {
  auto other = CaSystem::open(folder(), random, clock);
  ASSERT_OK(other);
  const auto before = other->data_version();
  add_cards(1);
  EXPECT_NE(other->data_version().value_or(0), before.value_or(0));
  EXPECT_OK(other->grant(EmmAddress::to_card(1), 1, for_ever));
  EXPECT_OK(system->grant(EmmAddress::to_all(), 1, for_ever));
  EXPECT_EQ(emms().size(), 2U);
  EXPECT_NE(emms()[0].issue, emms()[1].issue);
}

}  // namespace
}  // namespace cas::ca_system
