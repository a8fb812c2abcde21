// SPDX-License-Identifier: LGPL-2.1-or-later
// Host and token with their revocation lists, from LIST STATUS to the channel (paper, 4.1, figures 5 and 6).
#include "smartpro/list_synchronisation.hpp"

#include <gtest/gtest.h>

#include "base/tlv.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/support/known_domain.hpp"
#include "tests/support/relayed_card.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using test::external_list;
using test::RelayedCard;
using test::some_numbers;
using test::value_or_throw;

enum class Way { proof, payload, proof_unknown_to_the_token };

std::vector<RevokedNumber> with(RevokedNumber number) {
  auto numbers = some_numbers();
  numbers.push_back(number);
  return numbers;
}

/// A renderer of a domain whose internal lists the test signs.
class Synchronisation : public testing::TestWithParam<Way> {
 protected:
  test::TestSystem system;
  test::KnownDomain domain{system, {1, 2, 3, 4, 5, 6, 7, 8}};
  std::shared_ptr<RelayedCard> token;
  SerialNumber token_number = 0;
  std::shared_ptr<HostLists> lists;

  Synchronisation() {
    system.make_token("renderer");
    token = std::make_shared<RelayedCard>(system.card("renderer"));
    value_or_throw(token->connect());
    token_number = value_or_throw(read_token_info(*token)).serial_number;
    domain.activate(*token);
    lists = new_lists();
    if (GetParam() == Way::proof_unknown_to_the_token) token->through = without_proofs;
  }
  static Result<card::ResponseApdu> without_proofs(card::Card& inner, const card::CommandApdu& command) {
    if (command.ins == ins::check_list && command.p1 == check_list_proof)
      return card::ResponseApdu{{}, card::sw::incorrect_p1_p2};
    return inner.transmit(command);
  }

  std::shared_ptr<HostLists> new_lists() { return HostLists::in_memory(system.host()->root_revocation_key); }
  Result<TokenChannel> establish(card::Card& card, const std::shared_ptr<HostLists>& with_lists) {
    ChannelOptions options = system.channel_options();
    options.lists = with_lists;
    options.answers = GetParam() == Way::payload ? ListAnswers::payload : ListAnswers::proof;
    return TokenChannel::establish(card, *system.host(), options);
  }
  Result<TokenChannel> establish() { return establish(*token, lists); }
  void take(HostLists& into, const RevocationList& list) { value_or_throw(into.take(list.encode())); }
  void take(const RevocationList& list) { take(*lists, list); }

  ListIndices token_indices() {
    const auto plain = system.card("renderer");
    value_or_throw(plain->connect());
    value_or_throw(read_token_info(*plain));
    const Bytes status = value_or_throw(plain_command(*plain, ins::list_status, {}));
    const TlvFields fields = value_or_throw(TlvFields::parse(status, "status"));
    ListIndices indices;
    if (const auto header = fields.optional(tag::lists_external_header))
      indices.external = value_or_throw(RevocationHeader::parse(*header)).index;
    if (const auto header = fields.optional(tag::lists_internal_header))
      indices.internal = value_or_throw(RevocationHeader::parse(*header)).index;
    return indices;
  }
};

INSTANTIATE_TEST_SUITE_P(Ways, Synchronisation,
                         testing::Values(Way::proof, Way::payload, Way::proof_unknown_to_the_token),
                         [](const auto& way) {
                           return way.param == Way::proof     ? "proof"
                                  : way.param == Way::payload ? "payload"
                                                              : "fallback";
                         });

TEST_P(Synchronisation, AHostLearnsOfADomainFromItsToken) {
  ASSERT_OK(establish());
  EXPECT_EQ(value_or_throw(lists->domain_key(domain.vdid())), domain.revocation_key());
  EXPECT_EQ(value_or_throw(lists->indices(domain.vdid())), (ListIndices{0, 1}));
}

TEST_P(Synchronisation, ATokenGetsTheHostsListsAndLooksForItself) {
  ASSERT_OK(establish());
  take(external_list(system, 5, some_numbers(1000), some_numbers(), some_numbers()));
  take(domain.internal(3, some_numbers(500)));
  ASSERT_OK(establish());
  EXPECT_EQ(token_indices(), (ListIndices{5, 3}));
  ASSERT_OK(establish());  // nothing but the host is asked about any more
}

TEST_P(Synchronisation, AHostTakesAnEmptyListFromATokenThatHasANewerOne) {
  const auto other = new_lists();
  take(*other, external_list(system, 5, {}));
  ASSERT_OK(establish(*token, other));
  ASSERT_OK(establish());
  EXPECT_EQ(value_or_throw(lists->indices(domain.vdid())), (ListIndices{5, 1}));
}

TEST_P(Synchronisation, AStaleHostIsToldWhatItLacks) {
  const auto other = new_lists();
  take(*other, external_list(system, 7, {}, {1}));
  ASSERT_OK(establish(*token, other));
  take(external_list(system, 4, {}));
  const auto stale = establish();
  EXPECT_FAILS(stale, ErrorKind::outdated);
  for (const char* part : {"external revocation list", "index 7", "index 4", "cas-tmc lists fetch"})
    EXPECT_NE(stale.error().message.find(part), std::string::npos) << stale.error().message;
  const auto without = establish(*token, new_lists());
  EXPECT_FAILS(without, ErrorKind::outdated);
  EXPECT_NE(without.error().message.find("this host has none"), std::string::npos) << without.error().message;
  take(external_list(system, 7, {}, {1}));
  EXPECT_OK(establish());
}

TEST_P(Synchronisation, AHostThatLacksTheListOfADomainIsToldSo) {
  ASSERT_OK(establish());
  const auto other = new_lists();
  ASSERT_OK(other->pin_domain_key(domain.vdid(), domain.revocation_key()));
  take(*other, domain.internal(9, some_numbers()));
  ASSERT_OK(establish(*token, other));
  const auto stale = establish();
  EXPECT_FAILS(stale, ErrorKind::outdated);
  EXPECT_NE(stale.error().message.find("internal revocation list of domain 0102030405060708"), std::string::npos)
      << stale.error().message;
}

TEST_P(Synchronisation, ARevokedTokenIsToldAndRemembers) {
  for (const bool external : {true, false}) {
    ASSERT_OK(establish());
    const std::uint64_t index = token_indices().internal + token_indices().external + 1;
    const auto list_of = [&](std::uint64_t at, std::vector<RevokedNumber> numbers) {
      return external ? external_list(system, at, std::move(numbers)) : domain.internal(at, std::move(numbers));
    };
    take(list_of(index, with(token_number)));
    EXPECT_FAILS(establish(), ErrorKind::revoked);
    token->disconnect();
    ASSERT_OK(token->connect());
    EXPECT_FAILS(establish(), ErrorKind::revoked);
    EXPECT_FAILS(establish(*token, new_lists()), ErrorKind::outdated);
    take(list_of(index + 1, some_numbers()));
    ASSERT_OK(establish());
  }
}

TEST_P(Synchronisation, ATokenOfARevokedDomainIsTold) {
  ASSERT_OK(establish());
  take(external_list(system, 1, {}, {}, with(number_of(domain.vdid()))));
  EXPECT_FAILS(establish(), ErrorKind::revoked);
  EXPECT_FAILS(establish(), ErrorKind::revoked);
}

TEST_P(Synchronisation, ARevokedHostIsTold) {
  take(external_list(system, 1, {}, with(system.host()->certificate.serial_number())));
  const auto refused = establish();
  EXPECT_FAILS(refused, ErrorKind::revoked);
  EXPECT_NE(refused.error().message.find("this host"), std::string::npos) << refused.error().message;
}

TEST_P(Synchronisation, ARunThatIsCutAnywhereGoesOnLater) {
  const auto through = token->through;
  ASSERT_OK(establish());
  bool ran_through = false;
  std::uint64_t rounds = 0;
  for (std::size_t cut = 0; !ran_through; ++cut) {
    for (const bool delivered : {false, true}) {
      // Every round has newer lists, and so all steps to take.
      ++rounds;
      take(external_list(system, 10 * rounds, some_numbers(40), some_numbers(), some_numbers()));
      take(domain.internal(10 * rounds, some_numbers()));
      std::size_t seen = 0;
      bool was_cut = false;
      token->through = [&](card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
        if (was_cut || seen++ == cut) {
          if (delivered && !was_cut) static_cast<void>(through ? through(inner, command) : inner.transmit(command));
          was_cut = true;
          return fail(ErrorKind::card_absent, "the card was pulled");
        }
        return through ? through(inner, command) : inner.transmit(command);
      };
      EXPECT_NE(establish().has_value(), was_cut);
      ran_through = !was_cut;
      token->through = through;
      token->disconnect();
      ASSERT_OK(token->connect());
      const testing::ScopedTrace trace(__FILE__, __LINE__, "cut at " + std::to_string(cut));
      ASSERT_OK(establish());
      EXPECT_EQ(token_indices(), (ListIndices{10 * rounds, 10 * rounds}));
    }
    ASSERT_LT(cut, 60U);
  }
}

TEST_P(Synchronisation, ATokenWhoseNewListIsKeptFromItIsFound) {
  ASSERT_OK(establish());
  take(external_list(system, 5, some_numbers()));
  token->through = [](card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
    if (command.cla == card::cla_proprietary && (command.ins == ins::update_list || command.ins == ins::check_list))
      return card::ResponseApdu{{}, card::sw::ok};
    return inner.transmit(command);
  };
  EXPECT_FAILS(establish(), ErrorKind::outdated);
}

TEST_P(Synchronisation, AnOldListShownInATokensNameIsFound) {
  ASSERT_OK(establish());
  const Bytes old_status = value_or_throw(plain_command(*token, ins::list_status, {}));
  const auto other = new_lists();
  take(*other, external_list(system, 5, {}, {1}));
  ASSERT_OK(establish(*token, other));
  // The host is the stale one, and somebody wants it to go on.
  token->through = [&](card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
    if (command.cla == card::cla_proprietary && command.ins == ins::list_status)
      return card::ResponseApdu{old_status, card::sw::ok};
    return inner.transmit(command);
  };
  EXPECT_FAILS(establish(), ErrorKind::outdated);
}

TEST_P(Synchronisation, AnotherDomainShownInATokensNameIsFound) {
  // Both domains' lists are of index 1, so that the indices alone tell nothing.
  const test::KnownDomain other(system, {8, 7, 6, 5, 4, 3, 2, 1});
  system.make_token("stranger");
  const auto stranger = system.card("stranger");
  ASSERT_OK(stranger->connect());
  ASSERT_OK(read_token_info(*stranger));
  other.activate(*stranger);
  const Bytes status = value_or_throw(plain_command(*stranger, ins::list_status, {}));
  token->through = [&](card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
    if (command.cla == card::cla_proprietary && command.ins == ins::list_status)
      return card::ResponseApdu{status, card::sw::ok};
    return inner.transmit(command);
  };
  EXPECT_FAILS(establish(), ErrorKind::authentication_failed);
}

TEST_P(Synchronisation, AListThatIsNotTheTokensIsNoReasonToFetch) {
  test::TestSystem elsewhere(2);
  const auto show = [&](const RevocationList& list) {
    token->through = [header = list.signed_header, key = domain.revocation_key(),
                      own = domain.internal(1, {}).signed_header](
                         card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
      if (command.ins != ins::list_status) return inner.transmit(command);
      const bool external = value_or_throw(RevocationHeader::parse(header)).kind == RevocationListKind::external;
      TlvWriter writer;
      if (external) writer.field(tag::lists_external_header, header);
      writer.field(tag::lists_internal_header, external ? own : header)
          .field(tag::lists_revocation_key, key)
          .number(tag::lists_state, 0, 1);
      return card::ResponseApdu{writer.take(), card::sw::ok};
    };
    return establish();
  };
  EXPECT_FAILS(show(external_list(elsewhere, 9, {})), ErrorKind::authentication_failed);
  EXPECT_FAILS(show(external_list(elsewhere, 9, {1})), ErrorKind::authentication_failed);
  EXPECT_FAILS(show(test::KnownDomain(elsewhere, domain.vdid()).internal(9, {1})), ErrorKind::authentication_failed);
  EXPECT_EQ(value_or_throw(lists->domain_key(domain.vdid())),
            std::nullopt);  // what is not signed by its own key is not kept
}

TEST_P(Synchronisation, AKeyThatIsNotTheOneKeptIsRefused) {
  ASSERT_OK(lists->pin_domain_key(domain.vdid(), test::KnownDomain(system, domain.vdid()).revocation_key()));
  EXPECT_FAILS(establish(), ErrorKind::authentication_failed);
}

TEST_P(Synchronisation, ATokenThatSaysNonsenseIsRefused) {
  const auto say = [&](Bytes status) {
    token->through = [status = std::move(status)](card::Card& inner,
                                                  const card::CommandApdu& command) -> Result<card::ResponseApdu> {
      return command.ins == ins::list_status ? card::ResponseApdu{status, card::sw::ok} : inner.transmit(command);
    };
    return establish();
  };
  const Bytes external = external_list(system, 2, {}).signed_header;
  const Bytes internal = domain.internal(1, {}).signed_header;
  EXPECT_FAILS(say({}), ErrorKind::malformed);
  EXPECT_FAILS(say(TlvWriter().number(tag::lists_state, 3, 1).take()), ErrorKind::malformed);
  EXPECT_FAILS(say(TlvWriter().field(tag::lists_internal_header, internal).number(tag::lists_state, 0, 1).take()),
               ErrorKind::malformed);
  EXPECT_FAILS(
      say(TlvWriter().field(tag::lists_revocation_key, domain.revocation_key()).number(tag::lists_state, 0, 1).take()),
      ErrorKind::malformed);
  EXPECT_FAILS(say(TlvWriter().field(tag::lists_external_header, internal).number(tag::lists_state, 0, 1).take()),
               ErrorKind::malformed);
  EXPECT_FAILS(say(TlvWriter()
                       .field(tag::lists_internal_header, external)
                       .field(tag::lists_revocation_key, domain.revocation_key())
                       .number(tag::lists_state, 0, 1)
                       .take()),
               ErrorKind::malformed);
  EXPECT_FAILS(say(TlvWriter().field(0x8f, Bytes{1}).number(tag::lists_state, 0, 1).take()), ErrorKind::unsupported);
}

TEST_P(Synchronisation, ATokenThatNeverStopsToAskIsLeft) {
  take(external_list(system, 1, some_numbers()));
  ASSERT_OK(establish());
  const Bytes question =
      TlvWriter()
          .field(tag::list_question, ListQuestion{RevocationListKind::external, RevokedType::tokens, 1}.encode())
          .take();
  token->through = [&](card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
    if (command.ins == ins::sac_initiate || command.ins == ins::check_list)
      return card::ResponseApdu{question, card::sw::ok};
    return inner.transmit(command);
  };
  EXPECT_FAILS(establish(), ErrorKind::malformed);
}

TEST_P(Synchronisation, AQuestionAboutAListThatNobodyHasIsLeftOpen) {
  const Bytes question =
      TlvWriter()
          .field(tag::list_question, ListQuestion{RevocationListKind::external, RevokedType::hosts, 1}.encode())
          .take();
  token->through = [&](card::Card& inner, const card::CommandApdu& command) -> Result<card::ResponseApdu> {
    if (command.ins == ins::sac_initiate) return card::ResponseApdu{question, card::sw::ok};
    return inner.transmit(command);
  };
  EXPECT_FAILS(establish(), ErrorKind::outdated);
}

TEST_P(Synchronisation, ABlankTokenNeedsTheExternalListAlone) {
  system.make_token("blank");
  const auto blank = system.card("blank");
  ASSERT_OK(blank->connect());
  take(external_list(system, 2, some_numbers(), some_numbers()));
  ASSERT_OK(establish());
  const auto channel = establish(*blank, lists);
  ASSERT_OK(channel);
  EXPECT_EQ(channel->shared_lists().indices(), (ListIndices{2, 0}));
}

/// A token whose maker is not to be trusted any more: it does not look for itself.
class HackedToken final : public card::Card {
 public:
  explicit HackedToken(test::TestSystem& system)
      : system_(system),
        p256(value_or_throw(crypto::generate_dh_key_pair(crypto::DhGroup::p256, system.random))),
        certificate(value_or_throw(system.root().issue_token(
            "hacked",
            {p256.public_value,
             value_or_throw(crypto::generate_dh_key_pair(crypto::DhGroup::ffdhe2048, system.random)).public_value},
            false))) {}
  Status connect() override { return {}; }
  void disconnect() override {}
  Status wait_for_card(std::stop_token) override { return {}; }
  std::string description() const override { return "hacked token"; }
  Result<card::ResponseApdu> transmit(const card::CommandApdu& command) override {
    seen.push_back(command.ins);
    if (command.ins == ins::list_status) return card::ResponseApdu{status, card::sw::ok};
    if (command.ins != ins::sac_initiate) return card::ResponseApdu{{}, card::sw::ok};
    SacParty party;
    party.root = &system_.root().certificate();
    party.certificate = &certificate;
    party.p256 = &p256;
    party.lists = indices;
    CAS_TRY_ASSIGN(const SacResponder responder, SacResponder::answer(party, command.data, system_.random));
    return card::ResponseApdu{responder.message2(), card::sw::ok};
  }

 private:
  test::TestSystem& system_;

 public:
  crypto::DhKeyPair p256;
  crypto::Certificate certificate;
  Bytes status;
  ListIndices indices;
  std::vector<std::uint8_t> seen;
};

TEST_P(Synchronisation, TheHostItselfLooksForTheToken) {
  HackedToken hacked(system);
  const RevocationList own = domain.internal(1, {});
  const auto says = [&](const RevocationList& external, const RevocationList& internal) {
    hacked.status = TlvWriter()
                        .field(tag::lists_external_header, external.signed_header)
                        .field(tag::lists_internal_header, internal.signed_header)
                        .field(tag::lists_revocation_key, domain.revocation_key())
                        .number(tag::lists_state, 0, 1)
                        .take();
    hacked.indices = {external.header.index, internal.header.index};
    hacked.seen.clear();
    const auto with_lists = new_lists();
    value_or_throw(with_lists->pin_domain_key(domain.vdid(), domain.revocation_key()));
    take(*with_lists, external);
    take(*with_lists, internal);
    return establish(hacked, with_lists);
  };
  const auto fine = says(external_list(system, 1, some_numbers()), own);
  EXPECT_EQ(hacked.seen.back(), ins::list_status);  // as far as a channel's first command; that answer is in clear
  EXPECT_FALSE(fine.has_value());
  const SerialNumber serial = hacked.certificate.serial_number();
  for (const auto& [external, internal] :
       {std::pair{external_list(system, 1, with(serial)), own},
        std::pair{external_list(system, 1, {}), domain.internal(2, with(serial))},
        std::pair{external_list(system, 1, {}, {}, with(number_of(domain.vdid()))), own}}) {
    EXPECT_FAILS(says(external, internal), ErrorKind::revoked);
    EXPECT_EQ(hacked.seen.back(), ins::sac_initiate);  // it gets no proof of who this host is
  }
}

TEST_P(Synchronisation, ATokenWithOtherListsInItsChannelIsSentAway) {
  HackedToken hacked(system);
  hacked.status = TlvWriter()
                      .field(tag::lists_external_header, external_list(system, 4, {}).signed_header)
                      .number(tag::lists_state, 0, 1)
                      .take();
  for (const ListIndices& said : {ListIndices{3, 0}, ListIndices{5, 0}, ListIndices{4, 1}}) {
    hacked.indices = said;
    EXPECT_FAILS(establish(hacked, lists), ErrorKind::outdated);
    EXPECT_EQ(hacked.seen.back(), ins::sac_initiate);
  }
}

TEST(ConfirmedLists, WhatIsSaidInTheChannelCounts) {
  test::TestSystem system;
  const test::KnownDomain domain(system, {1}), other(system, {2});
  const auto lists = HostLists::in_memory(system.host()->root_revocation_key);
  const auto status = [&](std::uint64_t external, const test::KnownDomain* of, std::uint64_t internal) {
    TlvWriter writer;
    if (external != 0) writer.field(tag::lists_external_header, external_list(system, external, {}).signed_header);
    if (of != nullptr)
      writer.field(tag::lists_internal_header, of->internal(internal, {}).signed_header)
          .field(tag::lists_revocation_key, of->revocation_key());
    return writer.number(tag::lists_state, 0, 1).take();
  };
  SharedLists agreed;
  agreed.vdid = domain.vdid();
  agreed.external = std::make_shared<const HostList>(external_list(system, 3, {}));
  agreed.internal = std::make_shared<const HostList>(domain.internal(2, {}));
  EXPECT_OK(confirm_lists(status(3, &domain, 2), agreed, *lists));
  EXPECT_FAILS(confirm_lists(status(4, &domain, 2), agreed, *lists), ErrorKind::authentication_failed);
  EXPECT_FAILS(confirm_lists(status(0, &domain, 2), agreed, *lists), ErrorKind::authentication_failed);
  EXPECT_FAILS(confirm_lists(status(3, &domain, 1), agreed, *lists), ErrorKind::authentication_failed);
  EXPECT_FAILS(confirm_lists(status(3, &other, 2), agreed, *lists), ErrorKind::authentication_failed);
  EXPECT_FAILS(confirm_lists(status(3, nullptr, 0), agreed, *lists), ErrorKind::authentication_failed);
  const test::KnownDomain impostor(system, domain.vdid());
  EXPECT_FAILS(confirm_lists(status(3, &impostor, 2), agreed, *lists), ErrorKind::authentication_failed);
  agreed.vdid.reset();
  agreed.internal.reset();
  EXPECT_OK(confirm_lists(status(3, nullptr, 0), agreed, *lists));
  EXPECT_FAILS(confirm_lists(status(3, &domain, 2), agreed, *lists), ErrorKind::authentication_failed);
}

/// Lists that change while sessions are open.
class OpenSession : public testing::Test {
 protected:
  test::TestSystem system;
  OpenSession() { system.found_usual_domain(); }
  ListIndices indices() {
    const Bytes status = value_or_throw(plain_command(*connected(), ins::list_status, {}));
    const Bytes header = copy_of(
        value_or_throw(value_or_throw(TlvFields::parse(status, "status")).required(tag::lists_external_header)));
    return {value_or_throw(RevocationHeader::parse(header)).index, 0};
  }
  std::shared_ptr<card::Card> connected() {
    auto card = system.card("acquisition");
    value_or_throw(card->connect());
    value_or_throw(read_token_info(*card));
    return card;
  }
};

TEST_F(OpenSession, GoesOnUnderANewerList) {
  const auto session = system.session("acquisition");
  ASSERT_OK(session->create_licence({}));
  ASSERT_OK(system.lists()->take(external_list(system, 4, some_numbers(), some_numbers()).encode()));
  ASSERT_OK(session->create_licence({}));
  EXPECT_EQ(indices().external, 4U);
}

TEST_F(OpenSession, EndsForAHostThatIsRevokedMeanwhile) {
  const auto session = system.session("acquisition");
  ASSERT_OK(session->create_licence({}));
  ASSERT_OK(system.lists()->take(external_list(system, 4, {}, {system.host()->certificate.serial_number()}).encode()));
  EXPECT_FAILS(session->create_licence({}), ErrorKind::revoked);
}

TEST_F(OpenSession, EndsForATokenThatIsRevokedMeanwhile) {
  const auto session = system.session("acquisition");
  ASSERT_OK(session->create_licence({}));
  const SerialNumber serial = value_or_throw(read_token_info(*connected())).serial_number;
  ASSERT_OK(system.lists()->take(external_list(system, 4, {serial}).encode()));
  EXPECT_FAILS(session->create_licence({}), ErrorKind::revoked);
}

TEST_F(OpenSession, OfAStaleHostEndsWhenAnotherHostBringsANewerList) {
  const auto session = system.session("acquisition");
  ASSERT_OK(session->create_licence({}));
  ChannelOptions options = system.channel_options();
  options.lists = HostLists::in_memory(system.host()->root_revocation_key);
  ASSERT_OK(options.lists->take(external_list(system, 4, some_numbers()).encode()));
  ASSERT_OK(TokenChannel::establish(*connected(), *system.host(), options));
  EXPECT_FAILS(session->create_licence({}), ErrorKind::outdated);
  ASSERT_OK(system.lists()->take(external_list(system, 4, some_numbers()).encode()));
  EXPECT_OK(session->create_licence({}));
}

TEST_F(OpenSession, DoesNotOpenItsChannelAnewWithoutNeed) {
  auto relay = std::make_shared<RelayedCard>(system.card("acquisition"));
  TokenSession session(relay, system.host(), system.channel_options());
  ASSERT_OK(session.create_licence({}));
  const std::size_t before = relay->commands;
  ASSERT_OK(session.create_licence({}));
  EXPECT_EQ(relay->commands, before + 1);
}

}  // namespace
}  // namespace cas::smartpro
