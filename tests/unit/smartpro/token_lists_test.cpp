// SPDX-License-Identifier: LGPL-2.1-or-later
// Revocation as a token carries it out (paper, 4.1, figures 5 and 6), command by command.
#include "smartpro/token_lists.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "smartpro/absence_proof.hpp"
#include "smartpro/revocation_list.hpp"
#include "smartpro/token_channel.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/support/known_domain.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"

namespace cas::smartpro {
namespace {

using test::value_or_throw;

/// How a host answers what a token asks.
enum class Way { payload, proof };

class TokenRevocation : public testing::TestWithParam<Way> {
 protected:
  test::TestSystem system;
  std::shared_ptr<card::Card> token;
  SerialNumber token_number = 0;

  TokenRevocation() {
    system.found_usual_domain();
    token = system.card("renderer");
    value_or_throw(token->connect());
    token_number = value_or_throw(read_token_info(*token)).serial_number;
  }

  static std::vector<RevokedNumber> some_numbers() {
    std::vector<RevokedNumber> numbers(100);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = (i + 1) * 0x0123456789abcd;
    return numbers;
  }
  RevocationList external(std::uint64_t index, std::vector<RevokedNumber> tokens, std::vector<RevokedNumber> hosts = {},
                          std::vector<RevokedNumber> domains = {}) {
    RevocationList list;
    list.header.kind = RevocationListKind::external;
    list.header.index = index;
    list.tokens = std::move(tokens);
    list.hosts = std::move(hosts);
    list.domains = std::move(domains);
    return value_or_throw(system.root().issue_revocation_list(std::move(list)));
  }

  card::ResponseApdu send(std::uint8_t instruction, ByteView data, std::uint8_t p1 = 0) {
    return value_or_throw(token->transmit({card::cla_proprietary, instruction, p1, 0, copy_of(data), 65536}));
  }
  card::StatusWord update(const RevocationList& list) { return send(ins::update_list, list.signed_header).status; }

  static const std::vector<RevokedNumber>& numbers_of(const RevocationList& list, RevokedType type) {
    return type == RevokedType::tokens ? list.tokens : type == RevokedType::hosts ? list.hosts : list.domains;
  }
  static Bytes payload_of(const std::vector<RevokedNumber>& numbers) {
    ByteWriter writer;
    for (const RevokedNumber number : numbers) writer.u64(number);
    return writer.take();
  }

  /// Answers questions from a list until there are none; what the token says then.
  card::ResponseApdu answer_all(card::ResponseApdu response, const RevocationList& list) {
    for (;;) {
      const auto question = question_in(response);
      if (!question) return response;
      ++asked;
      const auto& numbers = numbers_of(list, question->type);
      if (GetParam() == Way::proof) {
        // For a number on the list there is no proof. A neighbour's is what a host would try, and it has the number in
        // it.
        const auto prover = value_or_throw(AbsenceProver::create(numbers));
        auto proof = prover.prove(question->number);
        if (!proof) proof = prover.prove(question->number + 1);
        response = send(ins::check_list, value_or_throw(std::move(proof)), check_list_proof);
      } else {
        const Bytes payload = payload_of(numbers);
        const std::size_t half = payload.size() / 16 * 8;
        EXPECT_TRUE(send(ins::check_list, ByteView(payload).first(half), check_list_part).ok());
        response = send(ins::check_list, ByteView(payload).subspan(half), check_list_last_part);
      }
    }
  }
  static std::optional<ListQuestion> question_in(const card::ResponseApdu& response) {
    if (!response.ok() || response.data.empty() || response.data[0] != tag::list_question) return std::nullopt;
    const auto fields = value_or_throw(TlvFields::parse(response.data, "question"));
    return value_or_throw(ListQuestion::parse(value_or_throw(fields.required(tag::list_question))));
  }

  card::StatusWord check_itself(const RevocationList& list) {
    return answer_all(send(ins::check_list, {}, check_list_start), list).status;
  }

  /// A whole channel by hand.
  card::StatusWord open_channel(const RevocationList& list, const HostCredentials& host) {
    SacParty party;
    party.root = &host.root;
    party.certificate = &host.certificate;
    party.p256 = &host.p256;
    party.lists = lists_of_token();
    auto sac = value_or_throw(SacInitiator::start(party, crypto::DhGroup::p256, system.random));
    const card::ResponseApdu message2 = answer_all(send(ins::sac_initiate, sac.message1()), list);
    if (!message2.ok()) return message2.status;
    return send(ins::sac_authenticate, value_or_throw(sac.authenticate(message2.data))).status;
  }
  card::StatusWord open_channel(const RevocationList& list) { return open_channel(list, *system.host()); }

  ListState state() {
    const Bytes status = send(ins::list_status, {}).data;
    return static_cast<ListState>(
        value_or_throw(value_or_throw(TlvFields::parse(status, "status")).required_number(tag::lists_state, 1)));
  }
  /// What a host that has the same lists as the token says in its channel.
  ListIndices lists_of_token() {
    const Bytes status = send(ins::list_status, {}).data;
    const TlvFields fields = value_or_throw(TlvFields::parse(status, "status"));
    ListIndices indices;
    if (const auto header = fields.optional(tag::lists_external_header))
      indices.external = value_or_throw(RevocationHeader::parse(*header)).index;
    if (const auto header = fields.optional(tag::lists_internal_header))
      indices.internal = value_or_throw(RevocationHeader::parse(*header)).index;
    return indices;
  }
  void power_off_and_on() {
    token->disconnect();
    value_or_throw(token->connect());
    value_or_throw(read_token_info(*token));
  }

  std::size_t asked = 0;
};

INSTANTIATE_TEST_SUITE_P(Ways, TokenRevocation, testing::Values(Way::payload, Way::proof),
                         [](const auto& way) { return way.param == Way::payload ? "payload" : "proof"; });

TEST_P(TokenRevocation, WithoutAListNothingIsAsked) {
  EXPECT_EQ(state(), ListState::sound);
  EXPECT_EQ(open_channel({}), card::sw::ok);
  EXPECT_EQ(asked, 0U);
}

TEST_P(TokenRevocation, ATokenLooksForItselfAndItsDomainBeforeItWorksOn) {
  const RevocationList list = external(1, some_numbers(), some_numbers(), some_numbers());
  ASSERT_EQ(update(list), card::sw::ok);
  EXPECT_EQ(open_channel(list), sw_token::outdated);
  power_off_and_on();
  EXPECT_EQ(state(), ListState::unchecked);
  EXPECT_EQ(open_channel(list), sw_token::outdated);
  ASSERT_EQ(check_itself(list), card::sw::ok);
  EXPECT_EQ(asked, 2U);
  EXPECT_EQ(state(), ListState::sound);
  power_off_and_on();
  EXPECT_EQ(open_channel(list), card::sw::ok);
  EXPECT_EQ(asked, 3U);  // and for the host
}

TEST_P(TokenRevocation, AListOnWhichNothingConcernsATokenNeedsNoCheck) {
  const RevocationList list = external(1, {}, some_numbers());
  ASSERT_EQ(update(list), card::sw::ok);
  EXPECT_EQ(state(), ListState::sound);
  EXPECT_EQ(open_channel(list), card::sw::ok);
  EXPECT_EQ(asked, 1U);
}

TEST_P(TokenRevocation, ARevokedTokenStopsUntilANewerListHasItNot) {
  auto numbers = some_numbers();
  numbers.push_back(token_number);
  const RevocationList list = external(1, numbers);
  ASSERT_EQ(update(list), card::sw::ok);
  EXPECT_EQ(check_itself(list), sw_token::revoked);
  power_off_and_on();
  EXPECT_NE(state(), ListState::sound);
  EXPECT_NE(open_channel(list), card::sw::ok);
  EXPECT_NE(check_itself(external(1, some_numbers())), card::sw::ok);  // another list of the same index is no way out
  EXPECT_NE(state(), ListState::sound);
  const RevocationList mercy = external(2, some_numbers());
  ASSERT_EQ(update(mercy), card::sw::ok);
  ASSERT_EQ(check_itself(mercy), card::sw::ok);
  EXPECT_EQ(open_channel(mercy), card::sw::ok);
}

TEST_P(TokenRevocation, ATokenOfARevokedDomainStops) {
  auto domains = some_numbers();
  domains.push_back(number_of(*value_or_throw(read_token_info(*token)).vdid));
  const RevocationList list = external(1, some_numbers(), {}, domains);
  ASSERT_EQ(update(list), card::sw::ok);
  EXPECT_EQ(check_itself(list), sw_token::revoked);
  EXPECT_NE(state(), ListState::sound);
  EXPECT_NE(open_channel(list), card::sw::ok);
}

TEST_P(TokenRevocation, ATokenThatJoinsARevokedDomainStops) {
  const Vdid vdid{1, 2, 3, 4, 5, 6, 7, 8};
  auto domains = some_numbers();
  domains.push_back(number_of(vdid));
  const RevocationList list = external(1, {}, {}, domains);
  system.make_token("newcomer");
  token = system.card("newcomer");
  power_off_and_on();
  ASSERT_EQ(update(list), card::sw::ok);
  ASSERT_EQ(check_itself(list), card::sw::ok);  // it belongs to none yet
  ASSERT_EQ(state(), ListState::sound);

  // An honest progenitor of that domain has stopped by then.
  test::KnownDomain(system, vdid).activate(*token, 1, [&](Bytes said) {
    return answer_all({std::move(said), card::sw::ok}, list).data;
  });
  power_off_and_on();
  EXPECT_EQ(open_channel(list), sw_token::outdated);
  EXPECT_EQ(check_itself(list), sw_token::revoked);
}

TEST_P(TokenRevocation, APeerWithOtherListsIsSentAway) {
  const RevocationList list = external(3, {});
  ASSERT_EQ(update(list), card::sw::ok);
  const ListIndices right = lists_of_token();
  const auto status_for = [&](const ListIndices& lists) {
    const auto host = system.host();
    SacParty party;
    party.root = &host->root;
    party.certificate = &host->certificate;
    party.p256 = &host->p256;
    party.lists = lists;
    auto sac = value_or_throw(SacInitiator::start(party, crypto::DhGroup::p256, system.random));
    return send(ins::sac_initiate, sac.message1()).status;
  };
  EXPECT_EQ(status_for(right), card::sw::ok);
  for (const std::uint64_t other : {std::uint64_t{0}, right.external - 1, right.external + 1})
    EXPECT_EQ(status_for({other, right.internal}), sw_token::outdated) << other;
  for (const std::uint64_t other : {std::uint64_t{0}, right.internal + 1})
    EXPECT_EQ(status_for({right.external, other}), sw_token::outdated) << other;
}

TEST_P(TokenRevocation, BetweenTwoTokensTheExternalListCounts) {
  ASSERT_EQ(update(external(3, {})), card::sw::ok);
  const test::KnownDomain domain(system, {});
  const auto status_for = [&](const ListIndices& lists) {
    return send(ins::sac_initiate,
                value_or_throw(SacInitiator::start(domain.party(lists), crypto::DhGroup::p256, system.random))
                    .message1())
        .status;
  };
  EXPECT_EQ(status_for({3, 77}), card::sw::ok);
  EXPECT_EQ(status_for({2, lists_of_token().internal}), sw_token::outdated);
}

TEST_P(TokenRevocation, ARevokedHostGetsNoAnswer) {
  auto hosts = some_numbers();
  hosts.push_back(system.host()->certificate.serial_number());
  const RevocationList list = external(1, {}, hosts);
  ASSERT_EQ(update(list), card::sw::ok);
  EXPECT_EQ(open_channel(list), sw_token::revoked);
  EXPECT_EQ(state(), ListState::sound);  // the token is not to blame
  EXPECT_EQ(open_channel(list, *system.make_host("renderer")), card::sw::ok);
}

TEST_P(TokenRevocation, AHostThatLeavesItselfOutOfTheListIsFound) {
  auto hosts = some_numbers();
  hosts.push_back(system.host()->certificate.serial_number());
  ASSERT_EQ(update(external(1, {}, hosts)), card::sw::ok);
  EXPECT_EQ(open_channel(external(1, {}, some_numbers())), card::sw::security_status_not_satisfied);
}

TEST_P(TokenRevocation, NobodyGetsRoundTheQuestion) {
  const RevocationList list = external(1, {}, some_numbers());
  ASSERT_EQ(update(list), card::sw::ok);
  const auto host = system.host();
  SacParty party;
  party.root = &host->root;
  party.certificate = &host->certificate;
  party.p256 = &host->p256;
  party.lists = lists_of_token();
  auto sac = value_or_throw(SacInitiator::start(party, crypto::DhGroup::p256, system.random));
  ASSERT_TRUE(question_in(send(ins::sac_initiate, sac.message1())).has_value());
  EXPECT_EQ(send(ins::sac_authenticate, Bytes(34)).status, card::sw::conditions_not_satisfied);
  // A wrong answer ends the run.
  EXPECT_EQ(send(ins::check_list, Bytes(40), check_list_proof).status, card::sw::security_status_not_satisfied);
  EXPECT_EQ(send(ins::check_list, Bytes(40), check_list_proof).status, card::sw::conditions_not_satisfied);
  EXPECT_EQ(send(ins::check_list, {}, 4).status, card::sw::incorrect_p1_p2);
}

TEST_P(TokenRevocation, AListGoesForwardOnly) {
  const RevocationList list = external(5, some_numbers());
  ASSERT_EQ(update(list), card::sw::ok);
  ASSERT_EQ(check_itself(list), card::sw::ok);
  for (const std::uint64_t index : {std::uint64_t{1}, std::uint64_t{4}, std::uint64_t{5}})
    EXPECT_EQ(update(external(index, {})), card::sw::conditions_not_satisfied) << index;
  EXPECT_EQ(state(), ListState::sound);
  EXPECT_EQ(update(external(6, {})), card::sw::ok);
}

TEST_P(TokenRevocation, TheTokensStoreDoesNotGrowWithTheLists) {
  // Paper, 4.1: "The token has a given limited amount of memory. It cannot store an ever increasing list."
  const auto stored = [&] { return std::filesystem::file_size(system.card_file("renderer")); };
  const RevocationList small = external(1, {1}, {1}, {1});
  ASSERT_EQ(update(small), card::sw::ok);
  ASSERT_EQ(check_itself(small), card::sw::ok);
  const auto before = stored();
  std::vector<RevokedNumber> many(1'000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = (i + 1) * 0x10001;
  const RevocationList large = external(2, many, many, many);
  ASSERT_EQ(update(large), card::sw::ok);
  ASSERT_EQ(check_itself(large), card::sw::ok);
  // Signatures in DER differ by a few bytes in length.
  EXPECT_LE(stored(), before + 8);
}

TEST_P(TokenRevocation, OnlyTheRightSignerIsHeard) {
  test::TestSystem other(2);
  RevocationList foreign;
  foreign.header.kind = RevocationListKind::external;
  foreign.header.index = 9;
  EXPECT_EQ(update(value_or_throw(other.root().issue_revocation_list(foreign))),
            card::sw::security_status_not_satisfied);
  RevocationList changed = external(1, {});
  changed.signed_header[12] ^= 1;
  EXPECT_NE(update(changed), card::sw::ok);
  // A list of another domain, or of this one by somebody else.
  RevocationList internal;
  internal.header.kind = RevocationListKind::internal;
  internal.header.index = 9;
  const auto key = value_or_throw(crypto::SigningKey::generate(system.random));
  EXPECT_EQ(update(value_or_throw(RevocationList::make(internal, key))), card::sw::referenced_data_not_found);
  internal.header.vdid = *value_or_throw(read_token_info(*token)).vdid;
  EXPECT_EQ(update(value_or_throw(RevocationList::make(internal, key))), card::sw::security_status_not_satisfied);
  EXPECT_EQ(state(), ListState::sound);
}

TEST_P(TokenRevocation, ANewerListEndsChannelsThatWereOpenedBefore) {
  auto other = system.card("renderer");
  ASSERT_OK(other->connect());
  auto channel = value_or_throw(
      TokenChannel::establish(*other, *system.host(), {crypto::DhGroup::p256, &system.clock, &system.random}));
  ASSERT_EQ(update(external(1, {}, some_numbers())), card::sw::ok);
  EXPECT_FAILS(channel.command(ins::open_licence, {}), ErrorKind::card_reset);
}

}  // namespace
}  // namespace cas::smartpro
