// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "base/durable_file.hpp"
#include "smartpro/register_file.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/token_management.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"

namespace cas::smartpro {
namespace {

using test::TestSystem;
using test::value_or_throw;

/// A card that keeps what passes, and can change or lose it: the relay between a progenitor and a token is nobody's
/// friend.
class RelayedCard final : public card::Card {
 public:
  explicit RelayedCard(std::shared_ptr<card::Card> inner) : inner_(std::move(inner)) {}
  Status connect() override { return inner_->connect(); }
  void disconnect() override { inner_->disconnect(); }
  Status wait_for_card(std::stop_token stop) override { return inner_->wait_for_card(std::move(stop)); }
  std::string description() const override { return inner_->description(); }
  Result<card::ResponseApdu> transmit(const card::CommandApdu& command) override {
    seen.push_back(command.encode());
    card::CommandApdu sent = command;
    if (change_command) change_command(sent);
    if (lose_command && lose_command(sent)) return fail(ErrorKind::card_absent, "the card was pulled");
    auto response = inner_->transmit(sent);
    if (response) seen.push_back(response->encode());
    if (response && change_response) change_response(command, *response);
    return response;
  }

  std::vector<Bytes> seen;
  std::function<void(card::CommandApdu&)> change_command;
  std::function<bool(const card::CommandApdu&)> lose_command;
  std::function<void(const card::CommandApdu&, card::ResponseApdu&)> change_response;

 private:
  std::shared_ptr<card::Card> inner_;
};

TEST(Enrolment, GivesTheTokenDomainAndKind) {
  TestSystem system;
  const DomainRecord domain = system.found_domain("progenitor");
  system.make_token("renderer");
  auto session = system.management_session("progenitor");
  const auto info = session.enrol(*system.card("renderer"), TokenKind::renderer, system.register_of("progenitor"));
  ASSERT_OK(info);
  EXPECT_EQ(info->kind, TokenKind::renderer);
  EXPECT_EQ(info->vdid, domain.vdid);
  const auto entries = session.read_register(system.register_of("progenitor"));
  ASSERT_OK(entries);
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].event, RegisterEvent::key_released);
  EXPECT_EQ((*entries)[1].event, RegisterEvent::activated);
  EXPECT_EQ((*entries)[1].token, info->serial_number);
  EXPECT_EQ((*entries)[1].kind, TokenKind::renderer);
  EXPECT_EQ((*entries)[1].time, system.clock.now());
}

TEST(Enrolment, WorksInTheClassicSuiteToo) {
  TestSystem system;
  system.found_domain("progenitor");
  system.make_token("renderer");
  auto session = value_or_throw(ProgenitorSession::open(system.card("progenitor"), system.host(),
                                                        {crypto::DhGroup::ffdhe2048, &system.clock, &system.random}));
  EXPECT_OK(session.enrol(*system.card("renderer"), TokenKind::renderer, system.register_of("progenitor")));
}

TEST(Enrolment, TheRelaySeesNoKey) {
  // With the seed, the domain key is known: it is the first 32 bytes that the progenitor draws after the channel is up.
  // It is simpler to look for every 32-byte window that opens the domain's licences; none of what passed may be one.
  TestSystem system;
  system.found_domain("progenitor");
  system.enrol("progenitor", "acquisition", TokenKind::acquisition);
  system.make_token("renderer");
  auto relay = std::make_shared<RelayedCard>(system.card("renderer"));
  ASSERT_OK(
      system.management_session("progenitor").enrol(*relay, TokenKind::renderer, system.register_of("progenitor")));
  const auto licence = value_or_throw(system.session("acquisition")->create_licence({}));
  const LicenceView view = value_or_throw(LicenceView::parse(licence.lecm));
  std::size_t tried = 0;
  for (const Bytes& message : relay->seen)
    for (std::size_t at = 0; at + domain_key_size <= message.size(); ++at, ++tried)
      ASSERT_FALSE(
          unseal_licence(SecretBytes::copy_of(ByteView(message).subspan(at, domain_key_size)), view).has_value());
  EXPECT_GT(tried, 1000U);
}

TEST(Enrolment, AChangedActivationLeavesTheTokenBlank) {
  TestSystem system;
  system.found_domain("progenitor");
  system.make_token("renderer");
  RelayedCard relay(system.card("renderer"));
  relay.change_command = [](card::CommandApdu& command) {
    if (command.ins == ins::activate) command.data[command.data.size() / 2] ^= 1;
  };
  EXPECT_FALSE(system.management_session("progenitor")
                   .enrol(relay, TokenKind::renderer, system.register_of("progenitor"))
                   .has_value());
  ASSERT_OK(relay.connect());
  EXPECT_EQ(value_or_throw(read_token_info(relay)).kind, TokenKind::blank);
  // The key was on its way: the register says so.
  const auto entries = system.management_session("progenitor").read_register(system.register_of("progenitor"));
  ASSERT_OK(entries);
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(entries->front().event, RegisterEvent::key_released);
}

TEST(Enrolment, AForgedConfirmationIsRefused) {
  TestSystem system;
  system.found_domain("progenitor");
  system.make_token("renderer");
  RelayedCard relay(system.card("renderer"));
  relay.change_response = [](const card::CommandApdu& command, card::ResponseApdu& response) {
    if (command.ins == ins::activate) response.data.back() ^= 1;
  };
  EXPECT_FALSE(system.management_session("progenitor")
                   .enrol(relay, TokenKind::renderer, system.register_of("progenitor"))
                   .has_value());
}

TEST(Enrolment, ATokenPulledBeforeItsActivationCanBeEnrolledAgain) {
  TestSystem system;
  system.found_domain("progenitor");
  system.make_token("renderer");
  RelayedCard relay(system.card("renderer"));
  relay.lose_command = [](const card::CommandApdu& command) { return command.ins == ins::activate; };
  EXPECT_FAILS(
      system.management_session("progenitor").enrol(relay, TokenKind::renderer, system.register_of("progenitor")),
      ErrorKind::card_absent);
  relay.lose_command = nullptr;
  auto session = system.management_session("progenitor");
  ASSERT_OK(session.enrol(relay, TokenKind::renderer, system.register_of("progenitor")));
  EXPECT_EQ(value_or_throw(session.read_register(system.register_of("progenitor"))).size(), 3U);
}

TEST(Enrolment, AnActivationRecordedForOneTokenDoesNotActivateAnother) {
  TestSystem system;
  system.found_domain("progenitor");
  system.make_token("first");
  system.make_token("second");
  RelayedCard relay(system.card("first"));
  card::CommandApdu recorded;
  relay.change_command = [&](card::CommandApdu& command) {
    if (command.ins == ins::activate) recorded = command;
  };
  ASSERT_OK(
      system.management_session("progenitor").enrol(relay, TokenKind::renderer, system.register_of("progenitor")));
  auto second = system.card("second");
  ASSERT_OK(second->connect());
  ASSERT_OK(read_token_info(*second));
  EXPECT_FALSE(value_or_throw(second->transmit(recorded)).ok());
  EXPECT_EQ(value_or_throw(read_token_info(*second)).kind, TokenKind::blank);
}

TEST(Enrolment, ATokenBelongsToOneDomain) {
  TestSystem system;
  system.found_domain("progenitor");
  system.found_domain("other");
  system.enrol("progenitor", "renderer", TokenKind::renderer);
  EXPECT_FAILS(system.management_session("other").enrol(*system.card("renderer"), TokenKind::renderer,
                                                        system.register_of("other")),
               ErrorKind::refused);
}

/// What the card says of itself, to be told in another one's place.
Bytes token_info_of(card::Card& card) {
  value_or_throw(card.connect());
  value_or_throw(read_token_info(card));  // selects the applet
  return value_or_throw(plain_command(card, ins::get_token_info, {}));
}

TEST(Enrolment, AMemberThatIsShownAsBlankStaysInItsDomain) {
  TestSystem system;
  const DomainRecord domain = system.found_domain("progenitor");
  system.found_domain("other");
  system.enrol("progenitor", "renderer", TokenKind::renderer);
  system.make_token("blank");
  RelayedCard relay(system.card("renderer"));
  relay.change_response = [info = token_info_of(*system.card("blank"))](const card::CommandApdu& command,
                                                                        card::ResponseApdu& response) {
    if (command.ins == ins::get_token_info) response.data = info;
  };
  EXPECT_FALSE(
      system.management_session("other").enrol(relay, TokenKind::renderer, system.register_of("other")).has_value());
  const auto card = system.card("renderer");
  ASSERT_OK(card->connect());
  EXPECT_EQ(value_or_throw(read_token_info(*card)).vdid, domain.vdid);
}

TEST(Enrolment, AHostThatPosesAsATokenGetsNoKey) {
  TestSystem system;
  system.found_domain("progenitor");
  system.make_token("blank");
  // Its certificate is of the same root, so that the secure channel alone would stand.
  const auto host = system.host();
  SacParty party;
  party.root = &host->root;
  party.certificate = &host->certificate;
  party.p256 = &host->p256;
  RelayedCard relay(system.card("blank"));
  bool answered = false;
  relay.change_response = [&](const card::CommandApdu& command, card::ResponseApdu& response) {
    if (command.ins == ins::sac_authenticate) response = {{}, card::sw::ok};
    if (command.ins != ins::sac_initiate) return;
    response = {value_or_throw(SacResponder::answer(party, command.data, system.random)).message2(), card::sw::ok};
    answered = true;
  };
  EXPECT_FAILS(
      system.management_session("progenitor").enrol(relay, TokenKind::renderer, system.register_of("progenitor")),
      ErrorKind::authentication_failed);
  EXPECT_TRUE(answered);
  EXPECT_TRUE(value_or_throw(system.register_of("progenitor").records()).empty());
}

TEST(Enrolment, AProgenitorIsNoMember) {
  TestSystem system;
  system.found_domain("progenitor");
  system.make_token("spare", true);
  EXPECT_FALSE(system.management_session("progenitor")
                   .enrol(*system.card("spare"), TokenKind::renderer, system.register_of("progenitor"))
                   .has_value());
}

TEST(Enrolment, OnlyMemberKindsAreGiven) {
  TestSystem system;
  system.found_domain("progenitor");
  system.make_token("token");
  for (const TokenKind kind :
       {TokenKind::blank, TokenKind::progenitor, static_cast<TokenKind>(8), static_cast<TokenKind>(77)})
    EXPECT_FALSE(system.management_session("progenitor")
                     .enrol(*system.card("token"), kind, system.register_of("progenitor"))
                     .has_value());
}

TEST(Enrolment, AHostWithoutTheCapabilityManagesNothing) {
  TestSystem system;
  system.make_token("progenitor", true);
  const auto player = system.make_host("renderer,acquisition");
  auto session = value_or_throw(ProgenitorSession::open(system.card("progenitor"), player,
                                                        {crypto::DhGroup::p256, &system.clock, &system.random}));
  EXPECT_FAILS(session.create_domain(), ErrorKind::authentication_failed);
}

TEST(Enrolment, OnlyATokenMadeForItFoundsADomain) {
  TestSystem system;
  system.make_token("ordinary");
  auto session = system.management_session("ordinary");
  EXPECT_FALSE(session.create_domain().has_value());
}

TEST(Enrolment, AProgenitorFoundsOneDomain) {
  TestSystem system;
  system.found_domain("progenitor");
  EXPECT_FAILS(system.management_session("progenitor").create_domain(), ErrorKind::refused);
}

TEST(Enrolment, ATmcThatLostTheAnswerReadsItsDomainAgain) {
  TestSystem system;
  const DomainRecord founded = system.found_domain("progenitor");
  const auto again = system.management_session("progenitor").read_domain();
  ASSERT_OK(again);
  EXPECT_EQ(again->vdid, founded.vdid);
  EXPECT_EQ(again->progenitor, founded.progenitor);
  EXPECT_EQ(again->revocation_key, founded.revocation_key);
  EXPECT_EQ(again->irl_header, founded.irl_header);
}

TEST(Enrolment, AProgenitorWithoutADomainHasNoneToRead) {
  TestSystem system;
  system.make_token("progenitor", true);
  EXPECT_FAILS(system.management_session("progenitor").read_domain(), ErrorKind::refused);
}

TEST(Personalisation, HappensOnce) {
  TestSystem system;
  system.make_token("token");
  EXPECT_FAILS(personalise_token(*system.card("token"), system.root(), "again", false), ErrorKind::refused);
}

class Register : public testing::Test {
 protected:
  TestSystem system;
  std::filesystem::path file = system.folder() / "progenitor.register";

  void SetUp() override {
    system.found_domain("progenitor");
    system.enrol("progenitor", "acquisition", TokenKind::acquisition);
    system.enrol("progenitor", "renderer", TokenKind::renderer);
  }
  Result<std::vector<RegisterEntry>> read(std::vector<RegisterRecord> records) {
    struct Given final : RegisterFile {
      std::vector<RegisterRecord> given;
      Result<std::vector<RegisterRecord>> records() override { return given; }
      Status append(const RegisterRecord& record) override {
        given.push_back(record);
        return {};
      }
    } given;
    given.given = std::move(records);
    return system.management_session("progenitor").read_register(given);
  }
  std::vector<RegisterRecord> records() { return value_or_throw(system.register_of("progenitor").records()); }
};

TEST_F(Register, IsWhole) { EXPECT_EQ(value_or_throw(read(records())).size(), 4U); }

TEST_F(Register, OneLostRecordComesBackFromTheCard) {
  auto cut = records();
  cut.pop_back();
  EXPECT_EQ(value_or_throw(read(cut)).size(), 4U);
}

TEST_F(Register, AnOldCopyIsRefused) {
  auto old = records();
  old.resize(2);
  EXPECT_FAILS(read(old), ErrorKind::refused);
  EXPECT_FAILS(read({}), ErrorKind::refused);
}

TEST_F(Register, NothingIsAddedToAnOldOrChangedCopy) {
  system.make_token("third");
  const auto newest = read_file(file, 1U << 20);
  ASSERT_OK(newest);
  Bytes changed = *newest;
  changed.back() ^= 1;
  const std::vector<Bytes> copies{Bytes(newest->begin(), newest->end() - 2 * register_record_size), changed, Bytes{}};
  for (const Bytes& bad : copies) {
    ASSERT_OK(write_file_durably(file, bad));
    EXPECT_FAILS(system.management_session("progenitor")
                     .enrol(*system.card("third"), TokenKind::renderer, system.register_of("progenitor")),
                 ErrorKind::refused);
    EXPECT_EQ(value_or_throw(read_file(file, 1U << 20)), bad);
  }
  ASSERT_OK(write_file_durably(file, *newest));
  EXPECT_OK(system.management_session("progenitor")
                .enrol(*system.card("third"), TokenKind::renderer, system.register_of("progenitor")));
}

TEST_F(Register, ChangedSwappedAndDoubledRecordsAreRefused) {
  auto changed = records();
  changed[1][12] ^= 1;
  // At the record itself, before any of it is told; the end of an old copy would be ErrorKind::refused.
  EXPECT_FAILS(read(changed), ErrorKind::authentication_failed);
  auto swapped = records();
  std::swap(swapped[0], swapped[1]);
  EXPECT_FAILS(read(swapped), ErrorKind::authentication_failed);
  auto doubled = records();
  doubled.push_back(doubled.back());
  EXPECT_FAILS(read(doubled), ErrorKind::authentication_failed);
}

TEST_F(Register, ARecordOfAnotherProgenitorIsRefused) {
  system.found_domain("other");
  system.enrol("other", "stranger", TokenKind::renderer);
  auto mixed = records();
  mixed[0] = value_or_throw(system.register_of("other").records())[0];
  EXPECT_FAILS(read(mixed), ErrorKind::authentication_failed);
}

}  // namespace
}  // namespace cas::smartpro
