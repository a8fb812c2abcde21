// SPDX-License-Identifier: LGPL-2.1-or-later
// A progenitor and a token look for each other in their revocation lists, with a Token Management Center between them.
#include "smartpro/token_relay.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/tlv.hpp"
#include "smartpro/initiator_run.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_management.hpp"
#include "tests/support/applet_memory.hpp"
#include "tests/support/known_domain.hpp"
#include "tests/support/relayed_card.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::external_list;
using test::some_numbers;
using test::value_or_throw;

class Enrolment : public testing::TestWithParam<ListAnswers> {
 protected:
  test::TestSystem system;
  std::shared_ptr<test::RelayedCard> token;
  std::shared_ptr<test::RelayedCard> progenitor;
  SerialNumber token_number = 0;
  SerialNumber progenitor_number = 0;

  Enrolment() {
    progenitor_number = system.found_domain("progenitor").progenitor;
    progenitor = std::make_shared<test::RelayedCard>(system.card("progenitor"));
    system.make_token("newcomer");
    token = std::make_shared<test::RelayedCard>(system.card("newcomer"));
    value_or_throw(token->connect());
    token_number = value_or_throw(read_token_info(*token)).serial_number;
  }
  void take(const RevocationList& list) { value_or_throw(system.lists()->take(list.encode())); }
  ProgenitorSession session() {
    ChannelOptions options = system.channel_options();
    options.answers = GetParam();
    return value_or_throw(ProgenitorSession::open(progenitor, system.host(), options));
  }
  Result<TokenInfo> enrol(ProgenitorSession&& with) { return enrol(with); }
  Result<TokenInfo> enrol(ProgenitorSession& with) {
    return with.enrol(*token, TokenKind::renderer, system.register_of("progenitor"));
  }
};

INSTANTIATE_TEST_SUITE_P(Ways, Enrolment, testing::Values(ListAnswers::proof, ListAnswers::payload),
                         [](const auto& way) { return way.param == ListAnswers::proof ? "proof" : "payload"; });

TEST_P(Enrolment, BothTokensLookForEachOther) {
  take(external_list(system, 3, some_numbers(1000)));
  std::vector<std::pair<std::uint8_t, std::uint8_t>> to_token;
  token->through = [&](card::Card& inner, const card::CommandApdu& command) {
    to_token.emplace_back(command.ins, command.cla);
    return inner.transmit(command);
  };
  const auto info = enrol(session());
  ASSERT_OK(info);
  EXPECT_EQ(info->kind, TokenKind::renderer);
  // The token's own check and its question about the progenitor.
  const std::pair<std::uint8_t, std::uint8_t> check{ins::check_list, card::cla_proprietary};
  EXPECT_GE(std::count(to_token.begin(), to_token.end(), check), 3);
}

TEST_P(Enrolment, ARevokedTokenIsNotTakenIn) {
  take(external_list(system, 3, {token_number}));
  EXPECT_FAILS(enrol(session()), ErrorKind::revoked);
  token->disconnect();
  ASSERT_OK(token->connect());
  EXPECT_EQ(value_or_throw(read_token_info(*token)).kind, TokenKind::blank);
}

TEST_P(Enrolment, ARevokedProgenitorTakesNobodyIn) {
  auto open = session();
  take(external_list(system, 3, {progenitor_number}));
  EXPECT_FAILS(enrol(open), ErrorKind::revoked);
}

TEST_P(Enrolment, AListThatTheNewcomerBringsReachesTheProgenitor) {
  auto open = session();
  ChannelOptions options = system.channel_options();
  options.lists = HostLists::in_memory(system.host()->root_revocation_key);
  ASSERT_OK(options.lists->take(external_list(system, 6, {}).encode()));
  ASSERT_OK(TokenChannel::establish(*token, *system.host(), options));
  ASSERT_OK(enrol(open));
  EXPECT_EQ(value_or_throw(system.lists()->indices({})).external, 6U);
}

TEST_P(Enrolment, ANewcomerWithAListThatTheCentreLacksWaits) {
  ChannelOptions options = system.channel_options();
  options.lists = HostLists::in_memory(system.host()->root_revocation_key);
  ASSERT_OK(options.lists->take(external_list(system, 6, {}, {1}).encode()));
  ASSERT_OK(TokenChannel::establish(*token, *system.host(), options));
  EXPECT_FAILS(enrol(session()), ErrorKind::outdated);
  EXPECT_EQ(value_or_throw(session().read_register(system.register_of("progenitor"))).size(), 0U);
}

TEST_P(Enrolment, NobodyGetsRoundTheProgenitorsQuestion) {
  take(external_list(system, 3, some_numbers()));
  ChannelOptions options = system.channel_options();
  ASSERT_OK(progenitor->connect());
  auto channel = value_or_throw(TokenChannel::establish(*progenitor, *system.host(), options));
  EXPECT_FAILS(channel.command(ins::check_list, Bytes(40), check_list_proof), ErrorKind::refused);
  const SharedLists lists = value_or_throw(prepare_token(*token, *system.lists(), GetParam()));
  const auto start = [&] {
    const Bytes request = TlvWriter()
                              .number(tag::run_purpose, static_cast<std::uint64_t>(RunPurpose::activate), 1)
                              .number(tag::run_time, 1, 8)
                              .number(tag::run_suite, 1, 1)
                              .number(tag::run_kind, static_cast<std::uint64_t>(TokenKind::renderer), 1)
                              .take();
    const SecretBytes message1 = value_or_throw(channel.command(ins::run_initiate, request));
    const Bytes said = value_or_throw(plain_command(*token, ins::sac_initiate, message1.reveal()));
    const Bytes message2 = value_or_throw(answer_questions(said, lists, GetParam(), check_list_in_clear(*token)));
    return value_or_throw(channel.command(ins::run_authenticate, message2));
  };
  ASSERT_EQ(start().reveal().front(), tag::list_question);
  EXPECT_FAILS(channel.command(ins::run_command, {}), ErrorKind::refused);
  EXPECT_FAILS(channel.command(ins::run_authenticate, {}), ErrorKind::refused);
  EXPECT_FAILS(channel.command(ins::check_list, {}, check_list_start), ErrorKind::invalid_argument);
  EXPECT_FAILS(channel.command(ins::check_list, {}, 4), ErrorKind::invalid_argument);
  // A wrong answer ends the enrolment.
  EXPECT_FAILS(channel.command(ins::check_list, Bytes(40), check_list_proof), ErrorKind::authentication_failed);
  EXPECT_FAILS(channel.command(ins::check_list, Bytes(40), check_list_proof), ErrorKind::refused);
  EXPECT_FAILS(channel.command(ins::run_command, {}), ErrorKind::refused);
}

TEST_P(Enrolment, AProgenitorDoesNotTalkToATokenOfOtherLists) {
  // The newcomer is kept from the list that the progenitor has, by somebody who answers in its place.
  take(external_list(system, 3, some_numbers()));
  token->through = [](card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
    if (command.ins == ins::update_list || command.ins == ins::check_list) return card::ResponseApdu{{}, card::sw::ok};
    return inner.transmit(command);
  };
  EXPECT_FAILS(enrol(session()), ErrorKind::outdated);
}

/// The progenitor's part alone, with lists that a progenitor on a card gets only from other commands.
class Run : public testing::Test {
 protected:
  test::TestSystem system;
  test::KnownDomain domain{system, {1, 2, 3, 4, 5, 6, 7, 8}};
  test::PlainAppletMemory memory;
  std::shared_ptr<card::Card> token;
  SerialNumber token_number = 0;

  Run() {
    system.make_token("newcomer");
    token = system.card("newcomer");
    value_or_throw(token->connect());
    token_number = value_or_throw(read_token_info(*token)).serial_number;
  }
  void give(const RevocationList& internal) {
    Membership membership;
    membership.kind = TokenKind::progenitor;
    membership.vdid = domain.vdid();
    membership.revocation_key = domain.revocation_key();
    value_or_throw(TokenLists(memory).take_first_internal(internal.signed_header, membership));
  }
  Result<Bytes> run_with(const RevocationList& internal) {
    give(internal);
    CAS_TRY_ASSIGN(InitiatorRun run,
                   InitiatorRun::start(domain.party({0, internal.header.index}), crypto::DhGroup::p256, system.random));
    CAS_TRY_ASSIGN(const Bytes message2, plain_command(*token, ins::sac_initiate, run.message1()));
    SharedLists lists;
    lists.internal = std::make_shared<const HostList>(internal);
    CAS_TRY_ASSIGN(Bytes said, run.authenticate(memory, message2));
    if (!said.empty() && said.front() == tag::list_question) {
      EXPECT_FALSE(run.established());
      EXPECT_FALSE(run.finish().has_value());
    }
    return answer_questions(std::move(said), lists, ListAnswers::proof,
                            [&](std::uint8_t p1, ByteView data) { return run.check_list(memory, p1, data); });
  }
};

TEST_F(Run, LooksIntoTheListOfItsDomain) {
  EXPECT_OK(run_with(domain.internal(1, {})));
  EXPECT_OK(run_with(domain.internal(2, some_numbers())));
  EXPECT_FAILS(run_with(domain.internal(3, {token_number})), ErrorKind::revoked);
}

TEST_F(Run, ComparesExternalLists) {
  auto run = value_or_throw(InitiatorRun::start(domain.party({0, 9}), crypto::DhGroup::p256, system.random));
  const Bytes message2 = value_or_throw(plain_command(*token, ins::sac_initiate, run.message1()));
  ASSERT_OK(run.authenticate(memory, message2));

  // A token that says it has no list, and that is asked by one that has one: the token would refuse, unless it is
  // hacked.
  const HostCredentials& host = *system.host();
  SacParty other;
  other.root = &host.root;
  other.certificate = &host.certificate;
  other.p256 = &host.p256;
  auto newer = value_or_throw(InitiatorRun::start(domain.party({2, 0}), crypto::DhGroup::p256, system.random));
  const auto responder = value_or_throw(SacResponder::answer(other, newer.message1(), system.random));
  EXPECT_FAILS(newer.authenticate(memory, responder.message2()), ErrorKind::outdated);
}

TEST_F(Run, AnswersThatNobodyAskedForAreRefused) {
  auto run = value_or_throw(InitiatorRun::start(domain.party({}), crypto::DhGroup::p256, system.random));
  EXPECT_FAILS(run.check_list(memory, check_list_proof, {}), ErrorKind::refused);
  EXPECT_FAILS(run.finish(), ErrorKind::refused);
}

}  // namespace
}  // namespace cas::smartpro
