// SPDX-License-Identifier: LGPL-2.1-or-later
// What a progenitor does beyond enrolment (paper, 3.2, 4.1 and 4.2).
#include <gtest/gtest.h>

#include <algorithm>

#include "base/durable_file.hpp"
#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/list_addition.hpp"
#include "tests/unit/smartpro/domain_management_fixture.hpp"

namespace cas::smartpro {
namespace {

TEST_F(DomainManagement, ADeactivatedTokenIsBlankAgain) {
  const Bytes lecm = licence();
  const auto info = session().deactivate(*system.card("renderer"), register_file());
  ASSERT_OK(info);
  EXPECT_EQ(info->kind, TokenKind::blank);
  EXPECT_FALSE(info->vdid.has_value());
  EXPECT_FAILS(system.session("renderer")->open_licence(lecm, {}), ErrorKind::refused);
  const auto log = entries();
  EXPECT_EQ(log[log.size() - 2].event, RegisterEvent::deactivation_sent);
  EXPECT_EQ(log.back().event, RegisterEvent::deactivated);
  EXPECT_EQ(log.back().token, info->serial_number);
  // And can join another domain, as another kind.
  system.found_domain("second");
  EXPECT_OK(session("second").enrol(*system.card("renderer"), TokenKind::acquisition, system.register_of("second")));
}

TEST_F(DomainManagement, AnotherDomainsProgenitorDeactivatesNothing) {
  system.found_domain("stranger");
  EXPECT_FAILS(session("stranger").deactivate(*system.card("renderer"), system.register_of("stranger")),
               ErrorKind::refused);
  EXPECT_EQ(value_or_throw(read_token_info(*connected("renderer"))).kind, TokenKind::renderer);
}

TEST_F(DomainManagement, BlankTokensAndProgenitorsAreNotDeactivated) {
  system.make_token("blank");
  EXPECT_FAILS(session().deactivate(*system.card("blank"), register_file()), ErrorKind::refused);
  system.found_domain("stranger");
  EXPECT_FAILS(session().deactivate(*system.card("stranger"), register_file()), ErrorKind::refused);
  EXPECT_EQ(entries().size(), 4U);
}

TEST_F(DomainManagement, ACloneOfADeactivatedTokenHoldsNothing) {
  const Bytes lecm = licence();
  ASSERT_OK(session().deactivate(*system.card("renderer"), register_file()));
  system.release_cards();
  std::filesystem::copy_file(system.card_file("renderer"), system.card_file("clone"));
  std::filesystem::copy_file(system.card_file("renderer").string() + ".pin",
                             system.card_file("clone").string() + ".pin");
  EXPECT_FAILS(system.session("clone")->open_licence(lecm, {}), ErrorKind::refused);
  EXPECT_EQ(value_or_throw(read_token_info(*connected("clone"))).kind, TokenKind::blank);
}

TEST_F(DomainManagement, ARevocationMakesANewSignedList) {
  const SerialNumber lost = serial("renderer");
  const auto list = revoke(lost, empty_list());
  ASSERT_OK(list);
  // As any host reads it.
  const auto read = RevocationList::parse(list->encode(), domain.revocation_key);
  ASSERT_OK(read);
  EXPECT_EQ(read->header.index, 2U);
  EXPECT_TRUE(read->revokes_token(lost));
  EXPECT_EQ(entries().back().event, RegisterEvent::revoked);
  EXPECT_EQ(entries().back().token, lost);
  EXPECT_EQ(entries().back().number, 2U);
  // The next one goes in at its place, on whichever side.
  const auto second = revoke(1, *list);
  ASSERT_OK(second);
  const auto third = revoke(UINT64_MAX, *second);
  ASSERT_OK(third);
  ASSERT_OK(RevocationList::parse(third->encode(), domain.revocation_key));
  EXPECT_EQ(third->tokens, (std::vector<RevokedNumber>{1, lost, UINT64_MAX}));
}

TEST_F(DomainManagement, OnlyTheListAsItIsCanBeAddedTo) {
  const RevocationList before = empty_list();
  const RevocationList list = value_or_throw(revoke(1000, before));
  RevocationList without = list;
  without.tokens.clear();
  EXPECT_FAILS(revoke(2000, without), ErrorKind::authentication_failed);
  EXPECT_FAILS(revoke(1000, list), ErrorKind::revoked);
  EXPECT_FAILS(revoke(serial("progenitor"), list), ErrorKind::refused);
  EXPECT_EQ(entries().back().token, 1000U);
  EXPECT_EQ(value_or_throw(session().read_domain()).irl_header, list.signed_header);
}

TEST_F(DomainManagement, ABridgeIsRegisteredUnderIndicesThatOnlyGrow) {
  make_foreign_bridge("bridge");
  const auto first = session().register_bridge(*system.card("bridge"), register_file());
  ASSERT_OK(first);
  const auto record = BridgeRecord::parse_signed(*first, domain.revocation_key);
  ASSERT_OK(record);
  EXPECT_EQ(record->source, domain.vdid);
  EXPECT_EQ(record->index, 1U);
  EXPECT_EQ(record->simple_bridge, serial("bridge"));
  EXPECT_EQ(record->destination, value_or_throw(read_token_info(*connected("bridge"))).vdid);
  EXPECT_EQ(entries().back().event, RegisterEvent::bridge_registered);
  EXPECT_EQ(entries().back().number, 1U);
  EXPECT_EQ(entries().back().vdid, record->destination);
  const auto again = session().register_bridge(*system.card("bridge"), register_file());
  ASSERT_OK(again);
  EXPECT_EQ(value_or_throw(BridgeRecord::parse(*again)).index, 2U);
}

TEST_F(DomainManagement, OnlySimpleBridgesOfOtherDomainsAreRegistered) {
  EXPECT_FAILS(session().register_bridge(*system.card("renderer"), register_file()), ErrorKind::refused);
  system.enrol("progenitor", "own bridge", TokenKind::simple_bridge);
  EXPECT_FAILS(session().register_bridge(*system.card("own bridge"), register_file()), ErrorKind::refused);
}

TEST_F(DomainManagement, TheMaskFollowsBitByBit) {
  make_foreign_bridge("bridge");
  const auto record = value_or_throw(
      BridgeRecord::parse(value_or_throw(session().register_bridge(*system.card("bridge"), register_file()))));
  const auto on = session().revise_mask(record.index, true, first_mask(), register_file());
  ASSERT_OK(on);
  ASSERT_OK(AuthorisationMask::parse(on->encode(), domain.revocation_key));
  EXPECT_TRUE(on->authorises(record.index));
  EXPECT_EQ(on->header.version, 2U);
  EXPECT_FAILS(session().revise_mask(record.index, false, first_mask(), register_file()),
               ErrorKind::authentication_failed);
  const auto off = session().revise_mask(record.index, false, *on, register_file());
  ASSERT_OK(off);
  ASSERT_OK(AuthorisationMask::parse(off->encode(), domain.revocation_key));
  EXPECT_FALSE(off->authorises(record.index));
  EXPECT_EQ(off->header.version, 3U);
  EXPECT_EQ(entries().back().event, RegisterEvent::bridge_barred);
  // An index that nobody was given has no bit.
  EXPECT_FAILS(session().revise_mask(record.index + 1, true, *off, register_file()), ErrorKind::refused);
  EXPECT_FAILS(session().revise_mask(0, true, *off, register_file()), ErrorKind::refused);
}

TEST_F(DomainManagement, ABackupSleepsUntilItTakesOver) {
  system.make_token("backup", true);
  ASSERT_OK(session().back_up(*system.card("backup"), register_file()));
  EXPECT_EQ(entries().back().event, RegisterEvent::backed_up);
  system.make_token("late");
  // Asleep it does nothing for a domain.
  EXPECT_FAILS(session("backup").enrol(*system.card("late"), TokenKind::renderer, register_file()), ErrorKind::refused);
  EXPECT_TRUE(value_or_throw(session("backup").read_domain()).dormant);

  // The progenitor goes on, and is lost.
  make_foreign_bridge("bridge");
  const auto record = value_or_throw(
      BridgeRecord::parse(value_or_throw(session().register_bridge(*system.card("bridge"), register_file()))));
  const AuthorisationMask mask =
      value_or_throw(session().revise_mask(record.index, true, first_mask(), register_file()));
  const std::size_t before = entries().size();
  ASSERT_OK(session("backup").take_over(mask.signed_header, register_file()));
  EXPECT_FALSE(value_or_throw(session("backup").read_domain()).dormant);
  const auto log = entries("backup");
  EXPECT_EQ(log.size(), before + 1);
  EXPECT_EQ(log.back().event, RegisterEvent::took_over);

  // It is the progenitor: same domain, and no index is given twice.
  ASSERT_OK(session("backup").enrol(*system.card("late"), TokenKind::renderer, register_file()));
  EXPECT_OK(system.session("late")->open_licence(licence(), {}));
  ASSERT_OK(session("backup").deactivate(*system.card("renderer"), register_file()));
  EXPECT_EQ(value_or_throw(BridgeRecord::parse(value_or_throw(
                               session("backup").register_bridge(*system.card("bridge"), register_file()))))
                .index,
            record.index + 1);
  // The register that the old one had is no longer its own.
  EXPECT_FAILS(session().enrol(*system.card("late"), TokenKind::renderer, register_file()), ErrorKind::refused);
}

TEST_F(DomainManagement, ABackupTakesOverWithTheWholeRegisterAlone) {
  system.make_token("backup", true);
  ASSERT_OK(session().back_up(*system.card("backup"), register_file()));
  make_foreign_bridge("bridge");
  ASSERT_OK(session().register_bridge(*system.card("bridge"), register_file()));
  const AuthorisationMask mask = value_or_throw(session().revise_mask(1, true, first_mask(), register_file()));
  EXPECT_FAILS(session("backup").take_over(first_mask().signed_header, register_file()), ErrorKind::outdated);
  // The register says that there is a newer list; the host has not got it, and so the backup has not either.
  value_or_throw(session().revoke(77, empty_list(), register_file()));
  EXPECT_FAILS(session("backup").take_over(mask.signed_header, register_file()), ErrorKind::outdated);
  EXPECT_TRUE(value_or_throw(session("backup").read_domain()).dormant);
  // A record of another chain in the middle.
  RegisterCopy forged(value_or_throw(register_file().records()));
  forged.content[7][20] ^= 1;
  EXPECT_FAILS(session("backup").take_over(mask.signed_header, forged), ErrorKind::authentication_failed);
}

TEST_F(DomainManagement, SecretsGoToProgenitorTokensAlone) {
  system.make_token("ordinary");
  EXPECT_FAILS(session().back_up(*system.card("ordinary"), register_file()), ErrorKind::authentication_failed);
  EXPECT_EQ(entries().size(), 4U);
  system.make_token("spare", true);
  EXPECT_FAILS(session().enrol(*system.card("spare"), TokenKind::renderer, register_file()),
               ErrorKind::authentication_failed);
  EXPECT_EQ(entries().size(), 4U);
}

TEST_F(DomainManagement, ARolledDomainHasNewTokensAndItsOldLicencesIssuedAnew) {
  const Bytes old = licence();
  ASSERT_OK(session().roll(register_file()));
  EXPECT_EQ(entries().back().event, RegisterEvent::rolled);
  EXPECT_EQ(entries().back().number, 2U);
  EXPECT_EQ(value_or_throw(session().read_domain()).generation, 2U);
  ASSERT_OK(session().deactivate(*system.card("renderer"), register_file()));
  ASSERT_OK(session().enrol(*system.card("renderer"), TokenKind::renderer, register_file()));
  EXPECT_FAILS(system.session("renderer")->open_licence(old, {}), ErrorKind::authentication_failed);
  const auto anew = session().reissue_old_licence(old);
  ASSERT_OK(anew);
  EXPECT_OK(system.session("renderer")->open_licence(*anew, {}));
  // A token of before, hacked or not, opens nothing of after; and what is not under the previous key is not issued
  // anew.
  system.found_domain("stranger");
  system.enrol("stranger", "strange acquisition", TokenKind::acquisition);
  EXPECT_EQ(value_or_throw(session().reissue_old_licence(*anew)), *anew);
  Bytes changed = old;
  changed.back() ^= 1;
  EXPECT_FAILS(session().reissue_old_licence(changed), ErrorKind::malformed);
  EXPECT_FAILS(
      session().reissue_old_licence(value_or_throw(system.session("strange acquisition")->create_licence({})).lecm),
      ErrorKind::io);
}

TEST_F(DomainManagement, OnlyAManagementHostRunsADomain) {
  const auto host = system.make_host("acquisition,renderer,processing,bridge");
  auto other = value_or_throw(
      ProgenitorSession::open(system.card("progenitor"), host, {crypto::DhGroup::p256, &system.clock, &system.random}));
  EXPECT_FAILS(other.revoke(5, empty_list(), register_file()), ErrorKind::authentication_failed);
  EXPECT_FAILS(other.roll(register_file()), ErrorKind::authentication_failed);
  const auto card = connected("progenitor");
  auto channel =
      value_or_throw(TokenChannel::establish(*card, *host, {crypto::DhGroup::p256, &system.clock, &system.random}));
  for (const std::uint8_t instruction :
       {ins::create_domain, ins::run_initiate, ins::run_authenticate, ins::run_command, ins::run_complete,
        ins::read_register, ins::last_record, ins::read_domain, ins::revoke_token, ins::revise_mask, ins::take_over,
        ins::roll_domain, ins::reissue_old_licence}) {
    SCOPED_TRACE(static_cast<int>(instruction));
    EXPECT_FAILS(channel.command(instruction, {}), ErrorKind::authentication_failed);
  }
}

TEST_F(DomainManagement, AMembersInstructionsAreNotForHosts) {
  const auto card = connected("renderer");
  auto channel = value_or_throw(
      TokenChannel::establish(*card, *system.host(), {crypto::DhGroup::p256, &system.clock, &system.random}));
  for (const std::uint8_t instruction : {ins::deactivate, ins::restore}) {
    const auto answer = channel.command(instruction, {});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().kind, ErrorKind::authentication_failed);
  }
}

TEST(ListAddition, GivesWhatTheWholeListWouldWhereverTheNumberGoes) {
  for (const std::size_t count : {0U, 1U, 31U, 32U, 33U, 1000U}) {
    std::vector<RevokedNumber> numbers(count);
    for (std::size_t i = 0; i < count; ++i) numbers[i] = 10 * (i + 1);
    const auto elements = [](const std::vector<RevokedNumber>& of) {
      RevokedElementsBuilder builder = value_or_throw(RevokedElementsBuilder::create());
      for (const RevokedNumber number : of) value_or_throw(builder.add(number));
      return value_or_throw(builder.finish());
    };
    for (const RevokedNumber added :
         {RevokedNumber{5}, RevokedNumber{count / 2 * 10 + 5}, RevokedNumber{count * 10 + 5}}) {
      SCOPED_TRACE(std::to_string(count) + " with " + std::to_string(added));
      ListAddition addition = value_or_throw(ListAddition::create(added));
      for (const RevokedNumber number : numbers) value_or_throw(addition.add(ByteWriter().u64(number).view()));
      std::vector<RevokedNumber> after = numbers;
      after.insert(std::lower_bound(after.begin(), after.end(), added), added);
      const auto made = addition.finish(elements(numbers));
      ASSERT_OK(made);
      EXPECT_EQ(*made, elements(after));
    }
    if (count == 0) continue;
    ListAddition twice = value_or_throw(ListAddition::create(numbers.back()));
    for (const RevokedNumber number : numbers) value_or_throw(twice.add(ByteWriter().u64(number).view()));
    EXPECT_FAILS(twice.finish(elements(numbers)), ErrorKind::revoked);
  }
}

}  // namespace
}  // namespace cas::smartpro
